//! TCP state of one flow: what each segment is to it.
//!
//! Two questions are asked of a segment. Would its receiver take it? One that it surely would not (bad
//! ACK, outside of the window, PAWS, data behind an acknowledged FIN) is *refused*: such segments serve
//! to show an inspector other bytes than the receiver. And what does it change? SYN, FIN and RST move
//! the state only where the receiver's state moves for certain; a RST in doubt changes nothing, and a
//! flow that speaks on behind a RST is inspected on.
//!
//! Where only a part of a flow is seen (picked up midstream, one direction only) whatever cannot be
//! known is held for right: windows permit all, acknowledgements are believed.
//!
//! Sources: RFC 9293, RFC 5961 (blind attacks), RFC 7323 (timestamps, window scale), RFC 7413 (Fast
//! Open); where they leave a choice, what Linux does.

use crate::event::FlowDirection;
use crate::flow::Phase;
use crate::frame::Timestamp;

use super::half::{Half, Origin};
use super::pool::BufferPool;
use super::{Segment, SeqNumber, StreamEvent, StreamEvents, flags};

/// What flows may be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Pickup {
    /// Flows whose handshake was not seen.
    pub midstream: bool,
    /// Flows of which one direction is never seen.
    pub one_sided: bool,
}

/// What a segment is to its flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Part of the flow; its payload is part of the stream.
    Taken,
    /// Harmless and without effect on the flow; its payload is not part of the stream.
    NoEffect,
    /// The flow is not followed.
    Untracked,
    /// The flow is not followed, for its beginning was not seen.
    Midstream,
    /// Its receiver would not take it, for this reason.
    Refused(StreamEvent),
    /// It opens a new connection in place of the old one: end the flow and ask again.
    Restart,
}

/// State that both directions share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum State {
    /// Nothing is known: no SYN, not picked up.
    #[default]
    None,
    /// A SYN was seen.
    Handshake,
    /// Data may flow.
    Established,
}

/// TCP state of one flow.
#[derive(Debug, Default)]
pub struct Tcp {
    pub(super) halves: [Half; 2],
    pub(super) state: State,
    /// A RST ended it, as far as can be told.
    pub(super) reset: Option<FlowDirection>,
    /// A SYN that may open a new connection, once it is answered.
    pub(super) pending: Option<(FlowDirection, SeqNumber)>,
    pub(super) handshake_seen: bool,
    /// It was picked up midstream, and nobody asked yet.
    pub(super) picked_up: bool,
    /// Who sent the first FIN.
    pub(super) first_to_close: Option<FlowDirection>,
    flags: [u8; 2],
    epoch: u32,
}

/// What comes with a segment.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Who sent it.
    pub direction: FlowDirection,
    /// When.
    pub at: Timestamp,
    /// What may be followed.
    pub pickup: Pickup,
    /// How often frames may have been missed so far.
    pub epoch: u32,
}

impl Tcp {
    /// Judges a segment and moves the state by it. Payload is handled by
    /// [`reassemble`](Self::reassemble) afterwards.
    pub fn admit(
        &mut self,
        segment: &Segment,
        arrival: &Arrival,
        events: &mut StreamEvents,
    ) -> Admission {
        if std::mem::replace(&mut self.epoch, arrival.epoch) != arrival.epoch {
            // A direction that was not seen has nothing to find again: its first segment says where it begins.
            // Else the first data of a new flow could choose, by coming out of order, what counts as inspected.
            for half in &mut self.halves {
                half.resync |= half.seen();
            }
        }
        self.flags[arrival.direction.index()] |= segment.flags;
        if segment.broken_ack {
            events.insert(StreamEvent::BrokenAck);
        }
        let syn = segment.has(flags::SYN);
        let admission = if syn && segment.has(flags::FIN) {
            Admission::Refused(StreamEvent::FinSyn)
        } else if segment.has(flags::RST) {
            self.on_reset(segment, arrival, events)
        } else if syn && segment.ack.is_none() {
            self.on_syn(segment, arrival, events)
        } else if syn {
            self.on_syn_ack(segment, arrival, events)
        } else {
            self.on_segment(segment, arrival, events)
        };
        if let Admission::Refused(event) = admission {
            events.insert(event);
        }
        admission
    }

    /// Whether it was picked up midstream since this was last asked.
    #[must_use]
    pub fn take_pickup(&mut self) -> bool {
        std::mem::take(&mut self.picked_up)
    }

    /// How far the flow has come.
    #[must_use]
    pub fn phase(&self) -> Phase {
        let finished = self.halves.iter().all(|half| half.fin_acked);
        match self.state {
            _ if self.reset.is_some() => Phase::Closed,
            State::None | State::Handshake => Phase::New,
            State::Established if finished => Phase::Closed,
            State::Established => Phase::Established,
        }
    }

    /// True once the handshake is complete or the flow was picked up midstream.
    #[must_use]
    pub fn established(&self) -> bool {
        self.state == State::Established
    }

    /// True when its handshake was seen in full.
    #[must_use]
    pub fn handshake_seen(&self) -> bool {
        self.handshake_seen
    }

    /// TCP flags seen so far, of the client and of the server.
    #[must_use]
    pub fn flags_seen(&self) -> (u8, u8) {
        (self.flags[0], self.flags[1])
    }

    /// Bytes sent so far by sequence number, by the client and by the server.
    #[must_use]
    pub fn stream_bytes(&self) -> [u64; 2] {
        [&self.halves[0], &self.halves[1]].map(|half| u64::try_from(half.end).unwrap_or(0))
    }

    /// True while it holds stream buffers.
    #[must_use]
    pub fn holds_memory(&self) -> bool {
        self.halves.iter().any(|half| half.data.holds_memory())
    }

    /// Gives all stream buffers back.
    pub fn recycle(&mut self, pool: &mut BufferPool) {
        self.halves
            .iter_mut()
            .for_each(|half| half.data.recycle(pool));
    }

    /// Gives up windows whose bytes are all acknowledged; true if memory came back.
    pub fn shed(&mut self, pool: &mut BufferPool) -> bool {
        let mut freed = false;
        for half in &mut self.halves {
            freed |= half.data.shed(half.acked, pool);
        }
        freed
    }

    /// The sender's half and the receiver's.
    pub(super) fn halves_mut(&mut self, direction: FlowDirection) -> (&mut Half, &mut Half) {
        let [client, server] = &mut self.halves;
        match direction {
            FlowDirection::ToServer => (client, server),
            FlowDirection::ToClient => (server, client),
        }
    }

    pub(super) fn sender(&self, direction: FlowDirection) -> &Half {
        &self.halves[direction.index()]
    }

    pub(super) fn receiver(&self, direction: FlowDirection) -> &Half {
        &self.halves[direction.opposite().index()]
    }

    /// Anything but SYN and RST.
    fn on_segment(
        &mut self,
        segment: &Segment,
        arrival: &Arrival,
        events: &mut StreamEvents,
    ) -> Admission {
        match self.state {
            State::None => self.pick_up(segment, arrival, events),
            State::Handshake => self.in_handshake(segment, arrival, events),
            State::Established => self.in_connection(segment, arrival, events),
        }
    }

    /// The first segment of a flow whose handshake was not seen.
    fn pick_up(
        &mut self,
        segment: &Segment,
        arrival: &Arrival,
        events: &mut StreamEvents,
    ) -> Admission {
        let fin = segment.has(flags::FIN);
        if fin {
            events.insert(StreamEvent::FinNoSession);
        }
        if !arrival.pickup.midstream {
            return if fin {
                Admission::Untracked
            } else {
                Admission::Midstream
            };
        }
        self.picked_up = true;
        let (me, _) = self.halves_mut(arrival.direction);
        me.pick_up(segment.start, Origin::Midstream);
        self.go_on(segment, arrival, events)
    }

    /// Follows a flow of whose other direction nothing is known but what this one acknowledges.
    pub(super) fn go_on(
        &mut self,
        segment: &Segment,
        arrival: &Arrival,
        events: &mut StreamEvents,
    ) -> Admission {
        if let Some(ack) = segment.ack {
            let (_, peer) = self.halves_mut(arrival.direction);
            peer.pick_up(ack, Origin::Implied);
        }
        self.state = State::Established;
        self.update(segment, arrival, events);
        Admission::Taken
    }

    /// A segment of an established flow.
    fn in_connection(
        &mut self,
        segment: &Segment,
        arrival: &Arrival,
        events: &mut StreamEvents,
    ) -> Admission {
        if self.answers_pending(segment, arrival.direction) {
            return Admission::Restart;
        }
        if segment.ack.is_none() {
            // Linux takes no segment of a connection without ACK.
            return Admission::Refused(StreamEvent::InvalidAck);
        }
        self.synchronise(segment, arrival.direction);
        let refusal = self
            .refuse_place(segment, arrival.direction)
            .or_else(|| self.refuse_ack(segment, arrival.direction, events));
        if let Some(event) = refusal {
            return Admission::Refused(event);
        }
        if self.is_old(segment, arrival) {
            if segment.length > 0 || segment.has(flags::FIN) {
                return Admission::Refused(StreamEvent::InvalidTimestamp);
            }
            return Admission::NoEffect;
        }
        self.revive(arrival.direction, events);
        self.update(segment, arrival, events);
        Admission::Taken
    }

    /// A side that speaks on behind its own RST did not send it. The other's segments may have been on
    /// their way.
    fn revive(&mut self, direction: FlowDirection, events: &mut StreamEvents) {
        if self.reset == Some(direction) {
            events.insert(StreamEvent::RstInjected);
            self.reset = None;
        }
    }

    /// Takes sequence numbers of a direction that was not seen before, or in which frames may have been
    /// missed, from its segment.
    fn synchronise(&mut self, segment: &Segment, direction: FlowDirection) {
        let (me, peer) = self.halves_mut(direction);
        match me.origin {
            Origin::Unknown => me.pick_up(segment.start, Origin::Midstream),
            Origin::Implied => {
                me.rebase(segment.start);
                me.origin = Origin::Midstream;
            }
            Origin::Midstream | Origin::Syn => {}
        }
        if std::mem::take(&mut me.resync) {
            let offset = me.offset(segment.start);
            me.jump(offset);
        }
        if let (Some(ack), Origin::Unknown) = (segment.ack, peer.origin) {
            peer.pick_up(ack, Origin::Implied);
        }
    }

    /// Whether the segment lies where its receiver would not look.
    fn refuse_place(&self, segment: &Segment, direction: FlowDirection) -> Option<StreamEvent> {
        let me = self.sender(direction);
        let start = me.offset(segment.start);
        let fin = segment.has(flags::FIN);
        if !me.in_window(start) {
            return Some(self.stage(direction).misplaced(fin));
        }
        let end = start + segment.length;
        let behind_fin = me.fin_acked
            && me
                .fin
                .is_some_and(|at| end > at && segment.length > 0 || fin && end != at);
        behind_fin.then(|| self.stage(direction).misplaced(fin))
    }

    /// Whether it acknowledges what its receiver has not sent.
    pub(super) fn refuse_ack(
        &self,
        segment: &Segment,
        direction: FlowDirection,
        events: &mut StreamEvents,
    ) -> Option<StreamEvent> {
        let peer = self.receiver(direction);
        let upto = peer.offset(segment.ack?);
        if peer.resync || peer.takes_ack(upto) {
            return None;
        }
        events.insert(StreamEvent::InvalidAck);
        Some(self.stage(direction).invalid_ack(segment.has(flags::FIN)))
    }

    fn is_old(&self, segment: &Segment, arrival: &Arrival) -> bool {
        let me = self.sender(arrival.direction);
        let unseen_handshake = me.origin != Origin::Syn;
        let in_use =
            unseen_handshake || (me.timestamps && self.receiver(arrival.direction).timestamps);
        match segment.options.timestamps {
            Some((value, _)) if in_use => me.is_old(value, arrival.at),
            _ => false,
        }
    }

    /// Moves acknowledgement, window and timestamp by a segment that was taken.
    pub(super) fn update(
        &mut self,
        segment: &Segment,
        arrival: &Arrival,
        events: &mut StreamEvents,
    ) {
        let (me, peer) = self.halves_mut(arrival.direction);
        if let Some(ack) = segment.ack {
            let upto = peer.offset(ack);
            let window = me.advertised(segment, peer);
            if peer.acknowledge(upto, window) {
                events.insert(StreamEvent::BadWindowUpdate);
            }
        }
        if let Some((value, _)) = segment.options.timestamps {
            me.note_timestamp(me.offset(segment.start), value, arrival.at);
        }
    }
}
