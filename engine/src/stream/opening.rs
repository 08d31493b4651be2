//! The beginning and the sudden end of connections: SYN, SYN-ACK, what follows them, RST.

use crate::event::FlowDirection;
use crate::flow::Phase;

use super::half::Origin;
use super::tcp::{Admission, Arrival, State, Tcp};
use super::{Segment, StreamEvent, StreamEvents, flags};

impl Tcp {
    /// A SYN without ACK.
    pub(super) fn on_syn(
        &mut self,
        syn: &Segment,
        arrival: &Arrival,
        events: &mut StreamEvents,
    ) -> Admission {
        match self.state {
            State::None => {
                self.state = State::Handshake;
                let me = self.sender_mut(arrival.direction);
                me.begin(syn, arrival.at);
                me.note_syn(syn);
                syn_data(syn)
            }
            State::Handshake if self.reset.is_some() => Admission::Restart,
            State::Handshake => self.syn_in_handshake(syn, arrival, events),
            State::Established if self.is_finished() => Admission::Restart,
            State::Established => self.syn_in_connection(syn, arrival.direction, events),
        }
    }

    /// Which of several SYNs counts is for their receiver to say: all are kept in mind until it does.
    fn syn_in_handshake(
        &mut self,
        syn: &Segment,
        arrival: &Arrival,
        events: &mut StreamEvents,
    ) -> Admission {
        let direction = arrival.direction;
        let me = self.sender_mut(direction);
        if me.origin != Origin::Syn {
            if direction == FlowDirection::ToClient {
                events.insert(StreamEvent::SynToClient);
            }
            me.begin(syn, arrival.at);
            me.note_syn(syn);
            let (me, peer) = self.halves_mut(direction);
            peer.permit(me.syn_window());
            me.permit(peer.syn_window());
            return syn_data(syn);
        }
        me.note_syn(syn);
        if me.offset(syn.start) == 0 {
            return syn_data(syn);
        }
        events.insert(StreamEvent::SynResendDifferentSequence);
        if syn.length > 0 || me.end > 0 {
            // Data of two SYNs would be two streams.
            return Admission::Refused(StreamEvent::SynResendDifferentSequence);
        }
        if !me.add_candidate(syn.start) {
            return Admission::Refused(StreamEvent::SynFlood);
        }
        Admission::NoEffect
    }

    /// Its receiver answers with a challenge ACK (RFC 5961, 4); only when it answers with a SYN-ACK was
    /// the old connection gone.
    fn syn_in_connection(
        &mut self,
        syn: &Segment,
        direction: FlowDirection,
        events: &mut StreamEvents,
    ) -> Admission {
        let closing = self.halves.iter().any(|half| half.fin.is_some());
        let me = self.sender(direction);
        let event = match direction {
            FlowDirection::ToClient => StreamEvent::SynToClientEstablished,
            FlowDirection::ToServer if closing => StreamEvent::SynResendClosing,
            FlowDirection::ToServer if me.sent_syn(syn.start) => StreamEvent::SynResend,
            FlowDirection::ToServer => StreamEvent::SynResendEstablished,
        };
        events.insert(event);
        if syn.length > 0 {
            return Admission::Refused(event);
        }
        self.pending = Some((direction, syn.start));
        Admission::NoEffect
    }

    /// A SYN with ACK.
    pub(super) fn on_syn_ack(
        &mut self,
        segment: &Segment,
        arrival: &Arrival,
        events: &mut StreamEvents,
    ) -> Admission {
        if self.answers_pending(segment, arrival.direction) {
            return Admission::Restart;
        }
        match self.state {
            State::None if arrival.pickup.midstream || arrival.pickup.one_sided => {
                self.picked_up = true;
                self.state = State::Handshake;
                let (me, peer) = self.halves_mut(arrival.direction);
                me.begin(segment, arrival.at);
                if let Some(ack) = segment.ack {
                    peer.pick_up(ack, Origin::Implied);
                }
                self.update(segment, arrival, events);
                Admission::Taken
            }
            State::None => Admission::Midstream,
            State::Handshake => self.syn_ack_in_handshake(segment, arrival, events),
            State::Established => self.syn_ack_in_connection(segment, arrival.direction, events),
        }
    }

    fn syn_ack_in_handshake(
        &mut self,
        segment: &Segment,
        arrival: &Arrival,
        events: &mut StreamEvents,
    ) -> Admission {
        let direction = arrival.direction;
        if self.disowned(segment, direction) {
            return Admission::Refused(StreamEvent::InvalidTimestamp);
        }
        let split = direction == FlowDirection::ToServer;
        let (me, peer) = self.halves_mut(direction);
        if split && peer.origin != Origin::Syn {
            return Admission::Refused(StreamEvent::SynAckWrongDirection);
        }
        if split && peer.answered {
            events.insert(StreamEvent::SynAckToServer);
            return if segment.length > 0 {
                Admission::Refused(StreamEvent::SynAckToServer)
            } else {
                Admission::NoEffect
            };
        }
        if let Some(ack) = segment.ack
            && !peer.settle(ack)
        {
            return Admission::Refused(if split {
                StreamEvent::SplitSynAckWrongAck
            } else {
                StreamEvent::SynAckWrongAck
            });
        }
        if me.origin != Origin::Syn {
            me.begin(segment, arrival.at);
        } else if me.offset(segment.start) != 0 {
            if split {
                return Admission::Refused(StreamEvent::SplitSynAckWrongSyn);
            }
            events.insert(StreamEvent::SynAckResendDifferentSequence);
            if segment.length > 0 || !me.add_candidate(segment.start) {
                return Admission::Refused(StreamEvent::SynAckFlood);
            }
            return Admission::NoEffect;
        } else {
            // Sent again, with a later timestamp that the other side may echo.
            me.note_syn(segment);
        }
        if peer.origin == Origin::Unknown
            && let Some(ack) = segment.ack
        {
            peer.pick_up(ack, Origin::Implied);
        }
        peer.syn_acked = true;
        me.permit(peer.syn_window());
        if peer.end > 0 && segment.ack.is_some_and(|ack| peer.offset(ack) == 0) {
            events.insert(StreamEvent::FastOpenDataIgnored);
        }
        self.update(segment, arrival, events);
        self.complete();
        Admission::Taken
    }

    /// The client's last ACK was lost, or it is forged: without effect either way.
    fn syn_ack_in_connection(
        &mut self,
        segment: &Segment,
        direction: FlowDirection,
        events: &mut StreamEvents,
    ) -> Admission {
        let (me, peer) = self.halves_mut(direction);
        if me.origin == Origin::Implied && segment.ack.is_some_and(|ack| peer.settle(ack)) {
            // The SYN's sender went on before its answer came.
            me.pick_up(segment.start, Origin::Midstream);
            return Admission::NoEffect;
        }
        let event = if direction == FlowDirection::ToServer {
            StreamEvent::SynAckToServerEstablished
        } else if me.origin == Origin::Syn && !me.sent_syn(segment.start) {
            StreamEvent::SynAckResendEstablished
        } else if segment.ack.is_some_and(|ack| peer.offset(ack) != 0) {
            StreamEvent::SynAckResendAckEstablished
        } else {
            StreamEvent::SynAckResend
        };
        events.insert(event);
        if segment.length > 0 {
            return Admission::Refused(event);
        }
        Admission::NoEffect
    }

    /// A segment without SYN while the handshake is not complete.
    pub(super) fn in_handshake(
        &mut self,
        segment: &Segment,
        arrival: &Arrival,
        events: &mut StreamEvents,
    ) -> Admission {
        let direction = arrival.direction;
        let Some(ack) = segment.ack else {
            return Admission::Refused(StreamEvent::InvalidAck);
        };
        if self.disowned(segment, direction) {
            return Admission::Refused(StreamEvent::InvalidTimestamp);
        }
        if self.receiver(direction).origin == Origin::Unknown {
            return self.one_sided(segment, arrival, events);
        }
        if self.sender(direction).origin == Origin::Unknown
            || self.sender(direction).origin == Origin::Implied
        {
            return self.handshake_unanswered(segment, arrival, events);
        }
        let (me, peer) = self.halves_mut(direction);
        let start = me.offset(segment.start);
        let split = me.origin == Origin::Syn
            && peer.origin == Origin::Syn
            && !me.answered
            && !peer.answered;
        if !peer.settle(ack) {
            return Admission::Refused(match (split, start) {
                (true, _) => StreamEvent::SplitInvalidAck,
                (false, 0) => StreamEvent::HandshakeWrongAckEvasion,
                (false, _) => StreamEvent::HandshakeWrongSequenceWrongAck,
            });
        }
        if !me.in_window(start) {
            return Admission::Refused(if split {
                StreamEvent::SplitWrongSequence
            } else {
                StreamEvent::OutOfWindow
            });
        }
        let fast_open = peer.end > 0 && peer.offset(ack) > 0;
        let answered = me.syn_acked || peer.origin != Origin::Syn;
        let injected = direction == FlowDirection::ToClient && !answered && !fast_open;
        if injected && segment.length > 0 {
            return Admission::Refused(StreamEvent::HandshakeDataInjected);
        }
        peer.syn_acked = true;
        if peer.origin != Origin::Syn {
            // It goes on, so its SYN-ACK was acknowledged: on a way that does not lead past here.
            self.state = State::Established;
        }
        self.update(segment, arrival, events);
        self.complete();
        Admission::Taken
    }

    /// The side that sent the SYN goes on, and nothing was seen of the other.
    fn one_sided(
        &mut self,
        segment: &Segment,
        arrival: &Arrival,
        events: &mut StreamEvents,
    ) -> Admission {
        if !arrival.pickup.one_sided {
            return Admission::Untracked;
        }
        let me = self.sender_mut(arrival.direction);
        if me.offset(segment.start) != 0 && me.end == 0 {
            if !me.sent_syn(segment.start) {
                events.insert(StreamEvent::HandshakeAsyncWrongSequence);
            }
            me.rebase(segment.start);
        }
        self.go_on(segment, arrival, events)
    }

    /// A SYN was seen, no SYN-ACK, and now its receiver speaks: a challenge ACK of an old connection,
    /// or the SYN-ACK went another way.
    fn handshake_unanswered(
        &mut self,
        segment: &Segment,
        arrival: &Arrival,
        events: &mut StreamEvents,
    ) -> Admission {
        let (me, peer) = self.halves_mut(arrival.direction);
        let implied = me.origin == Origin::Implied;
        let fits = segment.ack.is_some_and(|ack| peer.settle(ack));
        if !fits && !implied {
            events.insert(StreamEvent::HandshakeAckWrongDirection);
            return if segment.length > 0 {
                Admission::Refused(StreamEvent::HandshakeAckWrongDirection)
            } else {
                Admission::NoEffect
            };
        }
        if !implied && !arrival.pickup.one_sided && !arrival.pickup.midstream {
            return Admission::Untracked;
        }
        if implied {
            me.rebase(segment.start);
            me.origin = Origin::Midstream;
        } else {
            me.pick_up(segment.start, Origin::Midstream);
        }
        self.state = State::Established;
        self.update(segment, arrival, events);
        Admission::Taken
    }

    /// Completes the handshake once both SYNs are acknowledged.
    fn complete(&mut self) {
        let both = self.halves.iter().all(|half| half.syn_acked);
        let picked_up = self.halves.iter().any(|half| half.origin != Origin::Syn);
        if both && !picked_up {
            self.state = State::Established;
            self.handshake_seen = true;
        }
    }

    /// True when the segment shows that a SYN inside of the old connection opened a new one: it is
    /// answered with a SYN-ACK, or (where the other side is never seen) followed by its own first ACK.
    pub(super) fn answers_pending(&self, segment: &Segment, direction: FlowDirection) -> bool {
        let Some((opener, zero)) = self.pending else {
            return false;
        };
        if segment.has(flags::SYN) {
            return opener == direction.opposite() && segment.ack == Some(zero);
        }
        let alone = !self.receiver(opener).seen();
        alone && opener == direction && segment.start == zero
    }

    /// The SYN that may open a new connection, and who sent it.
    #[must_use]
    pub fn pending(&self) -> Option<PendingSyn> {
        self.pending
            .map(|(opener, zero)| PendingSyn { opener, zero })
    }

    /// Begins a new flow from a SYN that was seen inside of the old one, when the segment at hand is not
    /// that SYN itself. Its sender is the client of the new flow.
    pub fn begin_pending(&mut self, pending: PendingSyn) {
        self.state = State::Handshake;
        let client = self.sender_mut(FlowDirection::ToServer);
        client.pick_up(pending.zero, Origin::Syn);
        client.add_candidate(pending.zero);
    }

    /// A RST. It ends the flow only where its receiver would let it.
    pub(super) fn on_reset(
        &mut self,
        segment: &Segment,
        arrival: &Arrival,
        events: &mut StreamEvents,
    ) -> Admission {
        let direction = arrival.direction;
        match self.state {
            State::None => {
                events.insert(StreamEvent::RstNoSession);
                Admission::Untracked
            }
            State::Handshake if self.disowned(segment, direction) => {
                Admission::Refused(StreamEvent::InvalidTimestamp)
            }
            State::Handshake => {
                if self.resets_handshake(segment, direction) {
                    self.reset = Some(direction);
                } else {
                    // It may belong to what was before this handshake: its receiver knows.
                    events.insert(StreamEvent::RstInvalid);
                }
                Admission::NoEffect
            }
            State::Established => self.reset_connection(segment, direction, events),
        }
    }

    /// An answer to a SYN that its sender would not take, by its timestamp.
    fn disowned(&self, segment: &Segment, direction: FlowDirection) -> bool {
        let peer = self.receiver(direction);
        !peer.syn_acked && peer.disowns_echo(segment)
    }

    fn resets_handshake(&self, segment: &Segment, direction: FlowDirection) -> bool {
        let (me, peer) = (self.sender(direction), self.receiver(direction));
        if me.origin == Origin::Syn {
            return me.offset(segment.start) == me.end;
        }
        segment
            .ack
            .is_some_and(|ack| (0..=peer.end).contains(&peer.offset(ack)))
    }

    fn reset_connection(
        &mut self,
        segment: &Segment,
        direction: FlowDirection,
        events: &mut StreamEvents,
    ) -> Admission {
        let me = self.sender(direction);
        let start = me.offset(segment.start);
        let known = me.seen() && !me.resync && self.receiver(direction).seen();
        let outside = start < me.acked - 1 || !me.in_window(start);
        if known && outside {
            return Admission::Refused(StreamEvent::RstInvalid);
        }
        if known && self.refuse_ack(segment, direction, events).is_some() {
            return Admission::Refused(StreamEvent::RstInvalid);
        }
        if !known || me.is_next(start) {
            self.reset = Some(direction);
        }
        Admission::NoEffect
    }

    fn is_finished(&self) -> bool {
        self.phase() == Phase::Closed && self.reset.is_none()
    }

    fn sender_mut(&mut self, direction: FlowDirection) -> &mut super::half::Half {
        &mut self.halves[direction.index()]
    }
}

/// Data in a SYN is taken by servers that speak Fast Open (RFC 7413), asked to with its option; others
/// answer the SYN alone. (One that takes it unasked is refused its SYN-ACK.)
fn syn_data(syn: &Segment) -> Admission {
    if syn.length > 0 && !syn.options.fast_open {
        Admission::NoEffect
    } else {
        Admission::Taken
    }
}

/// A SYN seen inside of an older connection.
#[derive(Clone, Copy, Debug)]
pub struct PendingSyn {
    /// Direction in which it went, in the old flow.
    pub opener: FlowDirection,
    zero: super::SeqNumber,
}
