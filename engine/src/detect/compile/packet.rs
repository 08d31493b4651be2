//! Keywords on packet headers, flow counters and events.

use crate::decode::DecodeEvent;
use crate::detect::matcher::{parse_integer, parse_number_test};
use crate::detect::program::{
    BitsModifier, ChecksumOf, FragmentBits, IpOption, PacketTest, Sides, TransportKind, Version,
    VlanLayer,
};
use crate::stream::StreamEvent;
use weir_policies::rule::ast::NumberTest;

/// Keywords that [`packet_test`] knows.
pub(super) const KEYWORDS: &[&str] = &[
    "ack",
    "decode-event",
    "engine-event",
    "flow.age",
    "flow.bytes",
    "flow.bytes_toclient",
    "flow.bytes_toserver",
    "flow.pkts",
    "flow.pkts_toclient",
    "flow.pkts_toserver",
    "fragbits",
    "fragoffset",
    "icmp_id",
    "icmpv4-csum",
    "icmpv6-csum",
    "icmpv6.mtu",
    "igmp-csum",
    "igmp.type",
    "ipv4-csum",
    "tcpv4-csum",
    "tcpv6-csum",
    "udpv4-csum",
    "udpv6-csum",
    "icmp_seq",
    "id",
    "ip_proto",
    "ipopts",
    "rpc",
    "sameip",
    "sctp.chunk_cnt",
    "sctp.chunk_type",
    "sctp.vtag",
    "seq",
    "stream-event",
    "stream_size",
    "tcp.ack",
    "tcp.mss",
    "tcp.seq",
    "tcp.window",
    "tcp.wscale",
    "tos",
    "ttl",
    "vlan.id",
    "vlan.layers",
    "window",
];

/// A keyword on the packet, by name and value; `None` where it is no such keyword.
pub(super) fn packet_test(name: &str, value: Option<&str>) -> Option<Result<PacketTest, String>> {
    if !KEYWORDS.contains(&name) {
        return None;
    }
    Some(parse(name, value.unwrap_or_default().trim()))
}

fn parse(name: &str, value: &str) -> Result<PacketTest, String> {
    let byte = || parse_number_test(value, u8::MAX.into());
    let word = || parse_number_test(value, u16::MAX.into());
    let long = || parse_number_test(value, u32::MAX.into());
    let huge = || parse_number_test(value, u64::MAX);
    Ok(match name {
        "ttl" => PacketTest::HopLimit(byte()?),
        "tos" => PacketTest::TypeOfService(parse_number_test(hexadecimal(value).as_str(), 255)?),
        "id" => PacketTest::IpId(word()?),
        "ip_proto" => PacketTest::IpProtocol(parse_number_test(&protocol_number(value), 255)?),
        "ipopts" => PacketTest::IpOption(ip_option(value)?),
        "fragbits" => PacketTest::FragmentBits(fragment_bits(value)?),
        "fragoffset" => PacketTest::FragmentOffset(word()?),
        "seq" | "tcp.seq" => PacketTest::TcpSequence(long()?),
        "ack" | "tcp.ack" => PacketTest::TcpAcknowledgement(long()?),
        "window" | "tcp.window" => PacketTest::TcpWindow(word()?),
        "tcp.mss" => PacketTest::TcpMaximumSegment(word()?),
        "icmp_id" => PacketTest::IcmpId(word()?),
        "icmp_seq" => PacketTest::IcmpSequence(word()?),
        "tcp.wscale" => PacketTest::TcpWindowScale(byte()?),
        "icmpv6.mtu" => PacketTest::Icmp6Mtu(long()?),
        "rpc" => PacketTest::Rpc(super::rpc::read(value)?),
        "sameip" => PacketTest::SameAddress,
        "flow.age" => PacketTest::FlowAge(long()?),
        "flow.pkts_toserver" => PacketTest::FlowPackets(Sides::Server, huge()?),
        "flow.pkts_toclient" => PacketTest::FlowPackets(Sides::Client, huge()?),
        "flow.bytes_toserver" => PacketTest::FlowBytes(Sides::Server, huge()?),
        "flow.bytes_toclient" => PacketTest::FlowBytes(Sides::Client, huge()?),
        "flow.pkts" => sided(value).map(|(side, test)| PacketTest::FlowPackets(side, test))?,
        "flow.bytes" => sided(value).map(|(side, test)| PacketTest::FlowBytes(side, test))?,
        "stream_size" => stream_size(value)?,
        "ipv4-csum" => PacketTest::Checksum(ChecksumOf::Ipv4, validity(value)?),
        "tcpv4-csum" => checksum(Version::V4, TransportKind::Tcp, value)?,
        "tcpv6-csum" => checksum(Version::V6, TransportKind::Tcp, value)?,
        "udpv4-csum" => checksum(Version::V4, TransportKind::Udp, value)?,
        "udpv6-csum" => checksum(Version::V6, TransportKind::Udp, value)?,
        "icmpv4-csum" => checksum(Version::V4, TransportKind::Icmp4, value)?,
        "icmpv6-csum" => checksum(Version::V6, TransportKind::Icmp6, value)?,
        "igmp-csum" => PacketTest::Checksum(ChecksumOf::Igmp, validity(value)?),
        "igmp.type" => PacketTest::IgmpType(byte()?),
        "sctp.chunk_cnt" => PacketTest::SctpChunks(byte()?),
        "sctp.chunk_type" => PacketTest::SctpChunkType(chunk_type(value)?),
        "sctp.vtag" => PacketTest::SctpTag(long()?),
        "vlan.layers" => PacketTest::VlanLayers(parse_number_test(value, 3)?),
        "vlan.id" => vlan(value)?,
        "decode-event" | "engine-event" => event(name, "decoder", value)?,
        "stream-event" => event(name, "stream", value)?,
        other => return Err(format!("`{other}` is not a keyword on packets")),
    })
}

fn checksum(version: Version, kind: TransportKind, value: &str) -> Result<PacketTest, String> {
    let of = ChecksumOf::Transport(version, kind);
    Ok(PacketTest::Checksum(of, validity(value)?))
}

fn validity(value: &str) -> Result<bool, String> {
    match value {
        "valid" => Ok(true),
        "invalid" => Ok(false),
        other => Err(format!("`{other}` is neither `valid` nor `invalid`")),
    }
}

fn event(name: &str, prefix: &str, value: &str) -> Result<PacketTest, String> {
    // engine-event may name events of either kind, with their prefix.
    let full = if name == "engine-event" && value.starts_with("stream.") {
        value.to_owned()
    } else {
        format!("{prefix}.{value}")
    };
    let decode = DecodeEvent::from_name(&full).map(DecodeEvent::name);
    let stream = || StreamEvent::ALL.iter().map(|event| event.name());
    match decode.or_else(|| stream().find(|known| *known == full)) {
        Some(known) => Ok(PacketTest::Event(known.into())),
        None => Err(match impossible(&full) {
            Some(why) => format!("the event `{full}` is never raised: {why}"),
            None => format!("no event of the name `{full}` is ever raised"),
        }),
    }
}

/// Events that the language knows and that cannot happen here.
fn impossible(event: &str) -> Option<&'static str> {
    Some(match event {
        "stream.wrong_thread" => "packets are steered to the worker of their flow",
        "stream.reassembly_depth_reached" => "reassembly has no depth limit",
        "stream.reassembly_urgent_oob_limit_reached" => {
            "urgent data is read in line or dropped, whatever its amount"
        }
        "decoder.gre.version1_malformed_sre_hdr" => {
            "version 1 has no source routes: one with the flag raises gre.version1_route"
        }
        "decoder.afpacket.trunc_pkt" => "frames are taken whole or not at all",
        "decoder.ipv6.exthdr_dupl_eh" => "what an ESP header covers is encrypted and not read",
        _ => return None,
    })
}

/// A comparison with the type of a chunk, or its name.
fn chunk_type(value: &str) -> Result<NumberTest, String> {
    const NAMES: [(&str, u8); 16] = [
        ("data", 0),
        ("init", 1),
        ("init_ack", 2),
        ("sack", 3),
        ("heartbeat", 4),
        ("hb_ack", 5),
        ("abort", 6),
        ("shutdown", 7),
        ("shutdown_ack", 8),
        ("error", 9),
        ("cookie_echo", 10),
        ("cookie_ack", 11),
        ("ecne", 12),
        ("cwr", 13),
        ("shutdown_complete", 14),
        ("forward_tsn", 192),
    ];
    let (not, name) = match value.strip_prefix('!') {
        Some(rest) => ("!", rest.trim()),
        None => ("", value),
    };
    let named = NAMES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name));
    match named {
        Some((_, number)) => parse_number_test(&format!("{not}{number}"), u8::MAX.into()),
        None => parse_number_test(value, u8::MAX.into()),
    }
}

/// `tos` writes hexadecimal as `x12`.
fn hexadecimal(value: &str) -> String {
    let (not, digits) = match value.strip_prefix('!') {
        Some(rest) => ("!", rest),
        None => ("", value),
    };
    match digits.strip_prefix(['x', 'X']) {
        Some(hex) => format!("{not}0x{hex}"),
        None => value.to_owned(),
    }
}

/// The comparison with a protocol's name replaced by its number.
fn protocol_number(value: &str) -> String {
    let start = value.find(|letter: char| letter.is_ascii_alphabetic());
    let Some((operator, name)) = start.and_then(|start| value.split_at_checked(start)) else {
        return value.to_owned();
    };
    let number = match name.to_ascii_lowercase().as_str() {
        "icmp" => 1,
        "igmp" => 2,
        "tcp" => 6,
        "udp" => 17,
        "gre" => 47,
        "esp" => 50,
        "ah" => 51,
        "icmpv6" | "ipv6-icmp" => 58,
        "pim" => 103,
        "sctp" => 132,
        _ => return value.to_owned(),
    };
    format!("{operator}{number}")
}

fn ip_option(value: &str) -> Result<IpOption, String> {
    Ok(match value {
        "any" => IpOption::Any,
        "eol" => IpOption::Kind(0),
        "nop" => IpOption::Kind(1),
        "sec" => IpOption::Kind(130),
        "lsrr" => IpOption::Kind(131),
        "ts" => IpOption::Kind(68),
        "esec" => IpOption::Kind(133),
        "cipso" => IpOption::Kind(134),
        "rr" => IpOption::Kind(7),
        "satid" => IpOption::Kind(136),
        "ssrr" => IpOption::Kind(137),
        "rtralt" => IpOption::Kind(148),
        other => {
            return Err(format!(
                "`{other}` is not an IP option: use rr, eol, nop, ts, sec, esec, cipso, lsrr, ssrr, satid, rtralt or any"
            ));
        }
    })
}

fn fragment_bits(value: &str) -> Result<FragmentBits, String> {
    let (modifier, letters) = match value.chars().next() {
        Some('+') => (BitsModifier::All, value.get(1..)),
        Some('*') => (BitsModifier::Any, value.get(1..)),
        Some('!') => (BitsModifier::Not, value.get(1..)),
        _ => (BitsModifier::Exact, Some(value)),
    };
    let mut bits = 0;
    for letter in letters.unwrap_or_default().trim().chars() {
        bits |= match letter {
            'R' => 4,
            'D' => 2,
            'M' => 1,
            other => return Err(format!("`{other}` is not a fragment bit: use M, D and R")),
        };
    }
    if bits == 0 {
        return Err("it names no bit: use M, D and R".to_owned());
    }
    Ok(FragmentBits { bits, modifier })
}

fn sided(value: &str) -> Result<(Sides, NumberTest), String> {
    let (side, number) = value.split_once(',').ok_or("it lacks a direction")?;
    let side = match side.trim() {
        "toserver" => Sides::Server,
        "toclient" => Sides::Client,
        "either" => Sides::Either,
        "both" => Sides::Both,
        other => {
            return Err(format!(
                "`{other}` is not toserver, toclient, either or both"
            ));
        }
    };
    Ok((side, parse_number_test(number, u64::MAX)?))
}

fn stream_size(value: &str) -> Result<PacketTest, String> {
    let mut parts = value.split(',').map(str::trim);
    let (Some(side), Some(operator), Some(number), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err("it is not `side, operator, number`".to_owned());
    };
    let side = match side {
        "server" => Sides::Server,
        "client" => Sides::Client,
        "both" => Sides::Both,
        "either" => Sides::Either,
        other => return Err(format!("`{other}` is not server, client, both or either")),
    };
    if !["<", "<=", ">", ">=", "=", "!", "!="].contains(&operator) {
        return Err(format!("`{operator}` is not a comparison"));
    }
    let test = parse_number_test(&format!("{operator}{number}"), u32::MAX.into())?;
    Ok(PacketTest::StreamSize(side, test))
}

fn vlan(value: &str) -> Result<PacketTest, String> {
    let (number, layer) = match value.split_once(',') {
        Some((number, layer)) => (number, Some(layer.trim())),
        None => (value, None),
    };
    let layer = match layer {
        None | Some("any") => VlanLayer::Any,
        Some("all") => VlanLayer::All,
        Some(index) => match index.parse() {
            Ok(index @ -3..=2) => VlanLayer::Index(index),
            _ => return Err(format!("`{index}` is not a layer: use -3 to 2, any or all")),
        },
    };
    Ok(PacketTest::VlanId(layer, parse_number_test(number, 4095)?))
}

/// An integer that a keyword's value holds.
pub(super) fn integer<T: TryFrom<u64>>(text: &str) -> Result<T, String> {
    let value = parse_integer(text)?;
    T::try_from(value).map_err(|_| format!("`{text}` is too large"))
}
