//! The real `weir enforce`, started inside a node's namespace.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::command;
use crate::eve::Eve;
use crate::node::{Node, binary};
use crate::poll;
use crate::status::Status;
use crate::sweep;

/// What the enforcer prints on standard error once it holds and settles frames.
const READY: &str = "weir: ready";

/// How long it may take to be ready: debug builds on busy machines are slow.
const START_LIMIT: Duration = Duration::from_secs(60);

/// How long an orderly end may take.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// How to start an enforcer.
#[derive(Clone, Debug, Default)]
pub struct Options {
    rules: String,
    settings: Option<String>,
    flags: Vec<String>,
}

impl Options {
    /// With a rule file of this text.
    #[must_use]
    pub fn rules(text: &str) -> Self {
        Self {
            rules: text.to_owned(),
            ..Self::default()
        }
    }

    /// With settings (`weir.yaml`) of this text.
    #[must_use]
    pub fn settings(mut self, yaml: &str) -> Self {
        self.settings = Some(yaml.to_owned());
        self
    }

    /// With more command-line flags.
    #[must_use]
    pub fn flags(mut self, flags: &[&str]) -> Self {
        self.flags
            .extend(flags.iter().map(|flag| (*flag).to_owned()));
        self
    }
}

/// A running enforcer; killed on drop.
#[derive(Debug)]
pub struct Enforcer {
    child: Child,
    log: PathBuf,
    run_dir: PathBuf,
    node: std::sync::Arc<crate::netns::Netns>,
    process_file: PathBuf,
    /// What it reports.
    pub eve: Eve,
}

impl Enforcer {
    /// Starts it on `node` and waits until it is ready.
    ///
    /// # Errors
    /// When it ends or does not become ready; the message holds its log.
    pub fn start(node: &Node, options: &Options) -> Result<Self> {
        let mut enforcer = Self::spawn(node, options)?;
        enforcer.wait_ready()?;
        Ok(enforcer)
    }

    /// Starts it without waiting.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(node: &Node, options: &Options) -> Result<Self> {
        let scratch = node.scratch();
        let eve = scratch.path().join("eve.json");
        let log = scratch.path().join("enforcer.log");
        let output = File::options().create(true).append(true).open(&log)?;
        // Readiness is looked for in this start's part of the log only.
        fs::write(&log, "")?;
        let mut command = Command::new(binary("weir")?);
        command
            .arg("enforce")
            .arg("--run-dir")
            .arg(node.run_dir())
            .arg("--eve")
            .arg(&eve)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        if !options.rules.is_empty() {
            command
                .arg("--rules")
                .arg(scratch.write("test.rules", &options.rules)?);
        }
        if let Some(settings) = &options.settings {
            command
                .arg("--config")
                .arg(scratch.write("weir.yaml", settings)?);
        }
        command.args(&options.flags);
        let child = node
            .ns
            .run(|| command.spawn().context("start weir enforce"))?;
        let process_file = scratch
            .path()
            .join(format!("enforcer{}", sweep::PROCESS_FILE_SUFFIX));
        let started = sweep::start_time(child.id()).unwrap_or_default();
        fs::write(&process_file, format!("{} {started}", child.id()))?;
        Ok(Self {
            child,
            log,
            run_dir: node.run_dir(),
            node: std::sync::Arc::clone(&node.ns),
            process_file,
            eve: Eve::at(&eve),
        })
    }

    /// Waits until it is ready.
    ///
    /// # Errors
    /// When it ends before, or takes too long.
    pub fn wait_ready(&mut self) -> Result<()> {
        let waited = poll::until_within("the enforcer to be ready", START_LIMIT, || {
            if let Some(status) = self.child.try_wait()? {
                bail!("the enforcer ended: {status}");
            }
            Ok(self.log().contains(READY).then_some(()))
        });
        waited.with_context(|| format!("its log:\n{}", self.log()))
    }

    /// Its log so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// What `weir status --json` says.
    ///
    /// # Errors
    /// When the command fails.
    pub fn status(&self) -> Result<Status> {
        Status::read(&self.node, &self.run_dir)
    }

    /// Sends a signal to it.
    ///
    /// # Errors
    /// When it is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill(self.pid()?, signal).with_context(|| format!("{signal} to the enforcer"))
    }

    /// Processor time that it has taken so far.
    ///
    /// # Errors
    /// When the kernel's account of it cannot be read.
    pub fn cpu_time(&self) -> Result<Duration> {
        let account = format!("/proc/{}/stat", self.child.id());
        let text = fs::read_to_string(&account).with_context(|| format!("read {account}"))?;
        // Behind the command's name in brackets: state is field 3, utime 14, stime 15, in ticks of 10 ms.
        let fields = text.rsplit(')').next().unwrap_or_default();
        let ticks = fields.split_whitespace().skip(11).take(2);
        let ticks: u64 = ticks.map(|field| field.parse().unwrap_or(0)).sum();
        Ok(Duration::from_millis(ticks * 10))
    }

    /// Kills it as a crash would.
    ///
    /// # Errors
    /// When it did not end by the signal.
    pub fn crash(mut self) -> Result<()> {
        self.signal(Signal::SIGKILL)?;
        let status = command::wait_within(&mut self.child, STOP_LIMIT)?;
        if status.signal() != Some(Signal::SIGKILL as i32) {
            bail!(
                "ended before it was killed: {status}; its log:\n{}",
                self.log()
            );
        }
        Ok(())
    }

    /// Asks it to end and waits for that.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn stop(mut self) -> Result<ExitStatus> {
        self.signal(Signal::SIGTERM)?;
        let status = command::wait_within(&mut self.child, STOP_LIMIT);
        status.with_context(|| format!("orderly end; its log:\n{}", self.log()))
    }

    /// Waits for its end without asking for it.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        command::wait_within(&mut self.child, START_LIMIT)
    }

    /// Its run directory.
    #[must_use]
    pub fn run_dir(&self) -> &Path {
        &self.run_dir
    }

    fn pid(&self) -> Result<Pid> {
        Ok(Pid::from_raw(i32::try_from(self.child.id())?))
    }
}

impl Drop for Enforcer {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _killed = self.child.kill();
            let _reaped = self.child.wait();
        }
        let _removed = fs::remove_file(&self.process_file);
        if std::thread::panicking() {
            eprintln!("--- log of the enforcer:\n{}", self.log());
        }
    }
}
