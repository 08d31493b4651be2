//! IPv4 header (RFC 791, RFC 1122, RFC 6864).

use std::net::Ipv4Addr;

use crate::packet::{Fragment, Network, Packet, Transport};

use super::bytes::array_at;
use super::link::rest;
use super::{DecodeEvent, Step, ipv4_options, transport};

/// Header length without options.
const HEADER: usize = 20;
const MORE_FRAGMENTS: u16 = 0x2000;
const OFFSET: u16 = 0x1fff;

/// The IPv4 header at `at` and what it carries.
#[inline]
pub(super) fn decode(packet: &mut Packet<'_>, at: usize) -> Step {
    let available = rest(packet, at);
    let header = available
        .first_chunk::<HEADER>()
        .ok_or(DecodeEvent::Ipv4TooSmall)?;
    if header[0] >> 4 != 4 {
        return Err(DecodeEvent::Ipv4WrongVersion);
    }
    addresses(packet, header);
    let header_len = usize::from(header[0] & 0x0f) * 4;
    let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if header_len < HEADER {
        return Err(DecodeEvent::Ipv4HeaderLenTooSmall);
    }
    if total < header_len {
        return Err(DecodeEvent::Ipv4LenSmallerThanHeader);
    }
    if available.len() < total {
        return Err(DecodeEvent::Ipv4Truncated);
    }
    packet.network = Network::Ipv4;
    packet.l3 = at;
    packet.l4 = at + header_len;
    packet.payload_start = packet.l4;
    packet.payload_end = at + total;
    if header_len > HEADER {
        let options = available.get(HEADER..header_len).unwrap_or_default();
        ipv4_options::check(options, &mut packet.events)?;
    }
    if let Some(fragment) = fragment(header, at) {
        packet.fragment = Some(fragment);
        packet.transport = Transport::None;
        return Ok(());
    }
    transport::decode(packet)
}

fn addresses(packet: &mut Packet<'_>, header: &[u8; HEADER]) {
    packet.tos = header[1];
    packet.ip_id = u16::from_be_bytes([header[4], header[5]]);
    packet.ip_flags = header[6] >> 5;
    packet.ttl = header[8];
    packet.protocol = header[9];
    let address = |at| Ipv4Addr::from(array_at::<4>(header, at).unwrap_or_default());
    packet.source = address(12).into();
    packet.destination = address(16).into();
}

fn fragment(header: &[u8; HEADER], at: usize) -> Option<Fragment> {
    let field = u16::from_be_bytes([header[6], header[7]]);
    if field & (MORE_FRAGMENTS | OFFSET) == 0 {
        return None;
    }
    Some(Fragment {
        id: u32::from(u16::from_be_bytes([header[4], header[5]])),
        // 13 bits in units of 8: at most 65,528.
        offset: (field & OFFSET) << 3,
        more: field & MORE_FRAGMENTS != 0,
        header: at,
        named_at: at,
    })
}
