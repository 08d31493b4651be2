//! The workers: one thread per share of the flows, each with an engine of its own.
//!
//! A worker shares immutable views ([`crate::view`]), a [`pulse::Pulse`] and bounded queues, no lock
//! that it could wait for. Should one panic or lose its socket, the whole process ends: the lease lapses
//! and the fail mode of each attachment decides.

#[cfg(test)]
mod allocation_tests;
pub mod counters;
pub mod handover;
mod output;
mod peek;
pub mod pulse;
mod run;

use std::sync::Arc;
use std::thread::JoinHandle;

use arc_swap::{ArcSwap, Cache};
use weir_engine::app_layer::Expectations;
use weir_engine::frame::Timestamp;
use weir_engine::pipeline::{Engine, EngineConfig};

use crate::capture::batch::FrameBatch;
use crate::capture::socket::{CaptureSocket, InjectSocket, SocketError};
use crate::events::eve::EveFormatter;
use crate::events::file_store::FileSink;
use crate::events::queue::EventSink;
use crate::reject::allowance::Allowance;
use crate::settings::Settings;
use crate::view::View;
use output::{OutputParts, WorkerOutput};
use pulse::Pulse;
use run::Worker;
pub use run::WorkerError;

/// Why workers cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// No socket.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// No thread.
    #[error("cannot start a worker thread: {0}")]
    Thread(std::io::Error),
    /// No random numbers.
    #[error("cannot read /dev/urandom: {0}")]
    Seed(std::io::Error),
}

/// What all workers are made with.
pub struct PoolConfig<'a> {
    /// Batch size, buffers.
    pub settings: &'a Settings,
    /// Number of workers.
    pub workers: u16,
    /// Engine settings.
    pub engine: EngineConfig,
    /// Index of the enforcer's end of the capture pair.
    pub capture_end: u32,
    /// Views.
    pub view: Arc<ArcSwap<View>>,
    /// One per worker.
    pub sinks: Vec<EventSink>,
    /// The way to the store of files.
    pub files: FileSink,
}

/// The running workers.
pub struct Pool {
    pulses: Vec<Arc<Pulse>>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    /// Opens the sockets and starts the threads. `ended` is told when one ends before it was asked to.
    ///
    /// # Errors
    ///
    /// When sockets or threads cannot be had.
    pub fn start(
        config: PoolConfig<'_>,
        ended: impl Fn(WorkerError) + Clone + Send + 'static,
    ) -> Result<Self, PoolError> {
        let pulses: Vec<Arc<Pulse>> = (0..config.workers).map(|_| Arc::default()).collect();
        let workers = build(config, &pulses)?;
        let mut threads = Vec::with_capacity(workers.len());
        for worker in workers {
            let ended = ended.clone();
            let thread = std::thread::Builder::new()
                .name(format!("weir-worker-{}", worker.index))
                .spawn(move || {
                    if let Err(error) = guarded(worker) {
                        ended(error);
                    }
                });
            threads.push(thread.map_err(PoolError::Thread)?);
        }
        Ok(Self { pulses, threads })
    }

    /// The workers' pulses.
    #[must_use]
    pub fn pulses(&self) -> &[Arc<Pulse>] {
        &self.pulses
    }

    /// Has all workers empty their sockets and end, and waits for it.
    pub fn stop(self) {
        for pulse in &self.pulses {
            pulse.stop();
        }
        for thread in self.threads {
            // A panic was caught inside and reported already.
            let _ = thread.join();
        }
    }
}

/// Runs a worker; a panic becomes an error.
fn guarded(worker: Worker) -> Result<(), WorkerError> {
    let index = worker.index;
    let run = std::panic::AssertUnwindSafe(|| worker.run());
    std::panic::catch_unwind(run).unwrap_or_else(|panic| {
        let message = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned());
        Err(WorkerError::Panicked { index, message })
    })
}

fn build(config: PoolConfig<'_>, pulses: &[Arc<Pulse>]) -> Result<Vec<Worker>, PoolError> {
    let limits = &config.settings.limits;
    let sockets = CaptureSocket::open_group(
        config.capture_end,
        config.workers,
        limits.batch,
        limits.socket_buffer,
    )?;
    let (senders, receivers) = handover::queues(pulses);
    let formatter = EveFormatter::new(&config.settings.outputs.eve);
    let parts = sockets.into_iter().zip(receivers).zip(config.sinks);
    let mut workers = Vec::with_capacity(pulses.len());
    // A data connection may be steered to another worker than the one that agreed on it.
    let expectations = Arc::new(Expectations::default());
    for (index, ((socket, handovers), sink)) in parts.enumerate() {
        let Some(pulse) = pulses.get(index) else {
            break;
        };
        let view = config.view.load_full();
        let engine = Engine::new(
            config.engine,
            (*view.rules).clone(),
            seed().map_err(PoolError::Seed)?,
        )
        .with_expectations(Arc::clone(&expectations));
        let output = WorkerOutput::new(OutputParts {
            index,
            view,
            sink,
            formatter: formatter.clone(),
            files: config.files.clone(),
            inject: InjectSocket::open(config.capture_end, limits.batch)?,
            allowance: Allowance::new(limits.reject_answers),
            others: senders.clone(),
        });
        workers.push(Worker {
            index,
            socket,
            batch: FrameBatch::new(limits.batch),
            engine,
            output,
            view: Cache::new(Arc::clone(&config.view)),
            handovers,
            pulse: Arc::clone(pulse),
            spin: std::time::Duration::from_micros(u64::from(limits.spin)),
            lapses: 0,
            answered: 0,
            advanced: Timestamp::default(),
        });
    }
    Ok(workers)
}

/// A key for a worker's hash tables that nobody can guess.
pub(crate) fn seed() -> std::io::Result<[u64; 2]> {
    use std::io::Read as _;
    let mut bytes = [[0u8; 8]; 2];
    let mut source = std::fs::File::open("/dev/urandom")?;
    for half in &mut bytes {
        source.read_exact(half)?;
    }
    Ok(bytes.map(u64::from_ne_bytes))
}
