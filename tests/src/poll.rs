//! Waiting for conditions instead of sleeping.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long a condition may take to come true. Generous: machines that run tests are slow and busy.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How often a condition is looked at.
const TICK: Duration = Duration::from_millis(10);

/// Polls `probe` until it returns a value.
///
/// # Errors
/// When [`PATIENCE`] is over; the message names `what`. An error of the probe ends the wait.
pub fn until<T>(what: &str, probe: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    until_within(what, PATIENCE, probe)
}

/// Polls `probe` until it returns a value, at most for `limit`.
///
/// # Errors
/// When the limit is over, or what the probe returns.
pub fn until_within<T>(
    what: &str,
    limit: Duration,
    mut probe: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = probe()? {
            return Ok(value);
        }
        if Instant::now() > deadline {
            bail!("waited {limit:?} for {what}");
        }
        std::thread::sleep(TICK);
    }
}
