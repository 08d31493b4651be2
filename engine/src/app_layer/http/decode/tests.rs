//! Codings, their confusions, bombs.

use std::io::Write as _;

use super::*;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use proptest::prelude::*;

const TEXT: &[u8] = b"The quick brown fox jumps over the lazy dog, and again: the quick brown fox.";

/// `Hello!` in one uncompressed metablock.
const BROTLI: &[u8] = &[
    0x8b, 0x02, 0x80, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x21, 0x21, 0x03,
];

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bare(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// What is shown of a body that comes in pieces, and its events.
fn decode(named: &str, pieces: &[&[u8]]) -> (Vec<u8>, Vec<u8>) {
    let mut decoding = Decoding::new(&Limits::default());
    let (mut events, mut shown) = (Events::default(), Vec::new());
    decoding.start(Some(named.as_bytes()), &mut events);
    for piece in pieces {
        let mut put = |bytes: &[u8]| shown.extend_from_slice(bytes);
        decoding.decode(piece, &mut events, &mut put);
    }
    decoding.finish(&mut |bytes| shown.extend_from_slice(bytes));
    (shown, events.all().iter().map(|event| event.0).collect())
}

#[test]
fn codings_are_undone_even_if_they_are_misnamed() {
    let case = |named: &str, body: &[u8], events: &[Event]| {
        let (shown, got) = decode(named, &[body]);
        assert_eq!(
            String::from_utf8_lossy(&shown),
            String::from_utf8_lossy(TEXT),
            "{named}"
        );
        let events: Vec<u8> = events.iter().map(|event| *event as u8).collect();
        assert_eq!(got, events, "{named}");
    };
    case("gzip", &gzip(TEXT), &[]);
    case("X-GZip", &gzip(TEXT), &[]);
    case("deflate", &zlib(TEXT), &[]);
    case("deflate", &bare(TEXT), &[]);
    case("deflate", &gzip(TEXT), &[]);
    case("gzip", &zlib(TEXT), &[]);
    case("gzip", &bare(TEXT), &[]);
    case("gzip, deflate", &zlib(&gzip(TEXT)), &[]);
    case("xgzipx", &gzip(TEXT), &[Event::AbnormalContentEncoding]);
    case("identity", TEXT, &[]);
    case("unheard-of", TEXT, &[Event::AbnormalContentEncoding]);
    case("gzip", TEXT, &[Event::GzipDecompressionFailed]);
    let two = [gzip(&TEXT[..20]), gzip(&TEXT[20..])].concat();
    case("gzip", &two, &[]);
    let mut broken_sum = gzip(TEXT);
    let end = broken_sum.len() - 6;
    broken_sum[end] ^= 0xff;
    case("gzip", &broken_sum, &[]);
}

#[test]
fn a_body_that_is_not_coded_is_shown_whatever_its_first_bytes_decode_to() {
    let body = br#"{"sdk_version":11026,"app_package":"com.example"}"#;
    let (shown, events) = decode("gzip", &[body]);
    assert!(shown.ends_with(body));
    assert_eq!(events, [Event::GzipDecompressionFailed as u8]);
}

#[test]
fn brotli_is_undone() {
    let (shown, _) = decode("br", &[BROTLI]);
    assert_eq!(shown, b"Hello!");
}

#[test]
fn layers_beyond_two_are_left() {
    let (_, events) = decode("gzip, gzip, gzip", &[&gzip(&gzip(TEXT))]);
    assert!(events.contains(&(Event::TooManyEncodingLayers as u8)));
}

#[test]
fn bombs_are_cut_off() {
    let bomb = gzip(&gzip(&vec![0; 60 << 20]));
    let (shown, events) = decode("gzip, gzip", &[&bomb]);
    assert!(shown.len() <= Limits::default().decompressed);
    assert!(events.contains(&(Event::CompressionBomb as u8)));
}

#[test]
fn what_breaks_off_in_the_middle_is_shown_as_far_as_it_goes() {
    let mut body = gzip(TEXT);
    body.truncate(body.len() - 20);
    let (shown, _) = decode("gzip", &[&body]);
    assert!(TEXT.starts_with(&shown) && shown.len() > 20);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_cut_does_not_matter(cut in 0_usize..60, named in 0_usize..5) {
        let (named, body) = [
            ("gzip", gzip(TEXT)),
            ("deflate", bare(TEXT)),
            ("gzip", TEXT.to_vec()),
            ("gzip", br#"{"sdk_version":11026,"app_package":"com.example"}"#.to_vec()),
            ("gzip", [gzip(TEXT), b"rest of it, as it is".to_vec()].concat()),
        ][named].clone();
        let cut = cut.min(body.len());
        prop_assert_eq!(decode(named, &[&body[..cut], &body[cut..]]), decode(named, &[&body]));
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), named in 0_usize..3) {
        let _ = decode(["gzip", "deflate", "br"][named], &[&bytes]);
    }
}
