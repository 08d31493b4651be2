//! The service's loop, and its end.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval, sleep};
use weir_datapath::layout::CAPTURE_ENFORCER_END;
use weir_datapath::record::RecordError;

use super::Service;
use super::reload::{Job, Reloaded};
use crate::attachments::reconcile::live_records;
use crate::attachments::snapshot::Snapshot;
use crate::attachments::watch::RecordWatch;
use crate::control::Command;
use crate::control::server::{Asked, ControlServer};
use crate::view::View;

/// How often records, chains and devices are compared.
const SWEEP: Duration = Duration::from_secs(5);

/// How long to wait for more interfaces to go before sweeping.
const SWEEP_DELAY: Duration = Duration::from_millis(20);

/// Least time between a sweep and the repair of rules that somebody removed.
const MEND_PAUSE: Duration = Duration::from_millis(100);

/// How long to wait for more changes of the records before reading them.
const SETTLE: Duration = Duration::from_millis(2);

/// How long after the lease was given back frames may still be on their way to the sockets.
const IN_FLIGHT: Duration = Duration::from_millis(20);

/// How long to wait for the first lease before readiness is told to be late.
const READY_PATIENCE: Duration = Duration::from_secs(5);

/// Which interfaces need not be looked for in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// Those that are served: a deleted one is told of, and a sweep follows.
    Served,
    /// None.
    Nothing,
}

impl Service {
    /// Serves until a signal or a failure.
    ///
    /// # Errors
    ///
    /// When a worker fails or the capture devices are taken away.
    pub(super) async fn serve(&mut self) -> anyhow::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let control = ControlServer::listen(&self.settings.run_dir)?;
        let (ask, mut asked) = mpsc::channel(1);
        let mut sweep = interval(SWEEP);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut job: Option<Job> = None;
        self.tell_ready().await;
        let records_changed = std::sync::Arc::clone(&self.records_changed);
        let link_gone = std::sync::Arc::clone(&self.link_gone);
        // When to read the records, once some have changed.
        let mut due: Option<Instant> = None;
        let rules_removed = std::sync::Arc::clone(&self.rules_removed);
        // When to sweep out of turn, and when that was done last.
        let mut sweep_due: Option<Instant> = None;
        let mut swept = Instant::now();
        loop {
            tokio::select! {
                _ = terminate.recv() => return Ok(()),
                _ = interrupt.recv() => return Ok(()),
                _ = hangup.recv() => self.begin_reload(&mut job, None),
                Some(error) = self.worker_ended.recv() => return Err(error.into()),
                () = control.accept(&ask) => {}
                Some(Asked { command, reply }) = asked.recv() => {
                    if command == Command::Attached {
                        due = None;
                    }
                    self.answer(command, reply, &mut job).await;
                }
                () = records_changed.notified() => due = due.or(Some(Instant::now() + SETTLE)),
                () = wait_until(due) => {
                    due = None;
                    self.take_records(Known::Served, &mut job);
                }
                // Pods end in droves: one sweep for all that end together.
                () = link_gone.notified() => sweep_due = earlier(sweep_due, Instant::now() + SWEEP_DELAY),
                // At once, as fail-closed pods are open meanwhile; but whoever removes them again and again must not
                // keep the service busy.
                () = rules_removed.notified() => sweep_due = earlier(sweep_due, swept + MEND_PAUSE),
                () = wait_until(sweep_due) => {
                    sweep_due = None;
                    self.check_devices()?;
                    self.sweep(&mut job);
                    swept = Instant::now();
                }
                _ = sweep.tick() => {
                    self.check_devices()?;
                    self.sweep(&mut job);
                    self.look_at_rules(&mut job);
                }
                reloaded = finished(&mut job) => self.take_over(reloaded, &mut job),
            }
        }
    }

    async fn tell_ready(&self) {
        let end = Instant::now() + READY_PATIENCE;
        while !self.lease.state().held() && Instant::now() < end {
            sleep(Duration::from_millis(5)).await;
        }
        let state = if self.lease.state().held() {
            "ready"
        } else {
            "started, but without the lease: fail modes decide"
        };
        eprintln!(
            "weir: {state}: {} workers, {} rules, {} attachments, run directory {}",
            self.pool.pulses().len(),
            self.report.loaded,
            self.view.load().attachments.entries().len(),
            self.settings.run_dir.display()
        );
    }

    async fn answer(
        &mut self,
        command: Command,
        reply: oneshot::Sender<Value>,
        job: &mut Option<Job>,
    ) {
        let answer = match command {
            Command::Ping => json!({"ok": true}),
            Command::Attached => {
                self.take_records(Known::Served, job);
                json!({"ok": true})
            }
            Command::Status => self.status().await,
            Command::Reload => return self.begin_reload(job, Some(reply)),
        };
        // A client that has gone away does not need its answer.
        let _ = reply.send(answer);
    }

    /// Reads the records again. The view changes at once; where an attachment needs rules that are not compiled
    /// together yet, they are, and the view changes again.
    fn take_records(&mut self, known: Known, job: &mut Option<Job>) {
        let view = self.view.load_full();
        let (records, errors) = live_records(&mut self.records, |record| {
            known == Known::Served && view.attachments.holds(record)
        });
        self.note_record_problems(&errors);
        let pausing = self.compile_again.is_some_and(|then| Instant::now() < then);
        if view.attachments.is_of(&records) && (view.attachments.is_complete() || pausing) {
            return;
        }
        let same = view.attachments.is_of(&records);
        let compiled = view.attachments.combinations();
        let snapshot = Snapshot::within(records, &self.settings, &self.node_name, compiled);
        if !snapshot.is_complete() && !pausing {
            self.begin_compile(job);
        }
        if same && snapshot.is_complete() == view.attachments.is_complete() {
            // Rules are being compiled for it: what there is of it is in place.
            return;
        }
        self.view.store(std::sync::Arc::new(View {
            attachments: std::sync::Arc::new(snapshot),
            rules: std::sync::Arc::clone(&view.rules),
        }));
    }

    pub(super) fn note_record_problems(&mut self, errors: &[RecordError]) {
        let problems: Vec<String> = errors.iter().map(ToString::to_string).collect();
        for problem in problems
            .iter()
            .filter(|p| !self.record_problems.contains(p))
        {
            log::warn!("{problem}");
        }
        self.record_problems = problems;
    }

    /// The capture pair is what all frames come through: without it this process is of no use.
    fn check_devices(&self) -> anyhow::Result<()> {
        match nix::net::if_::if_nametoindex(CAPTURE_ENFORCER_END) {
            Ok(index) if index == self.devices.capture_enforcer_end => Ok(()),
            _ => bail!(
                "capture interface {CAPTURE_ENFORCER_END} was removed or replaced; start again to set it up anew"
            ),
        }
    }

    fn sweep(&mut self, job: &mut Option<Job>) {
        if let Err(error) = self.reconciler.run(&mut self.records, &mut self.kernel) {
            log::warn!("cannot bring kernel and records together: {error}");
        }
        if let Err(error) = self.records.store().sweep_temporaries() {
            log::warn!("sweep: {error}");
        }
        self.renew_record_watch();
        self.take_records(Known::Nothing, job);
    }

    /// Loads rules whose files have changed, where the settings ask for it.
    fn look_at_rules(&mut self, job: &mut Option<Job>) {
        if self.settings.watch_rules && self.rule_watch.changed(&self.settings) {
            log::info!("rule files have changed: loading them");
            self.begin_reload(job, None);
        }
    }

    /// The directory of the records may have been removed and made anew, which ends the watch.
    fn renew_record_watch(&mut self) {
        let store = self.records.store();
        if self.record_watch.is_current(&store.directory()) {
            return;
        }
        let changed = std::sync::Arc::clone(&self.records_changed);
        let renewed = store
            .create_directory()
            .context("records")
            .and_then(|()| Ok(RecordWatch::start(&store.directory(), changed)?));
        match renewed {
            Ok(watch) => self.record_watch = watch,
            Err(error) => log::warn!("{error:#}"),
        }
    }

    /// Ends everything in order.
    pub(super) fn stop(self) {
        log::info!("ending: from now on fail modes decide");
        self.lease.give_back();
        std::thread::sleep(IN_FLIGHT);
        self.pool.stop();
        // With the workers gone their sinks are, which ends the writer behind the last event.
        let _ = self.writer.join();
        self.data.save_or_log();
        self.file_store.finish();
    }
}

/// What is due first.
fn earlier(due: Option<Instant>, other: Instant) -> Option<Instant> {
    Some(due.map_or(other, |due| due.min(other)))
}

/// Waits until then, for ever where nothing is due.
async fn wait_until(due: Option<Instant>) {
    match due {
        Some(due) => sleep(due.saturating_duration_since(Instant::now())).await,
        None => std::future::pending().await,
    }
}

/// Waits for a compilation, for ever where there is none.
async fn finished(job: &mut Option<Job>) -> Reloaded {
    match job {
        Some(job) => job.finished().await,
        None => std::future::pending().await,
    }
}
