//! Protocols, addresses, ports, directions, header keywords.

use super::lab::{CLIENT, Lab, SERVER, compile, datagram, icmp, ipv6, request, tcp, tcp_segment};
use crate::event::{FlowDirection, Volume};
use crate::frame::Timestamp;

fn hits(rule: &str, frame: &[u8]) -> bool {
    !Lab::new(rule).packet(frame).is_empty()
}

#[test]
fn addresses_and_ports_select_the_packet() {
    let frame = request(b"x");
    for (header, expected) in [
        ("tcp any any -> any any", true),
        ("tcp 10.0.0.1 any -> any any", true),
        ("tcp !10.0.0.1 any -> any any", false),
        ("tcp 10.0.0.2 any -> any any", false),
        ("tcp 10.0.0.2 any <> any any", true),
        ("tcp any 80 <> any any", true),
        ("tcp any 80 -> any any", false),
        ("tcp any any -> any 80", true),
        ("tcp any any -> any !80", false),
        ("tcp any any -> any [1:79,81:]", false),
        ("tcp any any -> any [!443,!8080]", true),
        ("tcp any any -> any [1:100,!80]", false),
        ("tcp any any -> any $HTTP_PORTS", true),
        ("tcp any any -> any !$HTTP_PORTS", false),
        ("tcp any :1024 -> any any", true),
        ("tcp any 1025: -> any any", false),
        ("tcp [10.0.0.0/24,!10.0.0.1] any -> any any", false),
        ("tcp [10.0.0.0/24,!10.0.0.2] any -> any any", true),
        ("tcp $HOME_NET any -> $HOME_NET any", true),
        ("tcp $EXTERNAL_NET any -> $HOME_NET any", false),
        ("tcp fd00::/8 any -> any any", false),
        ("tcp-pkt any any -> any any", true),
        ("ip any any -> any any", true),
        ("ip any any -> any 80", true),
        ("ipv4 any any -> any any", true),
        ("ipv6 any any -> any any", false),
        ("udp any any -> any any", false),
        ("icmp any any -> any any", false),
        ("pkthdr any any -> any any", true),
    ] {
        let rule = format!("alert {header} (dsize:1; sid:1;)");
        assert_eq!(hits(&rule, &frame), expected, "{header}");
        let with_content = format!("alert {header} (content:\"x\"; sid:1;)");
        assert_eq!(
            hits(&with_content, &frame),
            expected,
            "{header} with content"
        );
    }
}

#[test]
fn protocols_select_the_packet() {
    let v6 = ipv6(6, &tcp_segment(1024, 80, 0x18, b"x"));
    let echo6 = ipv6(58, &[128, 0, 0, 0, 0, 1, 0, 2]);
    let frames = [
        request(b"x"),
        v6,
        datagram(b"x"),
        icmp(8, 0, &[0, 1, 0, 2]),
        echo6,
    ];
    for (protocol, expected) in [
        ("tcp", [true, true, false, false, false]),
        ("udp", [false, false, true, false, false]),
        ("icmp", [false, false, false, true, true]),
        ("icmpv6", [false, false, false, false, true]),
        ("ip", [true; 5]),
        ("ipv6", [false, true, false, false, true]),
        ("ipv4", [true, false, true, true, false]),
    ] {
        let rule = format!("alert {protocol} any any -> any any (ttl:>0; sid:1;)");
        for (frame, expected) in frames.iter().zip(expected) {
            assert_eq!(hits(&rule, frame), expected, "{protocol} {frame:?}");
        }
    }
}

#[test]
fn ports_say_nothing_of_traffic_without_ports() {
    let echo = icmp(8, 0, &[0, 1, 0, 2]);
    assert!(!hits("alert ip any any -> any 0 (itype:8; sid:1;)", &echo));
    assert!(!hits(
        "alert ip any any -> any !80 (itype:8; sid:1;)",
        &echo
    ));
    assert!(hits("alert ip any any -> any any (itype:8; sid:1;)", &echo));
}

/// One of the frames below.
#[derive(Clone, Copy)]
enum Frame {
    Segment,
    Echo,
}
use Frame::{Echo, Segment};

/// Options, the frame, whether they hold of it.
#[rustfmt::skip]
const FIELDS: &[(&str, Frame, bool)] = &[
    ("ttl:61;", Segment, true),
    ("ttl:<61;", Segment, false),
    ("tos:16;", Segment, true),
    ("tos:x10;", Segment, true),
    ("tos:!16;", Segment, false),
    ("tos:!0; tos:!8; tos:!24;", Segment, true),
    ("ttl:>=61;", Segment, true),
    ("ttl:60-62;", Segment, true),
    ("ttl:61-63;", Segment, false),
    ("ttl:!60-62;", Segment, false),
    ("ttl:&0xf0=0x30;", Segment, true),
    ("window:!4096;", Segment, false),
    ("window:!55808;", Segment, true),
    ("window:4kb;", Segment, true),
    ("tcp.mss:536-1461;", Segment, true),
    ("tcp.mss:1460-1500;", Segment, false),
    ("tcp.mss:>1459;", Segment, true),
    ("dsize:!7;", Segment, false),
    ("dsize:!8;", Segment, true),
    ("icmp_seq:!772;", Echo, false),
    ("icmp_seq:>771;", Echo, true),
    ("itype:7<>9;", Echo, true),
    ("fragbits:!D;", Segment, false),
    ("fragbits:*MR;", Segment, false),
    ("fragbits:+DM;", Segment, false),
    ("id:4660;", Segment, true),
    ("ip_proto:6;", Segment, true),
    ("ip_proto:TCP;", Segment, true),
    ("ip_proto:!udp;", Segment, true),
    ("fragbits:D;", Segment, true),
    ("fragbits:M;", Segment, false),
    ("fragbits:+D;", Segment, true),
    ("fragbits:!M;", Segment, true),
    ("fragbits:*MD;", Segment, true),
    ("fragoffset:0;", Segment, true),
    ("ipopts:any;", Segment, false),
    ("flags:PA;", Segment, true),
    ("flags:A;", Segment, false),
    ("flags:+A;", Segment, true),
    ("flags:*SA;", Segment, true),
    ("flags:!S;", Segment, true),
    ("flags:A,P;", Segment, true),
    ("tcp.flags:PA;", Segment, true),
    ("seq:1000;", Segment, true),
    ("ack:2000;", Segment, true),
    ("window:4096;", Segment, true),
    ("tcp.mss:1460;", Segment, true),
    ("tcp.mss:<536;", Segment, false),
    ("sameip;", Segment, false),
    ("itype:8;", Echo, true),
    ("itype:>8;", Echo, false),
    ("icode:3;", Echo, true),
    ("icmp_id:258;", Echo, true),
    ("icmp_seq:772;", Echo, true),
    ("vlan.layers:0;", Segment, true),
    ("vlan.id:!500;", Segment, false),
    (
        "ipv4.hdr; content:\"|3d 06|\"; offset:8; depth:2;",
        Segment,
        true,
    ),
    ("ipv4.hdr; content:\"payload\";", Segment, false),
    ("ipv6.hdr; content:\"|06|\";", Segment, false),
    (
        "tcp.hdr; content:\"|02 04|\"; offset:20; byte_test:2,=,1460,0,relative;",
        Segment,
        true,
    ),
    ("tcp.hdr; bsize:24;", Segment, true),
    ("icmpv4.hdr; content:\"|08 03|\"; startswith;", Echo, true),
    (
        "tcp.hdr; bsize:24; content:\"|50|\"; pkt_data; content:\"payload\";",
        Segment,
        true,
    ),
];

#[test]
fn header_keywords_read_their_field() {
    let segment = request(b"payload");
    let echo = icmp(8, 3, &[0x01, 0x02, 0x03, 0x04]);
    for &(options, frame, expected) in FIELDS {
        let frame = match frame {
            Segment => &segment,
            Echo => &echo,
        };
        let rule = format!("alert ip any any -> any any ({options} sid:1;)");
        assert_eq!(hits(&rule, frame), expected, "{options}");
    }
    let own = tcp((CLIENT, 1), (CLIENT, 2), 2, b"");
    assert!(hits(
        "alert ip any any -> any any (sameip; flags:S; sid:1;)",
        &own
    ));
}

#[test]
fn flow_keywords_ask_the_flow() {
    for (options, expected) in [
        ("flow:established;", true),
        ("flow:not_established;", false),
        ("flow:stateless;", true),
        ("flow:to_server;", true),
        ("flow:from_client;", true),
        ("flow:to_client;", false),
        ("flow:from_server;", false),
        ("flow:established,to_server;", true),
        ("flow:no_frag;", true),
        ("flow:only_frag;", false),
        ("flow.age:>20;", true),
        ("flow.age:<20;", false),
        ("flow.pkts:toserver,10;", true),
        ("flow.pkts:toclient,>10;", false),
        ("flow.pkts:either,20;", false),
        ("flow.pkts:both,>4;", true),
        ("flow.pkts:both,>5;", false),
        ("flow.bytes_toserver:>2000;", true),
        ("flow.bytes:toclient,<10;", true),
        ("stream_size:client,>,500;", true),
        ("stream_size:server,>,500;", false),
        ("stream_size:both,<,1000;", true),
        ("stream_size:either,=,100;", true),
    ] {
        let mut lab = Lab::new(&format!("alert tcp any any -> any any ({options} sid:1;)"));
        lab.now = Timestamp(30_000_000_000);
        if let Some(view) = &mut lab.view {
            view.to_server = Volume {
                packets: 10,
                bytes: 2500,
            };
            view.to_client = Volume {
                packets: 5,
                bytes: 5,
            };
            view.stream_bytes = [600, 100];
        }
        assert_eq!(
            !lab.packet(&request(b"x")).is_empty(),
            expected,
            "{options}"
        );
    }
}

#[test]
fn without_a_flow_no_direction_and_no_establishment_holds() {
    for (options, expected) in [
        ("flow:established;", false),
        ("flow:to_server;", false),
        ("flow:to_client;", false),
        ("flow:stateless;", true),
        ("flow:not_established;", true),
        ("dsize:1;", true),
    ] {
        let mut lab = Lab::new(&format!("alert tcp any any -> any any ({options} sid:1;)"));
        lab.view = None;
        assert_eq!(
            !lab.packet(&request(b"x")).is_empty(),
            expected,
            "{options}"
        );
    }
}

#[test]
fn to_client_rules_meet_packets_to_the_client_only() {
    let rule = "alert tcp any 80 -> any any (flow:to_client; content:\"x\"; sid:1;)";
    let mut lab = Lab::new(rule);
    let reply = tcp((SERVER, 80), (CLIENT, 1024), 0x18, b"x");
    assert!(lab.packet(&reply).is_empty());
    lab.direction(FlowDirection::ToClient);
    assert_eq!(lab.packet(&reply), [1]);
}

#[test]
fn events_meet_the_rules_that_name_them() {
    let text = "alert pkthdr any any -> any any (decode-event:ipv4.pkt_too_small; sid:1;)\n\
        alert tcp any any -> any any (stream-event:pkt_invalid_ack; sid:2;)\n\
        alert ip any any -> any any (sid:3;)";
    let mut lab = Lab::new(text);
    assert_eq!(lab.packet(&request(b"")), [3]);
    lab.events = vec!["stream.pkt_invalid_ack"];
    assert_eq!(lab.packet(&request(b"")), [2]);
    lab.events = vec!["decoder.ipv4.pkt_too_small"];
    lab.view = None;
    assert_eq!(lab.packet(&[0x45, 0]), [1]);
}

#[test]
fn the_segment_that_completes_the_handshake_is_part_of_it_unless_it_brings_data() {
    let text = "alert tcp any any -> any any (flow:established; sid:1;)\n\
        alert tcp any any -> any any (flow:not_established; sid:2;)";
    let mut lab = Lab::new(text);
    assert_eq!(lab.packet(&request(b"")), [2]);
    assert_eq!(lab.packet(&request(b"")), [1]);
    assert_eq!(Lab::new(text).packet(&request(b"data")), [1]);
}

#[test]
fn reputation_is_asked_of_the_side_that_is_named() {
    for (value, fires) in [
        ("src,bad,>,30", true),
        ("src,bad,>,50", false),
        ("dst,bad,>=,0", false),
        ("any,bad,=,50", true),
        ("both,bad,=,50", false),
        ("both,good,<=,5", true),
        ("src,bad,isset", true),
        ("dst,bad,isset", false),
        ("dst,bad,isnotset", true),
        ("both,nobody,isnotset", true),
    ] {
        let rule = format!("alert ip any any -> any any (iprep:{value}; sid:1;)");
        let fired = !Lab::new(&rule).packet(&request(b"x")).is_empty();
        assert_eq!(fired, fires, "{value}");
    }
    for wrong in [
        "src,unheard,>,1",
        "left,bad,>,1",
        "src,bad,~,1",
        "src,bad,>,128",
        "src,bad",
    ] {
        let rule = format!("alert ip any any -> any any (iprep:{wrong}; sid:1;)");
        assert_eq!(compile(&rule).refused.len(), 1, "{wrong}");
    }
}

#[test]
fn the_size_of_a_super_frame_is_that_of_its_segments() {
    for (test, fires) in [
        ("1000", true),
        ("500", true),
        ("2500", false),
        (">1000", false),
        ("<600", true),
        ("!1000", true),
        ("500<>1000", false),
    ] {
        let rule = format!("alert tcp any any -> any any (dsize:{test}; sid:1;)");
        let mut lab = Lab::new(&rule);
        lab.gso_size = Some(1000);
        let fired = !lab.packet(&request(&[b'x'; 2500])).is_empty();
        assert_eq!(fired, fires, "{test}");
        let fired = !lab.packet(&request(&[b'x'; 2000])).is_empty();
        assert_eq!(fired, test == "1000", "{test}: no rest");
    }
}

#[test]
fn the_mtu_of_a_packet_too_big_message_is_read() {
    let too_big = ipv6(58, &[2, 0, 0, 0, 0, 0, 5, 0]);
    let echo = ipv6(58, &[128, 0, 0, 0, 0, 0, 5, 0]);
    for (frame, value, expected) in [
        (&too_big, "1280", true),
        (&too_big, "<1280", false),
        (&echo, "1280", false),
    ] {
        let rule = format!("alert icmpv6 any any -> any any (icmpv6.mtu:{value}; sid:1;)");
        assert_eq!(hits(&rule, frame), expected, "{value}");
    }
}

#[test]
fn the_window_scale_is_read_as_it_was_sent() {
    let scaled = |options: &[u8]| {
        let mut segment = tcp_segment(1024, 80, 2, b"");
        segment.truncate(20);
        segment.extend(options);
        segment[12] = u8::try_from(segment.len() / 4).unwrap() << 4;
        ipv6(6, &segment)
    };
    for (options, value, expected) in [
        (&[1, 3, 3, 7][..], "7", true),
        (&[1, 3, 3, 15], "15", true),
        (&[1, 3, 3, 15], ">14", true),
        (&[2, 4, 5, 0xb4, 3, 3, 7, 0], "7", true),
        (&[2, 4, 5, 0xb4], ">0", false),
        (&[], "0", false),
    ] {
        let rule = format!("alert tcp any any -> any any (tcp.wscale:{value}; sid:1;)");
        assert_eq!(
            hits(&rule, &scaled(options)),
            expected,
            "{options:?} {value}"
        );
    }
}

#[test]
fn ip_options_are_found_by_kind() {
    let with = |options: [u8; 8]| {
        let mut frame = request(b"x");
        frame[0] = 0x47;
        frame.splice(20..20, options);
        let total = u16::try_from(frame.len()).unwrap();
        frame[2..4].copy_from_slice(&total.to_be_bytes());
        frame
    };
    let record_route = with([7, 7, 4, 0, 0, 0, 0, 0]);
    let loose = with([1, 131, 7, 4, 10, 0, 0, 9]);
    let none = request(b"x");
    for (name, expected) in [
        ("any", [true, true, false]),
        ("rr", [true, false, false]),
        ("lsrr", [false, true, false]),
        ("nop", [false, true, false]),
        ("ssrr", [false; 3]),
    ] {
        let rule = format!("alert ip any any -> any any (ipopts:{name}; sid:1;)");
        let found = [&record_route, &loose, &none].map(|frame| hits(&rule, frame));
        assert_eq!(found, expected, "{name}");
    }
}
