//! Asks the running enforcer.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::{Command, Request, socket_path};

/// How long an answer may take, but for a reload.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a reload may take: it compiles all rules.
const RELOAD_PATIENCE: Duration = Duration::from_secs(180);

/// Largest answer that is read.
const MAX_ANSWER: u64 = 64 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("no enforcer answers on {path}: {source}; is `weir enforce` running with this run directory?", path = path.display())]
    Absent {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The connection broke.
    #[error("the enforcer on {path} did not answer: {source}; does it hang?", path = path.display())]
    Broken {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not JSON.
    #[error("the enforcer on {path} answered something else than JSON: {source}", path = path.display())]
    Answer {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// It refused.
    #[error("{0}")]
    Refused(String),
}

/// Asks the enforcer of a run directory.
///
/// # Errors
///
/// When nobody listens, or what is asked for fails.
pub fn ask(run_dir: &Path, command: Command) -> Result<Value, ClientError> {
    let path = socket_path(run_dir);
    let stream = UnixStream::connect(&path).map_err(|source| ClientError::Absent {
        path: path.clone(),
        source,
    })?;
    let line = talk(stream, command).map_err(|source| ClientError::Broken {
        path: path.clone(),
        source,
    })?;
    let answer: Value =
        serde_json::from_str(&line).map_err(|source| ClientError::Answer { path, source })?;
    if answer.get("ok").and_then(Value::as_bool) == Some(true) {
        return Ok(answer);
    }
    let error = answer.get("error").and_then(Value::as_str);
    Err(ClientError::Refused(
        error
            .unwrap_or("the enforcer refused without a reason")
            .to_owned(),
    ))
}

fn talk(mut stream: UnixStream, command: Command) -> std::io::Result<String> {
    let patience = match command {
        Command::Reload => RELOAD_PATIENCE,
        Command::Ping | Command::Attached | Command::Status => PATIENCE,
    };
    stream.set_read_timeout(Some(patience))?;
    let mut request = serde_json::to_vec(&Request { command })?;
    request.push(b'\n');
    stream.write_all(&request)?;
    let mut line = String::new();
    BufReader::new(stream.take(MAX_ANSWER)).read_line(&mut line)?;
    Ok(line)
}
