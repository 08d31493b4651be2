//! The record layer: content types, versions, lengths, however the network cut them.

use crate::app_layer::Probe;
use crate::event::FlowDirection;

use super::{Event, hello_v2};

/// Bytes of a record's header.
const HEADER: usize = 5;

/// Largest fragment: 2^14, and what compression or encryption may add (RFC 5246 section 6.2.3).
const FRAGMENT: usize = 16_384 + 2048;

/// What a record carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    ChangeCipherSpec,
    Alert,
    Handshake,
    ApplicationData,
    Heartbeat,
    /// A hello in the form of SSL 2.0, which clients of SSL 3.0 and TLS 1.0 could still begin with
    /// (RFC 5246 appendix E.2); its first three bytes are the message's type and the two behind it.
    HelloV2([u8; 3]),
}

impl Content {
    fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            20 => Self::ChangeCipherSpec,
            21 => Self::Alert,
            22 => Self::Handshake,
            23 => Self::ApplicationData,
            24 => Self::Heartbeat,
            _ => return None,
        })
    }
}

/// A piece of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub(super) content: Content,
    pub(super) bytes: &'a [u8],
    /// It is the record's first.
    pub(super) first: bool,
    /// It is the record's last.
    pub(super) last: bool,
    /// Length of the whole record's fragment.
    pub(super) length: usize,
}

/// Where the record layer of a side stands.
#[derive(Debug, Default)]
pub(super) struct Records {
    header: Vec<u8>,
    current: Option<(Content, usize, usize)>,
    /// The first header was read: only the first record can be one of SSL 2.0.
    started: bool,
}

impl Records {
    pub(super) fn clear(&mut self) {
        self.header.clear();
        self.current = None;
        self.started = false;
    }

    /// The next piece of `bytes`, which are cut off their front; `Ok(None)` when they are used up. An error
    /// leaves no way on.
    pub(super) fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Result<Option<Piece<'a>>, Event> {
        let (content, length, left) = match self.current {
            Some(current) => current,
            None => match self.read_header(bytes)? {
                Some((content, length)) => (content, length, length),
                None => return Ok(None),
            },
        };
        if bytes.is_empty() && left > 0 {
            self.current = Some((content, length, left));
            return Ok(None);
        }
        let (now, rest) = bytes.split_at(left.min(bytes.len()));
        *bytes = rest;
        let last = now.len() == left;
        self.current = (!last).then_some((content, length, left - now.len()));
        Ok(Some(Piece {
            content,
            bytes: now,
            first: left == length,
            last,
            length,
        }))
    }

    fn read_header(&mut self, bytes: &mut &[u8]) -> Result<Option<(Content, usize)>, Event> {
        let missing = HEADER - self.header.len();
        let (now, rest) = bytes.split_at(missing.min(bytes.len()));
        self.header.extend_from_slice(now);
        *bytes = rest;
        let Some(&[kind, major, third, high, low]) = self.header.first_chunk::<HEADER>() else {
            return Ok(None);
        };
        self.header.clear();
        let first = !std::mem::replace(&mut self.started, true);
        if first && let Some(length) = hello_v2::length(kind, major, third) {
            let left = length
                .checked_sub(3)
                .filter(|left| *left > 0)
                .ok_or(Event::InvalidSslv2Header)?;
            return Ok(Some((Content::HelloV2([third, high, low]), left)));
        }
        let nonsense = if first {
            Event::InvalidTlsHeader
        } else {
            Event::InvalidRecordType
        };
        let content = Content::of(kind).ok_or(nonsense)?;
        if major != 3 {
            return Err(Event::InvalidRecordVersion);
        }
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length > FRAGMENT {
            return Err(Event::InvalidSslRecord);
        }
        Ok(Some((content, length)))
    }
}

/// Whether a direction starts with a hello: a handshake record of a known version, whose message is the
/// hello of that side, of a known version again.
pub(super) fn probe(direction: FlowDirection, bytes: &[u8]) -> Probe {
    if bytes.first().is_some_and(|first| first & 0x80 != 0) {
        return hello_v2::probe(direction, bytes);
    }
    let hello = match direction {
        FlowDirection::ToServer => 1,
        FlowDirection::ToClient => 2,
    };
    let tests: [Test<'_>; 11] = [
        &|byte| byte == 22,
        &|byte| byte == 3,
        &|byte| byte <= 4,
        &|byte| usize::from(byte) << 8 <= FRAGMENT,
        &|_| true,
        &|byte| byte == hello,
        &|byte| byte == 0,
        &|_| true,
        &|_| true,
        &|byte| byte == 3,
        &|byte| byte <= 4,
    ];
    hold(&tests, bytes)
}

/// Whether a direction starts with a record of any kind.
pub(super) fn is_record(bytes: &[u8]) -> Probe {
    let tests: [Test<'_>; 4] = [
        &|byte| Content::of(byte).is_some(),
        &|byte| byte == 3,
        &|byte| byte <= 4,
        &|byte| usize::from(byte) << 8 <= FRAGMENT,
    ];
    hold(&tests, bytes)
}

/// A test on one byte.
type Test<'a> = &'a dyn Fn(u8) -> bool;

/// Whether the tests hold, one byte each.
fn hold(tests: &[Test<'_>], bytes: &[u8]) -> Probe {
    if !bytes.iter().zip(tests).all(|(byte, test)| test(*byte)) {
        Probe::No
    } else if bytes.len() >= tests.len() {
        Probe::Yes
    } else {
        Probe::More
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_in_pieces_and_end() {
        let mut records = Records::default();
        let stream = b"\x16\x03\x01\0\x03abc\x15\x03\x03\0\0\x17\x03\x03\0\x01x";
        let mut seen = Vec::new();
        for byte in stream.chunks(1) {
            let mut bytes = byte;
            while let Some(piece) = records.next(&mut bytes).unwrap() {
                seen.push((piece.content, piece.bytes.to_vec(), piece.first, piece.last));
            }
        }
        assert_eq!(
            seen,
            [
                (Content::Handshake, b"a".to_vec(), true, false),
                (Content::Handshake, b"b".to_vec(), false, false),
                (Content::Handshake, b"c".to_vec(), false, true),
                (Content::Alert, Vec::new(), true, true),
                (Content::ApplicationData, b"x".to_vec(), true, true),
            ]
        );
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        let next = |bytes: &[u8]| Records::default().next(&mut { bytes }).unwrap_err();
        assert_eq!(next(b"\x19\x03\x01\0\x01"), Event::InvalidTlsHeader);
        let mut records = Records::default();
        let mut bytes = &b"\x15\x03\x03\0\0\x19\x03\x01\0\x01"[..];
        assert!(records.next(&mut bytes).unwrap().is_some());
        assert_eq!(records.next(&mut bytes), Err(Event::InvalidRecordType));
        assert_eq!(next(b"\x80\x03\x01\x03\0"), Event::InvalidSslv2Header);
        assert_eq!(next(b"\x16\x09\x01\0\x01"), Event::InvalidRecordVersion);
        assert_eq!(next(b"\x16\x03\x01\xff\xff"), Event::InvalidSslRecord);
    }

    #[test]
    fn only_hellos_are_recognised() {
        use FlowDirection::{ToClient, ToServer};
        let hello = b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03";
        assert_eq!(probe(ToServer, hello), Probe::Yes);
        assert_eq!(probe(ToServer, &hello[..10]), Probe::More);
        assert_eq!(probe(ToClient, hello), Probe::No);
        assert_eq!(
            probe(ToServer, b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x09\x03"),
            Probe::No
        );
        assert_eq!(probe(ToServer, b"GET / HTTP/1.1"), Probe::No);
    }
}
