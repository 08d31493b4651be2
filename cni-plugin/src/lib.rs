//! `weir-cni`: the chained CNI plugin that wires a pod's host interface into weir's inspection path.
//!
//! A call is one process: environment and stdin in, one JSON text or nothing on stdout, logs on stderr.
//! [`run`] is that call without the process; `main.rs` adds the streams and catches panics.
//!
//! - [`environment`], [`input`], [`config`], [`pod_args`]: what the runtime passed, checked;
//! - [`policy`]: what the pod is under;
//! - [`link`], [`host`]: the pod's interface, the kernel;
//! - [`verbs`]: one file per verb; [`wiring`]: what ADD makes and undoes;
//! - [`lock`]: the network's lock, for a bounded time;
//! - [`error`]: every error to its CNI code.
//!
//! Invariants: depends on neither rule language nor engine; no child process is started, so nothing
//! holds stdout after the call; the environment carries no option.

pub mod config;
pub mod enforcer;
pub mod environment;
pub mod error;
pub mod host;
pub mod input;
pub mod link;
pub mod lock;
pub mod pod_args;
pub mod policy;
pub mod verbs;
pub mod version;
pub mod wiring;

#[cfg(test)]
mod fake_host;
#[cfg(test)]
mod properties;

use std::io::Read;

use config::NetworkConfig;
use environment::{Command, Environment};
use error::Error;
use host::Host;
use verbs::Call;
use wiring::Wiring;

/// What a successful call answers.
pub struct Reply<'a> {
    /// Text for stdout; empty: nothing.
    pub stdout: Vec<u8>,
    /// To be kept once stdout is written; undone when dropped.
    pub wiring: Option<Wiring<'a>>,
}

impl Reply<'_> {
    fn text(stdout: Vec<u8>) -> Self {
        Self {
            stdout,
            wiring: None,
        }
    }
}

/// A call that failed, and what its error object needs besides.
#[derive(Debug)]
pub struct Failure {
    /// What went wrong.
    pub error: Error,
    /// Version that the caller speaks.
    pub version: version::CniVersion,
    /// Who was called for, or empty.
    pub context: String,
}

impl Failure {
    /// A failure before anything is known of the call.
    #[must_use]
    pub fn early(error: Error) -> Box<Self> {
        Box::new(Self {
            error,
            version: version::CniVersion::LATEST,
            context: String::new(),
        })
    }

    /// The error object that goes to stdout.
    #[must_use]
    pub fn stdout(&self) -> Vec<u8> {
        self.error.object(self.version, &self.context)
    }
}

/// Runs `command` with what is on `stdin`, which is put into `buffer`.
///
/// # Errors
/// [`Failure`]; nothing of a failed ADD is left behind.
pub fn run<'a>(
    command: Command,
    environment: &'a Environment,
    stdin: impl Read,
    buffer: &'a mut Vec<u8>,
    host: &'a dyn Host,
) -> Result<Reply<'a>, Box<Failure>> {
    environment
        .require(command)
        .map_err(|error| Failure::early(error.into()))?;
    *buffer = input::read_bounded(stdin).map_err(|error| Failure::early(error.into()))?;
    if command == Command::Version {
        return Ok(Reply::text(verbs::version::version(buffer)));
    }
    answer(command, environment, buffer, host).map_err(|error| {
        Box::new(Failure {
            error,
            version: config::stated_version(buffer)
                .and_then(|text| version::CniVersion::parse(&text).ok())
                .unwrap_or(version::CniVersion::LATEST),
            context: context(command, environment),
        })
    })
}

fn answer<'a>(
    command: Command,
    environment: &'a Environment,
    stdin: &'a [u8],
    host: &'a dyn Host,
) -> Result<Reply<'a>, Error> {
    let call = Call {
        environment,
        config: NetworkConfig::parse(stdin)?,
        host,
    };
    let silent = |()| Reply::text(Vec::new());
    match command {
        Command::Add => verbs::add::add(&call).map(|added| Reply {
            stdout: added.stdout,
            wiring: added.wiring,
        }),
        Command::Del => verbs::del::del(&call).map(silent),
        Command::Check => verbs::check::check(&call).map(silent),
        Command::Gc => verbs::gc::gc(&call).map(silent),
        Command::Status => verbs::status::status(&call).map(silent),
        Command::Version => Ok(Reply::text(verbs::version::version(stdin))),
    }
}

/// Verb and container, for the error object's details.
fn context(command: Command, environment: &Environment) -> String {
    let Ok(container) = environment.container() else {
        return command.to_string();
    };
    let pod = environment
        .args()
        .map(pod_args::pod_from_args)
        .unwrap_or_default();
    let pod = policy::describe(&pod);
    format!(
        "{command} of {pod}, container {}, interface {}",
        container.id, container.ifname
    )
}
