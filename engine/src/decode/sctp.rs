//! SCTP (RFC 9260): the common header, and the chunks behind it.
//!
//! The payload of a packet is the user data of its first DATA chunk, or all chunks where it has none.
//! Chunks beyond [`MAX_CHUNKS`] are not looked at one by one.

use crate::packet::{Packet, Transport};

use super::bytes::{byte, u16_at, u32_at};
use super::link::rest;
use super::{DecodeEvent, Step};

/// Chunks that are looked at in one packet.
pub const MAX_CHUNKS: usize = 255;
/// DATA chunks of one packet beyond which an event says so.
const MAX_DATA_CHUNKS: usize = 64;

const HEADER: usize = 12;
const CHUNK_HEADER: usize = 4;
const DATA: u8 = 0;
const INIT: u8 = 1;
/// RFC 8260.
const I_DATA: u8 = 64;

/// One chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// Its type.
    pub kind: u8,
    /// What follows its type, flags and length.
    pub value: &'a [u8],
}

impl<'a> Chunk<'a> {
    /// The user data of a DATA or I-DATA chunk.
    #[must_use]
    pub fn user_data(&self) -> Option<&'a [u8]> {
        self.value.get(data_header(self.kind)?..)
    }
}

/// Bytes between the chunk header and the user data of a chunk that has some.
fn data_header(kind: u8) -> Option<usize> {
    match kind {
        DATA => Some(12),
        I_DATA => Some(16),
        _ => None,
    }
}

/// The chunks of an SCTP packet, at most [`MAX_CHUNKS`]; none of another packet.
pub fn chunks<'a>(packet: &Packet<'a>) -> impl Iterator<Item = Chunk<'a>> + use<'a> {
    let sctp = matches!(packet.transport, Transport::Sctp { .. });
    let bytes = packet.segment().get(HEADER..).filter(|_| sctp);
    walk(bytes.unwrap_or_default()).filter_map(Result::ok)
}

/// The verification tag of an SCTP packet.
#[must_use]
pub fn verification_tag(packet: &Packet<'_>) -> Option<u32> {
    let sctp = matches!(packet.transport, Transport::Sctp { .. });
    u32_at(packet.segment(), 4).filter(|_| sctp)
}

/// Chunk by chunk; ends behind the first that is malformed.
fn walk(bytes: &[u8]) -> impl Iterator<Item = Result<Chunk<'_>, DecodeEvent>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let chunk = next(rest);
        // Chunks are padded to four bytes, the last one maybe not.
        let taken = chunk.map_or(rest.len(), |chunk| {
            (CHUNK_HEADER + chunk.value.len()).next_multiple_of(4)
        });
        rest = rest.get(taken..).unwrap_or_default();
        Some(chunk)
    })
    .take(MAX_CHUNKS)
}

fn next(bytes: &[u8]) -> Result<Chunk<'_>, DecodeEvent> {
    let (Some(kind), Some(length)) = (byte(bytes, 0), u16_at(bytes, 2)) else {
        return Err(DecodeEvent::SctpChunkTooSmall);
    };
    let value = bytes.get(CHUNK_HEADER..usize::from(length));
    value
        .map(|value| Chunk { kind, value })
        .ok_or(DecodeEvent::SctpChunkLenInvalid)
}

/// The SCTP packet at `packet.l4`.
pub(super) fn decode(packet: &mut Packet<'_>) -> Step {
    let segment = rest(packet, packet.l4);
    let header = segment.get(..HEADER).ok_or(DecodeEvent::SctpTooSmall)?;
    packet.transport = Transport::Sctp {
        source: u16_at(header, 0).unwrap_or_default(),
        destination: u16_at(header, 2).unwrap_or_default(),
        end: packet.payload_end,
    };
    packet.payload_start = packet.l4 + HEADER;
    let tag = u32_at(header, 4).unwrap_or_default();
    let (mut at, mut count, mut data, mut init) = (packet.payload_start, 0, 0, false);
    for chunk in walk(segment.get(HEADER..).unwrap_or_default()) {
        let chunk = chunk?;
        count += 1;
        init |= chunk.kind == INIT;
        if chunk.kind == INIT && tag != 0 {
            packet.events.insert(DecodeEvent::SctpInitTag);
        }
        if let (Some(skip), Some(user_data)) = (data_header(chunk.kind), chunk.user_data()) {
            if data == 0 {
                packet.payload_start = at + CHUNK_HEADER + skip;
                packet.payload_end = packet.payload_start + user_data.len();
            }
            data += 1;
            if tag == 0 {
                packet.events.insert(DecodeEvent::SctpDataWithoutTag);
            }
        }
        at += (CHUNK_HEADER + chunk.value.len()).next_multiple_of(4);
    }
    let over = [
        (init && count > 1, DecodeEvent::SctpInitBundled),
        (count >= MAX_CHUNKS, DecodeEvent::SctpTooManyChunks),
        (data > MAX_DATA_CHUNKS, DecodeEvent::SctpTooManyDataChunks),
    ];
    let events = over.into_iter().filter(|(is, _)| *is);
    packet.events.extend(events.map(|(_, event)| event));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::super::{DecodeEvent as E, decode};
    use super::chunks;
    use crate::frame::LinkType;

    /// A chunk with its padding.
    fn chunk(kind: u8, value: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind, 0];
        let length = u16::try_from(value.len() + 4).unwrap();
        bytes.extend(length.to_be_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn data(user_data: &[u8]) -> Vec<u8> {
        chunk(0, &[&[0; 12], user_data].concat())
    }

    fn frame(tag: u32, chunks: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = vec![0, 7, 0, 9];
        bytes.extend(tag.to_be_bytes());
        bytes.extend([0; 4]);
        bytes.extend(chunks.concat());
        ipv4(132, &bytes)
    }

    fn events(tag: u32, chunks: &[Vec<u8>]) -> Vec<E> {
        let frame = frame(tag, chunks);
        match decode(&frame, LinkType::RawIp) {
            Ok(packet) => packet.events.iter().collect(),
            Err(error) => vec![error.event],
        }
    }

    #[test]
    fn the_first_user_data_is_the_payload_and_every_chunk_is_seen() {
        let frame = frame(1, &[chunk(3, &[0; 13]), data(b"first"), data(b"2nd")]);
        let packet = decode(&frame, LinkType::RawIp).unwrap();
        assert_eq!(packet.ports(), (7, 9));
        assert_eq!(packet.payload(), b"first");
        let kinds: Vec<u8> = chunks(&packet).map(|chunk| chunk.kind).collect();
        assert_eq!(kinds, [3, 0, 0]);
        let data: Vec<_> = chunks(&packet).filter_map(|it| it.user_data()).collect();
        assert_eq!(data, [b"first".as_slice(), b"2nd"]);
    }

    #[test]
    fn deviations_are_named() {
        let many = |count: usize| vec![chunk(6, &[]); count];
        for (tag, chunks, expected) in [
            (1, vec![data(b"x")], vec![]),
            (0, vec![chunk(1, &[0; 16])], vec![]),
            (5, vec![chunk(1, &[0; 16])], vec![E::SctpInitTag]),
            (
                0,
                vec![chunk(1, &[0; 16]), chunk(6, &[])],
                vec![E::SctpInitBundled],
            ),
            (0, vec![data(b"x")], vec![E::SctpDataWithoutTag]),
            (1, vec![vec![0, 0, 0]], vec![E::SctpChunkTooSmall]),
            (1, vec![vec![0, 0, 0, 3]], vec![E::SctpChunkLenInvalid]),
            (1, vec![vec![0, 0, 0, 5]], vec![E::SctpChunkLenInvalid]),
            (1, many(254), vec![]),
            (1, many(255), vec![E::SctpTooManyChunks]),
            (1, vec![data(b"x"); 65], vec![E::SctpTooManyDataChunks]),
        ] {
            assert_eq!(events(tag, &chunks), expected, "{chunks:?}");
        }
    }
}
