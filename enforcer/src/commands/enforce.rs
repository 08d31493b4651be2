//! `weir enforce`.

use std::process::ExitCode;

use crate::cli::EnforceArgs;
use crate::service;

/// Runs the service until it is asked to end.
///
/// # Errors
///
/// When it cannot start, or fails.
pub fn run(args: EnforceArgs) -> anyhow::Result<ExitCode> {
    service::run(args)?;
    Ok(ExitCode::SUCCESS)
}
