//! What a flow knows of its application protocol.

use crate::event::FlowDirection;

use super::recognise::Recogniser;
use super::{
    Feed, FlowEvent, HandOver, Input, Parser, ParserPool, ProtocolId, Recognition, Status,
    Surroundings, Transaction, Window,
};

/// Protocols that one packet may make the flow change to (upgrades within upgrades).
const UPGRADES_PER_PACKET: usize = 2;

/// A flow's application layer. Lives in the flow table.
#[derive(Debug, Default)]
pub struct AppFlow {
    state: State,
    /// Where in each direction's stream the protocol at hand (or to be recognised) starts.
    base: [u64; 2],
    /// Up to where each direction's bytes were handed to the parser.
    taken: [u64; 2],
    /// The parser had no room for a transaction.
    full: bool,
    recogniser: Recogniser,
    /// It was asked whether another connection has agreed on this one.
    asked: bool,
    /// What it was first, where the protocol has changed.
    original: Option<ProtocolId>,
    /// The parser gave up, and nobody asked yet.
    failed: bool,
    /// What the protocol before handed over to the one to be recognised.
    handed: Option<Box<HandOver>>,
}

/// Bytes that a parser left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unread {
    /// None.
    Nothing,
    /// So many, which are the next protocol's.
    Upgraded(usize),
    /// So many, for want of room.
    Full(usize),
}

#[derive(Debug, Default)]
enum State {
    /// Not recognised yet.
    #[default]
    Probing,
    /// Being parsed.
    Parsing(ProtocolId, Box<dyn Parser>),
    /// Known, nothing more to be read.
    Opaque(ProtocolId, Box<dyn Parser>),
    /// Not to be recognised.
    Failed,
}

/// A flow's application layer as detection and records look at it.
#[derive(Clone, Copy, Debug)]
pub struct AppView<'a> {
    flow: &'a AppFlow,
}

impl AppFlow {
    /// Takes what a packet brought. Returns how many bytes at the end of the window were not taken since
    /// the transactions at hand have to be inspected and settled first: then call again with the same
    /// feed. Settling makes room, so that a caller may loop until 0.
    #[must_use]
    pub fn feed(&mut self, feed: &Feed<'_>, pool: &mut ParserPool) -> usize {
        let mut unread = if let State::Probing = self.state {
            if self.is_expected(feed, pool) {
                self.resume(feed, pool)
            } else {
                self.recognise(feed, pool)
            }
        } else {
            self.look(feed, pool.limits.probe);
            self.resume(feed, pool)
        };
        // One more than are followed within a packet is followed from the next packet on.
        for change in 0..=UPGRADES_PER_PACKET {
            let Unread::Upgraded(bytes) = unread else {
                break;
            };
            self.change_over(feed, bytes);
            if bytes == 0 || change == UPGRADES_PER_PACKET {
                break;
            }
            unread = self.recognise(feed, pool);
        }
        let Unread::Full(bytes) = unread else {
            return 0;
        };
        self.full = true;
        bytes
    }

    /// The last `bytes` of the feed, and what follows, are another protocol's.
    fn change_over(&mut self, feed: &Feed<'_>, bytes: usize) {
        let side = feed.direction.index();
        self.base[side] = feed.window.end().saturating_sub(bytes as u64);
        self.base[1 - side] = feed.other.end();
        self.taken = self.base;
        self.recogniser.restart();
    }

    /// Begins with what another connection has agreed on, where one has: asked once, when the first bytes
    /// are there.
    fn is_expected(&mut self, feed: &Feed<'_>, pool: &mut ParserPool) -> bool {
        if self.asked || feed.datagram || feed.window.bytes.is_empty() {
            return false;
        }
        self.asked = true;
        let table = &pool.expectations;
        let Some(purpose) = table.take(&feed.peers, feed.from_start, feed.at) else {
            return false;
        };
        let mut parser = pool.open(purpose.protocol);
        parser.expected(&purpose);
        self.recogniser.adopt(purpose.protocol);
        self.state = State::Parsing(purpose.protocol, parser);
        true
    }

    /// Whether the parser gave up on what it was fed since this was last asked.
    #[must_use]
    pub fn take_failure(&mut self) -> bool {
        std::mem::take(&mut self.failed)
    }

    /// Stops reading, keeping the transactions at hand.
    fn give_up(&mut self) {
        if let State::Parsing(protocol, parser) = std::mem::take(&mut self.state) {
            self.state = State::Opaque(protocol, parser);
        }
    }

    /// True when a parser has taken bytes of this flow.
    #[must_use]
    pub fn has_parser(&self) -> bool {
        matches!(self.state, State::Parsing(..) | State::Opaque(..))
    }

    /// True while bytes are of use: the protocol is not recognised yet, or being parsed.
    #[must_use]
    pub fn wants_bytes(&self) -> bool {
        matches!(self.state, State::Probing | State::Parsing(..))
    }

    /// What the feed's direction starts with, if it is at hand.
    fn start<'a>(&self, feed: &Feed<'a>) -> Option<Window<'a>> {
        if feed.datagram {
            Some(feed.window)
        } else {
            feed.window.from(self.base[feed.direction.index()])
        }
    }

    /// Looks at what a direction starts with.
    fn look(&mut self, feed: &Feed<'_>, limit: usize) -> Recognition {
        let other = feed.other.from(self.base[1 - feed.direction.index()]);
        let other = other.unwrap_or_default().bytes;
        self.recogniser.look(feed, (self.start(feed), other), limit)
    }

    /// Looks for the protocol, and begins with it. Returns what [`Self::parse`] does.
    fn recognise(&mut self, feed: &Feed<'_>, pool: &mut ParserPool) -> Unread {
        match self.look(feed, pool.limits.probe) {
            Recognition::Pending => Unread::Nothing,
            Recognition::Failed => {
                if self.recogniser.of(feed.direction.opposite()) == Recognition::Failed {
                    self.state = State::Failed;
                }
                Unread::Nothing
            }
            Recognition::Known(protocol) => self.begin(protocol, feed, pool),
        }
    }

    /// Begins to read a protocol: what the other direction brought before, then this one's bytes.
    fn begin(&mut self, protocol: ProtocolId, feed: &Feed<'_>, pool: &mut ParserPool) -> Unread {
        let mut parser = pool.open(protocol);
        if let Some(handed) = self.handed.take() {
            parser.take_over(&handed);
        }
        self.state = State::Parsing(protocol, parser);
        let other = feed
            .other
            .from(self.base[1 - feed.direction.index()])
            .filter(|_| !feed.datagram);
        let earlier = Feed {
            direction: feed.direction.opposite(),
            eof: false,
            ..*feed
        };
        let start = self.start(feed);
        // An upgrade in what came earlier is found when this direction's bytes come to it.
        let _ = self.parse(&earlier, other.unwrap_or_default(), pool);
        self.parse(feed, start.unwrap_or_default(), pool)
    }

    /// Hands what is fresh to the parser: what it has not taken yet, and word of what is missing in
    /// front of it.
    fn resume(&mut self, feed: &Feed<'_>, pool: &mut ParserPool) -> Unread {
        if feed.datagram {
            return self.parse(feed, feed.window, pool);
        }
        let taken = self.taken[feed.direction.index()];
        let fresh = feed.window.offset + feed.fresh_from as u64;
        // What a parser gave back may have come before what is fresh.
        let rest = feed.window.from(taken).unwrap_or_else(|| {
            if fresh > taken {
                self.gap(feed.direction, fresh - taken, pool);
            }
            feed.window.from(fresh.max(taken)).unwrap_or_default()
        });
        self.parse(feed, rest, pool)
    }

    /// Hands bytes to the parser.
    fn parse(&mut self, feed: &Feed<'_>, window: Window<'_>, pool: &mut ParserPool) -> Unread {
        let State::Parsing(protocol, parser) = &mut self.state else {
            return Unread::Nothing;
        };
        if window.bytes.is_empty() && !feed.eof {
            return Unread::Nothing;
        }
        parser.surround(&Surroundings {
            peers: feed.peers,
            files: &pool.files,
        });
        let status = parser.parse(&Input {
            direction: feed.direction,
            bytes: window.bytes,
            eof: feed.eof,
            datagram: feed.datagram,
            at: feed.at,
        });
        if parser.skipped_tls() {
            self.recogniser.raise(FlowEvent::NoTls);
        }
        while let Some(agreement) = parser.agreed() {
            if self.recogniser.is_plausible(*protocol) {
                pool.crowded_out += u64::from(pool.expectations.add(agreement, feed.at));
            }
        }
        let unread = self.follow(status, pool);
        let left = match unread {
            Unread::Nothing => 0,
            Unread::Upgraded(bytes) | Unread::Full(bytes) => bytes as u64,
        };
        if !feed.datagram {
            self.taken[feed.direction.index()] = window.end().saturating_sub(left);
        }
        unread
    }

    /// Bytes of `direction` are missing.
    fn gap(&mut self, direction: FlowDirection, missing: u64, pool: &mut ParserPool) {
        self.recogniser.gap(direction);
        if let State::Parsing(_, parser) = &mut self.state {
            let status = parser.gap(direction, missing);
            let _ = self.follow(status, pool);
        }
    }

    fn follow(&mut self, status: Status, pool: &mut ParserPool) -> Unread {
        match status {
            Status::Continue => Unread::Nothing,
            Status::Full { unread } => Unread::Full(unread),
            Status::Opaque | Status::Failed => {
                self.failed |= matches!(status, Status::Failed);
                self.give_up();
                Unread::Nothing
            }
            Status::Upgraded { unread } => {
                if let State::Parsing(protocol, mut parser) = std::mem::take(&mut self.state) {
                    self.original.get_or_insert(protocol);
                    self.handed = parser.hand_over();
                    pool.close(protocol, parser);
                }
                Unread::Upgraded(unread)
            }
        }
    }

    /// A packet of `direction` has been inspected: reports the transactions that are complete in both
    /// directions and drops them. Where there was no room for another and none is complete, the oldest
    /// goes as it is: what follows must be inspected, whatever is never answered.
    pub fn settle(
        &mut self,
        direction: FlowDirection,
        mut done: impl FnMut(ProtocolId, &dyn Transaction),
    ) {
        let (State::Parsing(protocol, parser) | State::Opaque(protocol, parser)) = &mut self.state
        else {
            return;
        };
        parser.inspected(direction);
        let protocol = parser.refined().unwrap_or(*protocol);
        let complete = |transaction: &dyn Transaction| {
            let mut sides = FlowDirection::BOTH.into_iter();
            let over = |side| transaction.progress(side) >= protocol.protocol().complete(side);
            sides.all(over) && !transaction.lingers()
        };
        let mut index = 0;
        while let Some(transaction) = parser.transaction(index) {
            if complete(transaction) {
                done(protocol, transaction);
                parser.retire_at(index);
                self.full = false;
            } else if parser.interleaves() {
                index += 1;
            } else {
                break;
            }
        }
        if std::mem::take(&mut self.full)
            && let Some(oldest) = parser.transaction(0)
        {
            done(protocol, oldest);
            parser.retire();
        }
    }

    /// The flow ends: reports what is left, complete or not, and gives the parser back.
    pub fn close(
        &mut self,
        pool: &mut ParserPool,
        mut left: impl FnMut(ProtocolId, &dyn Transaction),
    ) {
        if let State::Parsing(protocol, parser) | State::Opaque(protocol, parser) =
            std::mem::take(&mut self.state)
        {
            let known = parser.refined().unwrap_or(protocol);
            for index in 0..parser.len() {
                if let Some(transaction) = parser.transaction(index) {
                    left(known, transaction);
                }
            }
            pool.close(protocol, parser);
        }
        *self = Self::default();
    }

    /// What is odd about its recognition, since the last call.
    pub fn take_events(&mut self) -> impl Iterator<Item = FlowEvent> + use<> {
        self.recogniser.take_events()
    }

    /// For detection and records.
    #[must_use]
    pub fn view(&self) -> AppView<'_> {
        AppView { flow: self }
    }
}

impl<'a> AppView<'a> {
    /// What the flow is read as.
    #[must_use]
    pub fn recognition(&self) -> Recognition {
        match &self.flow.state {
            State::Probing if self.flow.recogniser.is_skipped() => Recognition::Failed,
            State::Probing => Recognition::Pending,
            State::Parsing(protocol, parser) | State::Opaque(protocol, parser) => {
                Recognition::Known(parser.refined().unwrap_or(*protocol))
            }
            State::Failed => Recognition::Failed,
        }
    }

    /// What the bytes of one direction are known as: nothing before there are any, and what the flow is read
    /// as where they were not recognised.
    #[must_use]
    pub fn recognised_by(&self, direction: FlowDirection) -> Recognition {
        let recogniser = &self.flow.recogniser;
        match (recogniser.of(direction), self.recognition()) {
            // What it has turned out to be says more.
            (Recognition::Known(own), Recognition::Known(of_flow)) if of_flow.is(own) => {
                Recognition::Known(of_flow)
            }
            (own @ Recognition::Known(_), _) => own,
            (_, Recognition::Known(_)) if !recogniser.has_spoken(direction) => Recognition::Pending,
            (_, of_flow) => of_flow,
        }
    }

    /// What the flow was known as before it changed over to another protocol; where it did not, what it is.
    #[must_use]
    pub fn original(&self) -> Recognition {
        let before = self.flow.original;
        before.map_or_else(|| self.recognition(), Recognition::Known)
    }

    /// Name of the protocol, once it is known.
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        match self.recognition() {
            Recognition::Known(id) => Some(id.protocol().name()),
            Recognition::Pending | Recognition::Failed => None,
        }
    }

    /// The transactions at hand, oldest first.
    pub fn transactions(&self) -> impl Iterator<Item = &'a dyn Transaction> + use<'a> {
        let parser = match &self.flow.state {
            State::Parsing(_, parser) | State::Opaque(_, parser) => Some(parser.as_ref()),
            State::Probing | State::Failed => None,
        };
        (0..parser.map_or(0, Parser::len)).filter_map(move |index| parser?.transaction(index))
    }
}

#[cfg(test)]
mod tests;
