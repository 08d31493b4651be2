use super::*;
use crate::app_layer::{Parser, Status, buffers};
use crate::frame::Timestamp;
use FlowDirection::{ToClient, ToServer};
use proptest::prelude::*;

fn parser() -> TlsParser {
    TlsParser::default()
}

fn feed(parser: &mut TlsParser, direction: FlowDirection, bytes: &[u8]) -> Status {
    parser.parse(&Input {
        direction,
        bytes,
        eof: false,
        datagram: false,
        at: Timestamp(0),
    })
}

fn session(parser: &TlsParser) -> &dyn Transaction {
    parser.transaction(0).unwrap()
}

fn shown(parser: &TlsParser, keyword: &str) -> Vec<String> {
    let session = parser.transaction(0).unwrap();
    buffers(keyword, None)
        .flat_map(|id| (0..).map_while(move |index| session.buffer(id, index)))
        .map(|buffer| String::from_utf8_lossy(buffer.bytes).into_owned())
        .collect()
}

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind, 3, 1][..], &length, body].concat()
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind][..], &length[1..], body].concat()
}

fn vector16(body: &[u8]) -> Vec<u8> {
    [&u16::try_from(body.len()).unwrap().to_be_bytes()[..], body].concat()
}

fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &vector16(body)].concat()
}

fn client_hello() -> Vec<u8> {
    let name = b"www.example.com";
    let sni = vector16(&[&[0][..], &vector16(name)].concat());
    let alpn = vector16(b"\x02h2\x08http/1.1");
    let extensions = [
        extension(0, &sni),
        extension(16, &alpn),
        extension(10, &vector16(&[0, 29, 0, 23])),
        extension(11, &[1, 0]),
    ]
    .concat();
    let body = [
        &[3, 3][..],
        &[0x54; 32],
        &[0],
        &vector16(&[0x13, 0x01, 0xc0, 0x2f]),
        &[1, 0],
        &vector16(&extensions),
    ]
    .concat();
    message(1, &body)
}

fn server_hello() -> Vec<u8> {
    let extensions = extension(16, &vector16(b"\x02h2"));
    let body = [
        &[3, 3][..],
        &[0x66; 32],
        &[0],
        &[0xc0, 0x2f],
        &[0],
        &vector16(&extensions),
    ]
    .concat();
    message(2, &body)
}

#[test]
fn hellos_show_names_and_fingerprints() {
    let mut parser = parser();
    assert_eq!(
        feed(&mut parser, ToServer, &record(22, &client_hello())),
        Status::Continue
    );
    assert_eq!(
        feed(&mut parser, ToClient, &record(22, &server_hello())),
        Status::Continue
    );
    assert_eq!(shown(&parser, "tls.sni"), ["www.example.com"]);
    assert_eq!(shown(&parser, "tls.alpn"), ["h2", "http/1.1", "h2"]);
    assert_eq!(
        shown(&parser, "ja3.string"),
        ["771,4865-49199,0-16-10-11,29-23,0"]
    );
    assert_eq!(shown(&parser, "ja3s.string"), ["771,49199,16"]);
    assert_eq!(shown(&parser, "tls.random_time"), ["TTTT", "ffff"]);
    assert_eq!(shown(&parser, "ja4.hash").len(), 1);
    assert_eq!(session(&parser).number("tls.version", 0), Some(0x0303));
    assert_eq!(session(&parser).events(), []);
}

#[test]
fn what_follows_a_change_of_ciphers_is_opaque() {
    let mut parser = parser();
    let client = [
        record(22, &client_hello()),
        record(20, &[1]),
        record(22, &[0xaa; 40]),
    ]
    .concat();
    assert_eq!(feed(&mut parser, ToServer, &client), Status::Continue);
    assert_eq!(session(&parser).progress(ToServer), ENCRYPTED);
    let server = [record(22, &server_hello()), record(23, &[0x55; 10])].concat();
    assert_eq!(feed(&mut parser, ToClient, &server), Status::Opaque);
    assert_eq!(session(&parser).events(), []);
}

#[test]
fn anomalies_are_told() {
    let case = |bytes: &[u8], expected: &[Event]| {
        let mut parser = parser();
        let _ = feed(&mut parser, ToServer, bytes);
        let expected: Vec<AppEvent> = expected
            .iter()
            .map(|event| AppEvent(*event as u8))
            .collect();
        assert_eq!(session(&parser).events(), expected);
    };
    case(&record(99, b"x"), &[Event::InvalidTlsHeader]);
    case(
        &[record(21, &[1, 0]), record(99, b"x")].concat(),
        &[Event::InvalidRecordType],
    );
    case(b"\x80\x02\x01\x03\x01", &[Event::InvalidSslv2Header]);
    case(
        &record(21, &[1, 0]).repeat(256),
        &[Event::TooManyRecordsInPacket],
    );
    case(
        &record(22, &message(1, b"short")),
        &[Event::InvalidHandshakeMessage],
    );
    case(&record(22, b"\x0b\xff\xff\xff"), &[]);
    case(
        &record(22, b"\x0b\xff\xff\xffx"),
        &[Event::HandshakeInvalidLength],
    );
    case(&record(21, &[2, 40]), &[Event::ErrorMessageEncountered]);
    case(&record(21, &[2, 40, 0]), &[Event::InvalidAlertMessage]);
    case(
        &record(24, &[1, 0x40, 0]),
        &[Event::HeartbeatMessage, Event::OverflowHeartbeatMessage],
    );
    case(
        &record(22, &message(11, b"\0\0\x08\0\0\x05\x30\x03\x02\x01\x01")),
        &[Event::InvalidCertificate, Event::CertificateInvalidDer],
    );
}

#[test]
fn a_hello_of_ssl_2_is_read_and_a_side_that_fails_leaves_the_other_be() {
    let hello = b"\x80\x1c\x01\x03\x01\0\x03\0\0\0\x10\0\0\x2f0123456789abcdef";
    let mut parser = parser();
    assert_eq!(feed(&mut parser, ToServer, hello), Status::Continue);
    assert_eq!(session(&parser).progress(ToServer), super::super::HELLO);
    assert_eq!(session(&parser).number("ssl_version", 0), Some(0x0301));
    assert_eq!(feed(&mut parser, ToServer, b"nonsense"), Status::Continue);
    let server = record(22, &server_hello());
    assert_eq!(feed(&mut parser, ToClient, &server), Status::Continue);
    assert_eq!(session(&parser).progress(ToClient), super::super::HELLO);
    let states: Vec<u64> = (0..)
        .map_while(|index| session(&parser).number("ssl_state", index))
        .collect();
    assert_eq!(states, [1, 2]);
}

#[test]
fn an_answer_longer_than_what_was_asked_leaks() {
    let mut parser = parser();
    let _ = feed(&mut parser, ToServer, &record(24, &[1, 0x40, 0]));
    let _ = feed(
        &mut parser,
        ToClient,
        &record(24, &[[2, 0, 1].as_slice(), &[0; 90]].concat()),
    );
    let leak = AppEvent(Event::DataleakHeartbeatMismatch as u8);
    assert!(session(&parser).events().contains(&leak));
}

proptest! {
    #[test]
    fn any_cut_of_stream_and_records_gives_the_same_session(
        cuts in prop::collection::vec(1_usize..30, 1..30),
        fragments in prop::collection::vec(1_usize..60, 1..20),
    ) {
        let hello = client_hello();
        let mut stream = Vec::new();
        let mut rest = &hello[..];
        for size in fragments.iter().cycle() {
            if rest.is_empty() { break; }
            let (now, then) = rest.split_at((*size).min(rest.len()));
            stream.extend(record(22, now));
            rest = then;
        }
        let mut parser = parser();
        let mut rest = &stream[..];
        for cut in cuts.iter().cycle() {
            if rest.is_empty() { break; }
            let (now, then) = rest.split_at((*cut).min(rest.len()));
            prop_assert_eq!(feed(&mut parser, ToServer, now), Status::Continue);
            rest = then;
        }
        prop_assert_eq!(shown(&parser, "tls.sni"), ["www.example.com"]);
        prop_assert_eq!(session(&parser).events(), &[]);
    }

    #[test]
    fn no_bytes_panic(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..8),
        kind in 20_u8..25,
        message_kind in prop_oneof![Just(1_u8), Just(2), Just(11)],
    ) {
        let mut parser = parser();
        for piece in &pieces {
            let _ = feed(&mut parser, ToServer, &record(kind, piece));
            let _ = feed(&mut parser, ToClient, &record(22, &message(message_kind, piece)));
        }
        if let Some(session) = parser.transaction(0) {
            for id in ["tls.sni", "tls.certs", "ja3.hash"].into_iter().flat_map(|name| buffers(name, None)) {
                let _ = session.buffer(id, 0);
            }
        }
    }
}
