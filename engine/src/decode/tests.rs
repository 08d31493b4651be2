//! What is read from right frames.

use std::net::IpAddr;

use super::testing::*;
use super::*;
use crate::packet::{Network, TcpOptions, Transport};

pub(super) fn names(events: Events) -> Vec<&'static str> {
    events.iter().map(DecodeEvent::name).collect()
}

/// Decodes what must be deliverable.
pub(super) fn good(frame: &[u8], link: LinkType) -> Packet<'_> {
    decode(frame, link).unwrap_or_else(|error| panic!("{:?}: {:?}", error.event, error.packet))
}

pub(super) fn raw(frame: &[u8]) -> Packet<'_> {
    good(frame, LinkType::RawIp)
}

#[test]
#[expect(clippy::too_many_lines, reason = "a flat table")]
fn every_link_type_leads_to_the_same_packet() {
    let ip = ipv4(17, &udp(1000, 53, b"query"));
    let with = |prefix: &[u8]| [prefix, &ip].concat();
    let dot1q = |kind: u16, id: u16, next: u16, inner: &[u8]| {
        ethernet(
            kind,
            &[&id.to_be_bytes()[..], &next.to_be_bytes(), inner].concat(),
        )
    };
    let pppoe_len = u16::try_from(ip.len() + 2).expect("small").to_be_bytes();
    let snap_len = u16::try_from(ip.len() + 8).expect("small");
    let snap = with(&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0]);
    let table: Vec<(&str, LinkType, Vec<u8>)> = vec![
        ("ethernet", LinkType::Ethernet, ethernet(0x0800, &ip)),
        (
            "padded",
            LinkType::Ethernet,
            [ethernet(0x0800, &ip), vec![0; 9]].concat(),
        ),
        ("snap", LinkType::Ethernet, ethernet(snap_len, &snap)),
        (
            "vlan",
            LinkType::Ethernet,
            dot1q(0x8100, 0x2005, 0x0800, &ip),
        ),
        (
            "qinq",
            LinkType::Ethernet,
            dot1q(0x88a8, 5, 0x8100, &with(&[0, 6, 8, 0])),
        ),
        (
            "three tags",
            LinkType::Ethernet,
            dot1q(0x9100, 5, 0x8100, &with(&[0, 6, 0x81, 0, 0, 7, 8, 0])),
        ),
        (
            "vn-tag",
            LinkType::Ethernet,
            ethernet(0x8926, &with(&[0, 0, 0, 0, 8, 0])),
        ),
        (
            "e-tag",
            LinkType::Ethernet,
            ethernet(0x893f, &with(&[0, 0, 0, 0, 0, 0, 8, 0])),
        ),
        (
            "802.1ah",
            LinkType::Ethernet,
            ethernet(0x88e7, &[&[0; 4][..], &ethernet(0x0800, &ip)].concat()),
        ),
        (
            "mpls",
            LinkType::Ethernet,
            ethernet(0x8847, &with(&[0, 1, 0, 64, 0, 1, 1, 64])),
        ),
        (
            "mpls ethernet",
            LinkType::Ethernet,
            ethernet(
                0x8847,
                &[&[0, 1, 1, 64, 0, 0, 0, 0][..], &ethernet(0x0800, &ip)].concat(),
            ),
        ),
        (
            "pppoe",
            LinkType::Ethernet,
            ethernet(
                0x8864,
                &with(&[0x11, 0, 0, 1, pppoe_len[0], pppoe_len[1], 0, 0x21]),
            ),
        ),
        ("raw", LinkType::RawIp, ip.clone()),
        (
            "sll",
            LinkType::LinuxSll,
            with(&[0, 0, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, 8, 0]),
        ),
        (
            "sll2",
            LinkType::LinuxSll2,
            with(&[8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0]),
        ),
        ("null le", LinkType::Null, with(&[2, 0, 0, 0])),
        ("null be", LinkType::Null, with(&[0, 0, 0, 2])),
        ("loop", LinkType::Loop, with(&[0, 0, 0, 2])),
        ("ppp", LinkType::Ppp, with(&[0xff, 3, 0, 0x21])),
        ("ppp bare", LinkType::Ppp, with(&[0, 0x21])),
        ("ppp compressed", LinkType::Ppp, with(&[0x21])),
        ("chdlc", LinkType::CiscoHdlc, with(&[0x0f, 0, 8, 0])),
    ];
    for (name, link, frame) in table {
        let packet = good(&frame, link);
        assert_eq!(packet.network, Network::Ipv4, "{name}");
        assert_eq!(packet.payload(), b"query", "{name}");
        assert_eq!(packet.ports(), (1000, 53), "{name}");
        assert_eq!(packet.ip_header(), &ip[..20], "{name}");
        assert_eq!(packet.segment(), &ip[20..], "{name}");
        assert_eq!(names(packet.events), [""; 0], "{name}");
    }
}

#[test]
fn vlan_ids_are_kept_outermost_first() {
    let ip = ipv4(17, &udp(1, 2, b""));
    let tags = [&[0x20, 5, 0x81, 0, 0, 6, 8, 0][..], &ip].concat();
    let frame = ethernet(0x88a8, &tags);
    let packet = good(&frame, LinkType::Ethernet);
    assert_eq!((packet.vlan, packet.vlan_layers), ([5, 6, 0], 2));
}

#[test]
fn ipv4_fields_and_addresses_are_read() {
    let mut ip = ipv4_with(6, &[1, 1, 1, 0], &tcp(&[], b"data"));
    ip[1] = 0xb8;
    let packet = raw(&ip);
    assert_eq!(packet.source, IpAddr::from(A4));
    assert_eq!(packet.destination, IpAddr::from(B4));
    assert_eq!((packet.ttl, packet.tos, packet.protocol), (64, 0xb8, 6));
    assert_eq!((packet.ip_id, packet.ip_flags), (0x1234, 2));
    assert_eq!(packet.ip_options(), [1, 1, 1, 0]);
    assert_eq!(packet.payload(), b"data");
    let Transport::Tcp(tcp) = packet.transport else {
        panic!("{packet:?}")
    };
    assert_eq!((tcp.sequence, tcp.acknowledgement), (7, 9));
    assert_eq!((tcp.flags, tcp.window, tcp.urgent), (0x18, 0x2000, 5));
}

#[test]
fn ipv6_extension_headers_lead_to_the_transport() {
    let segment = tcp(&[], b"deep");
    let authentication = [&[60, 4, 0, 0][..], &[0; 20]].concat();
    let chain = [
        options_header(43, &[5, 2, 0, 0]),
        vec![51, 0, 2, 0, 0, 0, 0, 0],
        authentication,
        options_header(6, &[4, 1, 3]),
        segment,
    ]
    .concat();
    let mut ip = ipv6(0, &chain);
    ip[0] = 0x6b;
    ip[1] = 0x80;
    let packet = raw(&ip);
    assert_eq!(packet.source, IpAddr::from(A6));
    assert_eq!(packet.payload(), b"deep");
    assert_eq!(packet.tos, 0xb8);
    assert_eq!(packet.protocol, 6);
    assert_eq!(names(packet.events), [""; 0]);
    use crate::packet::Extensions as X;
    assert_eq!(
        packet.extensions,
        X::HOP_BY_HOP | X::ROUTING | X::AUTHENTICATION | X::DESTINATION
    );
}

#[test]
fn what_lies_beyond_the_ip_or_udp_length_is_no_payload() {
    let mut ip = ipv4(17, &[udp(1, 2, b"inside"), b"outside".to_vec()].concat());
    ip.extend_from_slice(b"padding");
    let packet = raw(&ip);
    assert_eq!(packet.payload(), b"inside");
    let ip = [ipv6(6, &tcp(&[], b"inside")), b"padding".to_vec()].concat();
    assert_eq!(raw(&ip).payload(), b"inside");
}

#[test]
fn the_transport_of_a_fragment_is_not_decoded() {
    let segment = tcp(&[], b"0123");
    for (ip, protocol) in [
        (ipv4_fragment(6, 9, 0, true, &segment), 6),
        (ipv4_fragment(6, 9, 24, false, &segment), 6),
        (ipv6_fragment(6, 9, 0, true, &segment), 6),
        (ipv6_fragment(6, 9, 24, false, &segment), 6),
    ] {
        let packet = raw(&ip);
        let fragment = packet.fragment.expect("a fragment");
        assert_eq!(fragment.id, 9);
        assert_eq!(fragment.more, fragment.offset == 0);
        assert_eq!(packet.transport, Transport::None);
        assert_eq!(packet.protocol, protocol);
        assert_eq!(packet.payload(), segment);
    }
}

#[test]
fn an_atomic_fragment_is_a_whole_packet() {
    let ip = ipv6_fragment(6, 9, 0, false, &tcp(&[], b"whole"));
    let packet = raw(&ip);
    assert_eq!(packet.fragment, None);
    assert_eq!(packet.payload(), b"whole");
    assert_eq!(names(packet.events), ["decoder.ipv6.exthdr_useless_fh"]);
}

#[test]
fn what_is_no_ip_is_delivered_undecoded() {
    let arp = ethernet(0x0806, &[0; 28]);
    assert_eq!(good(&arp, LinkType::Ethernet).network, Network::Arp);
    let bridge = ethernet(38, &[&[0x42, 0x42, 3][..], &[0; 43]].concat());
    let packet = good(&bridge, LinkType::Ethernet);
    assert_eq!(packet.network, Network::Other);
    assert_eq!(names(packet.events), [""; 0]);
    let unknown = ethernet(0x88b5, b"local experiment");
    let packet = good(&unknown, LinkType::Ethernet);
    assert_eq!(names(packet.events), ["decoder.ethernet.unknown_ethertype"]);
}

#[test]
fn tcp_options_are_read_as_receivers_read_them() {
    let read = |options: &[u8]| match raw(&ipv4(6, &tcp(options, b""))).transport {
        Transport::Tcp(tcp) => tcp.options,
        other => panic!("{other:?}"),
    };
    let timestamps = Some((0x0102_0304, 0x0506_0708));
    let aligned = [1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8];
    assert_eq!(
        read(&aligned),
        TcpOptions {
            timestamps,
            ..TcpOptions::default()
        }
    );
    let syn = [
        2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 3, 3, 200,
    ];
    assert_eq!(
        read(&syn),
        TcpOptions {
            mss: Some(1460),
            window_scale: Some(14),
            sack_permitted: true,
            timestamps,
            fast_open: false,
        }
    );
    assert!(read(&[34, 2, 0, 0]).fast_open);
    assert!(read(&[254, 4, 0xf9, 0x89]).fast_open);
    // The end of the list hides what follows; of two the last counts; a bad length ends the list.
    assert_eq!(read(&[0, 2, 4, 5, 0xb4, 0, 0, 0]).mss, None);
    assert_eq!(read(&[2, 4, 0, 1, 2, 4, 0, 2]).mss, Some(2));
    assert_eq!(read(&[9, 1, 2, 4, 5, 0xb4, 0, 0]).mss, None);
    assert_eq!(read(&[2, 3, 9, 2, 4, 5, 0xb4, 0]).mss, Some(1460));
}

#[test]
fn icmp_identifies_what_asks_and_answers() {
    let id = |frame: &[u8]| match raw(frame).transport {
        Transport::Icmp4(icmp) | Transport::Icmp6(icmp) => (icmp.id, icmp.sequence),
        other => panic!("{other:?}"),
    };
    let rest = [0, 7, 0, 9];
    assert_eq!(id(&ipv4(1, &icmp(8, 0, rest, b""))), (Some(7), Some(9)));
    assert_eq!(
        id(&ipv4(1, &icmp(13, 0, rest, &[0; 12]))),
        (Some(7), Some(9))
    );
    assert_eq!(id(&ipv4(1, &icmp(3, 0, rest, b""))), (None, None));
    assert_eq!(id(&ipv6(58, &icmp(129, 0, rest, b""))), (Some(7), Some(9)));
}
