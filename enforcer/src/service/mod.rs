//! `weir enforce`: everything that is not a frame.
//!
//! The main thread runs this on a single-threaded runtime: signals, control socket, attachment changes,
//! sweeps, reloads. Frames never wait for it. Order of start: run directory and its lock, kernel
//! devices, rules, sockets and workers, lease. Order of the end: lease first, so that the kernel hands
//! over no more frames, then sockets emptied, flows ended, events written.

pub mod lock;
mod node;
mod reload;
mod run;
mod start;
mod status;

use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, mpsc};
use weir_datapath::kernel::{Kernel, NodeDevices};
use weir_datapath::record::RecordCache;

use crate::attachments::reconcile::Reconciler;
use crate::attachments::watch::RecordWatch;
use crate::cli::EnforceArgs;
use crate::data::DataSets;
use crate::events::file_store::FileStore;
use crate::events::writer::WriterState;
use crate::lease::Lease;
use crate::rules::watch::RuleWatch;
use crate::rules::{Report, Texts};
use crate::settings::Settings;
use crate::view::View;
use crate::worker::{Pool, WorkerError};

/// The running service.
pub struct Service {
    args: EnforceArgs,
    settings: Settings,
    node_name: String,
    devices: NodeDevices,
    kernel: Kernel,
    records: RecordCache,
    reconciler: Reconciler,
    view: Arc<ArcSwap<View>>,
    report: Report,
    data: DataSets,
    texts: Texts,
    rule_watch: RuleWatch,
    loads: u64,
    /// Until when not to compile again what records need: it has failed.
    compile_again: Option<Instant>,
    record_problems: Vec<String>,
    started: Instant,
    pool: Pool,
    lease: Lease,
    writer_state: Arc<WriterState>,
    writer: std::thread::JoinHandle<()>,
    file_store: FileStore,
    records_changed: Arc<Notify>,
    link_gone: Arc<Notify>,
    rules_removed: Arc<Notify>,
    worker_ended: mpsc::UnboundedReceiver<WorkerError>,
    record_watch: RecordWatch,
    _lock: lock::NodeLock,
}

/// Runs the service until it is asked to end.
///
/// # Errors
///
/// When it cannot start, or a worker or the capture devices fail.
pub fn run(args: EnforceArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut service = Service::start(args)?;
        let ended = service.serve().await;
        service.stop();
        ended
    })
}
