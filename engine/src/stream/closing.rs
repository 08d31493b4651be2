//! The end of connections: in which state its receiver is when a segment reaches it, and what a segment
//! that it would not take is called there.
//!
//! States are RFC 9293's. They are the receiver's as far as can be told from here, where everything passes
//! before it reaches anybody: what was seen counts as received, what was acknowledged as known to be.

use crate::event::FlowDirection;
use crate::flow::Phase;

use super::StreamEvent;
use super::half::Half;
use super::tcp::{State, Tcp};

/// State of the receiver of a segment, from the moment that data may flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nobody has closed.
    Established,
    /// The sender has closed, the receiver not.
    CloseWait,
    /// The receiver has closed, and nobody acknowledged it.
    FinWait1,
    /// The receiver has closed, which was acknowledged, and the sender not.
    FinWait2,
    /// Both have closed at once.
    Closing,
    /// The receiver closed in answer to the sender.
    LastAck,
    /// Both have closed, and the receiver knows that the sender does.
    TimeWait,
}

impl Tcp {
    /// State of the receiver of what is sent in `direction`.
    pub(super) fn stage(&self, direction: FlowDirection) -> Stage {
        let (sender, receiver) = (self.sender(direction), self.receiver(direction));
        let first = self.first_to_close == Some(direction.opposite());
        match (sender.fin.is_some(), receiver.fin.is_some()) {
            (false, false) => Stage::Established,
            (true, false) => Stage::CloseWait,
            (false, true) if receiver.fin_acked => Stage::FinWait2,
            (false, true) => Stage::FinWait1,
            (true, true) if receiver.fin_acked => Stage::TimeWait,
            (true, true) if first => Stage::Closing,
            (true, true) => Stage::LastAck,
        }
    }

    /// State of the server, as EVE's `tcp.state` names it.
    #[must_use]
    pub fn state_name(&self) -> &'static str {
        if self.phase() == Phase::Closed {
            return "closed";
        }
        match self.state {
            State::None => "none",
            State::Handshake if self.halves.iter().all(Half::seen) => "syn_recv",
            State::Handshake => "syn_sent",
            State::Established => match self.stage(FlowDirection::ToServer) {
                Stage::Established => "established",
                Stage::CloseWait => "close_wait",
                Stage::FinWait1 => "fin_wait1",
                Stage::FinWait2 => "fin_wait2",
                Stage::Closing => "closing",
                Stage::LastAck => "last_ack",
                Stage::TimeWait => "time_wait",
            },
        }
    }

    /// Remembers who closed first; a FIN that turned out to be none is forgotten.
    pub(super) fn note_close(&mut self, direction: FlowDirection) {
        let closed = |half: &Half| half.fin.is_some();
        let first = self.first_to_close;
        if first.is_some_and(|first| closed(self.sender(first))) {
            return;
        }
        let other = direction.opposite();
        self.first_to_close = [direction, other]
            .into_iter()
            .find(|side| closed(self.sender(*side)));
    }
}

impl Stage {
    /// A segment that lies where its receiver would not look.
    pub(super) fn misplaced(self, fin: bool) -> StreamEvent {
        match (self, fin) {
            (Self::Established, false) => StreamEvent::OutOfWindow,
            (Self::Established, true) => StreamEvent::FinOutOfWindow,
            (Self::CloseWait, false) => StreamEvent::CloseWaitOutOfWindow,
            (Self::CloseWait, true) => StreamEvent::CloseWaitFinOutOfWindow,
            (Self::FinWait1, false) => StreamEvent::FinWait1WrongSequence,
            (Self::FinWait1, true) => StreamEvent::FinWait1FinWrongSequence,
            (Self::FinWait2, false) => StreamEvent::FinWait2WrongSequence,
            (Self::FinWait2, true) => StreamEvent::FinWait2FinWrongSequence,
            (Self::Closing, _) => StreamEvent::ClosingWrongSequence,
            (Self::LastAck, _) => StreamEvent::LastAckWrongSequence,
            (Self::TimeWait, _) => StreamEvent::TimeWaitWrongSequence,
        }
    }

    /// An acknowledgement of what its receiver has not sent.
    pub(super) fn invalid_ack(self, fin: bool) -> StreamEvent {
        match self {
            Self::Established if fin => StreamEvent::FinInvalidAck,
            Self::Established => StreamEvent::EstablishedInvalidAck,
            Self::CloseWait => StreamEvent::CloseWaitInvalidAck,
            Self::FinWait1 => StreamEvent::FinWait1InvalidAck,
            Self::FinWait2 => StreamEvent::FinWait2InvalidAck,
            Self::Closing => StreamEvent::ClosingInvalidAck,
            Self::LastAck => StreamEvent::LastAckInvalidAck,
            Self::TimeWait => StreamEvent::TimeWaitInvalidAck,
        }
    }

    /// A retransmission of what was acknowledged.
    pub(super) fn before_last_ack(self) -> StreamEvent {
        match self {
            Self::CloseWait => StreamEvent::CloseWaitBeforeLastAck,
            _ => StreamEvent::BeforeLastAck,
        }
    }
}
