//! A signature's header and its tests on packet headers and flow counters.

use weir_policies::rule::ast::{
    FlagsModifier, FlowDirection as RuleDirection, FlowState, FragmentTest, NumberTest, StreamTest,
    TcpFlagsTest,
};

use super::rpc::rpc_matches;
use crate::app_layer::Recognition;
use crate::decode::{IGMP, checksum, sctp};
use crate::detect::Inspection;
use crate::detect::inspection::FlowView;
use crate::detect::matcher::{Intervals, number_matches};
use crate::detect::program::{
    AppProtocolTest, BitsModifier, ChecksumOf, Ends, FlowCondition, FragmentBits, Hosts, IpOption,
    PacketTest, Program, Protocol, ProtocolMode, ScoreTest, Sides, TransportKind, Version,
    VlanLayer,
};
use crate::detect::reputation::Scores;
use crate::event::{FlowDirection, Volume};
use crate::frame::ChecksumState;
use crate::packet::{IcmpHeader, Network, Packet, TcpHeader, Transport};

/// Whether protocol, addresses, ports and flow are those of the signature.
pub(in crate::detect) fn header_matches(program: &Program, inspection: &Inspection<'_>) -> bool {
    let packet = inspection.packet;
    protocol_matches(program.protocol, packet)
        && flow_matches(&program.flow, inspection)
        && program.ends.iter().any(|ends| ends_match(ends, packet))
}

fn protocol_matches(protocol: Protocol, packet: &Packet<'_>) -> bool {
    match protocol {
        Protocol::Any | Protocol::Ip(None) => true,
        Protocol::Ip(Some(Version::V4)) => packet.network == Network::Ipv4,
        Protocol::Ip(Some(Version::V6)) => packet.network == Network::Ipv6,
        Protocol::Number(number) => packet.protocol == number,
        Protocol::Transport(kind) => matches!(
            (kind, packet.transport),
            (TransportKind::Tcp, Transport::Tcp(_))
                | (TransportKind::Udp, Transport::Udp { .. })
                | (
                    TransportKind::Icmp,
                    Transport::Icmp4(_) | Transport::Icmp6(_)
                )
                | (TransportKind::Icmp4, Transport::Icmp4(_))
                | (TransportKind::Icmp6, Transport::Icmp6(_))
        ),
    }
}

fn ends_match(ends: &Ends, packet: &Packet<'_>) -> bool {
    let (source, destination) = packet.ports();
    let has_ports = matches!(
        packet.transport,
        Transport::Tcp(_) | Transport::Udp { .. } | Transport::Sctp { .. }
    );
    // A rule that names ports says nothing of traffic that has none.
    let port = |set: &Intervals<u16>, port| set.is_full() || (has_ports && set.contains(port));
    port(&ends.destination_port, destination)
        && port(&ends.source_port, source)
        && ends.source.contains(packet.source)
        && ends.destination.contains(packet.destination)
}

fn flow_matches(condition: &FlowCondition, inspection: &Inspection<'_>) -> bool {
    let flow = inspection.flow.as_ref();
    let direction = condition.direction.is_none_or(|wanted| {
        flow.is_some_and(|flow| match wanted {
            RuleDirection::ToServer => flow.direction == FlowDirection::ToServer,
            RuleDirection::ToClient => flow.direction == FlowDirection::ToClient,
        })
    });
    let established = flow.is_some_and(|flow| flow.established);
    let state = match condition.state {
        None | Some(FlowState::Stateless) => true,
        Some(FlowState::Established) => established,
        Some(FlowState::NotEstablished) => !established,
    };
    let fragment = match condition.fragment {
        None => true,
        Some(FragmentTest::Only) => inspection.packet.reassembled,
        Some(FragmentTest::No) => !inspection.packet.reassembled,
    };
    let brings_stream = || {
        let stream = inspection.stream.as_ref();
        stream.is_some_and(|stream| stream.fresh_from < stream.bytes.len())
    };
    let stream = condition.stream != Some(StreamTest::Only) || brings_stream();
    direction && state && fragment && stream
}

/// Whether all tests on headers and counters hold.
pub(in crate::detect) fn packet_tests_match(
    program: &Program,
    inspection: &Inspection<'_>,
) -> bool {
    let tests = &program.packet;
    tests
        .iter()
        .all(|test| packet_test_matches(test, inspection))
}

fn packet_test_matches(test: &PacketTest, inspection: &Inspection<'_>) -> bool {
    let packet = inspection.packet;
    let holds = |test: &NumberTest, value: Option<u64>| {
        value.is_some_and(|value| number_matches(*test, value))
    };
    match test {
        PacketTest::PayloadSize(test) => {
            let mut sizes = payload_sizes(inspection).into_iter().flatten();
            sizes.any(|size| payload_size_matches(*test, size))
        }
        PacketTest::TcpFlags(test) => tcp(packet).is_some_and(|tcp| flags_match(*test, tcp.flags)),
        PacketTest::IcmpType(test) => holds(test, icmp(packet).map(|icmp| icmp.kind.into())),
        PacketTest::IcmpCode(test) => holds(test, icmp(packet).map(|icmp| icmp.code.into())),
        PacketTest::IcmpId(test) => {
            holds(test, icmp(packet).and_then(|icmp| icmp.id).map(u64::from))
        }
        PacketTest::IcmpSequence(test) => holds(
            test,
            icmp(packet).and_then(|icmp| icmp.sequence).map(u64::from),
        ),
        PacketTest::IgmpType(test) => holds(test, igmp_type(packet)),
        PacketTest::SctpChunks(test) => sctp_holds(packet, |packet| {
            holds(test, u64::try_from(sctp::chunks(packet).count()).ok())
        }),
        PacketTest::SctpChunkType(test) => {
            sctp::chunks(packet).any(|chunk| number_matches(*test, chunk.kind.into()))
        }
        PacketTest::SctpTag(test) => holds(test, sctp::verification_tag(packet).map(u64::from)),
        PacketTest::HopLimit(test) => holds(test, packet.is_ip().then(|| packet.ttl.into())),
        PacketTest::TypeOfService(test) => holds(test, ipv4(packet).then(|| packet.tos.into())),
        PacketTest::IpId(test) => holds(test, ipv4(packet).then(|| packet.ip_id.into())),
        PacketTest::IpProtocol(test) => holds(test, packet.is_ip().then(|| packet.protocol.into())),
        PacketTest::IpOption(option) => has_ip_option(packet, *option),
        PacketTest::FragmentBits(test) => {
            ipv4(packet) && fragment_bits_match(*test, packet.ip_flags)
        }
        PacketTest::FragmentOffset(test) => {
            holds(test, packet.is_ip().then(|| fragment_offset(packet)))
        }
        PacketTest::TcpSequence(test) => holds(test, tcp(packet).map(|tcp| tcp.sequence.into())),
        PacketTest::TcpAcknowledgement(test) => {
            holds(test, tcp(packet).map(|tcp| tcp.acknowledgement.into()))
        }
        PacketTest::TcpWindow(test) => holds(test, tcp(packet).map(|tcp| tcp.window.into())),
        PacketTest::TcpMaximumSegment(test) => holds(
            test,
            tcp(packet).and_then(|tcp| tcp.options.mss).map(u64::from),
        ),
        PacketTest::TcpWindowScale(test) => holds(test, window_scale(packet).map(u64::from)),
        PacketTest::Icmp6Mtu(test) => holds(test, icmp6_mtu(packet).map(u64::from)),
        PacketTest::Rpc(call) => rpc_matches(call, packet),
        PacketTest::SameAddress => packet.source == packet.destination,
        PacketTest::VlanId(layer, test) => vlan_matches(packet, *layer, *test),
        PacketTest::VlanLayers(test) => holds(test, u64::try_from(vlan_ids(packet).count()).ok()),
        PacketTest::Checksum(of, valid) => checksum_is(inspection, *of) == Some(*valid),
        PacketTest::Reputation(hosts, scores, test) => {
            packet.is_ip() && reputation_matches(*hosts, (scores, *test), packet)
        }
        PacketTest::AppProtocol(test) => app_protocol_matches(test, inspection),
        PacketTest::Event(name) => inspection.events.iter().any(|event| **event == **name),
        PacketTest::FlowAge(_)
        | PacketTest::FlowPackets(..)
        | PacketTest::FlowBytes(..)
        | PacketTest::StreamSize(..) => {
            let flow = inspection.flow.as_ref();
            flow.is_some_and(|flow| flow_test_matches(test, flow, inspection))
        }
    }
}

fn reputation_matches(
    hosts: Hosts,
    (scores, test): (&Scores, ScoreTest),
    packet: &Packet<'_>,
) -> bool {
    let source = || score_matches(test, scores.of(packet.source));
    let destination = || score_matches(test, scores.of(packet.destination));
    match hosts {
        Hosts::Source => source(),
        Hosts::Destination => destination(),
        Hosts::Any => source() || destination(),
        Hosts::Both => source() && destination(),
    }
}

fn score_matches(test: ScoreTest, score: Option<u8>) -> bool {
    match test {
        ScoreTest::Any => score.is_some(),
        ScoreTest::None => score.is_none(),
        ScoreTest::Number(test) => score.is_some_and(|score| number_matches(test, score.into())),
    }
}

/// Whether the protocol is one of those asked for. What is not known yet is neither one nor another.
fn app_protocol_matches(test: &AppProtocolTest, inspection: &Inspection<'_>) -> bool {
    let Some(app) = inspection.app else {
        return false;
    };
    let is = |recognition: Recognition| match recognition {
        Recognition::Pending => test.unknown,
        Recognition::Failed => test.failed != test.negated,
        Recognition::Known(id) => test.is_met_by(id),
    };
    let by = |direction| app.recognised_by(direction);
    match test.mode {
        ProtocolMode::Direction => {
            let flow = inspection.flow.as_ref();
            flow.is_some_and(|flow| is(by(flow.direction)))
        }
        ProtocolMode::ToServer => is(by(FlowDirection::ToServer)),
        ProtocolMode::ToClient => is(by(FlowDirection::ToClient)),
        ProtocolMode::Either => is(by(FlowDirection::ToServer)) || is(by(FlowDirection::ToClient)),
        ProtocolMode::Final => is(app.recognition()),
        ProtocolMode::Original => is(app.original()),
    }
}

fn flow_test_matches(test: &PacketTest, flow: &FlowView, inspection: &Inspection<'_>) -> bool {
    let volumes = |field: fn(&Volume) -> u64| [field(&flow.to_server), field(&flow.to_client)];
    match test {
        PacketTest::FlowAge(test) => {
            number_matches(*test, inspection.meta.at.since(flow.start).as_secs())
        }
        // A side is named by what reaches it; for the stream's size, by what it sent.
        PacketTest::FlowPackets(side, test) => {
            sides_match(*side, volumes(|volume| volume.packets), *test)
        }
        PacketTest::FlowBytes(side, test) => {
            sides_match(*side, volumes(|volume| volume.bytes), *test)
        }
        PacketTest::StreamSize(side, test) => {
            let [to_server, to_client] = flow.stream_bytes;
            sides_match(*side, [to_client, to_server], *test)
        }
        _ => false,
    }
}

/// `values` are the server's and the client's.
fn sides_match(side: Sides, [server, client]: [u64; 2], test: NumberTest) -> bool {
    match side {
        Sides::Server => number_matches(test, server),
        Sides::Client => number_matches(test, client),
        Sides::Either => number_matches(test, server) || number_matches(test, client),
        Sides::Both => number_matches(test, server) && number_matches(test, client),
    }
}

fn tcp<'a>(packet: &'a Packet<'_>) -> Option<&'a TcpHeader> {
    match &packet.transport {
        Transport::Tcp(tcp) => Some(tcp),
        _ => None,
    }
}

fn icmp<'a>(packet: &'a Packet<'_>) -> Option<&'a IcmpHeader> {
    match &packet.transport {
        Transport::Icmp4(icmp) | Transport::Icmp6(icmp) => Some(icmp),
        _ => None,
    }
}

fn flags_match(test: TcpFlagsTest, flags: u8) -> bool {
    let seen = flags & !test.ignore;
    match test.modifier {
        FlagsModifier::Exact => seen == test.flags,
        FlagsModifier::All => seen & test.flags == test.flags,
        FlagsModifier::Any => seen & test.flags != 0,
        FlagsModifier::Not => seen & test.flags == 0,
    }
}

fn fragment_bits_match(test: FragmentBits, bits: u8) -> bool {
    match test.modifier {
        BitsModifier::Exact => bits == test.bits,
        BitsModifier::All => bits & test.bits == test.bits,
        BitsModifier::Any => bits & test.bits != 0,
        BitsModifier::Not => bits & test.bits == 0,
    }
}

fn ipv4(packet: &Packet<'_>) -> bool {
    packet.network == Network::Ipv4
}

/// In units of 8 bytes, as on the wire; 0 for what is no fragment.
fn fragment_offset(packet: &Packet<'_>) -> u64 {
    packet
        .fragment
        .map_or(0, |fragment| u64::from(fragment.offset) / 8)
}

/// Payload lengths that the receiver sees: of a frame that stands for several segments, that of all but the
/// last, and that of the last.
fn payload_sizes(inspection: &Inspection<'_>) -> [Option<usize>; 2] {
    let length = inspection.packet.payload().len();
    let segment = inspection.meta.gso_size.map_or(0, usize::from);
    if segment == 0 || length <= segment {
        return [Some(length), None];
    }
    let last = length % segment;
    [Some(segment), (last > 0).then_some(last)]
}

/// The reference engine asks `dsize:!n` only of packets that have a payload; so do we.
fn payload_size_matches(test: NumberTest, length: usize) -> bool {
    let asked = length > 0 || !matches!(test, NumberTest::NotEqual(size) if size > 0);
    asked && u64::try_from(length).is_ok_and(|length| number_matches(test, length))
}

/// Whether the checksum is right; `None` where the packet has none. One that the sender left to the
/// device counts as right.
fn sctp_holds(packet: &Packet<'_>, test: impl Fn(&Packet<'_>) -> bool) -> bool {
    matches!(packet.transport, Transport::Sctp { .. }) && test(packet)
}

/// The shift of the window scale option as it was sent, above 14 too (RFC 7323, 2.2).
fn window_scale(packet: &Packet<'_>) -> Option<u8> {
    tcp(packet)?.options.window_scale?;
    let mut options = packet.tcp_options();
    loop {
        options = match options {
            [3, 3, shift, ..] => return Some(*shift),
            [1, rest @ ..] => rest,
            [_, length, ..] => options.get(usize::from(*length).max(2)..)?,
            _ => return None,
        };
    }
}

/// The MTU that a packet-too-big message names (RFC 4443, 3.2).
fn icmp6_mtu(packet: &Packet<'_>) -> Option<u32> {
    const TOO_BIG: u8 = 2;
    match packet.transport {
        Transport::Icmp6(icmp) if icmp.kind == TOO_BIG => {
            let mtu = packet.segment().get(4..8)?;
            Some(u32::from_be_bytes(mtu.try_into().ok()?))
        }
        _ => None,
    }
}

/// Type of an IGMP message.
fn igmp_type(packet: &Packet<'_>) -> Option<u64> {
    let igmp = packet.network == Network::Ipv4 && packet.transport == Transport::Other(IGMP);
    let first = packet.transport_header().first().filter(|_| igmp)?;
    Some(u64::from(*first))
}

fn checksum_is(inspection: &Inspection<'_>, of: ChecksumOf) -> Option<bool> {
    let packet = inspection.packet;
    match of {
        ChecksumOf::Ipv4 => ipv4(packet).then(|| checksum::verify_ipv4_header(packet).is_ok()),
        ChecksumOf::Igmp => igmp_type(packet).map(|_| checksum::verify_transport(packet).is_ok()),
        ChecksumOf::Transport(version, kind) => {
            let asked = protocol_matches(Protocol::Ip(Some(version)), packet)
                && protocol_matches(Protocol::Transport(kind), packet);
            let meta = inspection.meta;
            let final_sum = meta.checksum == ChecksumState::Final && meta.gso_size.is_none();
            asked.then(|| !final_sum || checksum::verify_transport(packet).is_ok())
        }
    }
}

fn has_ip_option(packet: &Packet<'_>, wanted: IpOption) -> bool {
    let mut options = packet.ip_options();
    while let Some((&kind, rest)) = options.split_first() {
        let asked = match wanted {
            IpOption::Any => kind != 0,
            IpOption::Kind(wanted) => kind == wanted,
        };
        if asked {
            return true;
        }
        options = match kind {
            0 => return false,
            1 => rest,
            _ => {
                let length = rest.first().map_or(0, |&length| usize::from(length));
                options.get(length.max(2)..).unwrap_or_default()
            }
        };
    }
    false
}

fn vlan_ids(packet: &Packet<'_>) -> impl DoubleEndedIterator<Item = u16> + Clone {
    let (ids, layers) = (packet.vlan, usize::from(packet.vlan_layers));
    (0..layers).filter_map(move |layer| ids.get(layer).copied())
}

fn vlan_matches(packet: &Packet<'_>, layer: VlanLayer, test: NumberTest) -> bool {
    let mut ids = vlan_ids(packet);
    let holds = |id: u16| number_matches(test, id.into());
    match layer {
        VlanLayer::Any => ids.any(holds),
        VlanLayer::All => ids.clone().next().is_some() && ids.all(holds),
        VlanLayer::Index(index) => {
            let id = match usize::try_from(index) {
                Ok(from_outermost) => ids.nth(from_outermost),
                Err(_) => ids
                    .rev()
                    .nth(usize::from(index.unsigned_abs()).saturating_sub(1)),
            };
            id.is_some_and(holds)
        }
    }
}
