//! Which protocol each direction of a flow speaks, by what it starts with.
//!
//! Both directions are asked about, also when one of them has settled what the flow is read as: a client
//! that speaks another protocol than its server, or one that is alone in speaking any, is told by events
//! of the flow ([`FlowEvent`]). What a direction starts with is looked at until it is recognised, has
//! ruled out every protocol, or is longer than the limit.

use crate::event::FlowDirection;

use super::{Feed, PROTOCOLS, Probe, ProtocolId, Start, Transports, Window};

/// Recognition of both directions.
#[derive(Debug, Default)]
pub(super) struct Recogniser {
    sides: [Side; 2],
    /// Events, one bit each: those that were raised, and those of them that were not told yet.
    raised: u8,
    untold: u8,
}

/// One direction.
#[derive(Clone, Copy, Debug, Default)]
struct Side {
    /// Protocols that its start has ruled out, one bit each.
    ruled_out: u16,
    found: Recognition,
    /// It has brought bytes.
    spoke: bool,
    /// Its start was not at hand.
    lost: bool,
}

const _: () = assert!(PROTOCOLS.len() <= 16, "one bit for each protocol");

/// How far recognition has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Recognition {
    /// Still looking.
    #[default]
    Pending,
    /// The protocol.
    Known(ProtocolId),
    /// It is none that this engine knows.
    Failed,
}

/// What is odd about how a flow's protocol was recognised. Each at most once for a flow and each change
/// of its protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FlowEvent {
    /// The directions speak different protocols.
    Mismatch,
    /// The server spoke first in a protocol in which the client does.
    WrongDirectionFirst,
    /// One direction was recognised, the other ruled out every protocol.
    OnlyOneDirection,
    /// One direction ruled out every protocol, and the other has said nothing, or too little to tell,
    /// while the first ended or went beyond the limit.
    Skipped,
    /// The client was to go on in TLS, and did not.
    NoTls,
}

impl FlowEvent {
    /// All of them, in the order of their bits.
    pub const ALL: [Self; 5] = [
        Self::Mismatch,
        Self::WrongDirectionFirst,
        Self::OnlyOneDirection,
        Self::Skipped,
        Self::NoTls,
    ];

    /// The event that `app-layer-event` calls so.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.name() == name)
    }

    /// What `app-layer-event` calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mismatch => "applayer_mismatch_protocol_both_directions",
            Self::WrongDirectionFirst => "applayer_wrong_direction_first_data",
            Self::OnlyOneDirection => "applayer_detect_protocol_only_one_direction",
            Self::Skipped => "applayer_proto_detection_skipped",
            Self::NoTls => "applayer_no_tls_after_starttls",
        }
    }
}

impl Recogniser {
    /// Forgets what was recognised: another protocol follows.
    pub(super) fn restart(&mut self) {
        *self = Self {
            untold: self.untold,
            ..Self::default()
        };
    }

    /// Both directions are known by what another connection has agreed on.
    pub(super) fn adopt(&mut self, protocol: ProtocolId) {
        for side in &mut self.sides {
            side.found = Recognition::Known(protocol);
        }
    }

    /// Both directions have spoken, and neither of them anything else than `protocol`, as far as their starts were
    /// seen. One side alone must not have weir take other connections for what they are not.
    pub(super) fn is_plausible(&self, protocol: ProtocolId) -> bool {
        self.sides.iter().all(|side| match side.found {
            Recognition::Known(found) => found == protocol,
            Recognition::Pending => side.spoke,
            Recognition::Failed => side.lost,
        })
    }

    /// What a direction was recognised as.
    pub(super) fn of(&self, direction: FlowDirection) -> Recognition {
        self.sides[direction.index()].found
    }

    /// A direction has brought bytes.
    pub(super) fn has_spoken(&self, direction: FlowDirection) -> bool {
        self.sides[direction.index()].spoke
    }

    /// Recognition was given up, though one direction may still be recognised.
    pub(super) fn is_skipped(&self) -> bool {
        self.raised >> FlowEvent::Skipped as u8 & 1 != 0
    }

    /// Bytes of a direction are missing: its start can no longer be looked at.
    pub(super) fn gap(&mut self, direction: FlowDirection) {
        let side = &mut self.sides[direction.index()];
        if side.found == Recognition::Pending {
            side.lost = true;
            side.found = Recognition::Failed;
        }
    }

    /// The events that were raised since the last call.
    pub(super) fn take_events(&mut self) -> impl Iterator<Item = FlowEvent> + use<> {
        let untold = std::mem::take(&mut self.untold);
        FlowEvent::ALL
            .into_iter()
            .filter(move |event| untold >> *event as u8 & 1 != 0)
    }

    /// Notes an event, once.
    pub(super) fn raise(&mut self, event: FlowEvent) {
        let bit = 1 << event as u8;
        self.untold |= bit & !self.raised;
        self.raised |= bit;
    }

    /// Looks at the start of the feed's direction, unless that is settled; `None`: it is not at hand.
    /// Returns what was found out just now.
    pub(super) fn look(
        &mut self,
        feed: &Feed<'_>,
        (start, peer): (Option<Window<'_>>, &[u8]),
        limit: usize,
    ) -> Recognition {
        let (own, other) = (feed.direction.index(), 1 - feed.direction.index());
        self.sides[own].spoke |= !feed.window.bytes.is_empty();
        if self.sides[own].found == Recognition::Pending && start.is_none() {
            self.gap(feed.direction);
            return Recognition::Failed;
        }
        if self.sides[own].found == Recognition::Pending {
            let confirms = match self.sides[other].found {
                Recognition::Known(protocol) => Some(protocol),
                Recognition::Pending | Recognition::Failed => None,
            };
            let bytes = start.map_or(&[][..], |start| start.bytes);
            let found = self.sides[own].look((feed, confirms), (bytes, peer), limit);
            if found != Recognition::Pending {
                self.sides[own].found = found;
                self.settle(feed);
                self.skip(feed, start, limit);
                return found;
            }
        }
        self.skip(feed, start, limit);
        Recognition::Pending
    }

    /// The feed's direction was recognised, or cannot be.
    fn settle(&mut self, feed: &Feed<'_>) {
        if feed.datagram {
            return;
        }
        let own = self.sides[feed.direction.index()];
        let other = self.sides[1 - feed.direction.index()];
        match (own.found, other.found) {
            (Recognition::Known(own), Recognition::Known(other)) if own != other => {
                self.raise(FlowEvent::Mismatch);
            }
            (Recognition::Known(_), Recognition::Failed) if other.was_heard() => {
                self.raise(FlowEvent::OnlyOneDirection);
            }
            (Recognition::Failed, Recognition::Known(_)) if own.was_heard() => {
                self.raise(FlowEvent::OnlyOneDirection);
            }
            _ => {}
        }
        if let (Recognition::Known(protocol), Recognition::Pending) = (own.found, other.found)
            && !other.spoke
            && feed.from_start
            && protocol
                .protocol()
                .opens()
                .is_some_and(|first| first != feed.direction)
        {
            self.raise(FlowEvent::WrongDirectionFirst);
        }
    }

    /// Gives up where one direction has failed and the other will hardly tell.
    fn skip(&mut self, feed: &Feed<'_>, start: Option<Window<'_>>, limit: usize) {
        let own = self.sides[feed.direction.index()];
        let other = self.sides[1 - feed.direction.index()];
        let long = start.is_none_or(|start| start.bytes.len() > limit);
        if !feed.datagram
            && own.was_heard()
            && own.found == Recognition::Failed
            && other.found == Recognition::Pending
            && (long || feed.eof)
        {
            self.raise(FlowEvent::Skipped);
        }
    }
}

impl Side {
    /// What it starts with was there to be recognised.
    fn was_heard(self) -> bool {
        self.spoke && !self.lost
    }

    /// Asks the protocols that are not ruled out yet. Each datagram is asked about anew, since a sender
    /// may send some that mean nothing first. `confirms`: what the other direction is.
    fn look(
        &mut self,
        (feed, confirms): (&Feed<'_>, Option<ProtocolId>),
        (bytes, other): (&[u8], &[u8]),
        limit: usize,
    ) -> Recognition {
        if bytes.is_empty() {
            let over = feed.eof && !feed.datagram;
            return if over {
                Recognition::Failed
            } else {
                Recognition::Pending
            };
        }
        let start = Start {
            direction: feed.direction,
            bytes,
            other,
            datagram: feed.datagram,
            server_port: feed.peers.server.port(),
        };
        let mut more = false;
        // What the other direction is comes first.
        let others = ProtocolId::all().filter(|id| Some(*id) != confirms);
        for id in confirms.into_iter().chain(others) {
            let protocol = id.protocol();
            let bit = 1_u16 << id.0;
            if !carries(protocol.transports(), feed) || self.ruled_out & bit != 0 {
                continue;
            }
            let answer = if Some(id) == confirms {
                protocol.confirm(&start)
            } else {
                protocol.probe(&start)
            };
            match answer {
                Probe::Yes => return Recognition::Known(id),
                Probe::No if feed.datagram => {}
                Probe::No => self.ruled_out |= bit,
                Probe::More => more = true,
            }
        }
        if feed.datagram || (more && !feed.eof && bytes.len() <= limit) {
            Recognition::Pending
        } else {
            Recognition::Failed
        }
    }
}

fn carries(transports: Transports, feed: &Feed<'_>) -> bool {
    match transports {
        Transports::Tcp => !feed.datagram,
        Transports::Udp => feed.datagram,
        Transports::Both => true,
    }
}
