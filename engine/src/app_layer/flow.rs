//! What a flow knows of its application protocol.

use crate::event::FlowDirection;
use crate::frame::Timestamp;

use super::{
    FileMemory, FileNeeds, FileService, Input, Limits, PROTOCOLS, Parser, Probe, ProtocolId, Start,
    Status, Surroundings, Transaction, Transports,
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
    /// Directions whose bytes the protocol at hand was recognised by or read from.
    heard: [bool; 2],
    /// The protocol that the flow began with, where it changed over to another.
    original: Option<ProtocolId>,
    /// The parser gave up, and nobody asked yet.
    failed: bool,
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

#[derive(Debug)]
enum State {
    /// Not recognised yet.
    Probing(Probing),
    /// Being parsed.
    Parsing(ProtocolId, Box<dyn Parser>),
    /// Known, nothing more to be read.
    Opaque(ProtocolId, Box<dyn Parser>),
    /// Not to be recognised.
    Failed,
}

/// Protocols that each direction of a stream has ruled out, one bit a protocol, and whether it is done
/// looking.
#[derive(Clone, Copy, Debug, Default)]
struct Probing {
    ruled_out: [u64; 2],
    given_up: [bool; 2],
}

impl Default for State {
    fn default() -> Self {
        Self::Probing(Probing::default())
    }
}

/// How far recognition has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recognition {
    /// Still looking.
    Pending,
    /// The protocol.
    Known(ProtocolId),
    /// It is none that this engine knows.
    Failed,
}

/// A contiguous piece of one direction of a stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct Window<'a> {
    /// Where it starts, counted from the start of the stream (or its pick-up).
    pub offset: u64,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// What a packet brought to the application layer.
#[derive(Clone, Copy, Debug)]
pub struct Feed<'a> {
    /// Who sent it.
    pub direction: FlowDirection,
    /// A datagram's payload, or a window of the stream that ends with the fresh bytes.
    pub window: Window<'a>,
    /// Index in the window of the first fresh byte; 0 for a datagram.
    pub fresh_from: usize,
    /// What is at hand of the other direction: recognition by one direction makes both readable.
    pub other: Window<'a>,
    /// This direction has ended.
    pub eof: bool,
    /// The window is one datagram, whole.
    pub datagram: bool,
    /// The server's port.
    pub server_port: u16,
    /// When.
    pub at: Timestamp,
}

/// A flow's application layer as detection and records look at it.
#[derive(Clone, Copy, Debug)]
pub struct AppView<'a> {
    flow: &'a AppFlow,
}

/// Idle parsers by protocol. One per worker.
#[derive(Debug)]
pub struct ParserPool {
    limits: Limits,
    files: FileService,
    settings: FileNeeds,
    idle: Vec<Vec<Box<dyn Parser>>>,
}

impl ParserPool {
    /// An empty pool.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            settings: FileNeeds::default(),
            files: FileService {
                needs: FileNeeds::default(),
                memory: FileMemory::new(limits.kept_files, limits.kept_file),
            },
            idle: PROTOCOLS.iter().map(|_| Vec::new()).collect(),
        }
    }

    /// With what is wanted of files whatever the rules want, and whether files may be stored.
    #[must_use]
    pub fn with_files(self, settings: FileNeeds) -> Self {
        Self { settings, ..self }
    }

    /// Says what the rules for the flow at hand want of files.
    pub fn want_files(&mut self, rules: FileNeeds) {
        self.files.needs = rules.within(self.settings);
    }

    fn open(&mut self, protocol: ProtocolId) -> Box<dyn Parser> {
        let idle = self.idle.get_mut(usize::from(protocol.0));
        idle.and_then(Vec::pop)
            .unwrap_or_else(|| protocol.protocol().open(&self.limits))
    }

    fn close(&mut self, protocol: ProtocolId, mut parser: Box<dyn Parser>) {
        if let Some(idle) = self.idle.get_mut(usize::from(protocol.0))
            && idle.len() < self.limits.pooled
        {
            parser.reset();
            idle.push(parser);
        }
    }
}

impl Window<'_> {
    /// The part from `offset` on, if all of it is here.
    fn from(&self, offset: u64) -> Option<Self> {
        let skip = usize::try_from(offset.checked_sub(self.offset)?).ok()?;
        Some(Self {
            offset,
            bytes: self.bytes.get(skip..)?,
        })
    }

    fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }
}

impl AppFlow {
    /// Takes what a packet brought. Returns how many bytes at the end of the window were not taken since
    /// the transactions at hand have to be inspected and settled first: then call again with the same
    /// feed. Settling makes room, so that a caller may loop until 0.
    #[must_use]
    pub fn feed(&mut self, feed: &Feed<'_>, pool: &mut ParserPool) -> usize {
        let mut unread = if let State::Probing(_) = self.state {
            self.recognise(feed, pool)
        } else {
            self.resume(feed, pool)
        };
        for _ in 0..UPGRADES_PER_PACKET {
            let Unread::Upgraded(bytes) = unread else {
                break;
            };
            let side = feed.direction.index();
            self.base[side] = feed.window.end().saturating_sub(bytes as u64);
            self.base[1 - side] = feed.other.end();
            self.taken = self.base;
            if bytes == 0 {
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

    /// Stops reading, keeping the transactions at hand.
    fn give_up(&mut self) {
        if let State::Parsing(protocol, parser) = std::mem::take(&mut self.state) {
            self.state = State::Opaque(protocol, parser);
        }
    }

    /// Whether the parser gave up on what it was fed since this was last asked.
    #[must_use]
    pub fn take_failure(&mut self) -> bool {
        std::mem::take(&mut self.failed)
    }

    /// True when a parser has taken bytes of this flow.
    #[must_use]
    pub fn has_parser(&self) -> bool {
        matches!(self.state, State::Parsing(..) | State::Opaque(..))
    }

    /// True while bytes are of use: the protocol is not recognised yet, or being parsed.
    #[must_use]
    pub fn wants_bytes(&self) -> bool {
        matches!(self.state, State::Probing(_) | State::Parsing(..))
    }

    /// Looks for the protocol, and begins with it. Returns what [`Self::parse`] does.
    fn recognise(&mut self, feed: &Feed<'_>, pool: &mut ParserPool) -> Unread {
        let State::Probing(probing) = &mut self.state else {
            return Unread::Nothing;
        };
        let side = feed.direction.index();
        let window = if feed.datagram {
            Some(feed.window)
        } else {
            feed.window.from(self.base[side])
        };
        match probing.look(feed, window.map(|window| window.bytes), pool.limits.probe) {
            Recognition::Pending => Unread::Nothing,
            Recognition::Failed => {
                self.state = State::Failed;
                Unread::Nothing
            }
            Recognition::Known(protocol) => {
                self.state = State::Parsing(protocol, pool.open(protocol));
                let other = feed
                    .other
                    .from(self.base[1 - side])
                    .filter(|_| !feed.datagram);
                let earlier = Feed {
                    direction: feed.direction.opposite(),
                    eof: false,
                    ..*feed
                };
                // An upgrade in what came earlier is found when this direction's bytes come to it.
                let _ = self.parse(&earlier, other.unwrap_or_default(), pool);
                self.parse(feed, window.unwrap_or_default(), pool)
            }
        }
    }

    /// Hands what is fresh to the parser: what it has not taken yet, and word of what is missing in
    /// front of it.
    fn resume(&mut self, feed: &Feed<'_>, pool: &mut ParserPool) -> Unread {
        if feed.datagram {
            return self.parse(feed, feed.window, pool);
        }
        let taken = self.taken[feed.direction.index()];
        let fresh = feed.window.offset + feed.fresh_from as u64;
        if fresh > taken {
            self.gap(feed.direction, fresh - taken, pool);
        }
        let rest = feed.window.from(fresh.max(taken)).unwrap_or_default();
        self.parse(feed, rest, pool)
    }

    /// Hands bytes to the parser.
    fn parse(&mut self, feed: &Feed<'_>, window: Window<'_>, pool: &mut ParserPool) -> Unread {
        let State::Parsing(_, parser) = &mut self.state else {
            return Unread::Nothing;
        };
        self.heard[feed.direction.index()] |= !window.bytes.is_empty();
        if window.bytes.is_empty() && !feed.eof {
            return Unread::Nothing;
        }
        parser.surround(&Surroundings {
            server_port: feed.server_port,
            files: &pool.files,
        });
        let status = parser.parse(&Input {
            direction: feed.direction,
            bytes: window.bytes,
            eof: feed.eof,
            datagram: feed.datagram,
            at: feed.at,
        });
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
        match &mut self.state {
            State::Probing(probing) => probing.given_up[direction.index()] = true,
            State::Parsing(_, parser) => {
                let status = parser.gap(direction, missing);
                let _ = self.follow(status, pool);
            }
            State::Opaque(..) | State::Failed => {}
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
                if let State::Parsing(protocol, parser) = std::mem::take(&mut self.state) {
                    pool.close(protocol, parser);
                    self.original.get_or_insert(protocol);
                    self.heard = [false; 2];
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
        let complete = |transaction: &dyn Transaction| {
            FlowDirection::BOTH
                .into_iter()
                .all(|side| transaction.progress(side) >= protocol.protocol().complete(side))
        };
        while let Some(transaction) = parser.transaction(0).filter(|first| complete(*first)) {
            done(*protocol, transaction);
            parser.retire();
            self.full = false;
        }
        if std::mem::take(&mut self.full)
            && let Some(oldest) = parser.transaction(0)
        {
            done(*protocol, oldest);
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
            for index in 0..parser.len() {
                if let Some(transaction) = parser.transaction(index) {
                    left(protocol, transaction);
                }
            }
            pool.close(protocol, parser);
        }
        *self = Self::default();
    }

    /// For detection and records.
    #[must_use]
    pub fn view(&self) -> AppView<'_> {
        AppView { flow: self }
    }
}

impl Probing {
    /// Asks the protocols that are not ruled out yet about the start of a direction; `None`: it is not at
    /// hand. Each datagram is asked about anew, since a sender may send some that mean nothing first.
    fn look(&mut self, feed: &Feed<'_>, start: Option<&[u8]>, limit: usize) -> Recognition {
        let side = feed.direction.index();
        let start = start.filter(|_| !self.given_up[side]);
        let mut more = false;
        for (bit, id) in ProtocolId::all().enumerate() {
            let protocol = id.protocol();
            let Some(start) = start.filter(|_| carries(protocol.transports(), feed)) else {
                continue;
            };
            if self.ruled_out[side] >> bit & 1 != 0 {
                continue;
            }
            let start = Start {
                direction: feed.direction,
                bytes: start,
                datagram: feed.datagram,
                server_port: feed.server_port,
            };
            match protocol.probe(&start) {
                Probe::Yes => return Recognition::Known(id),
                Probe::No if feed.datagram => {}
                Probe::No => self.ruled_out[side] |= 1 << bit,
                Probe::More => more = true,
            }
        }
        if feed.datagram {
            return Recognition::Pending;
        }
        let over = start.is_none_or(|start| start.len() > limit);
        self.given_up[side] |= !more || feed.eof || over;
        if self.given_up == [true; 2] {
            Recognition::Failed
        } else {
            Recognition::Pending
        }
    }
}

impl<'a> AppView<'a> {
    /// How far recognition has come.
    #[must_use]
    pub fn recognition(&self) -> Recognition {
        match &self.flow.state {
            State::Probing(_) => Recognition::Pending,
            State::Parsing(protocol, _) | State::Opaque(protocol, _) => {
                Recognition::Known(*protocol)
            }
            State::Failed => Recognition::Failed,
        }
    }

    /// What the bytes of one direction are known as: nothing before there are any.
    #[must_use]
    pub fn recognised_by(&self, direction: FlowDirection) -> Recognition {
        match self.recognition() {
            Recognition::Known(_) if !self.flow.heard[direction.index()] => Recognition::Pending,
            recognition => recognition,
        }
    }

    /// What the flow was known as before it changed over to another protocol; where it did not, what it is.
    #[must_use]
    pub fn original(&self) -> Recognition {
        self.flow
            .original
            .map_or_else(|| self.recognition(), Recognition::Known)
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
            State::Probing(_) | State::Failed => None,
        };
        (0..parser.map_or(0, Parser::len)).filter_map(move |index| parser?.transaction(index))
    }
}

fn carries(transports: Transports, feed: &Feed<'_>) -> bool {
    match transports {
        Transports::Tcp => !feed.datagram,
        Transports::Udp => feed.datagram,
        Transports::Both => true,
    }
}

#[cfg(test)]
mod tests;
