//! `weir`: the node service and its command line.
//!
//! Every command returns a [`std::process::ExitCode`]; an error ends it with one line on standard
//! error, causes included, and exit code 1 (2 for a wrong command line).

mod capture;
mod cli;
mod events;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the command line mounts it next")
)]
mod replay;
mod rules;
mod settings;
mod settle;
#[cfg(test)]
mod testing;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info"))
        .format(|f, record| {
            use std::io::Write as _;
            writeln!(
                f,
                "weir: {}: {}",
                record.level().as_str().to_lowercase(),
                record.args()
            )
        })
        .init();
    match run(cli.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("weir: error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: cli::Command) -> anyhow::Result<ExitCode> {
    anyhow::bail!("{command:?}")
}
