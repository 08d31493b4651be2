//! Datagrams that one worker put together from fragments and another judges.
//!
//! The kernel steers fragments by addresses only, so a datagram's fragments may meet at another worker
//! than the rest of its flow. Bounded queues, one per worker; full: the datagram is dropped and
//! counted. Allocates, as fragments are the exception.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use weir_engine::event::{Datagram, Steering};
use weir_engine::frame::FrameMeta;

use super::pulse::Pulse;

/// Datagrams that may wait for a worker.
const QUEUE: usize = 256;

/// A datagram on its way to the worker of its flow.
pub struct Handover {
    /// The datagram as one frame.
    pub datagram: Vec<u8>,
    /// What came with the fragment that completed it.
    pub meta: FrameMeta,
    /// Its fragments, for delivery.
    pub fragments: Vec<(Vec<u8>, FrameMeta)>,
}

/// The way to one other worker.
#[derive(Clone)]
pub struct Sender {
    queue: SyncSender<Handover>,
    pulse: Arc<Pulse>,
}

impl Sender {
    /// Copies a datagram and its fragments into the worker's queue.
    pub fn send(&self, datagram: &Datagram<'_>) -> Steering {
        let mut fragments = Vec::new();
        datagram.fragments.for_each(&mut |frame, meta| {
            fragments.push((frame.to_vec(), *meta));
        });
        let handover = Handover {
            datagram: datagram.frame.to_vec(),
            meta: *datagram.meta,
            fragments,
        };
        match self.queue.try_send(handover) {
            Ok(()) => {
                self.pulse.wake();
                Steering::Taken
            }
            Err(_) => Steering::Full,
        }
    }
}

/// Queues between workers: all ways in, and each worker's own way out.
#[must_use]
pub fn queues(pulses: &[Arc<Pulse>]) -> (Vec<Sender>, Vec<Receiver<Handover>>) {
    let ends = pulses.iter().map(|pulse| {
        let (queue, receiver) = sync_channel(QUEUE);
        let pulse = Arc::clone(pulse);
        (Sender { queue, pulse }, receiver)
    });
    ends.unzip()
}
