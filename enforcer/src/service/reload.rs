//! New settings, new rules: compiled beside the running ones and put in their place as a whole.
//!
//! A reload that fails changes nothing. One job runs at a time; what is asked for meanwhile is answered
//! by the one that starts behind it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use weir_datapath::attachment::Attachment;
use weir_datapath::record::RecordCache;

use super::Service;
use crate::attachments::reconcile::live_records;
use crate::attachments::snapshot::Snapshot;
use crate::control::server::refusal;
use crate::rules::watch::RuleWatch;
use crate::rules::{self, Before, Loaded, Texts};
use crate::settings::Settings;
use crate::view::View;

/// How long not to try again what records need, once compiling has failed. A reload that is asked for is tried.
const COMPILE_PAUSE: Duration = Duration::from_secs(60);

/// A compilation on a thread of its own.
pub(super) struct Job {
    work: JoinHandle<Result<Prepared, String>>,
    replies: Vec<oneshot::Sender<Value>>,
    /// Asked for while this one runs: start another behind it.
    again: Option<Again>,
}

struct Again {
    reload: bool,
    replies: Vec<oneshot::Sender<Value>>,
}

struct Prepared {
    settings: Settings,
    /// `None`: the files were not read again.
    watch: Option<RuleWatch>,
    view: View,
    loaded: Loaded,
}

/// What came of a job.
pub(super) struct Reloaded(Result<Prepared, String>);

impl Job {
    /// Waits for it.
    pub(super) async fn finished(&mut self) -> Reloaded {
        Reloaded(match (&mut self.work).await {
            Ok(result) => result,
            Err(error) => Err(format!("compiling the rules failed: {error}")),
        })
    }
}

impl Service {
    /// Reads settings and rules again; the outcome goes to `reply` and the log.
    pub(super) fn begin_reload(
        &mut self,
        job: &mut Option<Job>,
        reply: Option<oneshot::Sender<Value>>,
    ) {
        self.writer_state.reopen();
        self.begin(job, true, reply.into_iter().collect());
    }

    /// Compiles the rules for attachments that need other combinations of rule sets.
    pub(super) fn begin_compile(&mut self, job: &mut Option<Job>) {
        self.begin(job, false, Vec::new());
    }

    fn begin(&self, job: &mut Option<Job>, reload: bool, replies: Vec<oneshot::Sender<Value>>) {
        if let Some(running) = job {
            let again = running.again.get_or_insert_with(|| Again {
                reload: false,
                replies: Vec::new(),
            });
            again.reload |= reload;
            again.replies.extend(replies);
            return;
        }
        let settings = if reload {
            self.reloaded_settings()
        } else {
            Ok(self.settings.clone())
        };
        let (store, node_name) = (self.records.store().clone(), self.node_name.clone());
        let before = Before {
            data: self.data.clone(),
            texts: (!reload).then(|| self.texts.clone()).filter(Texts::is_kept),
        };
        let work = tokio::task::spawn_blocking(move || {
            let settings = settings?;
            // Sets that are read anew are read as they are by now.
            before.data.save_or_log();
            let (records, _) = live_records(&mut RecordCache::new(store), |_| false);
            prepare(settings, records, &node_name, &before)
        });
        *job = Some(Job {
            work,
            replies,
            again: None,
        });
    }

    fn reloaded_settings(&self) -> Result<Settings, String> {
        let fresh = self.args.load().map_err(|error| error.to_string())?;
        // What sockets, threads and files were made with stays.
        Ok(Settings {
            run_dir: self.settings.run_dir.clone(),
            workers: self.settings.workers,
            midstream: self.settings.midstream,
            async_oneside: self.settings.async_oneside,
            urgent: self.settings.urgent,
            exception_policies: self.settings.exception_policies,
            limits: self.settings.limits.clone(),
            outputs: self.settings.outputs.clone(),
            ..fresh
        })
    }

    /// Puts what a job has prepared in place.
    pub(super) fn take_over(&mut self, reloaded: Reloaded, job: &mut Option<Job>) {
        let Some(done) = job.take() else { return };
        let answer = match reloaded.0 {
            Ok(prepared) => {
                self.settings = prepared.settings;
                if let Some(watch) = prepared.watch {
                    self.rule_watch = watch;
                }
                self.report = prepared.loaded.report;
                // Sets that no rule names any more are written before they are gone.
                self.data.save_or_log();
                self.data = prepared.loaded.data;
                self.texts = prepared.loaded.texts;
                self.loads += 1;
                self.compile_again = None;
                self.view.store(Arc::new(prepared.view));
                self.log_rules();
                // Records may have changed while the rules were compiled.
                self.records_changed.notify_one();
                json!({
                    "ok": true,
                    "loaded": self.report.loaded,
                    "refused": self.report.refused,
                    "disabled": self.report.disabled,
                })
            }
            Err(problem) => {
                log::error!("reload refused, the rules in force stay: {problem}");
                self.compile_again = Some(Instant::now() + COMPILE_PAUSE);
                refusal(&format!(
                    "reload refused, the rules in force stay: {problem}"
                ))
            }
        };
        for reply in done.replies {
            // A client that has gone away does not need its answer.
            let _ = reply.send(answer.clone());
        }
        // What records need that changed meanwhile shows when they are read again.
        let asked = |again: &Again| again.reload || !again.replies.is_empty();
        if let Some(again) = done.again.filter(asked) {
            self.begin(job, again.reload, again.replies);
        }
    }

    pub(super) fn log_rules(&self) {
        if let Some(problem) = self.over_limit(&self.view.load().attachments) {
            log::warn!("{problem}");
        }
        let report = &self.report;
        log::info!(
            "{} rules loaded, {} refused, {} disabled",
            report.loaded,
            report.refused,
            report.disabled
        );
        const SHOWN: usize = 20;
        let refused = report.diagnostics.iter().filter(|finding| finding.enabled);
        for finding in refused.take(SHOWN) {
            log::warn!("refused: {finding}");
        }
        if report.refused > SHOWN {
            log::warn!("... `weir check` shows all that are refused");
        }
        for finding in report.thresholds.iter().take(SHOWN) {
            log::warn!("not applied: {finding}");
        }
    }
}

fn prepare(
    settings: Settings,
    records: Vec<Attachment>,
    node_name: &str,
    before: &Before,
) -> Result<Prepared, String> {
    let snapshot = Snapshot::new(records, &settings, node_name);
    // Looked at before they are read: what changes meanwhile is a change to come.
    let anew = before.texts.is_none();
    let watch = anew.then(|| RuleWatch::new(&settings));
    let loaded = rules::load(&settings, snapshot.combinations(), before)
        .map_err(|error| error.to_string())?;
    let view = View {
        attachments: Arc::new(snapshot),
        rules: Arc::new(loaded.sets.clone()),
    };
    Ok(Prepared {
        settings,
        watch,
        view,
        loaded,
    })
}
