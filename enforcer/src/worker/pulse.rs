//! What a worker and the rest of the process tell each other, lock-free on the worker's side.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use nix::sys::pthread::{Pthread, pthread_kill, pthread_self};
use nix::sys::signal::Signal;

use super::counters::Published;

/// Interrupts a worker's wait for frames. Its default action is none, so that nothing happens where no
/// handler is installed but that the worker notices a little later.
pub const WAKE: Signal = Signal::SIGURG;

/// One worker's pulse and mailbox.
#[derive(Debug, Default)]
pub struct Pulse {
    beats: AtomicU64,
    stop: AtomicBool,
    lapses: AtomicU64,
    wanted: AtomicU64,
    published: Mutex<Published>,
    /// The worker's thread while it runs.
    thread: Mutex<Option<Pthread>>,
}

impl Pulse {
    /// The calling thread is the worker's until the guard is dropped.
    pub fn enter(&self) -> Entered<'_> {
        self.set_thread(Some(pthread_self()));
        Entered(self)
    }

    fn set_thread(&self, thread: Option<Pthread>) {
        if let Ok(mut place) = self.thread.lock() {
            *place = thread;
        }
    }

    /// The worker says that it makes progress.
    pub fn beat(&self) {
        let beats = self.beats.load(Ordering::Relaxed);
        self.beats.store(beats.wrapping_add(1), Ordering::Relaxed);
    }

    /// How often it did.
    #[must_use]
    pub fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    /// Asks the worker to empty its socket and end.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.wake();
    }

    /// Whether it is asked to end.
    #[must_use]
    pub fn stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Tells the worker that frames may have passed uninspected.
    pub fn lapsed(&self) {
        self.lapses.fetch_add(1, Ordering::Release);
    }

    /// How often frames may have passed uninspected.
    #[must_use]
    pub fn lapses(&self) -> u64 {
        self.lapses.load(Ordering::Acquire)
    }

    /// Asks for a copy of the counters; the answer bears the number returned.
    pub fn request(&self) -> u64 {
        let request = self.wanted.fetch_add(1, Ordering::AcqRel) + 1;
        self.wake();
        request
    }

    /// The latest request.
    #[must_use]
    pub fn wanted(&self) -> u64 {
        self.wanted.load(Ordering::Acquire)
    }

    /// Puts a copy of the counters out. Only on request: takes a lock.
    pub fn publish(&self, published: Published) {
        if let Ok(mut place) = self.published.lock() {
            *place = published;
        }
    }

    /// The latest copy.
    #[must_use]
    pub fn published(&self) -> Published {
        self.published
            .lock()
            .map(|published| published.clone())
            .unwrap_or_default()
    }

    /// Interrupts the worker's wait for frames. One that is only about to wait notices when its wait is
    /// over ([`crate::capture::socket::IDLE`]).
    pub fn wake(&self) {
        if let Ok(thread) = self.thread.lock()
            && let Some(thread) = *thread
        {
            // Fails only for a thread that has ended, which is not in there.
            let _ = pthread_kill(thread, WAKE);
        }
    }
}

/// While it lives the worker can be woken up.
pub struct Entered<'p>(&'p Pulse);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.set_thread(None);
    }
}
