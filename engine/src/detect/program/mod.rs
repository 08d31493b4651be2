//! What a signature tests, compiled: flat, immutable, without names.

mod adjusted;
mod packet;
mod payload;
mod state;
mod tag;

use std::sync::Arc;

use weir_policies::rule::ast::{Action, Threshold};

use super::application::Application;
use super::matcher::{AddressSet, Intervals};
use crate::app_layer::ProtocolId;

pub(super) use adjusted::{Adjusted, Suppression};
pub(super) use packet::{
    AppProtocolTest, BitsModifier, ChecksumOf, FlowCondition, FragmentBits, Hosts, IpOption,
    PacketTest, ProtocolMode, RpcCall, ScoreTest, Sides, VlanLayer,
};
pub(super) use payload::{
    Absent, Asn1Test, Base64Test, BufferTests, ByteExtract, ByteJump, ByteMath, ByteOperator,
    ByteTest, Capture, CaptureName, Chain, Chains, ContentTest, DataCommand, DataTest, EntropyOf,
    FastPattern, IsDataAt, JumpOrigin, MathOperator, NumberFormat, PcreTest, Reading, Test, Value,
};
pub(super) use state::{Comparison, FlowOperand, HostCommand, HostTrack, StateChange, StateTest};
pub(super) use tag::{Tag, TagExtent, TagScope};

/// Variables that one signature may extract.
pub(in crate::detect) const MAX_VARIABLES: usize = 16;
/// Groups of an expression that can be captured, the whole match counted in.
pub(in crate::detect) const CAPTURES: usize = 17;
/// Payload tests that one signature may hold; bounds the evaluator's recursion.
pub(in crate::detect) const MAX_TESTS: usize = 64;

/// All that one signature tests and does.
#[derive(Debug)]
pub(in crate::detect) struct Program {
    /// gid and sid: what thresholds are kept by, so that they outlive a change of rules.
    pub(in crate::detect) identity: u64,
    pub(in crate::detect) action: Action,
    pub(in crate::detect) protocol: Protocol,
    /// One or, for `<>`, two ways round.
    pub(in crate::detect) ends: Box<[Ends]>,
    pub(in crate::detect) flow: FlowCondition,
    pub(in crate::detect) kind: Kind,
    pub(in crate::detect) packet: Box<[PacketTest]>,
    pub(in crate::detect) state: Box<[StateTest]>,
    pub(in crate::detect) payload: Option<Chains>,
    pub(in crate::detect) buffers: Box<[BufferTests]>,
    /// Tests on transactions of the application layer.
    pub(in crate::detect) application: Option<Application>,
    pub(in crate::detect) scan: Scan,
    pub(in crate::detect) changes: Box<[StateChange]>,
    /// It captures what others may ask for.
    pub(in crate::detect) captures: bool,
    /// What is recorded behind an alert.
    pub(in crate::detect) tags: Box<[Tag]>,
    pub(in crate::detect) threshold: Option<Threshold>,
    /// False: acts without an alert.
    pub(in crate::detect) alerts: bool,
    /// What is changed of it from outside.
    pub(in crate::detect) adjusted: Option<Box<Adjusted>>,
}

impl Program {
    /// Whether it asks about the application protocol of no direction but these.
    pub(in crate::detect) fn asks_protocol_of(&self, directions: [bool; 2]) -> bool {
        let mut tests = self.packet.iter();
        tests.all(|test| test.asks_protocol_of(directions))
    }

    /// Whether it speaks of a packet alone: of neither the stream nor what is carried in it.
    pub(in crate::detect) fn is_of_packet_alone(&self) -> bool {
        self.application.is_none()
            && matches!(self.scan, Scan::Nothing | Scan::Packet)
            && !matches!(self.kind, Kind::Protocol | Kind::Recognition)
    }

    /// Whether what it asks about the application protocol tells one from another.
    pub(in crate::detect) fn tells_apart(&self, id: ProtocolId, from: ProtocolId) -> bool {
        let mut tests = self.packet.iter();
        tests.any(|test| test.tells_apart(id, from))
    }
}

/// When a signature is looked at, and how far its action reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) enum Kind {
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
pub(in crate::detect) enum Scan {
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
pub(in crate::detect) enum Protocol {
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
pub(in crate::detect) enum Version {
    V4,
    V6,
}

/// Transports that the header can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) enum TransportKind {
    Tcp,
    Udp,
    /// `icmp`: either version.
    Icmp,
    Icmp4,
    Icmp6,
}

/// The addresses and ports of one way round.
#[derive(Clone, Debug)]
pub(in crate::detect) struct Ends {
    pub(in crate::detect) source: Arc<AddressSet>,
    pub(in crate::detect) source_port: Intervals<u16>,
    pub(in crate::detect) destination: Arc<AddressSet>,
    pub(in crate::detect) destination_port: Intervals<u16>,
}
