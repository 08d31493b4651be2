//! `weir reload`.

use std::process::ExitCode;

use crate::cli::ControlArgs;
use crate::control::{Command, client};

/// Asks the enforcer to read settings and rules again.
///
/// # Errors
///
/// When nobody answers, or the enforcer keeps what it has.
pub fn run(args: &ControlArgs) -> anyhow::Result<ExitCode> {
    let settings = args.settings.load()?;
    let answer = client::ask(&settings.run_dir, Command::Reload)?;
    let number = |name| {
        answer
            .get(name)
            .and_then(serde_json::Value::as_u64)
            .unwrap_or(0)
    };
    println!(
        "{} rules loaded, {} refused, {} commented out",
        number("loaded"),
        number("refused"),
        number("disabled")
    );
    Ok(ExitCode::SUCCESS)
}
