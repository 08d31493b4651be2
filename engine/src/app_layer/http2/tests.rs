//! Connections as they come off the wire: what rules see of them, whatever the cut.

mod lab;

use super::*;
use crate::app_layer::{Parser, Status};
use lab::{Fed, block, frame, headers};
use proptest::prelude::*;

fn probe(direction: FlowDirection, bytes: &[u8]) -> Probe {
    HTTP2.probe(&Start {
        direction,
        bytes,
        datagram: false,
        server_port: 80,
        other: &[],
    })
}

#[test]
fn the_preface_and_the_first_settings_are_recognised() {
    for cut in 1..PREFACE.len() {
        assert_eq!(probe(ToServer, &PREFACE[..cut]), Probe::More);
    }
    assert_eq!(probe(ToServer, PREFACE), Probe::Yes);
    assert_eq!(probe(ToServer, b"PRI /x HTTP/1.1\r\n"), Probe::No);
    let settings = b"\0\0\x0c\x04\0\0\0\0\0\0\x03\0\0\0\x64\0\x04\0\0\xff\xff";
    for cut in 1..11 {
        assert_eq!(probe(ToClient, &settings[..cut]), Probe::More, "{cut}");
    }
    assert_eq!(probe(ToClient, settings), Probe::Yes);
    assert_eq!(probe(ToClient, b"\0\0\0\x04\0\0\0\0\0"), Probe::Yes);
    for other in [
        &b"\0\0\x0d\x04\0\0\0\0\0\0\x03"[..],
        b"\0\0\x0c\x04\0\0\0\0\x01\0\x03",
        b"\0\0\x0c\x04\0\0\0\0\0\x77\x03",
        b"\0\x01",
    ] {
        assert_eq!(probe(ToClient, other), Probe::No, "{other:?}");
    }
}

const REQUEST: &[(&str, &str)] = &[
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/a%20b/../c.php?x=1"),
    (":authority", "Example.COM:8080"),
    ("user-agent", "one"),
    ("cookie", "k=v"),
    ("cookie", "l=w"),
    ("accept", "*/*"),
    ("content-type", "text/plain"),
];

const RESPONSE: &[(&str, &str)] = &[
    (":status", "200"),
    ("server", "s"),
    ("set-cookie", "a=b"),
    ("content-type", "text/html"),
];

/// A request with a body, padded and in two frames, and its response.
fn exchange() -> [Vec<u8>; 2] {
    let request = [
        PREFACE.to_vec(),
        frame(4, 0, 0, b"\0\x03\0\0\0\x64"),
        headers(1, 0, REQUEST),
        frame(0, 8, 1, b"\x03hel\0\0\0"),
        frame(0, 1, 1, b"lo"),
        frame(8, 0, 1, b"\0\0\x01\0"),
        frame(7, 0, 0, b"\0\0\0\x01\0\0\0\x0b"),
    ];
    let response = [
        frame(4, 0, 0, b""),
        frame(8, 0, 0, b"\0\0\x02\0"),
        headers(1, 0, RESPONSE),
        frame(0, 0, 1, b"<html>"),
        headers(1, 1, &[("trailer", "t")]),
    ];
    [request.concat(), response.concat()]
}

#[test]
fn every_buffer_shows_its_part() {
    let mut fed = Fed::new();
    let [request, response] = exchange();
    fed.send(ToServer, &request).send(ToClient, &response);
    for (keyword, direction, expected) in [
        ("http.uri", ToServer, "/c.php?x=1"),
        ("http.uri.raw", ToServer, "/a%20b/../c.php?x=1"),
        ("http.method", ToServer, "POST"),
        (
            "http.request_line",
            ToServer,
            "POST /a%20b/../c.php?x=1 HTTP/2\r\n",
        ),
        ("http.response_line", ToClient, "HTTP/2 200\r\n"),
        ("http.protocol", ToServer, "HTTP/2"),
        ("http.protocol", ToClient, "HTTP/2"),
        ("http.stat_code", ToClient, "200"),
        ("http.stat_msg", ToClient, ""),
        ("http.host", ToServer, "example.com"),
        ("http.host.raw", ToServer, "Example.COM:8080"),
        ("http.user_agent", ToServer, "one"),
        ("http.cookie", ToServer, "k=v; l=w"),
        ("http.cookie", ToClient, "a=b"),
        ("http.accept", ToServer, "*/*"),
        ("http.server", ToClient, "s"),
        ("http.request_body", ToServer, "hello"),
        ("http.response_body", ToClient, "<html>"),
        ("file.data", ToServer, "hello"),
        ("file.name", ToServer, "/c.php"),
        ("file.name", ToClient, "/c.php"),
        (
            "http.header",
            ToClient,
            ":status: 200\r\nserver: s\r\ncontent-type: text/html\r\ntrailer: t\r\n",
        ),
        (
            "http.header_names",
            ToClient,
            "\r\n:status\r\nserver\r\nset-cookie\r\ncontent-type\r\ntrailer\r\n\r\n",
        ),
    ] {
        assert_eq!(fed.shown(keyword, direction), [expected], "{keyword}");
    }
    assert_eq!(
        fed.shown("http.request_header", ToServer)[4],
        "user-agent: one"
    );
    assert_eq!(fed.shown("http2.header_name", ToClient)[1], "server");
    for (keyword, expected) in [
        ("http2.frametype", vec![4, 0, 1, 8, 7, 4, 8, 0, 1]),
        ("http2.errorcode", vec![11]),
        ("http2.window", vec![256, 512]),
        ("http2.settings.max_concurrent_streams", vec![100]),
        ("urilen", vec![19]),
    ] {
        let mut numbers = fed.numbers(keyword);
        let mut expected = expected;
        numbers.sort_unstable();
        expected.sort_unstable();
        numbers.dedup();
        expected.dedup();
        assert_eq!(numbers, expected, "{keyword}");
    }
    assert_eq!(fed.events(), Vec::<&str>::new());
}

#[test]
fn oddities_are_told() {
    let request = headers(1, 1, REQUEST);
    let case = |frames: &[Vec<u8>], expected: &[&str]| {
        let mut fed = Fed::new();
        let sent = [PREFACE.to_vec(), frames.concat()].concat();
        fed.send(ToServer, &sent);
        assert_eq!(fed.events(), expected, "{frames:?}");
    };
    case(std::slice::from_ref(&request), &[]);
    case(&[frame(0, 0, 0, b"x")], &["data_stream_zero"]);
    case(&[frame(1, 4, 0, b"")], &["invalid_frame_header"]);
    case(&[frame(4, 0, 1, b"")], &["invalid_frame_header"]);
    case(&[frame(9, 4, 1, b"")], &["invalid_frame_header"]);
    case(
        &[frame(1, 0, 1, b""), frame(6, 0, 0, b"12345678")],
        &["invalid_frame_header"],
    );
    case(&[frame(6, 0, 0, b"1234567")], &["invalid_frame_length"]);
    case(&[frame(8, 0, 1, b"123")], &["invalid_frame_length"]);
    case(&[frame(4, 0, 0, b"1234567")], &["invalid_frame_length"]);
    case(&[frame(1, 0x2c, 1, b"\0")], &["invalid_frame_data"]);
    case(&[frame(1, 0x0c, 1, b"\x02\x82")], &["invalid_frame_data"]);
    case(&[frame(1, 4, 1, b"\xbe")], &["invalid_header"]);
    case(&[frame(1, 4, 1, b"\0\x01a\x03b\r\n")], &["invalid_header"]);
    case(&[frame(1, 4, 1, b"\x82\0\x01")], &["extra_header_data"]);
    case(
        &[frame(1, 4, 1, b"\xff\xff\xff\xff\xff\x7f")],
        &["header_integer_overflow"],
    );
    case(&[frame(200, 0, 0, &[0; 20_000])], &["long_frame_data"]);
    case(&[request.clone(), request], &["stream_id_reuse"]);
    let of = |name, value| headers(1, 1, &[(":authority", "a.b"), (name, value)]);
    case(&[of("host", "c.d")], &["authority_host_mismatch"]);
    case(&[of("host", "A.b")], &[]);
    case(
        &[headers(1, 1, &[(":authority", "u:p@a.b")])],
        &["userinfo_in_uri"],
    );
    let windows = (0..65_u32).map(|size| frame(8, 0, 1, &size.to_be_bytes()));
    let windows: Vec<Vec<u8>> = windows.collect();
    case(&windows, &["too_many_frames"]);
    let coded = headers(1, 0, &[("content-encoding", "gzip")]);
    case(
        &[coded, frame(0, 1, 1, &[0x42; 5000])],
        &["failed_decompression"],
    );
}

#[test]
fn a_client_without_preface_is_told() {
    let mut fed = Fed::new();
    fed.send(ToServer, b"PRI * HTTP/2.1")
        .send(ToClient, &frame(4, 0, 0, b""));
    assert_eq!(fed.events(), ["invalid_client_magic"]);
}

#[test]
fn responses_have_oddities_of_their_own() {
    let mut fed = Fed::new();
    fed.send(ToServer, &[PREFACE, &headers(1, 1, REQUEST)[..]].concat());
    let head = headers(
        1,
        0,
        &[(":status", "206"), ("content-range", "bytes 9-3/2")],
    );
    fed.send(ToClient, &head);
    assert_eq!(fed.events(), ["invalid_range"]);
}

#[test]
fn fields_beyond_the_limit_end_the_reading() {
    let mut fed = Fed::new();
    let long = "v".repeat(16_000);
    let fields: Vec<(&str, &str)> = (0..5).map(|_| ("name", &long[..])).collect();
    let sent = [PREFACE, &headers(1, 1, &fields)[..]].concat();
    assert_eq!(fed.feed(ToServer, &sent, false), Status::Failed);
    assert_eq!(
        fed.events(),
        ["long_frame_data", "reassembly_limit_reached"]
    );
    assert_eq!(fed.shown("http.request_header", ToServer).len(), 4);
}

#[test]
fn streams_interleave_and_end_in_any_order() {
    let mut fed = Fed::new();
    let requests = [headers(1, 1, REQUEST), headers(3, 1, REQUEST)].concat();
    fed.send(ToServer, &[PREFACE, &requests[..]].concat());
    let responses = [
        headers(3, 0, RESPONSE),
        headers(1, 0, RESPONSE),
        frame(0, 0, 1, b"one"),
        frame(0, 1, 3, b"three"),
    ];
    fed.send(ToClient, &responses.concat());
    assert_eq!(fed.shown("http.response_body", ToClient), ["one", "three"]);
    let progress = |fed: &Fed, at| fed.parser.transaction(at).unwrap().progress(ToClient);
    assert_eq!((progress(&fed, 0), progress(&fed, 1)), (BODY, COMPLETE));
    fed.parser.retire_at(1);
    fed.send(ToClient, &frame(0, 1, 1, b"+"));
    assert_eq!(fed.shown("http.response_body", ToClient), ["one+"]);
}

#[test]
fn what_is_behind_the_end_is_shown_apart() {
    let mut fed = Fed::new();
    fed.send(ToServer, &[PREFACE, &headers(1, 1, REQUEST)[..]].concat());
    fed.send(ToServer, &frame(0, 1, 1, b"smuggled"));
    assert_eq!(fed.shown("http.request_body", ToServer), ["smuggled"]);
    fed.send(ToClient, &headers(1, 1, RESPONSE));
    fed.send(ToClient, &frame(0, 1, 1, b"late"));
    assert_eq!(fed.shown("http.response_body", ToClient), ["late"]);
}

#[test]
fn promised_requests_belong_to_their_responses() {
    let mut fed = Fed::new();
    fed.send(ToServer, &[PREFACE, &headers(1, 1, REQUEST)[..]].concat());
    let promise = [
        &b"\0\0\0\x02"[..],
        &block(&[(":method", "GET"), (":path", "/pushed")]),
    ]
    .concat();
    let pushed = [
        frame(5, 4, 1, &promise),
        headers(2, 0, RESPONSE),
        frame(0, 1, 2, b"body"),
    ];
    fed.send(ToClient, &pushed.concat());
    assert_eq!(fed.shown("http.uri", ToServer), ["/c.php?x=1", "/pushed"]);
    assert_eq!(fed.shown("file.name", ToClient), ["/pushed"]);
}

#[test]
fn a_gap_is_stepped_over_in_content_only() {
    let mut fed = Fed::new();
    fed.send(ToServer, &[PREFACE, &headers(1, 0, REQUEST)[..]].concat());
    let content = frame(0, 0, 1, b"0123456789");
    fed.send(ToServer, &content[..12]);
    assert_eq!(fed.parser.gap(ToServer, 4), Status::Continue);
    fed.send(ToServer, &content[16..])
        .send(ToServer, &frame(0, 1, 1, b"!"));
    assert!(
        fed.transactions()
            .all(|found| found.progress(ToServer) == COMPLETE)
    );
    assert_eq!(fed.shown("http.request_body", ToServer), ["789!"]);
    assert_eq!(fed.parser.gap(ToServer, 4), Status::Continue);
    fed.send(ToServer, &headers(3, 0, REQUEST));
    assert_eq!(fed.shown("http.uri", ToServer).len(), 1);
    fed.send(ToClient, &headers(1, 1, RESPONSE));
    assert_eq!(fed.shown("http.stat_code", ToClient), ["200"]);
}

#[test]
fn what_there_is_no_room_for_is_left_unread() {
    let limits = Limits {
        transactions: 2,
        ..Limits::default()
    };
    let mut fed = Fed::with(&limits);
    let ping = frame(6, 0, 0, b"12345678");
    let sent = [PREFACE, &[&ping[..], &ping, &ping].concat()].concat();
    let Status::Full { unread } = fed.feed(ToServer, &sent, false) else {
        panic!("there was room");
    };
    fed.parser.retire();
    fed.send(ToServer, &sent[sent.len() - unread..]);
    assert_eq!((fed.parser.len(), fed.events().len()), (2, 0));
    // An unfinished one that has to go is told of by what comes in its place.
    fed.parser.reset();
    let requests = [headers(1, 0, REQUEST), headers(3, 0, REQUEST)].concat();
    fed.send(ToServer, &[PREFACE, &requests[..]].concat());
    let third = headers(5, 0, REQUEST);
    let Status::Full { unread } = fed.feed(ToServer, &third, false) else {
        panic!("there was room");
    };
    fed.parser.retire();
    fed.send(ToServer, &third[third.len() - unread..]);
    assert_eq!(fed.events(), ["too_many_streams"]);
}

const QUESTION: &[u8] = b"\0\0\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\x03com\0\0\x01\0\x01";

#[test]
fn dns_is_found_in_targets_and_bodies() {
    const TARGET: &str = "/dns-query?dns=AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB";
    let mut fed = Fed::new();
    let asked = headers(
        1,
        1,
        &[(":path", TARGET), ("accept", "application/dns-message")],
    );
    fed.send(ToServer, &[PREFACE, &asked[..]].concat());
    assert_eq!(fed.shown("dns.query", ToServer), ["www.example.com"]);
    assert_eq!(fed.parser.refined(), Some(doh2_protocol()));
    let kind = ("content-type", "application/dns-message");
    fed.send(ToServer, &headers(3, 0, &[(":method", "POST"), kind]));
    fed.send(ToServer, &frame(0, 0, 3, &QUESTION[..9]));
    assert_eq!(fed.shown("dns.query", ToServer).len(), 1);
    fed.send(ToServer, &frame(0, 1, 3, &QUESTION[9..]));
    assert_eq!(fed.shown("dns.query", ToServer), ["www.example.com"; 2]);
    fed.send(ToClient, &headers(3, 0, &[(":status", "200"), kind]));
    let mut answer = QUESTION.to_vec();
    answer[2] = 0x81;
    fed.send(ToClient, &frame(0, 1, 3, &answer));
    assert_eq!(fed.shown("dns.query.name", ToClient), ["www.example.com"]);
    assert_eq!(fed.numbers("dns.rrtype"), [1, 1, 1]);
    fed.send(ToServer, &headers(5, 0, &[(":method", "POST"), kind]));
    for _ in 0..5 {
        fed.send(ToServer, &frame(0, 0, 5, &[0; 16_000]));
    }
    assert_eq!(fed.events(), ["dns_request_too_long"]);
}

#[test]
fn a_connection_without_dns_is_only_http() {
    let mut fed = Fed::new();
    let [request, response] = exchange();
    fed.send(ToServer, &request).send(ToClient, &response);
    assert_eq!(fed.parser.refined(), None);
}

/// Frames that make sense, and some that do not.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let any = (
        0_u8..11,
        any::<u8>(),
        0_u32..5,
        prop::collection::vec(any::<u8>(), 0..30),
    );
    let any = any.prop_map(|(kind, flags, stream, payload)| frame(kind, flags, stream, &payload));
    let fields = prop_oneof![Just(REQUEST), Just(RESPONSE)];
    let sound =
        (0_u8..2, 1_u32..6, fields).prop_map(|(end, stream, fields)| headers(stream, end, fields));
    let data = (0_u8..2, 1_u32..6).prop_map(|(end, stream)| frame(0, end, stream, b"content"));
    prop::collection::vec(prop_oneof![any, sound, data], 0..20).prop_map(|frames| frames.concat())
}

proptest! {
    #[test]
    fn any_cut_of_a_connection_gives_the_same_transactions(
        request in frames(), response in frames(), cut in 1_usize..40,
    ) {
        let whole = |pieces: usize| {
            let mut fed = Fed::new();
            let request = [PREFACE, &request[..]].concat();
            for (direction, bytes) in [(ToServer, &request), (ToClient, &response)] {
                for piece in bytes.chunks(pieces) {
                    assert_eq!(fed.feed(direction, piece, false), Status::Continue);
                }
                assert_eq!(fed.feed(direction, b"", true), Status::Continue);
            }
            fed.everything()
        };
        prop_assert_eq!(whole(cut), whole(usize::MAX));
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0_u8..10], 0..300)) {
        let mut fed = Fed::new();
        let _ = fed.feed(ToServer, &[PREFACE, &bytes[..]].concat(), false);
        let _ = fed.feed(ToClient, &bytes, true);
        let _ = fed.everything();
    }
}
