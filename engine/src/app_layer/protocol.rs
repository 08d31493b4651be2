//! What a protocol is to the engine.

use std::fmt::Debug;

use crate::event::FlowDirection;
use crate::frame::Timestamp;

use super::{Agreement, BufferId, Fields, File, FileService, Limits, Peers, ProtocolId, Purpose};

/// An application protocol: one static value, listed in [`PROTOCOLS`](super::PROTOCOLS).
pub trait Protocol: Debug + Sync {
    /// Its name in `app-layer-protocol`, EVE's `app_proto` and rule headers.
    fn name(&self) -> &'static str;

    /// Further names that rules use for it (`http` is also `http1`).
    fn aliases(&self) -> &'static [&'static str] {
        &[]
    }

    /// Names of the protocols that it is a kind of: what rules say of those is said of it, too, and its
    /// transactions have what theirs have.
    fn kinds(&self) -> &'static [&'static str] {
        &[]
    }

    /// Name of its records' type, and of the object in them.
    fn record(&self) -> &'static str {
        self.name()
    }

    /// What it runs over.
    fn transports(&self) -> Transports;

    /// The buffers that rules may look into.
    fn buffers(&self) -> &'static [BufferSpec];

    /// The numbers that rules may compare.
    fn numbers(&self) -> &'static [NumberSpec] {
        &[]
    }

    /// The steps of a transaction that rules may name: as hooks (`tls:client_hello_done` in a header) and
    /// in `app-layer-state`. The generic ones (`request_started`, `response_complete`) need no entry.
    fn states(&self) -> &'static [StateSpec] {
        &[]
    }

    /// Names of its anomalies, without the protocol's prefix: `app-layer-event:<name>.<event>`.
    fn events(&self) -> &'static [&'static str];

    /// Whether the first bytes of a direction are this protocol's. Content decides; the port only tells
    /// apart protocols that share a format.
    fn probe(&self, start: &Start<'_>) -> Probe;

    /// The same for the direction whose peer was recognised as this protocol: what is allowed to come
    /// first may be more than what recognises it.
    fn confirm(&self, start: &Start<'_>) -> Probe {
        self.probe(start)
    }

    /// Whose bytes come first on a stream; `None`: either's.
    fn opens(&self) -> Option<FlowDirection> {
        None
    }

    /// Whether the first bytes seen of a flow are such as only its server sends.
    fn is_answer(&self, start: &Start<'_>) -> bool {
        let _ = start;
        false
    }

    /// The progress of a transaction whose `direction` is complete.
    fn complete(&self, direction: FlowDirection) -> Progress;

    /// The progress that a transaction of it has as one of a protocol that it is a kind of.
    fn progress_as(&self, kind: ProtocolId, progress: Progress) -> Progress {
        let _ = kind;
        progress
    }

    /// A parser for one flow.
    fn open(&self, limits: &Limits) -> Box<dyn Parser>;
}

/// Transports of a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transports {
    /// Streams only.
    Tcp,
    /// Datagrams only.
    Udp,
    /// Both; the parser is told which by [`Input::datagram`].
    Both,
}

/// What a direction starts with.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// Who sent it.
    pub direction: FlowDirection,
    /// The start of a stream, or a whole datagram.
    pub bytes: &'a [u8],
    /// What the peer has said so far, as far as it is at hand.
    pub other: &'a [u8],
    /// `bytes` is one datagram, whole.
    pub datagram: bool,
    /// The server's port.
    pub server_port: u16,
}

/// Answer of [`Protocol::probe`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// They are this protocol's.
    Yes,
    /// They cannot be.
    No,
    /// They may be: ask again with more.
    More,
}

/// How far one direction of a transaction has come: 0 is "nothing yet", and each protocol numbers the
/// steps behind that in the order that messages bring them.
pub type Progress = u8;

/// A buffer that rules may look into, in one direction of a transaction. A keyword that both directions
/// have (`http.header`, `file.data`) is two of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferSpec {
    /// The sticky buffer's keyword, canonical form.
    pub keyword: &'static str,
    /// The direction it belongs to.
    pub direction: FlowDirection,
    /// The progress of that direction from which on it can be looked into.
    pub progress: Progress,
    /// How its bytes come.
    pub shape: BufferShape,
}

/// A number that rules may compare, in either direction of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberSpec {
    /// The keyword.
    pub keyword: &'static str,
    /// The direction it belongs to; `None`: whichever direction the transaction's message has.
    pub direction: Option<FlowDirection>,
    /// The progress of that direction from which on it can be compared.
    pub progress: Progress,
    /// Names that rules may write for numbers, without regard to case.
    pub names: &'static [(&'static str, u64)],
}

/// A step of one direction of a transaction, by the name that rules write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateSpec {
    /// The name.
    pub name: &'static str,
    /// The direction it belongs to.
    pub direction: FlowDirection,
    /// The progress of that direction that it stands for.
    pub progress: Progress,
}

impl StateSpec {
    /// A step from its parts.
    #[must_use]
    pub const fn new(name: &'static str, direction: FlowDirection, progress: Progress) -> Self {
        Self {
            name,
            direction,
            progress,
        }
    }
}

/// How the bytes of a buffer come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BufferShape {
    /// Once, whole.
    Single,
    /// Several, each whole: a match needs one of them.
    Multiple,
    /// In pieces, while the transaction goes on (bodies, files).
    Streaming,
}

/// The bytes of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferBytes<'a> {
    /// The bytes; of a streaming buffer, the tail of what was inspected before and what is fresh.
    pub bytes: &'a [u8],
    /// Where `bytes` starts in the whole; 0 unless streaming.
    pub offset: u64,
    /// Index in `bytes` of the first byte that was not inspected yet; 0 unless streaming.
    pub fresh_from: usize,
    /// Nothing will follow.
    pub complete: bool,
}

impl<'a> BufferBytes<'a> {
    /// A buffer that is there as a whole.
    #[must_use]
    pub fn whole(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            offset: 0,
            fresh_from: 0,
            complete: true,
        }
    }
}

/// An anomaly that a parser met: an index into [`Protocol::events`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppEvent(pub u8);

/// Bytes for a parser.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// Who sent them.
    pub direction: FlowDirection,
    /// They follow on what this direction brought before.
    pub bytes: &'a [u8],
    /// Nothing will follow in this direction.
    pub eof: bool,
    /// `bytes` is one datagram, whole.
    pub datagram: bool,
    /// When.
    pub at: Timestamp,
}

/// What a parser says behind an [`Input`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Go on.
    Continue,
    /// From here on there is nothing to be read, by design (encrypted): no more bytes are wanted.
    Opaque,
    /// The rest of the flow, both directions, is another protocol (an upgrade, CONNECT): recognise anew
    /// from what follows; the last `unread` bytes already belong to it.
    Upgraded {
        /// Bytes at the end of what this direction brought that are not this parser's: they may reach back
        /// into what earlier inputs brought.
        unread: usize,
    },
    /// No transaction more can be held: inspect and settle those at hand, then hand in the last `unread`
    /// bytes again (a datagram: all of it).
    Full {
        /// Bytes at the end of what this direction brought that the parser did not take, or gives back: they
        /// may reach back into what earlier inputs brought.
        unread: usize,
    },
    /// This cannot be the protocol any more, or a limit was hit that leaves no way on: no more bytes are
    /// wanted. An event says why.
    Failed,
}

/// What a parser is told of its flow before it gets bytes.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The flow's ends.
    pub peers: Peers,
    /// What is wanted of files, by the rules that are in force.
    pub files: &'a FileService,
}

/// A request that the next protocol of a flow answers. No longer than [`Limits::head`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HandOver {
    /// Its method.
    pub method: Vec<u8>,
    /// Its target, as sent.
    pub target: Vec<u8>,
    /// The host that it names, as sent.
    pub host: Vec<u8>,
    /// What it says for the next protocol (`HTTP2-Settings`).
    pub settings: Vec<u8>,
}

/// A protocol's state in one flow.
pub trait Parser: Debug + Send {
    /// Tells of the flow, before each [`Self::parse`]; for parsers of protocols that carry files.
    fn surround(&mut self, surroundings: &Surroundings<'_>) {
        let _ = surroundings;
    }

    /// Tells, before any bytes, what the flow was expected for; for parsers of protocols that are agreed on
    /// elsewhere.
    fn expected(&mut self, purpose: &Purpose) {
        let _ = purpose;
    }

    /// The next connection that the flow has agreed on. Asked behind each [`Self::parse`] until there is
    /// none.
    fn agreed(&mut self) -> Option<Agreement> {
        None
    }

    /// The client was to go on in TLS and did not, since this was asked last.
    fn skipped_tls(&mut self) -> bool {
        false
    }

    /// Takes all of `input`, however the network cut it.
    fn parse(&mut self, input: &Input<'_>) -> Status;

    /// Bytes of `direction` are missing (not captured): what was begun is cut short.
    fn gap(&mut self, direction: FlowDirection, missing: u64) -> Status;

    /// Number of transactions at hand, oldest first.
    fn len(&self) -> usize;

    /// True when there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One of them.
    fn transaction(&self, index: usize) -> Option<&dyn Transaction>;

    /// All fresh bytes of streaming buffers of `direction` have been inspected: keep a tail, drop the
    /// rest.
    fn inspected(&mut self, direction: FlowDirection);

    /// Drops the oldest transaction: it is inspected and recorded; complete, unless there was no room
    /// for another.
    fn retire(&mut self);

    /// Whether transactions come to their ends in any order.
    fn interleaves(&self) -> bool {
        false
    }

    /// Drops a transaction as [`Self::retire`] does; one behind the oldest only where they interleave.
    fn retire_at(&mut self, index: usize) {
        if index == 0 {
            self.retire();
        }
    }

    /// What the flow has turned out to be, more exactly than it was recognised.
    fn refined(&self) -> Option<ProtocolId> {
        None
    }

    /// Behind [`Status::Upgraded`]: the request that asked for it, where the next protocol answers it.
    fn hand_over(&mut self) -> Option<Box<HandOver>> {
        None
    }

    /// Takes what the protocol before handed over, before any bytes.
    fn take_over(&mut self, handed: &HandOver) {
        let _ = handed;
    }

    /// Forgets the flow, keeping memory for the next one.
    fn reset(&mut self);
}

/// One exchange of a protocol: a request and its response, or a message that stands alone.
pub trait Transaction: Debug {
    /// Number within the flow, from 0.
    fn id(&self) -> u64;

    /// How far `direction` has come.
    fn progress(&self, direction: FlowDirection) -> Progress;

    /// The `index`th bytes of a buffer, `None` where it has none (or no more). Only
    /// [`BufferShape::Multiple`] and streaming buffers of several files have an index beyond 0.
    fn buffer(&self, id: BufferId, index: usize) -> Option<BufferBytes<'_>>;

    /// The `index`th number of a [`NumberSpec`], `None` where it has none (or no more).
    fn number(&self, keyword: &str, index: usize) -> Option<u64> {
        let _ = (keyword, index);
        None
    }

    /// The `index`th number of those that messages of `direction` have; where a protocol does not tell them
    /// apart, of all.
    fn number_of(&self, direction: FlowDirection, keyword: &str, index: usize) -> Option<u64> {
        let _ = direction;
        self.number(keyword, index)
    }

    /// The `index`th file that `direction` carries, of which something has come; `None` where it carries
    /// none (or no more).
    fn file(&self, direction: FlowDirection, index: usize) -> Option<&File> {
        let _ = (direction, index);
        None
    }

    /// Which file of its direction ([`Self::file`]) the `index`th bytes of a buffer of files show; `None`:
    /// what is no file of its own.
    fn file_behind(&self, id: BufferId, index: usize) -> Option<usize> {
        let _ = id;
        Some(index)
    }

    /// Complete, but kept for another look from the direction that has not seen it so: what one direction
    /// brought may answer what rules ask about the other.
    fn lingers(&self) -> bool {
        false
    }

    /// Anomalies so far.
    fn events(&self) -> &[AppEvent];

    /// Whether it has an anomaly of a protocol: its own, or one that it is a kind of.
    fn has_event(&self, protocol: ProtocolId, event: AppEvent) -> bool {
        let _ = protocol;
        self.events().contains(&event)
    }

    /// Tells the transaction's record.
    fn describe(&self, fields: &mut dyn Fields);

    /// Name of a further object of its record, beside the one that goes by the protocol's name; `None`: there
    /// is none.
    fn beside(&self) -> Option<&'static str> {
        None
    }

    /// Tells the object of [`Self::beside`].
    fn describe_beside(&self, fields: &mut dyn Fields) {
        let _ = fields;
    }

    /// Tells, behind [`Self::describe`], what a record holds only when a signature asks for it:
    /// certificates (`tls.store`).
    fn describe_kept(&self, fields: &mut dyn Fields) {
        let _ = fields;
    }
}
