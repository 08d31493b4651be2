//! The start, step by step; what fails is told with the step and what to check.

use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, mpsc};
use weir_datapath::attachment::Attachment;
use weir_datapath::kernel::{Kernel, KernelError};
use weir_datapath::layout::{CAPTURE_ENFORCER_END, CAPTURE_KERNEL_END};
use weir_datapath::record::{RecordCache, RecordError, RecordStore};
use weir_engine::pipeline::EngineConfig;

use super::{Service, lock, node};
use crate::attachments::reconcile::{Reconciler, live_records};
use crate::attachments::snapshot::Snapshot;
use crate::attachments::watch::{RecordWatch, WatchError, watch_links, watch_rules};
use crate::cli::EnforceArgs;
use crate::events::file_store::{FileSink, FileStore, FileStoreError};
use crate::events::queue::{self, EventSink};
use crate::events::writer::{self, WriterError, WriterState};
use crate::lease::Lease;
use crate::rules::watch::RuleWatch;
use crate::rules::{self, Before, Loaded, RulesError};
use crate::settings::{Settings, SettingsError};
use crate::view::View;
use crate::worker::pulse;
use crate::worker::{Pool, PoolConfig, PoolError};

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    /// Settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Run directory or another enforcer.
    #[error(transparent)]
    Lock(#[from] lock::LockError),
    /// Rules.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// Kernel.
    #[error("cannot set up this node's kernel: {0}")]
    Kernel(#[from] KernelError),
    /// The capture pair stays down.
    #[error(
        "the capture pair {CAPTURE_KERNEL_END}, {CAPTURE_ENFORCER_END} does not come up; is something setting it down?"
    )]
    NotRunning,
    /// Records.
    #[error(transparent)]
    Records(#[from] RecordError),
    /// Watches.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// Events.
    #[error(transparent)]
    Writer(#[from] WriterError),
    /// Workers.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// Signal.
    #[error("cannot install a signal handler: {0}")]
    Wake(std::io::Error),
    /// Files.
    #[error(transparent)]
    Files(#[from] FileStoreError),
    /// Lease.
    #[error("cannot start the thread that renews the lease: {0}")]
    Lease(std::io::Error),
}

impl Service {
    /// Starts everything; the lease is taken once all workers run.
    ///
    /// # Errors
    ///
    /// When a step fails. What was started ends with the process; the kernel's state stays usable.
    pub(super) fn start(args: EnforceArgs) -> Result<Self, StartError> {
        let settings = args.load()?;
        let node_name = node::name();
        let lock = lock::take(&settings.run_dir)?;
        let store = RecordStore::new(&settings.run_dir);
        store.create_directory()?;
        let mut cache = RecordCache::new(store.clone());
        let (records, record_errors) = live_records(&mut cache, |_| false);
        let rule_watch = RuleWatch::new(&settings);
        let (view, loaded) = first_view(records, &settings, &node_name)?;
        let mut kernel = Kernel::open()?;
        let devices = kernel.ensure_node()?;
        // What a predecessor holds for another moment would divert frames to sockets that are only
        // being opened.
        kernel.drop_lease()?;
        if !node::wait_until_running() {
            return Err(StartError::NotRunning);
        }
        let mut reconciler = Reconciler::default();
        reconciler.run(&mut cache, &mut kernel)?;
        let workers = settings.workers.unwrap_or_else(node::default_workers);
        let (sinks, source) = queue::channel(workers, settings.limits.event_queue);
        let writer_state = Arc::new(WriterState::default());
        let writer = writer::start(&settings.outputs.eve, source, Arc::clone(&writer_state))?;
        let view = Arc::new(ArcSwap::from_pointee(view));
        let file_store = FileStore::start(&settings.outputs.files)?;
        let ends = (sinks, file_store.sink.clone());
        let (pool, worker_ended) =
            start_pool(&settings, devices.capture_enforcer_end, &view, ends)?;
        let records_changed = Arc::new(Notify::new());
        let link_gone = Arc::new(Notify::new());
        let rules_removed = Arc::new(Notify::new());
        let record_watch = RecordWatch::start(&store.directory(), Arc::clone(&records_changed))?;
        watch_links(Arc::clone(&link_gone))?;
        watch_rules(Arc::clone(&rules_removed))?;
        let lease = Lease::start(Kernel::open()?, pool.pulses().to_vec());
        let mut service = Self {
            args,
            node_name,
            devices,
            kernel,
            records: cache,
            reconciler,
            view,
            report: loaded.report,
            data: loaded.data,
            texts: loaded.texts,
            rule_watch,
            compile_again: None,
            loads: 1,
            record_problems: Vec::new(),
            started: Instant::now(),
            pool,
            lease: lease.map_err(StartError::Lease)?,
            writer_state,
            writer,
            file_store,
            records_changed,
            link_gone,
            rules_removed,
            worker_ended,
            record_watch,
            settings,
            _lock: lock,
        };
        service.note_record_problems(&record_errors);
        service.log_rules();
        Ok(service)
    }
}

fn first_view(
    records: Vec<Attachment>,
    settings: &Settings,
    node_name: &str,
) -> Result<(View, Loaded), StartError> {
    let snapshot = Snapshot::new(records, settings, node_name);
    let loaded = rules::load(settings, snapshot.combinations(), &Before::default())?;
    let view = View {
        attachments: Arc::new(snapshot),
        rules: Arc::new(loaded.sets.clone()),
    };
    Ok((view, loaded))
}

fn engine_config(settings: &Settings) -> EngineConfig {
    let mut config = EngineConfig {
        midstream: settings.midstream,
        async_oneside: settings.async_oneside,
        urgent: settings.urgent.policy(),
        exceptions: settings.exception_policies.policies(),
        ..EngineConfig::inline()
    };
    let usize_of = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    config.flow.flows = usize_of(u64::from(settings.limits.flows));
    config.stream.memcap = usize_of(settings.limits.stream_memory);
    config.detect.alerts = usize::from(settings.limits.packet_alerts);
    let files = &settings.outputs.files;
    config.files = files.needs();
    config.app_layer.kept_file = usize_of(files.max_file);
    config.app_layer.kept_files = usize_of(files.memory);
    config
}

type Ended = mpsc::UnboundedReceiver<crate::worker::WorkerError>;

fn start_pool(
    settings: &Settings,
    capture_end: u32,
    view: &Arc<ArcSwap<View>>,
    (sinks, files): (Vec<EventSink>, FileSink),
) -> Result<(Pool, Ended), StartError> {
    let (tell, ended) = mpsc::unbounded_channel();
    // Installs the handler that makes the signal interrupt a worker's wait; it stays installed.
    let wake = SignalKind::from_raw(pulse::WAKE as i32);
    let _installed = signal(wake).map_err(StartError::Wake)?;
    let config = PoolConfig {
        settings,
        workers: u16::try_from(sinks.len()).unwrap_or(1),
        engine: engine_config(settings),
        capture_end,
        view: Arc::clone(view),
        sinks,
        files,
    };
    let pool = Pool::start(config, move |error| {
        // Nobody listens any more when the service is already ending.
        let _ = tell.send(error);
    })?;
    Ok((pool, ended))
}
