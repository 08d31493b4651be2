//! Hellos in the form of SSL 2.0 (RFC 6101 appendix E; RFC 5246 appendix E.2).
//!
//! ```text
//! 1LLLLLLL LLLLLLLL | 1 | version 2 | ciphers 2 | session 2 | challenge 2 | ...       client
//! 1LLLLLLL LLLLLLLL | 4 | hit | type | version 2 | certificate 2 | ciphers 2 | id 2 | ... server
//! ```

use crate::app_layer::Probe;
use crate::event::FlowDirection;

use super::wire::Reader;

/// Version number of SSL 2.0.
pub(super) const SSL2: u16 = 2;

/// Bytes of a record's header and of a hello's fixed part, the longer of the two forms.
const FIXED: usize = 2 + 11;

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 4;

/// Length of the message, if the header is that of a hello.
pub(super) fn length(first: u8, second: u8, kind: u8) -> Option<usize> {
    let hello = first & 0x80 != 0 && (kind == CLIENT_HELLO || kind == SERVER_HELLO);
    hello.then(|| usize::from(u16::from_be_bytes([first & 0x7f, second])))
}

/// Whether a direction starts with such a hello, whose lengths add up.
pub(super) fn probe(direction: FlowDirection, bytes: &[u8]) -> Probe {
    let wanted = match direction {
        FlowDirection::ToServer => CLIENT_HELLO,
        FlowDirection::ToClient => SERVER_HELLO,
    };
    if bytes.get(2).is_some_and(|kind| *kind != wanted) {
        return Probe::No;
    }
    let Some((&[first, second, kind], body)) = bytes.split_first_chunk::<3>() else {
        return Probe::More;
    };
    if bytes.len() < FIXED {
        return Probe::More;
    }
    let Some(Fixed {
        version,
        lengths,
        at,
    }) = fixed(kind, body)
    else {
        return Probe::No;
    };
    let parts: usize = lengths.iter().map(|length| usize::from(*length)).sum();
    let known = version == SSL2 || (0x0300..=0x0304).contains(&version);
    if known && length(first, second, kind) == Some(1 + at + parts) {
        Probe::Yes
    } else {
        Probe::No
    }
}

struct Fixed {
    version: u16,
    lengths: [u16; 3],
    /// Where the fixed part ends.
    at: usize,
}

fn fixed(kind: u8, body: &[u8]) -> Option<Fixed> {
    let mut reader = Reader::new(body);
    if kind == SERVER_HELLO {
        reader.bytes(2)?;
    }
    Some(Fixed {
        version: reader.u16()?,
        lengths: [reader.u16()?, reader.u16()?, reader.u16()?],
        at: if kind == SERVER_HELLO { 10 } else { 8 },
    })
}

/// The version that a hello names, `body` being what follows its type; `None`: its lengths do not add
/// up.
pub(super) fn version(kind: u8, body: &[u8]) -> Option<u16> {
    let fixed = fixed(kind, body)?;
    let parts: usize = fixed
        .lengths
        .iter()
        .map(|length| usize::from(*length))
        .sum();
    let ciphers = fixed.lengths[usize::from(kind == SERVER_HELLO)];
    (fixed.at + parts == body.len() && ciphers.is_multiple_of(3)).then_some(fixed.version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use FlowDirection::{ToClient, ToServer};

    /// A client hello that offers TLS 1.0: one cipher, no session, 16 bytes of challenge.
    const CLIENT: &[u8] = b"\x80\x1c\x01\x03\x01\0\x03\0\0\0\x10\0\0\x2f0123456789abcdef";

    #[test]
    fn hellos_whose_lengths_add_up_are_recognised() {
        assert_eq!(probe(ToServer, CLIENT), Probe::Yes);
        assert_eq!(probe(ToServer, &CLIENT[..13]), Probe::Yes);
        assert_eq!(probe(ToClient, CLIENT), Probe::No);
        for cut in 1..13 {
            assert_eq!(probe(ToServer, &CLIENT[..cut]), Probe::More, "{cut}");
        }
        let mut wrong = CLIENT.to_vec();
        wrong[8] = 1;
        assert_eq!(probe(ToServer, &wrong), Probe::No);
        assert_eq!(version(1, &CLIENT[3..]), Some(0x0301));
        assert_eq!(version(1, &CLIENT[3..20]), None);
    }

    #[test]
    fn server_hellos_have_a_certificate() {
        let hello = b"\x80\x11\x04\0\x01\0\x02\0\x01\0\x03\0\x02c123id";
        assert_eq!(probe(ToClient, hello), Probe::Yes);
        assert_eq!(version(4, &hello[3..]), Some(SSL2));
    }
}
