//! Tests on packet headers, the flow's counters and the application protocol.

use std::sync::Arc;

use weir_policies::rule::ast::{
    FlowDirection, FlowState, FragmentTest, NumberTest, StreamTest, TcpFlagsTest,
};

use super::{TransportKind, Version};
use crate::app_layer::ProtocolId;
use crate::detect::reputation::Scores;

/// `flow`
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::detect) struct FlowCondition {
    pub(in crate::detect) direction: Option<FlowDirection>,
    pub(in crate::detect) state: Option<FlowState>,
    pub(in crate::detect) stream: Option<StreamTest>,
    pub(in crate::detect) fragment: Option<FragmentTest>,
}

/// A direction that a test on the flow asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) enum Sides {
    Server,
    Client,
    /// Either side satisfies it.
    Either,
    /// Both sides do.
    Both,
}

/// A test on the packet's headers or its flow's counters.
#[derive(Debug)]
pub(in crate::detect) enum PacketTest {
    PayloadSize(NumberTest),
    TcpFlags(TcpFlagsTest),
    IcmpType(NumberTest),
    IcmpCode(NumberTest),
    IcmpId(NumberTest),
    IcmpSequence(NumberTest),
    IgmpType(NumberTest),
    /// How many chunks there are.
    SctpChunks(NumberTest),
    /// The type of any chunk.
    SctpChunkType(NumberTest),
    SctpTag(NumberTest),
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
    TcpWindowScale(NumberTest),
    /// The MTU of a packet-too-big message of ICMPv6.
    Icmp6Mtu(NumberTest),
    Rpc(RpcCall),
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
    AppProtocol(AppProtocolTest),
    /// A score of hosts in a category.
    Reputation(Hosts, Arc<Scores>, ScoreTest),
    /// A decode or stream event by its full name.
    Event(Box<str>),
}

/// `rpc`: what is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) struct RpcCall {
    pub(in crate::detect) program: u32,
    /// `None`: any.
    pub(in crate::detect) version: Option<u32>,
    pub(in crate::detect) procedure: Option<u32>,
}

/// Whose reputation is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) enum Hosts {
    Source,
    Destination,
    /// Either satisfies it.
    Any,
    /// Both do.
    Both,
}

/// What is asked of a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) enum ScoreTest {
    /// There is one.
    Any,
    /// There is none.
    None,
    /// There is one, and it compares so.
    Number(NumberTest),
}

/// `app-layer-protocol`: any of these.
#[derive(Debug)]
pub(in crate::detect) struct AppProtocolTest {
    pub(in crate::detect) any_of: Box<[ProtocolId]>,
    /// It is none.
    pub(in crate::detect) failed: bool,
    /// It is not known yet.
    pub(in crate::detect) unknown: bool,
    pub(in crate::detect) negated: bool,
    /// A name stands for itself alone, not for kinds of it.
    pub(in crate::detect) exact: bool,
    pub(in crate::detect) mode: ProtocolMode,
}

/// Whose recognition `app-layer-protocol` asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) enum ProtocolMode {
    /// That of the bytes in the packet's direction.
    Direction,
    ToServer,
    ToClient,
    /// Any direction's.
    Either,
    /// What the flow is parsed as.
    Final,
    /// What it was before it changed over to another.
    Original,
}

impl AppProtocolTest {
    /// Whether a flow of that protocol meets it.
    pub(in crate::detect) fn is_met_by(&self, id: ProtocolId) -> bool {
        self.any_of.iter().any(|wanted| self.names(id, *wanted)) != self.negated
    }

    fn names(&self, id: ProtocolId, wanted: ProtocolId) -> bool {
        id == wanted || !self.exact && id.is(wanted)
    }
}

impl PacketTest {
    /// Whether it holds of flows of one protocol, but not of those of another.
    pub(in crate::detect) fn tells_apart(&self, id: ProtocolId, from: ProtocolId) -> bool {
        matches!(self, Self::AppProtocol(test) if test.is_met_by(id) && !test.is_met_by(from))
    }

    /// Whether it asks about the protocol of no direction but these.
    pub(in crate::detect) fn asks_protocol_of(&self, [to_server, to_client]: [bool; 2]) -> bool {
        match self {
            Self::AppProtocol(test) => match test.mode {
                ProtocolMode::ToServer => to_server,
                ProtocolMode::ToClient => to_client,
                _ => true,
            },
            _ => true,
        }
    }

    /// Whether its answer is settled once and for all with the flow's protocol.
    pub(in crate::detect) fn is_settled_once(&self) -> bool {
        matches!(self, Self::AppProtocol(test) if !test.unknown)
    }
}

/// Which checksum is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) enum ChecksumOf {
    Ipv4,
    Igmp,
    Transport(Version, TransportKind),
}

/// `ipopts`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) enum IpOption {
    Any,
    /// Option kind byte.
    Kind(u8),
}

/// `fragbits`: more fragments 1, don't fragment 2, reserved 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) struct FragmentBits {
    pub(in crate::detect) bits: u8,
    pub(in crate::detect) modifier: BitsModifier,
}

/// How bits are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) enum BitsModifier {
    Exact,
    All,
    Any,
    Not,
}

/// Which layer of `vlan.id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) enum VlanLayer {
    Any,
    All,
    /// From the outermost (0), or from the innermost (-1) back.
    Index(i8),
}
