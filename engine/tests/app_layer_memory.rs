//! What parsers hold of peers that want them to hold much: a bound while they are fed, and next to nothing
//! once they are given back.

#![allow(
    clippy::unwrap_used,
    reason = "a failed assumption of a test is a failed test"
)]

use weir_engine::app_layer::{Input, Limits, Parser, Status, protocol_named};
use weir_engine::event::FlowDirection::{self, ToClient, ToServer};
use weir_engine::frame::Timestamp;

/// Bytes handed in at once: a super-frame.
const PIECE: usize = 64_000;

/// Hostile bytes of each case.
const SENT: usize = 4 << 20;

/// What a parser that was given back may hold.
const IDLE: i64 = 128 << 10;

/// Hands all of it in as the engine would: what has no room is handed in again when transactions went.
fn feed(parser: &mut dyn Parser, direction: FlowDirection, bytes: &[u8], complete: u8) {
    for piece in bytes.chunks(PIECE) {
        let mut rest = piece;
        loop {
            let status = parser.parse(&Input {
                direction,
                bytes: rest,
                eof: false,
                datagram: false,
                at: Timestamp(0),
            });
            parser.inspected(direction);
            match status {
                Status::Full { unread } => {
                    rest = &rest[rest.len() - unread..];
                    while !parser.is_empty() {
                        parser.retire();
                    }
                }
                Status::Continue => {
                    let over = |parser: &dyn Parser| {
                        parser.transaction(0).is_some_and(|oldest| {
                            [ToServer, ToClient]
                                .into_iter()
                                .all(|side| oldest.progress(side) >= complete)
                        })
                    };
                    while over(parser) {
                        parser.retire();
                    }
                    break;
                }
                Status::Opaque | Status::Failed | Status::Upgraded { .. } => return,
            }
        }
    }
}

/// `start` once, then `unit` over and over.
fn hostile(start: &[u8], unit: &[u8]) -> Vec<u8> {
    let mut bytes = start.to_vec();
    while bytes.len() < SENT {
        bytes.extend_from_slice(unit);
    }
    bytes
}

/// A message whose records all have the longest name, by pointers.
fn dns_that_unfolds() -> Vec<u8> {
    let mut message = b"\0\x01\x84\0\0\0\x01\x40\0\0\0\0".to_vec();
    for length in [63, 63, 63, 60] {
        message.push(length);
        message.extend(vec![b'a'; usize::from(length)]);
    }
    message.extend(b"\0\0\x01\0\x01\0\0\0\0\0\0");
    for _ in 0..319 {
        message.extend(b"\xc0\x0c\0\x01\0\x01\0\0\0\0\0\0");
    }
    let length = u16::try_from(message.len()).unwrap().to_be_bytes();
    [&length, &message[..]].concat()
}

/// A mail of which much is kept, with many parts.
fn heavy_mail() -> Vec<u8> {
    let mut mail = Vec::new();
    for _ in 0..50 {
        mail.extend([&b"RCPT TO:<"[..], &[b'r'; 2000], b">\r\n"].concat());
    }
    mail.extend(b"DATA\r\nContent-Type: multipart/x; boundary=b\r\n");
    for _ in 0..20 {
        mail.extend([&b"Received: "[..], &[b'x'; 4000], b"\r\n"].concat());
    }
    for number in 0..40 {
        mail.extend(b"\r\n--b\r\n\r\nhttp://");
        mail.extend(format!("{number}").bytes().chain([b'u'; 1000]));
    }
    mail.extend(b"\r\n.\r\n");
    mail
}

/// Protocol, who speaks, what, and the bytes that may be held.
type Case = (&'static str, FlowDirection, Vec<u8>, u64);

fn lines_and_mails() -> Vec<Case> {
    vec![
        ("ftp", ToServer, hostile(b"STOR ", b"x"), 64 << 10),
        ("ftp", ToServer, hostile(&[], b"STOR a\r\n"), 1 << 20),
        ("ftp", ToClient, hostile(b"214-\r\n", b" help\r\n"), 8 << 20),
        ("ftp-data", ToClient, hostile(&[], b"x"), 1 << 20),
        ("smtp", ToServer, hostile(b"EHLO ", b"x"), 64 << 10),
        ("smtp", ToServer, hostile(&[], b"RCPT TO:<a>\r\n"), 4 << 20),
        (
            "smtp",
            ToServer,
            hostile(b"DATA\r\n", b"Received: x\r\n"),
            256 << 10,
        ),
        (
            "smtp",
            ToServer,
            hostile(
                b"DATA\r\nContent-Type: multipart/x; boundary=b\r\n\r\n",
                b"--b\r\nContent-Disposition: attachment\r\n\r\nx\r\n",
            ),
            1 << 20,
        ),
        (
            "smtp",
            ToServer,
            hostile(b"DATA\r\n\r\n", b"http://x/y "),
            1 << 20,
        ),
        ("smtp", ToServer, hostile(&[], &heavy_mail()), 3 << 20),
    ]
}

fn http2_frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, payload].concat()
}

/// Connections of many unfinished streams, of frames that each are a transaction, of values to remember.
fn http2_connections() -> Vec<Case> {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    // A field that fills the table, named over and over: few bytes that stand for many.
    let mut block = vec![0x40, 1, b'a', 127, 0x91, 0x1e];
    block.extend(vec![b'v'; 127 + 0x11 + (0x1e << 7)]);
    block.extend([0xbe; 14]);
    let fields = http2_frame(1, 5, 1, &block);
    let endless = http2_frame(1, 0, 1, &[0x82]);
    let more = http2_frame(9, 0, 1, &[0x82; 16_000]);
    let ping = http2_frame(6, 0, 0, b"12345678");
    let windows: Vec<u8> = (0..1000_u32)
        .flat_map(|size| http2_frame(8, 0, 1, &size.to_be_bytes()))
        .collect();
    let start = http2_frame(4, 0, 0, b"");
    let content = http2_frame(0, 0, 1, &[7; 9000]);
    let hostile_client = |unit: &[u8]| hostile(PREFACE, unit);
    vec![
        ("http2", ToServer, hostile_client(&fields), 64 << 20),
        (
            "http2",
            ToServer,
            hostile(&[PREFACE, &endless].concat(), &more),
            1 << 20,
        ),
        ("http2", ToServer, hostile_client(&ping), 1 << 20),
        ("http2", ToServer, hostile_client(&windows), 1 << 20),
        ("http2", ToClient, hostile(&start, &content), 1 << 20),
    ]
}

#[test]
fn hostile_peers_are_held_within_bounds_and_forgotten() {
    let record = |body: &[u8]| {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&[22, 3, 3][..], &length, body].concat()
    };
    let endless = record(&[&[11, 1, 0xff, 0xff][..], &vec![0; 16_000]].concat());
    let chain = [&[0, 1, 0xff, 0xf0][..], &[0; 12]].concat();
    let hello = record(&[&[1, 0, 0xff, 0xff][..], &vec![0; 16_000]].concat());
    let more = record(&vec![0; 16_000]);
    let mut cases: Vec<Case> = vec![
        ("dns", ToClient, hostile(&[], &dns_that_unfolds()), 8 << 20),
        (
            "dns",
            ToServer,
            hostile(&[0xff, 0xff], b"\0\x01"),
            256 << 10,
        ),
        ("tls", ToClient, hostile(&endless, &more), 1 << 20),
        ("tls", ToClient, hostile(&record(&chain), &more), 1 << 20),
        ("tls", ToServer, hostile(&hello, &more), 1 << 20),
        ("tls", ToServer, hostile(&[], &record(&[])), 256 << 10),
        ("ssh", ToServer, hostile(b"SSH-2.0-", b"x"), 64 << 10),
        (
            "ssh",
            ToServer,
            hostile(b"SSH-2.0-x\r\n\0\0\x88\0\x04", b"\x14,"),
            256 << 10,
        ),
    ];
    cases.extend(lines_and_mails());
    cases.extend(http2_connections());
    for (number, (name, direction, bytes, bound)) in cases.iter().enumerate() {
        let protocol = protocol_named(name).unwrap().protocol();
        let mut parser = protocol.open(&Limits::default());
        let mut held = 0;
        let spent = allocation_counter::measure(|| {
            let complete = protocol.complete(*direction);
            feed(parser.as_mut(), *direction, bytes, complete);
            held = parser.len();
            parser.reset();
        });
        assert!(spent.bytes_max < *bound, "case {number}, {name}: {spent:?}");
        assert!(
            spent.bytes_current < IDLE,
            "case {number}, {name}: {spent:?}"
        );
        assert!(held <= Limits::default().transactions);
    }
}
