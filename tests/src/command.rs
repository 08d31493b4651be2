//! Commands with a deadline and errors that say what was run and what it printed.
//!
//! A child inherits the network namespace of the thread that starts it, so a command started inside
//! [`crate::netns::Netns::run`] runs there.

use std::fmt;
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long a command may take unless the caller says otherwise. Generous: machines that run tests are slow.
const DEFAULT_LIMIT: Duration = Duration::from_secs(60);

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}\nstdout: {}\nstderr: {}",
            self.status,
            self.stdout.trim_end(),
            self.stderr.trim_end()
        )
    }
}

/// A command about to run.
#[derive(Debug)]
pub struct Run<'a> {
    command: &'a mut Command,
    stdin: &'a [u8],
    limit: Duration,
}

impl<'a> Run<'a> {
    /// Wraps `command`.
    pub fn new(command: &'a mut Command) -> Self {
        Self {
            command,
            stdin: &[],
            limit: DEFAULT_LIMIT,
        }
    }

    /// What it reads.
    #[must_use]
    pub fn stdin(mut self, bytes: &'a [u8]) -> Self {
        self.stdin = bytes;
        self
    }

    /// How long it may take; then it is killed and the run is an error.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs it to its end, whatever its exit status.
    ///
    /// # Errors
    /// When it cannot be started or takes too long.
    pub fn finish(self) -> Result<Finished> {
        let name = format!("{:?}", self.command);
        let mut child = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let stdout = drain(child.stdout.take());
        let stderr = drain(child.stderr.take());
        if let Some(mut pipe) = child.stdin.take() {
            // A child that does not read its input closes the pipe: no error of ours.
            let _closed = pipe.write_all(self.stdin);
        }
        let status = wait_within(&mut child, self.limit).with_context(|| name.clone())?;
        Ok(Finished {
            status,
            stdout: collect(stdout),
            stderr: collect(stderr),
        })
    }

    /// Runs it and requires success.
    ///
    /// # Errors
    /// Also when it exits with anything but 0; the message holds what it printed.
    pub fn succeed(self) -> Result<String> {
        let name = format!("{:?}", self.command);
        let finished = self.finish()?;
        if !finished.status.success() {
            bail!("{name}: {finished}");
        }
        Ok(finished.stdout)
    }
}

/// Runs a shell script, stopping at its first error, and returns what it printed.
///
/// # Errors
/// When a command of it fails.
pub fn sh(script: &str) -> Result<String> {
    Run::new(Command::new("sh").args(["-ec", script])).succeed()
}

/// Waits for a child's end; kills it after `limit`.
///
/// # Errors
/// When it had to be killed.
pub fn wait_within(child: &mut Child, limit: Duration) -> Result<ExitStatus> {
    let pid = Pid::from_raw(i32::try_from(child.id())?);
    thread::scope(|scope| {
        let (tell, told) = mpsc::sync_channel(1);
        // Blocked in the kernel rather than polling: what is timed here is in the order of milliseconds.
        scope.spawn(move || tell.send(child.wait()));
        match told.recv_timeout(limit) {
            Ok(ended) => Ok(ended?),
            Err(_) => {
                kill(pid, Signal::SIGKILL)?;
                bail!("not finished after {limit:?}, killed");
            }
        }
    })
}

fn drain<R: Read + Send + 'static>(pipe: Option<R>) -> Option<JoinHandle<Vec<u8>>> {
    pipe.map(|mut pipe| {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let _partial = pipe.read_to_end(&mut bytes);
            bytes
        })
    })
}

fn collect(reader: Option<JoinHandle<Vec<u8>>>) -> String {
    let bytes = reader
        .and_then(|handle| handle.join().ok())
        .unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
