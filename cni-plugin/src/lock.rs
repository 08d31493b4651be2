//! Taking a network's lock, for a bounded time.
//!
//! Whoever holds it may be stopped (a debugger, a cgroup freezer): ADD then fails and can be tried again, and the
//! verbs that only remove go on without, as each change of the rules is atomic by itself.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use weir_datapath::record::{NetworkLock, RecordError, RecordStore};

/// How long to wait. Two hundred parallel calls take a tenth of it.
pub const LOCK_PATIENCE: Duration = Duration::from_secs(20);

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The lock file cannot be used.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Somebody holds it.
    #[error(
        "another process has held the lock of network {network:?} for {seconds} s: look for a weir-cni or weir process that is stopped"
    )]
    Held {
        /// Name of the network.
        network: String,
        /// How long was waited.
        seconds: u64,
    },
    /// No thread to wait in.
    #[error("cannot start a thread to wait for the lock: {0}")]
    Thread(#[source] io::Error),
}

/// Waits for the lock of `network`, at most `patience`.
///
/// The thread that waits is abandoned when the time is over; a plugin process ends soon after.
///
/// # Errors
/// [`LockError`].
pub fn lock_within(
    store: &RecordStore,
    network: &str,
    patience: Duration,
) -> Result<NetworkLock, LockError> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let (store, name) = (store.clone(), network.to_owned());
    thread::Builder::new()
        .name("weir-lock".to_owned())
        .spawn(move || {
            // Nobody listens any more after the deadline: the lock is released with the message.
            let _ = sender.send(store.lock(&name));
        })
        .map_err(LockError::Thread)?;
    match receiver.recv_timeout(patience) {
        Ok(locked) => Ok(locked?),
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Err(LockError::Held {
            network: network.to_owned(),
            seconds: patience.as_secs(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake_host::RunDir;

    const SHORT: Duration = Duration::from_millis(50);

    #[test]
    fn a_held_lock_is_given_up_on_and_free_again_afterwards() {
        let run = RunDir::new();
        let store = run.store();
        let held = lock_within(&store, "net", LOCK_PATIENCE).unwrap();
        let error = lock_within(&store, "net", SHORT).unwrap_err();
        assert!(error.to_string().contains("\"net\""), "{error}");
        lock_within(&store, "other", LOCK_PATIENCE).unwrap();
        drop(held);
        lock_within(&store, "net", LOCK_PATIENCE).unwrap();
    }

    #[test]
    fn a_lock_file_that_cannot_be_made_is_an_error_at_once() {
        let store = RecordStore::new(std::path::Path::new("/proc/no-weir-here"));
        let error = lock_within(&store, "net", LOCK_PATIENCE).unwrap_err();
        assert!(matches!(error, LockError::Record(_)), "{error}");
    }
}
