//! `weir-cni`: streams and panics around [`weir_cni_plugin::run`].
//!
//! stdout gets one write, at the end: a result, an error object, or nothing. A panic becomes an error object
//! like any other error, after the wiring was undone by unwinding.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use weir_cni_plugin::environment::{Command, Environment};
use weir_cni_plugin::error::Error;
use weir_cni_plugin::host::Node;
use weir_cni_plugin::version::CniVersion;
use weir_cni_plugin::{Failure, run};

fn main() -> ExitCode {
    env_logger::Builder::new()
        .filter_level(log::LevelFilter::Info)
        .format(|out, record| writeln!(out, "weir-cni: {}: {}", record.level(), record.args()))
        .init();
    let environment = Environment::from_process();
    match environment.command() {
        Ok(Some(command)) => call(command, &environment),
        Ok(None) => about(),
        Err(error) => fail(&Failure::early(error.into())),
    }
}

fn call(command: Command, environment: &Environment) -> ExitCode {
    let node = Node::default();
    let mut buffer = Vec::new();
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| -> Result<(), Box<Failure>> {
        let reply = run(command, environment, io::stdin().lock(), &mut buffer, &node)?;
        print(&reply.stdout).map_err(|error| Failure::early(Error::Output(error)))?;
        if let Some(wiring) = reply.wiring {
            wiring.keep();
        }
        Ok(())
    }));
    match outcome {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(failure)) => fail(&failure),
        Err(panic) => fail(&Failure::early(Error::Panic(text_of(panic.as_ref())))),
    }
}

fn fail(failure: &Failure) -> ExitCode {
    log::error!("{}", failure.error);
    if let Err(error) = print(&failure.stdout()) {
        log::error!("cannot print the error: {error}");
    }
    ExitCode::FAILURE
}

/// Nobody called a plugin.
fn about() -> ExitCode {
    eprintln!(
        "weir-cni {}: chained CNI plugin of weir; protocol versions {}. A container runtime runs it with CNI_COMMAND set.",
        env!("CARGO_PKG_VERSION"),
        CniVersion::list()
    );
    ExitCode::SUCCESS
}

/// Writes to stdout past the standard library's line buffer, so that one text is one write.
fn print(text: &[u8]) -> io::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    File::from(io::stdout().as_fd().try_clone_to_owned()?).write_all(text)
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic".to_owned())
}
