//! What is said of wrong frames.

use super::testing::*;
use super::tests::{names, raw};
use super::*;
use crate::packet::Transport;

/// The event that makes a frame undeliverable.
fn fatal(frame: &[u8], link: LinkType) -> DecodeEvent {
    let error = decode(frame, link).expect_err("undeliverable");
    assert_eq!(error.event.judgement(), Judgement::Undeliverable);
    assert!(error.packet.events.contains(error.event));
    assert_eq!(error.packet.transport, Transport::None);
    assert!(error.packet.payload().is_empty());
    error.event
}

/// A right frame, broken: byte changes, and a length to cut it to.
fn broken(mut frame: Vec<u8>, changes: &[(usize, u8)], len: Option<usize>) -> Vec<u8> {
    for (at, value) in changes {
        frame[*at] = *value;
    }
    frame.truncate(len.unwrap_or(frame.len()));
    frame
}

#[test]
#[expect(clippy::too_many_lines, reason = "a flat table")]
fn contradicting_and_short_headers_are_undeliverable() {
    use DecodeEvent as E;
    let t4 = || ipv4(6, &tcp(&[], b"data"));
    let u4 = || ipv4(17, &udp(1, 2, b"data"));
    let t6 = || ipv6(6, &tcp(&[], b"data"));
    let table: Vec<(Vec<u8>, E)> = vec![
        (vec![], E::RawInvalidVersion),
        (vec![0x50; 40], E::RawInvalidVersion),
        (broken(t4(), &[], Some(19)), E::Ipv4TooSmall),
        (broken(t4(), &[(0, 0x42)], None), E::Ipv4HeaderLenTooSmall),
        (broken(t4(), &[(3, 19)], None), E::Ipv4LenSmallerThanHeader),
        (
            broken(t4(), &[(0, 0x4c)], None),
            E::Ipv4LenSmallerThanHeader,
        ),
        (broken(t4(), &[(3, 45)], None), E::Ipv4Truncated),
        (broken(t4(), &[(2, 0xff)], None), E::Ipv4Truncated),
        (broken(t4(), &[(3, 39)], None), E::TcpTooSmall),
        (broken(t4(), &[(32, 0x10)], None), E::TcpHeaderLenTooSmall),
        (broken(t4(), &[(32, 0xf0)], None), E::TcpHeaderLenTooSmall),
        (broken(u4(), &[(3, 27)], None), E::UdpTooSmall),
        (broken(u4(), &[(25, 7)], None), E::UdpLenTooSmall),
        (broken(u4(), &[(25, 13)], None), E::UdpLenInvalid),
        (ipv4(1, &[8, 0, 0, 0, 0, 0, 0]), E::Icmpv4TooSmall),
        (
            ipv4(1, &[&[13], [0; 18].as_slice()].concat()),
            E::Icmpv4TooSmall,
        ),
        (ipv4(132, &[0; 11]), E::SctpTooSmall),
        (
            ipv4_with(6, &[7, 0, 0, 0], &tcp(&[], b"")),
            E::Ipv4OptMalformed,
        ),
        (
            ipv4_with(6, &[7, 5, 4, 0], &tcp(&[], b"")),
            E::Ipv4OptMalformed,
        ),
        (
            ipv4_with(6, &[1, 1, 1, 7], &tcp(&[], b"")),
            E::Ipv4OptEolRequired,
        ),
        (broken(t6(), &[], Some(39)), E::Ipv6TooSmall),
        (broken(t6(), &[(5, 25)], None), E::Ipv6Truncated),
        (ipv6(58, &[128, 0, 0, 0, 0, 0, 0]), E::Icmpv6TooSmall),
        (ipv6(0, &[6]), E::Ipv6TruncatedExtension),
        (
            ipv6(0, &[6, 1, 0, 0, 0, 0, 0, 0]),
            E::Ipv6TruncatedExtension,
        ),
        (ipv6(44, &[6, 0, 0, 0, 0, 0, 0]), E::Ipv6TruncatedExtension),
        (ipv6(0, &[6, 0, 1, 5, 0, 0, 0, 0]), E::Ipv6InvalidOptionLen),
        (ipv6(0, &[6, 0, 5, 3, 0, 0, 0, 0]), E::Ipv6InvalidOptionLen),
        (
            ipv6(60, &[0, 0, 1, 4, 0, 0, 0, 0, 6, 0, 1, 4]),
            E::Ipv6DuplicateHopByHop,
        ),
        (
            ipv6_fragment(44, 1, 0, false, &fragment_header(6, 2, 0, false, b"x")),
            E::Ipv6DuplicateFragment,
        ),
        (
            ipv6(60, &[60, 0, 1, 4, 0, 0, 0, 0].repeat(17)),
            E::TooManyLayers,
        ),
    ];
    for (frame, event) in table {
        assert_eq!(fatal(&frame, LinkType::RawIp), event, "{frame:02x?}");
    }
    let tag = [0, 1, 0x81, 0];
    let table: Vec<(LinkType, Vec<u8>, E)> = vec![
        (LinkType::Ethernet, vec![0; 13], E::EthernetTooSmall),
        (
            LinkType::Ethernet,
            ethernet(0x8100, &[0, 1, 8]),
            E::VlanTooSmall,
        ),
        (
            LinkType::Ethernet,
            ethernet(0x8100, &tag.repeat(4)),
            E::VlanTooManyLayers,
        ),
        (
            LinkType::Ethernet,
            ethernet(0x0800, &t6()),
            E::Ipv4WrongVersion,
        ),
        (
            LinkType::Ethernet,
            ethernet(0x86dd, &[t4(), t4()].concat()),
            E::Ipv6WrongVersion,
        ),
        (
            LinkType::Ethernet,
            ethernet(0x8847, &[0, 0, 0]),
            E::MplsTooSmall,
        ),
        (
            LinkType::Ethernet,
            ethernet(0x8847, &[1, 1, 1, 64]),
            E::MplsPacketTooSmall,
        ),
        (
            LinkType::Ethernet,
            ethernet(0x8847, &[1, 1, 0, 64].repeat(20)),
            E::TooManyLayers,
        ),
        (
            LinkType::Ethernet,
            ethernet(0x8864, &[0x11; 5]),
            E::PppoeTooSmall,
        ),
        (
            LinkType::Ethernet,
            ethernet(0x8926, &[0; 5]),
            E::VntagTooSmall,
        ),
        (
            LinkType::Ethernet,
            ethernet(0x893f, &[0; 7]),
            E::EtagTooSmall,
        ),
        (
            LinkType::Ethernet,
            ethernet(0x88e7, &[0; 17]),
            E::Ieee8021ahTooSmall,
        ),
        (
            LinkType::Ethernet,
            ethernet(0x8903, &[0; 15]),
            E::DceTooSmall,
        ),
        (LinkType::LinuxSll, vec![0; 15], E::SllTooSmall),
        (LinkType::LinuxSll2, vec![0; 19], E::Sll2TooSmall),
        (LinkType::Null, vec![2, 0, 0], E::NullTooSmall),
        (LinkType::Loop, vec![0, 0, 2], E::NullTooSmall),
        (LinkType::CiscoHdlc, vec![0x0f, 0, 8], E::ChdlcTooSmall),
        (LinkType::Ppp, vec![0xff], E::PppTooSmall),
        (
            LinkType::Ppp,
            vec![0xff, 3, 0, 0x21, 0x45],
            E::PppIpv4TooSmall,
        ),
        (
            LinkType::Ppp,
            vec![0xff, 3, 0, 0x57, 0x60],
            E::PppIpv6TooSmall,
        ),
    ];
    for (link, frame, event) in table {
        assert_eq!(fatal(&frame, link), event, "{link:?} {frame:02x?}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a flat table")]
fn odd_but_unambiguous_packets_are_delivered_with_an_event() {
    let t = || tcp(&[], b"data");
    let sack = [5, 10, 0, 0, 0, 1, 0, 0, 0, 2, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2];
    let table: Vec<(Vec<u8>, &[&str])> = vec![
        (
            ipv4_with(6, &[130, 2, 0, 0], &t()),
            &["decoder.ipv4.opt_invalid_len"],
        ),
        (
            ipv4_with(6, &[131, 3, 2, 0], &t()),
            &["decoder.ipv4.opt_invalid"],
        ),
        (
            ipv4_with(6, &[148, 4, 0, 0, 148, 4, 0, 0], &t()),
            &["decoder.ipv4.opt_duplicate"],
        ),
        (
            ipv4_with(6, &[200, 4, 0, 0], &t()),
            &["decoder.ipv4.opt_unknown"],
        ),
        (ipv4(58, &[0; 8]), &["decoder.ipv4.icmpv6"]),
        (ipv4(201, b""), &["decoder.ipv4.unknown_protocol"]),
        (ipv4(50, &[0; 7]), &["decoder.esp.pkt_too_small"]),
        (ipv6(50, &[0; 8]), &[]),
        (
            ipv4(6, &tcp(&[2, 3, 5, 0], b"")),
            &["decoder.tcp.opt_invalid_len"],
        ),
        (
            ipv4(6, &tcp(&[2, 9, 5, 0], b"")),
            &["decoder.tcp.invalid_optlen"],
        ),
        (
            ipv4(6, &tcp(&[9, 0, 0, 0], b"")),
            &["decoder.tcp.invalid_optlen"],
        ),
        (ipv4(6, &tcp(&sack, b"")), &["decoder.tcp.opt_duplicate"]),
        (ipv4(6, &tcp(&[5, 2, 0, 0], b"")), &[]),
        (
            ipv4(1, &icmp(99, 0, [0; 4], b"")),
            &["decoder.icmpv4.unknown_type"],
        ),
        (
            ipv4(1, &icmp(8, 9, [0; 4], b"")),
            &["decoder.icmpv4.unknown_code"],
        ),
        (
            ipv4(1, &icmp(3, 1, [0; 4], &[0; 19])),
            &["decoder.icmpv4.ipv4_trunc_pkt"],
        ),
        (
            ipv4(1, &icmp(3, 1, [0; 4], &[0; 20])),
            &["decoder.icmpv4.ipv4_unknown_ver"],
        ),
        (ipv4(1, &icmp(3, 1, [0; 4], &ipv4(6, b""))), &[]),
        (ipv4(2, &[0x16; 7]), &["decoder.igmp.pkt_too_small"]),
        (
            ipv4(2, &[0x22, 0, 0, 0, 0, 0, 0, 9]),
            &["decoder.igmp.malformed"],
        ),
        (ipv6(1, &[0; 8]), &["decoder.ipv6.icmpv4"]),
        (ipv6(59, b""), &[]),
        (ipv6(59, b"x"), &["decoder.ipv6.data_after_none_header"]),
        (
            ipv6(58, &icmp(101, 0, [0; 4], b"")),
            &["decoder.icmpv6.experimentation_type"],
        ),
        (
            ipv6(58, &icmp(99, 0, [0; 4], b"")),
            &["decoder.icmpv6.unassigned_type"],
        ),
        (
            ipv6(58, &icmp(128, 1, [0; 4], b"")),
            &["decoder.icmpv6.unknown_code"],
        ),
        (
            ipv6(58, &icmp(131, 0, [0; 4], &[0; 16])),
            &["decoder.icmpv6.mld_message_with_invalid_hl"],
        ),
        (ipv6(4, &[0; 19]), &["decoder.ipv6.ipv4_in_ipv6_too_small"]),
        (
            ipv6(4, &[0; 20]),
            &["decoder.ipv6.ipv4_in_ipv6_wrong_version"],
        ),
        (ipv6(41, &[0; 39]), &["decoder.ipv6.ipv6_in_ipv6_too_small"]),
        (
            ipv6(60, &[options_header(6, &[0x1e, 0]), t()].concat()),
            &["decoder.ipv6.dstopts_unknown_opt"],
        ),
        (
            ipv6(0, &[options_header(6, &[1, 0]), t()].concat()),
            &[
                "decoder.ipv6.hopopts_only_padding",
                "decoder.ipv6.zero_len_padn",
            ],
        ),
        (
            ipv6(43, &[vec![6, 0, 0, 0, 0, 0, 0, 0], t()].concat()),
            &["decoder.ipv6.rh_type_0"],
        ),
    ];
    for (frame, expected) in table {
        let packet = raw(&frame);
        assert_eq!(names(packet.events), expected, "{frame:02x?}");
    }
}
