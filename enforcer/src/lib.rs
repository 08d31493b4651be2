//! `weir`: the node service and its command line.
//!
//! The binary is this library's [`main`]; it is a library so that benches and tests reach its parts.
//!
//! Every command returns an [`ExitCode`]; an error ends it with one line on standard error, causes
//! included, and exit code 1 (2 for a wrong command line).

pub mod attachments;
pub mod capture;
pub mod cli;
pub mod commands;
pub mod control;
pub mod data;
pub mod events;
pub mod lease;
pub mod reject;
pub mod replay;
pub mod rules;
pub mod service;
pub mod settings;
pub mod settle;
#[cfg(test)]
mod testing;
pub mod view;
pub mod worker;

use std::process::ExitCode;

use clap::Parser as _;

use cli::{Cli, Command};

/// Runs the command line.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    start_log();
    match run(cli.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("weir: error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Enforce(args) => commands::enforce::run(args),
        Command::Replay(args) => commands::replay::run(&args),
        Command::Check(args) => commands::check::run(args),
        Command::Status(args) => commands::status::run(&args),
        Command::Reload(args) => commands::reload::run(&args),
        Command::Uninstall(args) => commands::uninstall::run(&args),
    }
}

/// Log lines on standard error; `RUST_LOG` chooses them.
fn start_log() {
    use std::io::Write as _;
    // netlink_proto prints each link event that it cannot decode in hexadecimal; the sweep makes up for those.
    let filter = env_logger::Env::default().default_filter_or("info,netlink_proto=off");
    env_logger::Builder::from_env(filter)
        .format(|line, record| {
            let level = record.level().as_str().to_ascii_lowercase();
            writeln!(line, "weir: {level}: {}", record.args())
        })
        .init();
}
