//! The lease: while it is held the kernel hands frames to this process.
//!
//! A thread of its own renews it every [`PERIOD`] for [`LEASE`], but only while every worker has made
//! progress within [`STALL`]. A process that is killed, stopped or hung therefore loses it, and the fail
//! mode of each attachment decides. When it is taken anew after a gap, the workers are told first that
//! frames may have passed without them.
//!
//! The thread runs before ordinary ones where the system permits it, so that other load does not delay it. A
//! worker that other load keeps from running for [`STALL`] is one that makes no progress, whatever the reason:
//! what it holds waits meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use weir_datapath::kernel::{Kernel, KernelError};
use weir_datapath::priority;

use crate::worker::pulse::Pulse;

/// For how long it is taken.
pub const LEASE: Duration = Duration::from_millis(500);

/// How often it is renewed.
pub const PERIOD: Duration = Duration::from_millis(100);

/// Longest time without a worker's progress for which it is renewed all the same: an idle worker beats
/// every 50 ms, a busy one behind each frame.
pub const STALL: Duration = Duration::from_millis(250);

/// What the thread shares with the rest.
#[derive(Debug, Default)]
pub struct LeaseState {
    stop: AtomicBool,
    held: AtomicBool,
    renewed: AtomicU64,
    stalled: AtomicU64,
    failed: AtomicU64,
    gaps: AtomicU64,
}

impl LeaseState {
    /// Whether the last attempt to renew it succeeded.
    #[must_use]
    pub fn held(&self) -> bool {
        self.held.load(Ordering::Relaxed)
    }

    /// Name and value of each counter.
    #[must_use]
    pub fn counters(&self) -> [(&'static str, u64); 4] {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [
            ("lease.renewed", read(&self.renewed)),
            ("lease.stalled", read(&self.stalled)),
            ("lease.failed", read(&self.failed)),
            ("lease.gaps", read(&self.gaps)),
        ]
    }
}

/// The thread that holds the lease.
pub struct Lease {
    state: Arc<LeaseState>,
    thread: JoinHandle<()>,
}

impl Lease {
    /// Starts renewing it.
    ///
    /// # Errors
    ///
    /// When no thread can be started.
    pub fn start(kernel: Kernel, pulses: Vec<Arc<Pulse>>) -> std::io::Result<Self> {
        let state = Arc::new(LeaseState::default());
        let keeper = Keeper {
            kernel,
            watch: Watch::new(pulses, Instant::now()),
            state: Arc::clone(&state),
            renewed: None,
        };
        let thread = std::thread::Builder::new()
            .name("weir-lease".to_owned())
            .spawn(move || keeper.run())?;
        Ok(Self { state, thread })
    }

    /// What the thread counts.
    #[must_use]
    pub fn state(&self) -> &Arc<LeaseState> {
        &self.state
    }

    /// Gives the lease back; from then on fail modes decide.
    pub fn give_back(self) {
        self.state.stop.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
        // It does not panic; should it all the same, the lease lapses by itself.
        let _ = self.thread.join();
    }
}

struct Keeper {
    kernel: Kernel,
    watch: Watch,
    state: Arc<LeaseState>,
    renewed: Option<Instant>,
}

impl Keeper {
    fn run(mut self) {
        match priority::hurry() {
            Ok(priority) => log::debug!("the lease's thread runs as {priority:?}"),
            Err(error) => log::info!(
                "the lease's thread runs like any other ({error}): an overloaded machine may cost the lease; CAP_SYS_NICE would help"
            ),
        }
        while !self.state.stop.load(Ordering::Relaxed) {
            self.turn(Instant::now());
            std::thread::park_timeout(PERIOD);
        }
        if let Err(error) = self.kernel.drop_lease() {
            log::warn!("cannot give the lease back, it lapses by itself: {error}");
        }
    }

    fn turn(&mut self, now: Instant) {
        let state = Arc::clone(&self.state);
        if !self.watch.all_alive(now) {
            state.stalled.fetch_add(1, Ordering::Relaxed);
            let lapsed = self.renewed.is_none_or(|at| now - at >= LEASE);
            state.held.store(!lapsed, Ordering::Relaxed);
            return;
        }
        if self.renewed.is_none_or(|at| now - at >= LEASE) {
            self.watch.tell_lapse();
            state.gaps.fetch_add(1, Ordering::Relaxed);
            if let Some(at) = self.renewed {
                log::warn!(
                    "the lease had lapsed: not renewed for {} ms, fail modes decided meanwhile",
                    (now - at).as_millis()
                );
            }
        }
        match self.kernel.renew_lease(LEASE) {
            Ok(()) => {
                // The kernel counts from the renewal's end; from its start is the safe side.
                self.renewed = Some(now);
                let took = now.elapsed();
                if took > PERIOD {
                    log::warn!("renewing the lease took {} ms", took.as_millis());
                }
                state.renewed.fetch_add(1, Ordering::Relaxed);
                state.held.store(true, Ordering::Relaxed);
            }
            Err(error) => self.complain(&error),
        }
    }

    fn complain(&self, error: &KernelError) {
        // The first of a row is logged, not all ten a second.
        if self.state.held.swap(false, Ordering::Relaxed) || self.renewed.is_none() {
            log::error!("cannot renew the lease, fail modes decide: {error}");
        }
        self.state.failed.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whose beats have changed when.
struct Watch(Vec<(Arc<Pulse>, u64, Instant)>);

impl Watch {
    fn new(pulses: Vec<Arc<Pulse>>, now: Instant) -> Self {
        let seen = pulses.into_iter().map(|pulse| (pulse, 0, now - STALL));
        Self(seen.collect())
    }

    /// True when each worker made progress within [`STALL`].
    fn all_alive(&mut self, now: Instant) -> bool {
        let mut alive = true;
        for (pulse, beats, changed) in &mut self.0 {
            let latest = pulse.beats();
            if latest != *beats {
                (*beats, *changed) = (latest, now);
            }
            alive &= now.duration_since(*changed) < STALL;
        }
        alive
    }

    fn tell_lapse(&self) {
        for (pulse, _, _) in &self.0 {
            pulse.lapsed();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_worker_that_stands_still_costs_the_lease() {
        let pulses: Vec<Arc<Pulse>> = (0..2).map(|_| Arc::default()).collect();
        let start = Instant::now();
        let mut watch = Watch::new(pulses.clone(), start);
        assert!(!watch.all_alive(start), "nobody has beaten yet");
        pulses[0].beat();
        assert!(!watch.all_alive(start), "one has not beaten yet");
        pulses[1].beat();
        assert!(watch.all_alive(start));
        pulses[0].beat();
        let just_before = start + STALL - Duration::from_millis(1);
        assert!(watch.all_alive(just_before));
        assert!(!watch.all_alive(start + STALL));
        pulses[1].beat();
        assert!(watch.all_alive(start + STALL));
    }

    #[test]
    fn a_stalled_process_loses_the_lease_in_time_for_its_clients() {
        assert!(LEASE + STALL + PERIOD < Duration::from_secs(1));
        assert!(
            PERIOD * 2 < LEASE,
            "one late renewal must not cost the lease"
        );
    }
}
