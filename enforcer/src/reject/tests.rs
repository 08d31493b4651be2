//! Answers, taken apart by an independent parser.

use std::net::IpAddr;

use pnet::packet::Packet as _;
use pnet::packet::icmp::IcmpPacket;
use pnet::packet::icmpv6::Icmpv6Packet;
use pnet::packet::ipv4::{self, Ipv4Packet};
use pnet::packet::ipv6::Ipv6Packet;
use pnet::packet::tcp::{TcpPacket, ipv4_checksum, ipv6_checksum};
use weir_engine::frame::LinkType;

use super::*;

const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;
const FIN: u8 = 1;

fn ethernet(kind: u16, tag: bool) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    if tag {
        frame.extend([0x81, 0x00, 0x00, 0x2a]);
    }
    frame.extend(kind.to_be_bytes());
    frame
}

fn build(v6: bool, tag: bool, protocol: u8, l4: &[u8]) -> Vec<u8> {
    let mut frame = ethernet(if v6 { 0x86dd } else { 0x0800 }, tag);
    let ends: (IpAddr, IpAddr) = if v6 {
        ("fd00::1".parse().unwrap(), "fd00::2".parse().unwrap())
    } else {
        ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap())
    };
    ip::append(&mut frame, ends, protocol, l4.len()).unwrap();
    frame.extend(l4);
    frame
}

fn tcp(flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut l4 = vec![
        0x9c, 0x40, 0, 80, 0, 0, 1, 0, 0, 0, 2, 0, 0x50, flags, 1, 0, 0, 0, 0, 0,
    ];
    l4.extend(payload);
    l4
}

fn answer_to(frame: &[u8], side: Side) -> Option<Vec<u8>> {
    let packet = weir_engine::decode::decode(frame, LinkType::Ethernet).unwrap();
    let mut out = Vec::new();
    answer(&packet, side, &mut out).then_some(out)
}

fn tcp_of(frame: &[u8], at: usize) -> TcpPacket<'_> {
    TcpPacket::new(&frame[at..]).unwrap()
}

#[test]
fn reset_to_the_source_acknowledges_nothing_it_has_not_sent() {
    let frame = build(false, true, 6, &tcp(ACK, b"attack"));
    let out = answer_to(&frame, Side::Source).unwrap();
    assert_eq!(
        out[..18],
        [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x81, 0, 0, 0x2a, 8, 0]
    );
    let ip = Ipv4Packet::new(&out[18..]).unwrap();
    let (a, b) = (ip.get_source(), ip.get_destination());
    assert_eq!(
        (a.to_string(), b.to_string()),
        ("10.0.0.2".to_owned(), "10.0.0.1".to_owned())
    );
    assert_eq!(ip.get_checksum(), ipv4::checksum(&ip));
    let tcp = tcp_of(&out, 38);
    assert_eq!((tcp.get_source(), tcp.get_destination()), (80, 40_000));
    assert_eq!((tcp.get_flags(), tcp.get_sequence()), (RST, 0x200));
    assert_eq!(tcp.get_checksum(), ipv4_checksum(&tcp, &a, &b));
}

#[test]
fn reset_of_an_opening_segment_acknowledges_it() {
    let out = answer_to(&build(true, false, 6, &tcp(SYN, b"abc")), Side::Source).unwrap();
    let ip = Ipv6Packet::new(&out[14..]).unwrap();
    let tcp = tcp_of(&out, 54);
    assert_eq!((tcp.get_flags(), tcp.get_sequence()), (RST | ACK, 0));
    assert_eq!(tcp.get_acknowledgement(), 0x100 + 3 + 1);
    let sum = ipv6_checksum(&tcp, &ip.get_source(), &ip.get_destination());
    assert_eq!(tcp.get_checksum(), sum);
}

#[test]
fn reset_to_the_destination_stands_where_the_segment_would() {
    let out = answer_to(
        &build(false, false, 6, &tcp(ACK | FIN, b"x")),
        Side::Destination,
    )
    .unwrap();
    assert_eq!(out[..12], [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]);
    let tcp = tcp_of(&out, 34);
    assert_eq!((tcp.get_source(), tcp.get_destination()), (40_000, 80));
    assert_eq!(
        (tcp.get_sequence(), tcp.get_acknowledgement()),
        (0x100, 0x200)
    );
    assert_eq!(tcp.get_flags(), RST | ACK);
}

#[test]
fn reset_is_not_answered() {
    assert_eq!(
        answer_to(&build(false, false, 6, &tcp(RST, b"")), Side::Source),
        None
    );
}

#[test]
fn receiver_of_an_opening_segment_has_nothing_to_reset() {
    let opening = build(false, false, 6, &tcp(SYN, b""));
    assert_eq!(answer_to(&opening, Side::Destination), None);
    assert!(answer_to(&opening, Side::Source).is_some());
    let accepting = build(false, false, 6, &tcp(SYN | ACK, b""));
    assert!(answer_to(&accepting, Side::Destination).is_some());
}

fn udp(payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).unwrap().to_be_bytes();
    let mut l4 = vec![0x9c, 0x40, 0, 53, length[0], length[1], 0, 0];
    l4.extend(payload);
    l4
}

#[test]
fn udp_is_answered_by_port_unreachable_that_quotes_it() {
    let frame = build(false, false, 17, &udp(b"secret"));
    let out = answer_to(&frame, Side::Source).unwrap();
    let ip = Ipv4Packet::new(&out[14..]).unwrap();
    assert_eq!(usize::from(ip.get_total_length()), out.len() - 14);
    let icmp = IcmpPacket::new(&out[34..]).unwrap();
    assert_eq!((icmp.get_icmp_type().0, icmp.get_icmp_code().0), (3, 3));
    assert_eq!(icmp.get_checksum(), pnet::packet::icmp::checksum(&icmp));
    assert_eq!(out[42..], frame[14..42]);
}

#[test]
fn receiver_of_udp_is_quoted_its_own_answer() {
    let frame = build(true, false, 17, &udp(b"secret"));
    let out = answer_to(&frame, Side::Destination).unwrap();
    let ip = Ipv6Packet::new(&out[14..]).unwrap();
    assert_eq!(ip.get_destination().to_string(), "fd00::2");
    let icmp = Icmpv6Packet::new(&out[54..]).unwrap();
    assert_eq!((icmp.get_icmpv6_type().0, icmp.get_icmpv6_code().0), (1, 4));
    let sum = icmpv6_sum(&icmp, &ip);
    assert_eq!(icmp.get_checksum(), sum);
    let quoted = Ipv6Packet::new(&out[62..]).unwrap();
    assert_eq!(quoted.get_source().to_string(), "fd00::2");
    assert_eq!(quoted.payload()[..4], [0, 53, 0x9c, 0x40]);
}

fn icmpv6_sum(icmp: &Icmpv6Packet<'_>, ip: &Ipv6Packet<'_>) -> u16 {
    pnet::packet::icmpv6::checksum(icmp, &ip.get_source(), &ip.get_destination())
}

#[test]
fn nothing_is_said_about_icmp_errors_groups_or_fragments() {
    let error = build(false, false, 1, &[3, 3, 0, 0, 0, 0, 0, 0, 0x45, 0, 0, 0]);
    let mut group = build(false, false, 17, &udp(b"x"));
    group[30..34].copy_from_slice(&[224, 0, 0, 251]);
    let echo = build(false, false, 1, &[8, 0, 0, 0, 0, 1, 0, 1]);
    for frame in [error, group] {
        assert!(answer_unchecked(&frame, Side::Source).is_none());
    }
    assert!(answer_unchecked(&echo, Side::Source).is_some());
    assert!(answer_unchecked(&echo, Side::Destination).is_none());
}

/// Also for packets whose decoding ended in an event.
fn answer_unchecked(frame: &[u8], side: Side) -> Option<Vec<u8>> {
    match weir_engine::decode::decode(frame, LinkType::Ethernet) {
        Ok(_) => answer_to(frame, side),
        Err(_) => None,
    }
}
