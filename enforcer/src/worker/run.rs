//! One worker's loop.
//!
//! Takes a batch, judges it frame by frame, sends it on, and starts anew; without frames it looks for
//! some more microseconds and then waits until a frame, a message or [`IDLE`](crate::capture::socket::IDLE)
//! comes. The clock is read
//! once per batch.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arc_swap::{ArcSwap, Cache};
use weir_datapath::mark::{self, CaptureMark};
use weir_datapath::priority;
use weir_engine::frame::{
    AttachmentId, ChecksumState, FrameMeta, LinkType, Timestamp, WireDirection,
};
use weir_engine::pipeline::Engine;

use super::counters::Published;
use super::handover::Handover;
use super::output::{WorkerOutput, destination};
use super::peek;
use super::pulse::Pulse;
use crate::capture::batch::{FrameBatch, Held};
use crate::capture::socket::{CaptureSocket, Receive, Wait};
use crate::settle::{Decision, decide};
use crate::view::View;

/// How often time passes for the engine.
const ADVANCE: Duration = Duration::from_secs(1);

/// Why a worker ended.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// Its socket broke.
    #[error(
        "worker {index} cannot receive from the capture interface: {source}; was it removed or set down?"
    )]
    Receive {
        /// Which worker.
        index: usize,
        /// Why.
        source: std::io::Error,
    },
    /// A bug.
    #[error("worker {index} panicked: {message}; this is a bug in weir, please report it")]
    Panicked {
        /// Which worker.
        index: usize,
        /// The panic's message.
        message: String,
    },
}

/// A worker, all its memory in place.
pub(super) struct Worker {
    pub(super) index: usize,
    pub(super) socket: CaptureSocket,
    pub(super) batch: FrameBatch,
    pub(super) engine: Engine,
    pub(super) output: WorkerOutput,
    pub(super) view: Cache<Arc<ArcSwap<View>>, Arc<View>>,
    pub(super) handovers: Receiver<Handover>,
    pub(super) pulse: Arc<Pulse>,
    pub(super) spin: Duration,
    pub(super) lapses: u64,
    pub(super) answered: u64,
    pub(super) advanced: Timestamp,
}

impl Worker {
    /// Works until asked to stop, then empties the socket and ends all flows.
    ///
    /// # Errors
    ///
    /// When the socket no longer works.
    pub(super) fn run(mut self) -> Result<(), WorkerError> {
        let pulse = Arc::clone(&self.pulse);
        let _entered = pulse.enter();
        if let Err(error) = priority::carry() {
            log::info!(
                "worker {} runs like any other thread ({error}): under load packets wait longer; CAP_SYS_NICE would help",
                self.index
            );
        }
        let mut idle_since: Option<Instant> = None;
        loop {
            pulse.beat();
            let stopping = pulse.stopping();
            let wait = if stopping || self.looks_on(&mut idle_since) {
                Wait::No
            } else {
                Wait::ForOne
            };
            match self.turn(wait)? {
                Receive::Frames(frames) if frames > 0 => idle_since = None,
                Receive::Inexpressible => self.output.counters.inexpressible += 1,
                Receive::Empty | Receive::Frames(_) if stopping => break,
                Receive::Empty | Receive::Frames(_) if wait == Wait::No => std::hint::spin_loop(),
                Receive::Empty | Receive::Frames(_) => self.pass_time(now()),
            }
        }
        self.finish();
        Ok(())
    }

    /// Takes what there is, and settles it.
    pub(super) fn turn(&mut self, wait: Wait) -> Result<Receive, WorkerError> {
        let received = self.receive(wait)?;
        // After the wait, so that what comes is judged by what holds now.
        self.hear();
        if let Receive::Frames(frames) = received
            && frames > 0
        {
            self.process_batch(frames);
        }
        Ok(received)
    }

    /// True while the worker looks for frames instead of waiting for them.
    fn looks_on(&self, idle_since: &mut Option<Instant>) -> bool {
        if self.spin.is_zero() {
            return false;
        }
        let since = idle_since.get_or_insert_with(Instant::now);
        since.elapsed() < self.spin
    }

    fn receive(&mut self, wait: Wait) -> Result<Receive, WorkerError> {
        self.socket
            .receive(&mut self.batch, wait)
            .map_err(|source| WorkerError::Receive {
                index: self.index,
                source,
            })
    }

    fn process_batch(&mut self, frames: usize) {
        let now = now();
        let counters = &mut self.output.counters;
        counters.batches += 1;
        counters.captured += frames as u64;
        for held in self.batch.frames() {
            self.pulse.beat();
            judge(held, now, &mut self.engine, &mut self.output);
        }
        self.output.finish_batch(&mut self.batch);
        self.pass_time(now);
    }

    /// Takes over what others have to say: new rules, a lapse, datagrams, a request for counters.
    fn hear(&mut self) {
        let view = self.view.load();
        if !Arc::ptr_eq(view, &self.output.view) {
            if !Arc::ptr_eq(&view.rules, &self.output.view.rules) {
                self.engine.set_rules((*view.rules).clone());
            }
            self.output.view = Arc::clone(view);
        }
        let lapses = self.pulse.lapses();
        if lapses != self.lapses {
            self.lapses = lapses;
            self.output.counters.lapses += 1;
            self.engine.missed_frames();
        }
        while let Ok(handover) = self.handovers.try_recv() {
            self.take_over(handover);
        }
        let wanted = self.pulse.wanted();
        if wanted != self.answered {
            self.answered = wanted;
            self.publish(wanted);
        }
    }

    fn take_over(&mut self, handover: Handover) {
        let Handover {
            datagram,
            meta,
            fragments,
        } = handover;
        self.output.counters.taken_over += 1;
        self.output.frame_len = datagram.len();
        let verdict = self
            .engine
            .process_datagram(&datagram, &meta, &mut self.output);
        match decide(verdict) {
            Decision::Deliver(_) => {
                for (frame, meta) in &fragments {
                    self.output.deliver_released(frame, meta);
                }
            }
            Decision::Reject(sides) => self.output.reject(&datagram, &meta, sides),
            Decision::Drop(_) | Decision::Kept => {}
        }
        self.output.sink.flush();
    }

    fn publish(&mut self, request: u64) {
        self.output.counters.kernel_drops += self.socket.take_drops().unwrap_or(0);
        self.pulse.publish(Published {
            request,
            worker: self.output.counters,
            engine: self.engine.counters().clone(),
            events: self.output.sink.counts(),
        });
    }

    fn pass_time(&mut self, now: Timestamp) {
        if now.since(self.advanced) >= ADVANCE || now < self.advanced {
            self.advanced = now;
            self.engine.advance(now, &mut self.output);
            self.output.sink.flush();
        }
    }

    fn finish(&mut self) {
        self.hear();
        self.engine.finish(now(), &mut self.output);
        self.output.sink.flush();
        self.publish(self.answered);
    }
}

/// The node's clock.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanos = since.map_or(0, |since| since.as_nanos());
    Timestamp(u64::try_from(nanos).unwrap_or(u64::MAX))
}

fn judge(mut held: Held<'_>, now: Timestamp, engine: &mut Engine, output: &mut WorkerOutput) {
    output.frame_len = held.bytes().len();
    output.counters.captured_bytes += output.frame_len as u64;
    let Some(mark) = held.mark() else {
        output.counters.unmarked += 1;
        return held.discard();
    };
    if held.truncated() {
        output.counters.truncated += 1;
        return held.discard();
    }
    let meta = meta(&held, mark, now, &output.view);
    let verdict = engine.process(held.bytes_mut(), &meta, output);
    match decide(verdict) {
        Decision::Deliver(permit) => held.deliver(permit, destination(&meta)),
        Decision::Drop(_) | Decision::Kept => held.discard(),
        Decision::Reject(sides) => {
            output.reject(held.bytes(), &meta, sides);
            held.discard();
        }
    }
}

fn meta(held: &Held<'_>, mark: CaptureMark, at: Timestamp, view: &View) -> FrameMeta {
    let vnet = held.vnet();
    let direction = match mark.direction() {
        mark::WireDirection::FromPod => WireDirection::FromPod,
        mark::WireDirection::ToPod => WireDirection::ToPod,
    };
    let ifindex = mark.ifindex();
    let judgement = view
        .attachments
        .judge(ifindex, || peek::far_end(held.bytes(), direction));
    FrameMeta {
        at,
        link: LinkType::Ethernet,
        checksum: if vnet.needs_checksum() {
            ChecksumState::Partial
        } else {
            ChecksumState::Final
        },
        gso_size: vnet.gso_size(),
        attachment: AttachmentId(ifindex),
        direction,
        mode: judgement.mode,
        rules: judgement.rules,
        number: 0,
    }
}
