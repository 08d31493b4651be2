//! The typed syntax tree of one rule.
//!
//! Legacy content modifiers (`http_uri;` behind a `content`) are normalised to sticky buffers while
//! parsing, so a reader of the tree sees one form only: an ordered list of [`Match`]es, each payload
//! match naming the [`Buffer`] it looks at.

mod condition;
mod payload;

use std::net::IpAddr;

pub use condition::{
    FlagsModifier, FlowBitsCommand, FlowBitsTest, FlowDirection, FlowState, FlowTest, FragmentTest,
    NumberTest, StreamTest, TcpFlagsTest,
};
pub use payload::{Content, FastPattern, Operand, PayloadTest, Pcre};

/// Where a rule or a part of it stands in its file, continuation lines counted as they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Position {
    /// 1-based line of the file.
    pub line: u32,
    /// 1-based column, counted in bytes of that line.
    pub column: u32,
}

/// What a signature asks for. What befalls the frame is the engine's verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Raise an alert.
    Alert,
    /// Alert, drop the packet and end the flow.
    Drop,
    /// Drop, and answer with a TCP reset or ICMP unreachable.
    Reject(RejectSide),
    /// Stop inspecting: the packet or flow is let through.
    Pass,
    /// Change how the engine treats the traffic (`config` rules).
    Config,
}

/// Who is told of a rejected packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RejectSide {
    /// `reject`: both ends of a TCP connection, the sender of anything else.
    Default,
    /// `rejectsrc`: the sender of the offending packet.
    Source,
    /// `rejectdst`: its receiver.
    Destination,
    /// `rejectboth`.
    Both,
}

/// Direction operator of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DirectionOp {
    /// `->`
    To,
    /// `<>`
    Both,
    /// `=>`: transactional, both directions of one transaction.
    Transaction,
}

/// An address expression, variables still by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressExpr {
    /// `any`
    Any,
    /// One address or a CIDR block: network address and prefix length.
    Net(IpAddr, u8),
    /// `a-b`, inclusive.
    Range(IpAddr, IpAddr),
    /// `$NAME`
    Variable(String),
    /// `!x`
    Not(Box<AddressExpr>),
    /// `[a,b,...]`
    List(Vec<AddressExpr>),
}

/// A port expression, variables still by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortExpr {
    /// `any`
    Any,
    /// `n`, `a:b`, `:b`, `a:`; inclusive.
    Range(u16, u16),
    /// `$NAME`
    Variable(String),
    /// `!x`
    Not(Box<PortExpr>),
    /// `[a,b,...]`
    List(Vec<PortExpr>),
}

/// The protocol field of the header, by the name as written (`tcp`, `http`, `tcp-pkt`, `ip`, ...)
/// and an optional hook (`http1:request_line`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtocolExpr {
    /// Lower-cased protocol name.
    pub name: String,
    /// The `:hook` part.
    pub hook: Option<String>,
}

/// Header of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Protocol field.
    pub protocol: ProtocolExpr,
    /// Left address.
    pub source: AddressExpr,
    /// Left port.
    pub source_port: PortExpr,
    /// Direction operator.
    pub direction: DirectionOp,
    /// Right address.
    pub destination: AddressExpr,
    /// Right port.
    pub destination_port: PortExpr,
}

/// One parsed rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// False for a rule commented out with `#`.
    pub enabled: bool,
    /// Where the rule starts.
    pub position: Position,
    /// What it asks for.
    pub action: Action,
    /// Protocol, addresses, ports.
    pub header: Header,
    /// Identity and documentation.
    pub meta: Meta,
    /// What must hold, in written order.
    pub matches: Vec<Located<Match>>,
    /// `threshold` / `detection_filter`.
    pub threshold: Option<Threshold>,
    /// Options that are neither of these (noalert, tag, target, prefilter, ...).
    pub settings: Vec<Located<Setting>>,
    /// The options as written: the text between the parentheses, continuation joined.
    pub body: Box<str>,
}

/// A value and where its keyword stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<T> {
    /// Position of the keyword's first character.
    pub position: Position,
    /// The value.
    pub value: T,
}

/// An option as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Written {
    /// Keyword, as written.
    pub keyword: String,
    /// Text between `:` and `;`, trimmed; `None` where the keyword has no value.
    pub value: Option<String>,
}

/// Identity and documentation of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Meta {
    /// Signature id; required and unique per gid.
    pub sid: u32,
    /// Generator id, 1 unless given.
    pub gid: u32,
    /// Revision, 0 unless given.
    pub rev: u32,
    /// Message.
    pub msg: String,
    /// Class, by name.
    pub classtype: Option<String>,
    /// Explicit priority, 1 (highest) to 255.
    pub priority: Option<u8>,
    /// `reference:scheme,id`.
    pub references: Vec<(String, String)>,
    /// `metadata:key value, ...`
    pub metadata: Vec<(String, String)>,
}

/// `threshold` and `detection_filter`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Threshold {
    /// limit, threshold, both, backoff or detection_filter.
    pub kind: ThresholdKind,
    /// What is counted together.
    pub track: Track,
    /// Number of matches.
    pub count: u32,
    /// Window, seconds.
    pub seconds: u32,
    /// `multiplier` of a backoff threshold.
    pub multiplier: u32,
    /// `unique_on src_port` / `dst_port`: count distinct ports.
    pub unique_on: Option<String>,
}

/// Kind of threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ThresholdKind {
    /// At most `count` alerts a window.
    Limit,
    /// One alert for every `count` matches.
    Threshold,
    /// One alert a window once `count` matches were seen.
    Both,
    /// Alerts after 1, multiplier, multiplier^2 ... matches.
    Backoff,
    /// Alerts from the match after `count` on.
    DetectionFilter,
}

/// What a threshold counts by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Track {
    /// by_src
    Source,
    /// by_dst
    Destination,
    /// by_both
    Both,
    /// by_rule
    Rule,
    /// by_flow
    Flow,
}

/// What a payload match looks at. `Payload` unless a sticky buffer is in force.
///
/// An app-layer buffer is known by its keyword, so that a new protocol adds a registration and no
/// variant here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Buffer {
    /// Packet payload and, for TCP, the reassembled stream.
    Payload,
    /// A sticky buffer by its canonical keyword (`http.uri`, `dns.query`, `pkt_data` is `Payload`),
    /// with the transforms applied to it, in order.
    Sticky {
        /// Canonical keyword.
        keyword: String,
        /// Value of the sticky buffer's keyword, where it has one: the name of a `frame`, a
        /// direction (`file.data:to_client`).
        argument: Option<String>,
        /// For a buffer that can occur more than once in a transaction (`dns.query`): how often the
        /// keyword stood before in this rule, because each one starts a match of its own. 0 for
        /// all other buffers.
        instance: u16,
        /// Transforms, as written (`to_lowercase`, `xor:"0d0ac8ff"`). The same keyword with other
        /// transforms is another buffer.
        transforms: Vec<Written>,
    },
    /// `base64_data`: what the last `base64_decode` gave.
    Base64,
}

/// One condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Match {
    /// A test on the bytes of a buffer. Order matters: relative tests follow the one before.
    Payload {
        /// The buffer.
        buffer: Buffer,
        /// The test.
        test: PayloadTest,
    },
    /// `flow:...`
    Flow(FlowTest),
    /// `flowbits:...`
    FlowBits(FlowBitsTest),
    /// `dsize:...`: payload length of the packet, bytes.
    Dsize(NumberTest),
    /// `flags:...`: TCP flags.
    TcpFlags(TcpFlagsTest),
    /// `itype:...`
    IcmpType(NumberTest),
    /// `icode:...`
    IcmpCode(NumberTest),
    /// Any other known keyword, by its canonical name and raw value: typed as the engine learns it.
    Other(Written),
}

/// Options that do not match traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// `noalert` (also `flowbits:noalert`).
    NoAlert,
    /// `alert` (Suricata 8: alert despite noalert action).
    Alert,
    /// `prefilter`
    Prefilter,
    /// Any other, by canonical name and raw value (`tag`, `target`, `bypass`, ...).
    Other(Written),
}
