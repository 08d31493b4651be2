//! Payload of admitted segments to what signatures see of the stream.

use crate::counters::StreamCounters;
use crate::detect::StreamView;
use crate::event::FlowDirection;

use super::closing::Stage;
use super::half::Half;
use super::pool::BufferPool;
use super::reassembly::{Full, Space, Stored};
use super::tcp::Tcp;
use super::{Segment, StreamEvent, StreamEvents, StreamLimits, flags};

/// What became of a segment's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It is part of the stream: [`Tcp::view`] shows what became contiguous.
    Stream {
        /// Some of its bytes differ from their first copy: [`Tcp::impose`] makes them equal.
        conflict: bool,
    },
    /// It lies in front of what is kept: nothing can be said of it but what it says itself.
    Unverified,
    /// It cannot be kept.
    Full {
        /// The worker's memory is full, rather than this direction's share.
        memory: bool,
    },
}

impl From<Full> for Delivery {
    fn from(full: Full) -> Self {
        Self::Full {
            memory: full == Full::Memory,
        }
    }
}

/// Memory and its bounds.
#[derive(Debug)]
pub struct StreamMemory {
    /// Blocks.
    pub pool: BufferPool,
    /// Bounds.
    pub limits: StreamLimits,
}

impl StreamMemory {
    /// Memory within these limits.
    #[must_use]
    pub fn new(limits: StreamLimits) -> Self {
        Self {
            pool: BufferPool::new(limits.memcap),
            limits,
        }
    }

    fn space(&mut self) -> Space<'_> {
        Space {
            bytes: self.limits.per_direction,
            window: self.limits.window,
            pieces: self.limits.pieces,
            pool: &mut self.pool,
        }
    }
}

impl Tcp {
    /// Takes the payload of a segment that was [`Taken`](super::Admission::Taken), and its FIN.
    pub fn reassemble(
        &mut self,
        (direction, segment): (FlowDirection, &Segment),
        payload: &[u8],
        memory: &mut StreamMemory,
        report: (&mut StreamEvents, &mut StreamCounters),
    ) -> Delivery {
        let (events, counters) = report;
        let stage = self.stage(direction);
        let (me, peer) = self.halves_mut(direction);
        let at = me.offset(segment.start);
        let end = at + segment.length;
        if segment.length > 0 && me.begins_earlier(at) {
            if let Err(full) = me.data.begin_earlier(at, memory.space()) {
                return full.into();
            }
            me.acked = me.acked.min(at);
        }
        if let Some(hole_end) = me.hole_end((segment.length > 0).then_some(at)) {
            me.data.skip_to(hole_end);
            counters.gaps += 1;
            events.insert(StreamEvent::SequenceGap);
        }
        let unverified = segment.length > 0 && end <= me.data.base() && is_unverified(me, at);
        let acked = if peer.seen() { me.acked } else { i64::MIN };
        let stored = match me.data.store(at, payload, acked, memory.space()) {
            Ok(stored) => stored,
            Err(full) => return full.into(),
        };
        note(
            me,
            segment,
            (at, acked),
            (stored, stage),
            (events, counters),
        );
        me.take_end(at, segment);
        self.note_close(direction);
        if unverified {
            events.insert(StreamEvent::BeforeBase);
            counters.unverified += 1;
            return Delivery::Unverified;
        }
        Delivery::Stream {
            conflict: stored.conflict,
        }
    }

    /// Gives up waiting for the bytes in front of the segment (detect mode, where it is delivered
    /// whether it can be kept or not).
    pub fn skip_hole(&mut self, direction: FlowDirection, segment: &Segment) {
        let (me, _) = self.halves_mut(direction);
        let at = me.offset(segment.start);
        let to = me.data.first_piece().map_or(at, |piece| piece.min(at));
        if to > me.data.next() {
            me.data.skip_to(to);
        }
    }

    /// Makes the payload of the segment just reassembled equal to the first copy of its bytes.
    pub fn impose(&self, direction: FlowDirection, segment: &Segment, payload: &mut [u8]) {
        let me = self.sender(direction);
        let acked = if self.receiver(direction).seen() {
            me.acked
        } else {
            i64::MIN
        };
        me.data.impose(me.offset(segment.start), payload, acked);
    }

    /// What signatures see of a direction: at most `window` inspected bytes and all fresh ones.
    #[must_use]
    pub fn view(&self, direction: FlowDirection, window: usize) -> StreamView<'_> {
        let me = self.sender(direction);
        let (bytes, fresh_from, offset) = me.data.view(window);
        StreamView {
            bytes,
            fresh_from,
            window_offset: u64::try_from(offset).unwrap_or(0),
            eof: me.fin == Some(me.data.pending()),
        }
    }

    /// Whether a segment brings nothing but bytes that were inspected and that its receiver may yet take.
    #[must_use]
    pub fn is_again(&self, direction: FlowDirection, segment: &Segment) -> bool {
        let me = self.sender(direction);
        let start = me.offset(segment.start);
        let end = start + segment.length;
        segment.length > 0 && start >= me.acked.max(me.data.base()) && end <= me.data.next()
    }

    /// The bytes that a segment brought again ([`Self::is_again`]), as they are known, behind at most
    /// `window` bytes.
    #[must_use]
    pub fn view_again(
        &self,
        direction: FlowDirection,
        segment: &Segment,
        window: usize,
    ) -> Option<StreamView<'_>> {
        let me = self.sender(direction);
        let start = me.offset(segment.start);
        let (bytes, fresh_from, offset) =
            me.data.view_of((start, start + segment.length), window)?;
        Some(StreamView {
            bytes,
            fresh_from,
            window_offset: u64::try_from(offset).unwrap_or(0),
            eof: false,
        })
    }

    /// The first bytes beyond a hole that were not looked at ([`Self::pass_island`]): all fresh, nothing
    /// in front of them.
    #[must_use]
    pub fn island(&self, direction: FlowDirection) -> Option<StreamView<'_>> {
        let me = self.sender(direction);
        let (bytes, fresh_from, offset) = me.data.island(me.looked)?;
        Some(StreamView {
            bytes,
            fresh_from,
            window_offset: u64::try_from(offset).unwrap_or(0),
            eof: false,
        })
    }

    /// The bytes that [`Self::island`] shows have been looked at. They are not part of the stream yet.
    pub fn pass_island(&mut self, direction: FlowDirection) {
        let (me, _) = self.halves_mut(direction);
        if let Some((bytes, _, offset)) = me.data.island(me.looked) {
            let length = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
            me.looked = Some(offset.saturating_add(length));
        }
    }

    /// Gives up the hole in front of the bytes of `direction` that its receiver has acknowledged; true
    /// when that uncovered some.
    pub fn give_up_hole(
        &mut self,
        direction: FlowDirection,
        (events, counters): (&mut StreamEvents, &mut StreamCounters),
    ) -> bool {
        let (me, _) = self.halves_mut(direction);
        let Some(hole_end) = me.hole_end(None) else {
            return false;
        };
        me.data.skip_to(hole_end);
        counters.gaps += 1;
        events.insert(StreamEvent::SequenceGap);
        true
    }

    /// True when `direction` has ended with a FIN, and all of it was inspected.
    #[must_use]
    pub fn has_ended(&self, direction: FlowDirection) -> bool {
        let me = self.sender(direction);
        me.fin == Some(me.data.next())
    }

    /// Ends the handling of a segment: fresh bytes count as inspected when it is delivered, and as
    /// never seen when it is not. Gives up what need not be kept.
    pub fn conclude(
        &mut self,
        direction: FlowDirection,
        delivered: bool,
        memory: &mut StreamMemory,
        counters: &mut StreamCounters,
    ) {
        let (me, _) = self.halves_mut(direction);
        if delivered {
            counters.bytes += me.data.commit();
        } else {
            me.data.roll_back();
        }
        for sender in [direction, direction.opposite()] {
            let answered = self.receiver(sender).seen();
            let (me, _) = self.halves_mut(sender);
            me.trim(answered, memory);
        }
    }
}

impl Half {
    /// Notes the end of a segment and its FIN. Data behind a FIN that nobody acknowledged shows that it
    /// was none.
    fn take_end(&mut self, at: i64, segment: &Segment) {
        let end = at + segment.length;
        self.end = self.end.max(end);
        if segment.length > 0 && !self.fin_acked && self.fin.is_some_and(|fin| end > fin) {
            self.fin = None;
        }
        if segment.has(flags::FIN) && self.fin.is_none() {
            self.fin = Some(end);
        }
    }

    /// Gives up what is neither in the window nor possibly sent again.
    fn trim(&mut self, answered: bool, memory: &mut StreamMemory) {
        let limits = memory.limits;
        let next = self.data.next();
        let back = |bytes: usize| next - i64::try_from(bytes).unwrap_or(i64::MAX);
        let unacknowledged = if answered {
            self.acked
        } else {
            self.acked.max(back(limits.one_sided))
        };
        let keep_from = unacknowledged.min(back(limits.window));
        self.data.release(keep_from, &mut memory.pool);
    }

    /// Continues at `offset` where frames may have been missed in front of it.
    pub(super) fn jump(&mut self, offset: i64) {
        self.forget_window();
        if offset > self.data.next() {
            self.data.skip_to(offset);
            self.acked = self.acked.max(offset);
            self.end = self.end.max(offset);
            self.fin = None;
            self.fin_acked = false;
        }
    }
}

/// True where bytes in front of what is kept were never inspected, or may still be wanted by the
/// receiver.
fn is_unverified(me: &Half, at: i64) -> bool {
    at < 0 || me.acked < me.data.base()
}

/// Counts what a segment was, and raises the events that say so.
fn note(
    me: &Half,
    segment: &Segment,
    (at, acked): (i64, i64),
    (stored, stage): (Stored, Stage),
    (events, counters): (&mut StreamEvents, &mut StreamCounters),
) {
    let end = at + segment.length;
    counters.out_of_order += u64::from(stored.out_of_order);
    if stored.conflict {
        counters.conflicts += 1;
        events.insert(StreamEvent::OverlapDifferentData);
    }
    let keep_alive = segment.length <= 1 && end == me.data.next();
    if segment.length == 0 || keep_alive || (end > me.data.next() && !stored.overlap) {
        return;
    }
    counters.retransmitted += 1;
    if end <= acked {
        events.insert(stage.before_last_ack());
        events.insert(StreamEvent::SpuriousRetransmission);
    } else if end <= me.data.next() {
        events.insert(StreamEvent::Retransmission);
    }
}
