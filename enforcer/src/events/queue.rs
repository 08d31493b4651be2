//! Bounded hand-over of event lines from the workers to the writer.
//!
//! A worker collects the lines of a batch in a chunk and hands it over in one go. The queue is bounded
//! and never waited for: when it is full the chunk's lines are lost and counted. Written chunks come
//! back empty, so that a steady stream of events allocates nothing.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

/// Bytes from which on a chunk is handed over before its batch is done.
pub const CHUNK: usize = 64 * 1024;

/// Lines on their way to the writer.
pub struct Chunk {
    bytes: Vec<u8>,
    events: u64,
    home: SyncSender<Vec<u8>>,
}

impl Chunk {
    /// The lines.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Gives the memory back to its worker.
    pub fn recycle(self) {
        let mut bytes = self.bytes;
        bytes.clear();
        // A worker that has enough of them, or is gone, lets it be freed here.
        let _ = self.home.try_send(bytes);
    }
}

/// A worker's end.
pub struct EventSink {
    queue: SyncSender<Chunk>,
    home: SyncSender<Vec<u8>>,
    recycled: Receiver<Vec<u8>>,
    bytes: Vec<u8>,
    events: u64,
    counts: EventCounts,
}

/// What became of a worker's events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct EventCounts {
    /// Handed to the writer.
    pub queued: u64,
    /// Lost because the queue was full.
    pub lost: u64,
}

impl EventSink {
    /// Lets `write` append a line; it says whether it did.
    pub fn line(&mut self, write: impl FnOnce(&mut Vec<u8>) -> bool) {
        if write(&mut self.bytes) {
            self.events += 1;
        }
        if self.bytes.len() >= CHUNK {
            self.flush();
        }
    }

    /// Hands over what was collected. Call once per batch.
    pub fn flush(&mut self) {
        if self.events == 0 {
            return;
        }
        let fresh = self.recycled.try_recv().unwrap_or_default();
        let chunk = Chunk {
            bytes: std::mem::replace(&mut self.bytes, fresh),
            events: std::mem::take(&mut self.events),
            home: self.home.clone(),
        };
        let events = chunk.events;
        match self.queue.try_send(chunk) {
            Ok(()) => self.counts.queued += events,
            Err(TrySendError::Full(chunk) | TrySendError::Disconnected(chunk)) => {
                self.counts.lost += events;
                self.bytes = chunk.bytes;
                self.bytes.clear();
            }
        }
    }

    /// What became of them so far.
    #[must_use]
    pub fn counts(&self) -> EventCounts {
        self.counts
    }
}

/// A queue of `capacity` chunks with one sink per worker.
#[must_use]
pub fn channel(workers: u16, capacity: u16) -> (Vec<EventSink>, Receiver<Chunk>) {
    let capacity = usize::from(capacity);
    let (queue, source) = sync_channel(capacity);
    let sinks = (0..workers).map(|_| {
        // Room for every chunk that can be on its way, so that none is freed and made again.
        let (home, recycled) = sync_channel(capacity + 1);
        EventSink {
            queue: queue.clone(),
            home,
            recycled,
            bytes: Vec::new(),
            events: 0,
            counts: EventCounts::default(),
        }
    });
    (sinks.collect(), source)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(sink: &mut EventSink, text: &str) {
        sink.line(|bytes| {
            bytes.extend(text.as_bytes());
            true
        });
    }

    #[test]
    fn full_queue_loses_the_newest_and_counts_them() {
        let (mut sinks, source) = channel(1, 1);
        let sink = &mut sinks[0];
        line(sink, "a\n");
        line(sink, "b\n");
        sink.flush();
        line(sink, "c\n");
        sink.flush();
        assert_eq!(sink.counts(), EventCounts { queued: 2, lost: 1 });
        let chunk = source.recv().unwrap();
        assert_eq!((chunk.bytes(), chunk.events()), (&b"a\nb\n"[..], 2));
        line(sink, "d\n");
        sink.flush();
        assert_eq!(source.recv().unwrap().bytes(), b"d\n");
    }

    #[test]
    fn memory_comes_back() {
        let (mut sinks, source) = channel(1, 2);
        let sink = &mut sinks[0];
        line(sink, &"x".repeat(1000));
        sink.flush();
        source.recv().unwrap().recycle();
        line(sink, "y");
        sink.flush();
        assert!(sink.bytes.capacity() >= 1000);
    }

    #[test]
    fn nothing_written_is_nothing_sent() {
        let (mut sinks, source) = channel(1, 1);
        sinks[0].line(|_| false);
        sinks[0].flush();
        assert!(source.try_recv().is_err());
    }
}
