//! When a signature is looked at, and where its tests on the payload look.

use weir_policies::rule::ast::StreamTest;

use super::header::CompiledHeader;
use crate::detect::program::{
    Chains, FlowCondition, Kind, PacketTest, Protocol, Scan, StateChange,
};

/// What a rule asks for, as far as it decides when it is looked at.
pub(super) struct Asked<'a> {
    pub(super) header: &'a CompiledHeader,
    pub(super) packet: &'a [PacketTest],
    pub(super) changes: &'a [StateChange],
    /// `flow`, or a variable.
    pub(super) of_flow: bool,
    /// The bytes of any buffer, or a transaction.
    pub(super) of_bytes: bool,
}

/// The documentation's rule types.
pub(super) fn kind(asked: &Asked<'_>) -> Kind {
    if asked.asks_for(|test| matches!(test, PacketTest::Event(_))) {
        return Kind::Event;
    }
    let header = asked.header;
    let bare = !asked.of_bytes && !asked.of_flow && header.application.is_empty();
    if bare && asked.only(PacketTest::is_settled_once) && !asked.packet.is_empty() {
        return Kind::Recognition;
    }
    if !header.application.is_empty() {
        return Kind::Protocol;
    }
    let counts = |change: &StateChange| {
        matches!(
            change,
            StateChange::AddFlowInt(..) | StateChange::SubtractFlowInt(..)
        )
    };
    let addresses_only = bare
        && header.protocol != Protocol::Any
        && !asked.changes.iter().any(counts)
        && asked
            .only(|test| matches!(test, PacketTest::IpProtocol(_) | PacketTest::Reputation(..)));
    let any_port = header
        .ends
        .iter()
        .all(|ends| ends.source_port.is_full() && ends.destination_port.is_full());
    match (addresses_only, header.negated_address) {
        (false, _) => Kind::Packet,
        (true, false) if any_port => Kind::IpOnly,
        (true, false) => Kind::Packet,
        (true, true) => Kind::LikeIpOnly,
    }
}

impl Asked<'_> {
    fn asks_for(&self, wanted: impl Fn(&PacketTest) -> bool) -> bool {
        self.packet.iter().any(wanted)
    }

    fn only(&self, allowed: impl Fn(&PacketTest) -> bool) -> bool {
        self.packet.iter().all(allowed)
    }
}

/// Where tests on the payload look: in the stream, unless something binds them to packets.
pub(super) fn scan(
    header: &CompiledHeader,
    flow: &FlowCondition,
    payload: Option<&Chains>,
    packet_bound: bool,
) -> Result<Scan, String> {
    let Some(chains) = payload else {
        return Ok(Scan::Nothing);
    };
    let asked = match (header.scan, flow.stream) {
        (Some(Scan::StreamOnly), Some(StreamTest::No))
        | (Some(Scan::Packet), Some(StreamTest::Only)) => {
            return Err("the protocol and `flow` contradict each other: it can never match".into());
        }
        (Some(scan), _) => Some(scan),
        (None, Some(StreamTest::Only)) => Some(Scan::StreamOnly),
        (None, Some(StreamTest::No)) => Some(Scan::Packet),
        (None, None) => None,
    };
    Ok(match asked {
        Some(scan) => scan,
        None if packet_bound => Scan::Packet,
        None if chains.anchored => Scan::Both,
        None => Scan::Stream,
    })
}
