//! The control socket: `<run directory>/control.sock`, a unix stream; one line of JSON asks, one line
//! answers.
//!
//! `{"command":"ping"}`, `{"command":"status"}`, `{"command":"reload"}`. The answer has `"ok"` and, where
//! that is false, `"error"`. Readable and writable by root only. At most [`server::MAX_CLIENTS`] at a
//! time; a client that does not ask within [`server::PATIENCE`] is let go.

pub mod client;
pub mod server;

use std::path::{Path, PathBuf};
use weir_datapath::layout::CONTROL_SOCKET;

use serde::{Deserialize, Serialize};

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Command {
    /// Is anybody there?
    Ping,
    /// Read the attachment records now: one was written. The answer comes when workers know it.
    Attached,
    /// State and counters.
    Status,
    /// Read settings and rules again.
    Reload,
}

/// A question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// What is asked.
    pub command: Command,
}

/// The socket of a run directory.
#[must_use]
pub fn socket_path(run_dir: &Path) -> PathBuf {
    run_dir.join(CONTROL_SOCKET)
}
