//! What a signature tests, compiled: flat, immutable, without names.

use std::sync::Arc;

use crate::app_layer::ProtocolId;

use weir_policies::rule::ast::{
    Action, FlowDirection, FlowState, FragmentTest, NumberTest, StreamTest, TcpFlagsTest, Threshold,
};

use super::application::Application;
use super::matcher::{AddressSet, Intervals, Literal, Regular};
use super::state::Name;

/// Variables that one signature may extract.
pub(super) const MAX_VARIABLES: usize = 16;
/// Payload tests that one signature may hold; bounds the evaluator's recursion.
pub(super) const MAX_TESTS: usize = 64;

/// All that one signature tests and does.
#[derive(Debug)]
pub(super) struct Program {
    /// gid and sid: what thresholds are kept by, so that they outlive a change of rules.
    pub(super) identity: u64,
    pub(super) action: Action,
    pub(super) protocol: Protocol,
    /// One or, for `<>`, two ways round.
    pub(super) ends: Box<[Ends]>,
    pub(super) flow: FlowCondition,
    pub(super) kind: Kind,
    pub(super) packet: Box<[PacketTest]>,
    pub(super) state: Box<[StateTest]>,
    pub(super) payload: Option<Chains>,
    pub(super) buffers: Box<[BufferTests]>,
    /// Tests on transactions of the application layer.
    pub(super) application: Option<Application>,
    pub(super) scan: Scan,
    pub(super) changes: Box<[StateChange]>,
    pub(super) threshold: Option<Threshold>,
    /// False: acts without an alert.
    pub(super) alerts: bool,
}

/// When a signature is looked at, and how far its action reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Addresses alone: once for each direction of a flow; acts on the flow.
    IpOnly,
    /// The same with a negated address, ports allowed: every packet; acts on the flow.
    LikeIpOnly,
    /// Its header names an application protocol: every packet; acts on the flow.
    Protocol,
    /// Asks which application protocol it is, and nothing else: once a flow, when that is settled; acts on
    /// the flow.
    Recognition,
    /// Asks for a decode or stream event.
    Event,
    /// Everything else.
    Packet,
}

/// Where the tests on the payload look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scan {
    /// Nowhere: there are none.
    Nothing,
    /// In the payload of each packet.
    Packet,
    /// In the stream; in the packet where it has none.
    Stream,
    /// In the stream only.
    StreamOnly,
    /// In both: the tests are bound to where the data begins. The stream is looked at as long as its
    /// beginning is at hand.
    Both,
}

/// The header's protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Any packet, decoded or not.
    Any,
    /// Any IP packet, of a version if one is given.
    Ip(Option<Version>),
    /// One transport.
    Transport(TransportKind),
    /// An IANA number.
    Number(u8),
}

/// IP version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V4,
    V6,
}

/// Transports that the header can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TransportKind {
    Tcp,
    Udp,
    /// `icmp`: either version.
    Icmp,
    Icmp4,
    Icmp6,
}

/// The addresses and ports of one way round.
#[derive(Clone, Debug)]
pub(super) struct Ends {
    pub(super) source: Arc<AddressSet>,
    pub(super) source_port: Intervals<u16>,
    pub(super) destination: Arc<AddressSet>,
    pub(super) destination_port: Intervals<u16>,
}

/// `flow`
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FlowCondition {
    pub(super) direction: Option<FlowDirection>,
    pub(super) state: Option<FlowState>,
    pub(super) stream: Option<StreamTest>,
    pub(super) fragment: Option<FragmentTest>,
}

/// A direction that a test on the flow asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sides {
    Server,
    Client,
    /// Either side satisfies it.
    Either,
    /// Both sides do.
    Both,
}

/// A test on the packet's headers or its flow's counters.
#[derive(Debug)]
pub(super) enum PacketTest {
    PayloadSize(NumberTest),
    TcpFlags(TcpFlagsTest),
    IcmpType(NumberTest),
    IcmpCode(NumberTest),
    IcmpId(NumberTest),
    IcmpSequence(NumberTest),
    HopLimit(NumberTest),
    TypeOfService(NumberTest),
    IpId(NumberTest),
    IpProtocol(NumberTest),
    IpOption(IpOption),
    FragmentBits(FragmentBits),
    FragmentOffset(NumberTest),
    TcpSequence(NumberTest),
    TcpAcknowledgement(NumberTest),
    TcpWindow(NumberTest),
    TcpMaximumSegment(NumberTest),
    SameAddress,
    FlowAge(NumberTest),
    FlowPackets(Sides, NumberTest),
    FlowBytes(Sides, NumberTest),
    StreamSize(Sides, NumberTest),
    VlanId(VlanLayer, NumberTest),
    VlanLayers(NumberTest),
    /// Whether a checksum is right.
    Checksum(ChecksumOf, bool),
    /// Which application protocol it is, or is not.
    AppProtocol {
        wanted: WantedProtocol,
        negated: bool,
    },
    /// A decode or stream event by its full name.
    Event(Box<str>),
}

/// An application protocol that is asked for.
#[derive(Debug)]
pub(super) enum WantedProtocol {
    AnyOf(Box<[ProtocolId]>),
    /// It is none.
    Failed,
    /// It is not known yet.
    Unknown,
}

/// Which checksum is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChecksumOf {
    Ipv4,
    Transport(Version, TransportKind),
}

/// `ipopts`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IpOption {
    Any,
    /// Option kind byte.
    Kind(u8),
}

/// `fragbits`: more fragments 1, don't fragment 2, reserved 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FragmentBits {
    pub(super) bits: u8,
    pub(super) modifier: BitsModifier,
}

/// How bits are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BitsModifier {
    Exact,
    All,
    Any,
    Not,
}

/// Which layer of `vlan.id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VlanLayer {
    Any,
    All,
    /// From the outermost (0), or from the innermost (-1) back.
    Index(i8),
}

/// A test on what earlier packets left behind.
#[derive(Debug)]
pub(super) enum StateTest {
    /// Any of the bits is set.
    FlowBitSet(Box<[Name]>),
    /// None of the bits is set; with several names, any of them is not.
    FlowBitClear(Box<[Name]>),
    FlowIntSet(Name),
    FlowIntClear(Name),
    FlowInt(Name, NumberTest),
    HostBit {
        name: Name,
        track: HostTrack,
        set: bool,
    },
}

/// What a signature leaves behind when it fires.
#[derive(Debug)]
pub(super) enum StateChange {
    SetFlowBit(Name),
    ClearFlowBit(Name),
    ToggleFlowBit(Name),
    SetFlowInt(Name, u32),
    AddFlowInt(Name, u32),
    SubtractFlowInt(Name, u32),
    HostBit {
        name: Name,
        track: HostTrack,
        command: HostCommand,
        /// Seconds until it is forgotten; `None`: never.
        expire: Option<u32>,
    },
    /// The flow is let through, uninspected, from the next packet on.
    Bypass,
    /// The flow's transactions carry in their records what they hold back otherwise: `tls.store`.
    Keep,
}

/// Whose bit it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum HostTrack {
    Source,
    Destination,
    Pair,
}

/// What becomes of a bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HostCommand {
    Set,
    Unset,
    Toggle,
}

/// Tests on one buffer. All chains must match, each on its own.
#[derive(Debug, Default)]
pub(super) struct Chains {
    pub(super) chains: Box<[Chain]>,
    /// The literal that decides whether the buffer is worth looking at.
    pub(super) fast_pattern: Option<FastPattern>,
    /// Some test is bound to where the data begins.
    pub(super) anchored: bool,
    /// Some test reads bytes; without one, the absence of bytes is all that is asked for.
    pub(super) reads: bool,
    /// `absent`
    pub(super) absent: Option<Absent>,
}

/// The fast pattern of a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FastPattern {
    pub(super) bytes: Box<[u8]>,
    pub(super) nocase: bool,
    /// The rule says so.
    pub(super) explicit: bool,
    /// It is all that the payload tests ask for: its presence is their match.
    pub(super) whole: bool,
}

/// Tests that depend on each other by position or variable, in order.
#[derive(Debug)]
pub(super) struct Chain {
    pub(super) tests: Box<[Test]>,
}

/// Tests on a sticky buffer.
#[derive(Debug)]
pub(super) struct BufferTests {
    pub(super) buffer: super::buffers::BufferId,
    pub(super) tests: Chains,
}

/// `absent`: what is asked of a buffer that may not be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absent {
    /// It must not be there.
    Only,
    /// It is not there, or the tests match.
    OrElse,
}

/// A number, or a variable by index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Number(i64),
    Variable(u8),
}

/// One test on the bytes of a buffer.
#[derive(Debug)]
pub(super) enum Test {
    Content(ContentTest),
    Pcre(PcreTest),
    ByteTest(ByteTest),
    ByteJump(ByteJump),
    ByteExtract(ByteExtract),
    ByteMath(ByteMath),
    IsDataAt(IsDataAt),
    Size(NumberTest),
    Base64(Base64Test),
}

/// `content`
#[derive(Debug)]
pub(super) struct ContentTest {
    pub(super) literal: Literal,
    pub(super) negated: bool,
    pub(super) relative: bool,
    pub(super) offset: Option<Value>,
    pub(super) depth: Option<Value>,
    pub(super) distance: Option<Value>,
    pub(super) within: Option<Value>,
    pub(super) ends_with: bool,
}

/// `pcre`
#[derive(Debug)]
pub(super) struct PcreTest {
    pub(super) regular: Arc<Regular>,
    pub(super) negated: bool,
    pub(super) relative: bool,
}

/// How bytes become a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    /// Bytes to read.
    pub(super) count: Value,
    pub(super) offset: Value,
    pub(super) relative: bool,
    pub(super) format: NumberFormat,
    /// Applied to the number, which is then shifted right by the mask's trailing zeros.
    pub(super) bitmask: Option<u64>,
}

/// Form of a number in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NumberFormat {
    Big,
    Little,
    /// Digits of that radix.
    Text(u32),
}

/// `byte_test`
#[derive(Debug)]
pub(super) struct ByteTest {
    pub(super) reading: Reading,
    pub(super) operator: ByteOperator,
    pub(super) negated: bool,
    pub(super) value: Value,
}

/// Comparison of `byte_test`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByteOperator {
    Less,
    Greater,
    Equal,
    LessOrEqual,
    GreaterOrEqual,
    And,
    Xor,
}

/// `byte_jump`
#[derive(Debug)]
pub(super) struct ByteJump {
    pub(super) reading: Reading,
    pub(super) multiplier: u64,
    pub(super) align: bool,
    pub(super) origin: JumpOrigin,
    pub(super) post_offset: Value,
}

/// Where a jump starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JumpOrigin {
    /// Behind the bytes that were read.
    Here,
    Beginning,
    End,
}

/// `byte_extract`
#[derive(Debug)]
pub(super) struct ByteExtract {
    pub(super) reading: Reading,
    pub(super) multiplier: u64,
    /// Round up to a multiple of this; 1: leave.
    pub(super) align: u64,
    pub(super) variable: u8,
}

/// `byte_math`
#[derive(Debug)]
pub(super) struct ByteMath {
    pub(super) reading: Reading,
    pub(super) operator: MathOperator,
    pub(super) right: Value,
    pub(super) variable: u8,
}

/// Operation of `byte_math`, on unsigned 64-bit integers that wrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MathOperator {
    Add,
    Subtract,
    Multiply,
    Divide,
    ShiftLeft,
    ShiftRight,
}

/// `isdataat`
#[derive(Debug)]
pub(super) struct IsDataAt {
    pub(super) position: Value,
    pub(super) relative: bool,
    pub(super) negated: bool,
}

/// `base64_decode` and the tests on `base64_data` behind it.
#[derive(Debug)]
pub(super) struct Base64Test {
    /// Encoded bytes to decode at most.
    pub(super) bytes: Option<u32>,
    pub(super) offset: u32,
    pub(super) relative: bool,
    pub(super) then: Chains,
}
