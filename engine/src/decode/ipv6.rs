//! IPv6 header and extension headers (RFC 8200; AH RFC 4302; atomic fragments RFC 6946).
//!
//! ESP ends the walk: what it protects cannot be read. Jumbograms (RFC 2675) are not supported: their
//! payload length of 0 leaves no room for the hop-by-hop header that they need, which is undeliverable.

use std::net::Ipv6Addr;

use crate::packet::{Extensions, Fragment, Network, Packet, Transport};

use super::bytes::{array_at, byte, u16_at, u32_at};
use super::link::rest;
use super::{DecodeEvent, MAX_EXTENSIONS, Step, ipv6_options, transport};

const HEADER: usize = 40;
const NEXT_HEADER_AT: usize = 6;
const FRAGMENT_HEADER: usize = 8;

pub(super) const HOP_BY_HOP: u8 = 0;
const IPV4: u8 = 4;
const IPV6: u8 = 41;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const NO_NEXT: u8 = 59;
pub(super) const DESTINATION: u8 = 60;

/// The IPv6 header at `at` and what it carries.
#[inline]
pub(super) fn decode(packet: &mut Packet<'_>, at: usize) -> Step {
    let available = rest(packet, at);
    let header = available
        .first_chunk::<HEADER>()
        .ok_or(DecodeEvent::Ipv6TooSmall)?;
    if header[0] >> 4 != 6 {
        return Err(DecodeEvent::Ipv6WrongVersion);
    }
    packet.tos = (header[0] << 4) | (header[1] >> 4);
    packet.ttl = header[7];
    packet.protocol = header[NEXT_HEADER_AT];
    let address = |at| Ipv6Addr::from(array_at::<16>(header, at).unwrap_or_default());
    packet.source = address(8).into();
    packet.destination = address(24).into();
    let total = HEADER + usize::from(u16::from_be_bytes([header[4], header[5]]));
    if available.len() < total {
        return Err(DecodeEvent::Ipv6Truncated);
    }
    packet.network = Network::Ipv6;
    packet.l3 = at;
    packet.l4 = at + HEADER;
    packet.payload_start = packet.l4;
    packet.payload_end = at + total;
    let walk = Walk {
        next: header[NEXT_HEADER_AT],
        at: at + HEADER,
        named_at: at + NEXT_HEADER_AT,
        destinations: 0,
    };
    extensions(packet, walk)
}

/// Where the walk over the header chain stands.
struct Walk {
    /// What stands at `at`.
    next: u8,
    at: usize,
    /// The byte that said so.
    named_at: usize,
    /// Destination options headers so far.
    destinations: u8,
}

impl Walk {
    /// Steps over a header of `len` bytes whose first byte names the next.
    fn step(&mut self, packet: &Packet<'_>, len: usize) -> Step {
        let header = rest(packet, self.at);
        let next = byte(header, 0).ok_or(DecodeEvent::Ipv6TruncatedExtension)?;
        if header.len() < len {
            return Err(DecodeEvent::Ipv6TruncatedExtension);
        }
        self.named_at = self.at;
        self.next = next;
        self.at += len;
        Ok(())
    }
}

fn extensions(packet: &mut Packet<'_>, mut walk: Walk) -> Step {
    for _ in 0..=MAX_EXTENSIONS {
        match walk.next {
            HOP_BY_HOP => hop_by_hop(packet, &mut walk)?,
            DESTINATION => destination(packet, &mut walk)?,
            ROUTING => routing(packet, &mut walk)?,
            AUTHENTICATION => authentication(packet, &mut walk)?,
            FRAGMENT => {
                if fragment(packet, &mut walk)? {
                    return Ok(());
                }
            }
            next if next != NO_NEXT && ends_in_chain(packet, &walk) => {
                return Err(DecodeEvent::Ipv6TruncatedExtension);
            }
            _ => return upper(packet, &walk),
        }
    }
    Err(DecodeEvent::TooManyLayers)
}

/// True when extension headers end where no header at all can follow them.
fn ends_in_chain(packet: &Packet<'_>, walk: &Walk) -> bool {
    const SMALLEST: usize = 2;
    walk.at > packet.l3 + HEADER && rest(packet, walk.at).len() < SMALLEST
}

/// Length by a header's second byte, in units of `unit` beyond the first `first` bytes.
fn length(packet: &Packet<'_>, at: usize, unit: usize, first: usize) -> Result<usize, DecodeEvent> {
    let units = byte(rest(packet, at), 1).ok_or(DecodeEvent::Ipv6TruncatedExtension)?;
    Ok(first + usize::from(units) * unit)
}

fn hop_by_hop(packet: &mut Packet<'_>, walk: &mut Walk) -> Step {
    if walk.at != packet.l3 + HEADER {
        return Err(DecodeEvent::Ipv6DuplicateHopByHop);
    }
    packet.extensions |= Extensions::HOP_BY_HOP;
    options(packet, walk, HOP_BY_HOP)
}

fn destination(packet: &mut Packet<'_>, walk: &mut Walk) -> Step {
    packet.extensions |= Extensions::DESTINATION;
    walk.destinations = walk.destinations.saturating_add(1);
    if walk.destinations > 2 {
        packet.events.insert(DecodeEvent::Ipv6DuplicateDestination);
    }
    options(packet, walk, DESTINATION)
}

fn options(packet: &mut Packet<'_>, walk: &mut Walk, kind: u8) -> Step {
    let start = walk.at;
    let len = length(packet, start, 8, 8)?;
    walk.step(packet, len)?;
    let options = rest(packet, start).get(2..len).unwrap_or_default();
    ipv6_options::check(kind, options, &mut packet.events)
}

fn routing(packet: &mut Packet<'_>, walk: &mut Walk) -> Step {
    if packet.extensions.contains(Extensions::ROUTING) {
        packet.events.insert(DecodeEvent::Ipv6DuplicateRouting);
    }
    packet.extensions |= Extensions::ROUTING;
    let start = walk.at;
    walk.step(packet, length(packet, start, 8, 8)?)?;
    if byte(rest(packet, start), 2) == Some(0) {
        packet.events.insert(DecodeEvent::Ipv6RoutingType0);
    }
    Ok(())
}

fn authentication(packet: &mut Packet<'_>, walk: &mut Walk) -> Step {
    if packet.extensions.contains(Extensions::AUTHENTICATION) {
        packet
            .events
            .insert(DecodeEvent::Ipv6DuplicateAuthentication);
    }
    packet.extensions |= Extensions::AUTHENTICATION;
    let start = walk.at;
    walk.step(packet, length(packet, start, 4, 8)?)?;
    if u16_at(rest(packet, start), 2) != Some(0) {
        packet.events.insert(DecodeEvent::Ipv6AuthReserved);
    }
    Ok(())
}

/// True when the packet is a fragment of several, so that nothing behind this header is read.
fn fragment(packet: &mut Packet<'_>, walk: &mut Walk) -> Result<bool, DecodeEvent> {
    if packet.extensions.contains(Extensions::FRAGMENT) {
        return Err(DecodeEvent::Ipv6DuplicateFragment);
    }
    packet.extensions |= Extensions::FRAGMENT;
    let (start, named_at) = (walk.at, walk.named_at);
    walk.step(packet, FRAGMENT_HEADER)?;
    let header = rest(packet, start);
    let field = u16_at(header, 2).unwrap_or_default();
    let (offset, more) = (field & 0xfff8, field & 1 != 0);
    if field & 0x6 != 0 || byte(header, 1) != Some(0) {
        packet.events.insert(DecodeEvent::Ipv6FragReserved);
    }
    if offset == 0 && !more {
        packet.events.insert(DecodeEvent::Ipv6UselessFragment);
        return Ok(false);
    }
    packet.protocol = walk.next;
    packet.l4 = walk.at;
    packet.payload_start = walk.at;
    packet.transport = Transport::None;
    packet.fragment = Some(Fragment {
        id: u32_at(header, 4).unwrap_or_default(),
        offset,
        more,
        header: start,
        named_at,
    });
    Ok(true)
}

fn upper(packet: &mut Packet<'_>, walk: &Walk) -> Step {
    packet.protocol = walk.next;
    packet.l4 = walk.at;
    packet.payload_start = walk.at;
    let carried = rest(packet, walk.at);
    let version = byte(carried, 0).map(|first| first >> 4);
    let event = match walk.next {
        NO_NEXT if !carried.is_empty() => DecodeEvent::Ipv6DataAfterNone,
        IPV4 if carried.len() < 20 => DecodeEvent::Ipv4InIpv6TooSmall,
        IPV4 if version != Some(4) => DecodeEvent::Ipv4InIpv6WrongVersion,
        IPV6 if carried.len() < HEADER => DecodeEvent::Ipv6InIpv6TooSmall,
        IPV6 if version != Some(6) => DecodeEvent::Ipv6InIpv6WrongVersion,
        _ => return transport::decode(packet),
    };
    packet.events.insert(event);
    packet.transport = Transport::Other(walk.next);
    Ok(())
}
