//! PPP (RFC 1661, HDLC-like framing RFC 1662) and `PPPoE` (RFC 2516).

use crate::packet::Packet;

use super::bytes::{byte, u16_at};
use super::link::{other, rest};
use super::{DecodeEvent, Step, ipv4, ipv6};

const PPPOE_HEADER: usize = 6;
/// Smallest IP headers, for the events that PPP has of its own.
const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;
/// An uncompressed Van Jacobson packet is an IPv4 and a TCP header.
const VJU_HEADER: usize = 40;

/// A PPP frame at `at`, with or without address and control field.
pub(super) fn hdlc(packet: &mut Packet<'_>, at: usize) -> Step {
    let skip = match rest(packet, at).get(..2) {
        // All stations, unnumbered information; Cisco's addresses look alike.
        Some([0xff, 0x03]) => 2,
        Some(_) => 0,
        None => return Err(DecodeEvent::PppTooSmall),
    };
    protocol(packet, at + skip)
}

/// The PPP protocol field at `at`, one or two bytes, and what it names.
pub(super) fn protocol(packet: &mut Packet<'_>, at: usize) -> Step {
    let first = byte(rest(packet, at), 0).ok_or(DecodeEvent::PppTooSmall)?;
    // An odd first byte is a whole, compressed protocol field (RFC 1661, 6.5).
    let (kind, at) = if first & 1 == 1 {
        (u16::from(first), at + 1)
    } else {
        let kind = u16_at(rest(packet, at), 0).ok_or(DecodeEvent::PppTooSmall)?;
        (kind, at + 2)
    };
    let left = rest(packet, at).len();
    match kind {
        0x0021 if left < IPV4_HEADER => Err(DecodeEvent::PppIpv4TooSmall),
        0x0021 => ipv4::decode(packet, at),
        0x0057 if left < IPV6_HEADER => Err(DecodeEvent::PppIpv6TooSmall),
        0x0057 => ipv6::decode(packet, at),
        0x002f if left < VJU_HEADER => Err(DecodeEvent::PppVjuTooSmall),
        _ => {
            packet.events.insert(if is_protocol(kind) {
                DecodeEvent::PppUnsupportedProtocol
            } else {
                DecodeEvent::PppWrongType
            });
            other(packet, at)
        }
    }
}

/// Protocol numbers are even in their first and odd in their last byte (RFC 1661, 2).
fn is_protocol(kind: u16) -> bool {
    kind & 0x0101 == 0x0001
}

/// A `PPPoE` session header at `at`.
pub(super) fn pppoe_session(packet: &mut Packet<'_>, at: usize) -> Step {
    let header = rest(packet, at)
        .get(..PPPOE_HEADER)
        .ok_or(DecodeEvent::PppoeTooSmall)?;
    let len = usize::from(u16_at(header, 4).unwrap_or_default());
    let start = at + PPPOE_HEADER;
    packet.payload_end = packet.payload_end.min(start.saturating_add(len));
    protocol(packet, start)
}

/// A `PPPoE` discovery packet at `at`: checked, not looked into.
pub(super) fn pppoe_discovery(packet: &mut Packet<'_>, at: usize) -> Step {
    const CODES: [u8; 5] = [0x09, 0x07, 0x19, 0x65, 0xa7];
    let header = rest(packet, at)
        .get(..PPPOE_HEADER)
        .ok_or(DecodeEvent::PppoeTooSmall)?;
    if byte(header, 1).is_none_or(|code| !CODES.contains(&code)) {
        packet.events.insert(DecodeEvent::PppoeWrongCode);
    }
    let len = usize::from(u16_at(header, 4).unwrap_or_default());
    let tags = rest(packet, at + PPPOE_HEADER);
    if !tags.get(..len).is_some_and(tags_fit) {
        packet.events.insert(DecodeEvent::PppoeMalformedTags);
    }
    other(packet, at + PPPOE_HEADER)
}

/// True when the tags (type, length, value) fill `tags` exactly, or end with an end-of-list tag.
fn tags_fit(mut tags: &[u8]) -> bool {
    while !tags.is_empty() {
        let (Some(kind), Some(len)) = (u16_at(tags, 0), u16_at(tags, 2)) else {
            return false;
        };
        if kind == 0 {
            return true;
        }
        match tags.get(4 + usize::from(len)..) {
            Some(next) => tags = next,
            None => return false,
        }
    }
    true
}
