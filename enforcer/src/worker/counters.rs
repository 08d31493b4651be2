//! What a worker counts besides its engine. Written by the worker alone; whoever shows them takes the
//! copy that the worker makes on request.

use weir_engine::counters::Counters;

use crate::capture::socket::InjectError;
use crate::events::queue::EventCounts;

/// Number of injection errors.
const ERRORS: usize = InjectError::ALL.len();

/// Frames between the kernel and the engine. `captured` = judged by the engine + `unmarked` +
/// `truncated`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct WorkerCounters {
    /// Frames received.
    pub captured: u64,
    /// Their bytes.
    pub captured_bytes: u64,
    /// Receives that brought frames.
    pub batches: u64,
    /// Frames that the kernel discarded because the socket's buffer was full.
    pub kernel_drops: u64,
    /// Frames that weir's rules did not divert: discarded.
    pub unmarked: u64,
    /// Frames too long for their buffer: discarded.
    pub truncated: u64,
    /// Frames that the kernel discarded because the virtio-net header cannot express their offload.
    pub inexpressible: u64,
    /// Frames sent on to their pod.
    pub to_pod: u64,
    /// Frames sent on into the host's stack.
    pub to_host: u64,
    /// Frames that the engine released later, sent on.
    pub released: u64,
    /// Frames that nobody settled: discarded. Always 0.
    pub unsettled: u64,
    /// Frames that could not be sent on, by [`InjectError`].
    pub inject_failed: [u64; ERRORS],
    /// Resets and ICMP messages sent for rejects.
    pub reject_answers: u64,
    /// Answers not sent because there had been too many.
    pub reject_suppressed: u64,
    /// Datagrams handed to the worker of their flow.
    pub handed_over: u64,
    /// Datagrams whose worker's queue was full: dropped.
    pub handover_full: u64,
    /// Datagrams taken over from other workers.
    pub taken_over: u64,
    /// Times that frames may have passed uninspected while this worker stood still.
    pub lapses: u64,
}

impl WorkerCounters {
    /// Counts a frame that could not be sent.
    pub fn failed(&mut self, error: InjectError) {
        if let Some(count) = self.inject_failed.get_mut(error as usize) {
            *count += 1;
        }
    }

    /// Calls `each` with the name and value of every counter, always in the same order.
    pub fn for_each(&self, mut each: impl FnMut(&str, u64)) {
        each("capture.frames", self.captured);
        each("capture.bytes", self.captured_bytes);
        each("capture.batches", self.batches);
        each("capture.kernel_drops", self.kernel_drops);
        each("capture.unmarked", self.unmarked);
        each("capture.truncated", self.truncated);
        each("capture.inexpressible", self.inexpressible);
        each("inject.to_pod", self.to_pod);
        each("inject.to_host", self.to_host);
        each("inject.released", self.released);
        each("inject.unsettled", self.unsettled);
        for (error, count) in InjectError::ALL.iter().zip(self.inject_failed) {
            each(&format!("inject.failed.{}", error.name()), count);
        }
        each("inject.reject_answers", self.reject_answers);
        each("inject.reject_suppressed", self.reject_suppressed);
        each("workers.handed_over", self.handed_over);
        each("workers.handover_full", self.handover_full);
        each("workers.taken_over", self.taken_over);
        each("workers.lapses", self.lapses);
    }
}

/// A worker's counters at one moment.
#[derive(Clone, Debug, Default)]
pub struct Published {
    /// Request that this answers.
    pub request: u64,
    /// The worker's own.
    pub worker: WorkerCounters,
    /// Its engine's.
    pub engine: Counters,
    /// Its events.
    pub events: EventCounts,
}
