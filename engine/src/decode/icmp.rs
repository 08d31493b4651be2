//! ICMP (RFC 792, RFC 950) and `ICMPv6` (RFC 4443, RFC 2710, RFC 3810).

use crate::packet::{IcmpHeader, Packet, Transport};

use super::bytes::{byte, u16_at};
use super::link::rest;
use super::{DecodeEvent, Step, icmp_types};

/// Type, code, checksum and four bytes that depend on the type.
const HEADER: usize = 8;
/// A timestamp message: the header and three times.
const TIMESTAMPS: usize = 20;
const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;

/// The ICMP header at `packet.l4`, in IPv4.
pub(super) fn decode4(packet: &mut Packet<'_>) -> Step {
    let header = header(packet, DecodeEvent::Icmpv4TooSmall, |kind| {
        matches!(kind, 0 | 8 | 13..=18)
    })?;
    if matches!(header.kind, 13 | 14) && rest(packet, packet.l4).len() < TIMESTAMPS {
        return Err(DecodeEvent::Icmpv4TooSmall);
    }
    packet.transport = Transport::Icmp4(header);
    packet.events.extend(icmp_types::judge4(header));
    if matches!(header.kind, 3 | 4 | 5 | 11 | 12) {
        let quote = packet.payload();
        if quote.len() < IPV4_HEADER {
            packet.events.insert(DecodeEvent::Icmpv4QuoteTruncated);
        } else if byte(quote, 0).map(|first| first >> 4) != Some(4) {
            packet.events.insert(DecodeEvent::Icmpv4QuoteVersion);
        }
    }
    Ok(())
}

/// The `ICMPv6` header at `packet.l4`, in IPv6.
pub(super) fn decode6(packet: &mut Packet<'_>) -> Step {
    let header = header(packet, DecodeEvent::Icmpv6TooSmall, |kind| {
        matches!(kind, 128 | 129)
    })?;
    packet.transport = Transport::Icmp6(header);
    packet.events.extend(icmp_types::judge6(header));
    // MLD messages never leave their link.
    if matches!(header.kind, 130..=132 | 143) && packet.ttl != 1 {
        packet.events.insert(DecodeEvent::Icmpv6MldHopLimit);
    }
    if matches!(header.kind, 1..=4) {
        let quote = packet.payload();
        if quote.len() < IPV6_HEADER {
            packet.events.insert(DecodeEvent::Icmpv6QuoteTruncated);
        } else if byte(quote, 0).map(|first| first >> 4) != Some(6) {
            packet.events.insert(DecodeEvent::Icmpv6QuoteVersion);
        }
    }
    Ok(())
}

fn header(
    packet: &mut Packet<'_>,
    small: DecodeEvent,
    has_id: fn(u8) -> bool,
) -> Result<IcmpHeader, DecodeEvent> {
    let bytes = rest(packet, packet.l4).get(..HEADER).ok_or(small)?;
    let kind = byte(bytes, 0).unwrap_or_default();
    let identified = has_id(kind);
    packet.payload_start = packet.l4 + HEADER;
    Ok(IcmpHeader {
        kind,
        code: byte(bytes, 1).unwrap_or_default(),
        id: u16_at(bytes, 4).filter(|_| identified),
        sequence: u16_at(bytes, 6).filter(|_| identified),
    })
}
