//! What a worker and the rest of the process tell each other, lock-free on the worker's side.

use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use nix::sys::eventfd::{EfdFlags, EventFd};

use super::counters::Published;

/// One worker's pulse and mailbox.
#[derive(Debug)]
pub struct Pulse {
    beats: AtomicU64,
    stop: AtomicBool,
    lapses: AtomicU64,
    wanted: AtomicU64,
    published: Mutex<Published>,
    wake: EventFd,
}

impl Pulse {
    /// A pulse that has not beaten yet.
    ///
    /// # Errors
    ///
    /// When the process has no file descriptors left.
    pub fn new() -> nix::Result<Self> {
        Ok(Self {
            beats: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            lapses: AtomicU64::new(0),
            wanted: AtomicU64::new(0),
            published: Mutex::new(Published::default()),
            wake: EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?,
        })
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

    /// Wakes the worker up from its wait.
    pub fn wake(&self) {
        // Fails only when 2^64 - 1 wake-ups are pending, in which case it wakes up anyway.
        let _ = self.wake.write(1);
    }

    /// Forgets wake-ups.
    pub fn woken(&self) {
        // Nothing to read is no failure: it is non-blocking.
        let _ = self.wake.read();
    }

    /// What the worker waits on besides its socket.
    #[must_use]
    pub fn wake_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}
