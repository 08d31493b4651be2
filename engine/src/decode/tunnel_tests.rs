//! What tunnels carry, and what only looks like one.

use super::testing::*;
use super::tests::{names, raw};
use super::*;

/// The packet inside, and the outer one's events.
fn carried(frame: &[u8]) -> (Option<Result<Packet<'_>, DecodeEvent>>, Vec<&'static str>) {
    let mut outer = raw(frame);
    let inner = inner(&mut outer).map(|inner| inner.map_err(|error| error.event));
    (inner, names(outer.events))
}

#[test]
fn tunnels_carry_packets_of_their_own() {
    let i4 = ipv4(17, &udp(9, 99, b"inner"));
    let i6 = ipv6(17, &udp(9, 99, b"inner"));
    let frame4 = ethernet(0x0800, &i4);
    let join = |header: &[u8], inner: &[u8]| [header, inner].concat();
    let vxlan = [8, 0, 0, 0, 0, 0, 1, 0];
    let geneve = [0, 0, 0x65, 0x58, 0, 0, 1, 0];
    let teredo_auth = [&[0, 1, 0, 0][..], &[0; 9], &[0, 0, 1, 2, 3, 4, 5, 6]].concat();
    let table: Vec<(&str, Vec<u8>)> = vec![
        ("ipip", ipv4(4, &i4)),
        ("6in4", ipv4(41, &i6)),
        ("4in6", ipv6(4, &i4)),
        ("6in6", ipv6(41, &i6)),
        ("gre", ipv4(47, &join(&[0, 0, 8, 0], &i4))),
        (
            "gre key",
            ipv4(47, &join(&[0x20, 0, 0x86, 0xdd, 0, 0, 0, 1], &i6)),
        ),
        (
            "gre ethernet",
            ipv4(47, &join(&[0, 0, 0x65, 0x58], &frame4)),
        ),
        ("erspan 1", ipv4(47, &join(&[0, 0, 0x88, 0xbe], &frame4))),
        (
            "erspan 2",
            ipv4(
                47,
                &join(
                    &[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0, 0, 0, 0, 0, 0, 0],
                    &frame4,
                ),
            ),
        ),
        (
            "pptp",
            ipv4(
                47,
                &join(
                    &[
                        0x30, 1, 0x88, 0x0b, 0, 0, 0, 1, 0, 0, 0, 1, 0xff, 3, 0, 0x21,
                    ],
                    &i4,
                ),
            ),
        ),
        ("vxlan", ipv4(17, &udp(5000, 4789, &join(&vxlan, &frame4)))),
        (
            "geneve",
            ipv6(17, &udp(5000, 6081, &join(&geneve, &frame4))),
        ),
        ("teredo", ipv4(17, &udp(5000, 3544, &i6))),
        (
            "teredo auth",
            ipv4(17, &udp(3544, 5000, &join(&teredo_auth, &i6))),
        ),
    ];
    for (name, frame) in table {
        let (inner, events) = carried(&frame);
        let Some(Ok(packet)) = inner else {
            panic!("{name}: {inner:?} {events:?}")
        };
        assert_eq!(packet.payload(), b"inner", "{name}");
        assert_eq!(packet.ports(), (9, 99), "{name}");
        assert_eq!(packet.tunnel_depth, 1, "{name}");
        assert_eq!(events, [""; 0], "{name}");
    }
}

#[test]
fn what_only_looks_like_a_tunnel_is_none() {
    for frame in [
        ipv4(17, &udp(5000, 4789, b"short")),
        ipv4(17, &udp(5000, 4789, &[0; 60])),
        ipv4(17, &udp(5000, 4789, &[8; 60])),
        ipv4(17, &udp(5000, 6081, &[0x40; 60])),
        ipv4(17, &udp(5000, 3544, b"\x01\x02question")),
        ipv4(17, &udp(4789, 53, &[8; 60])),
    ] {
        let (inner, events) = carried(&frame);
        assert!(inner.is_none(), "{inner:?}");
        assert_eq!(events, [""; 0]);
    }
}

#[test]
fn wrong_tunnel_headers_are_events_of_the_outer_packet() {
    let table: [(&[u8], &str); 8] = [
        (&[0, 0, 8], "decoder.gre.pkt_too_small"),
        (&[0, 2, 8, 0], "decoder.gre.wrong_version"),
        (&[1, 0, 8, 0], "decoder.gre.version0_recur"),
        (&[0, 8, 8, 0], "decoder.gre.version0_flags"),
        (&[0x20, 0, 8, 0, 0], "decoder.gre.version0_hdr_too_big"),
        (
            &[0, 1, 0x88, 0x0b, 0, 0, 0, 0],
            "decoder.gre.version1_no_key",
        ),
        (
            &[0x20, 1, 8, 0, 0, 0, 0, 0],
            "decoder.gre.version1_wrong_protocol",
        ),
        (
            &[0xa0, 1, 0x88, 0x0b, 0, 0, 0, 0],
            "decoder.gre.version1_chksum",
        ),
    ];
    for (header, event) in table {
        let frame = ipv4(47, header);
        let (inner, events) = carried(&frame);
        assert!(inner.is_none(), "{header:x?}");
        assert_eq!(events, [event], "{header:x?}");
    }
}

#[test]
fn a_mirrored_frame_with_too_many_tags_is_undeliverable() {
    let tags = ethernet(0x8100, &[0, 1, 0x81, 0].repeat(4));
    let frame = ipv4(47, &[&[0, 0, 0x88, 0xbe][..], &tags].concat());
    let (inner, _) = carried(&frame);
    assert!(matches!(inner, Some(Err(DecodeEvent::ErspanTooManyVlans))));
}

#[test]
fn tunnels_nest_to_a_limit_and_no_further() {
    let mut frame = ipv4(17, &udp(9, 99, b"core"));
    for _ in 0..=MAX_TUNNEL_DEPTH {
        frame = ipv4(4, &frame);
    }
    let mut packet = raw(&frame);
    for depth in 1..=MAX_TUNNEL_DEPTH {
        packet = inner(&mut packet).expect("a tunnel").expect("right");
        assert_eq!(packet.tunnel_depth, depth);
    }
    let error = inner(&mut packet).expect("a tunnel").expect_err("too deep");
    assert_eq!(error.event, DecodeEvent::TooManyLayers);
}
