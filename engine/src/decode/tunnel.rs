//! Packets in packets: IP in IP (RFC 2003, 4213, 2473), GRE (RFC 2784, 2890; PPTP's version 1, RFC 2637)
//! with ERSPAN types I and II, VXLAN (RFC 7348), Geneve (RFC 8926), Teredo (RFC 4380).
//!
//! The outer packet is a packet of its own; what it carries is decoded as another view of the same
//! frame, one tunnel at a time, so that both are inspected. A tunnel over UDP is known by nothing but
//! its port, which any application may use: where the bytes do not read as that tunnel with an IP or
//! ARP packet in it, there is none.
//! ESP cannot be looked into.

use crate::packet::{Network, Packet, Transport};

use super::bytes::{byte, u16_at};
use super::link::{self, rest};
use super::transport::{GRE, IPV4, IPV6};
use super::{DecodeError, DecodeEvent, Step, ipv4, ipv6, read, tunnel_gre};

/// Tunnels within tunnels that are followed. A packet nested deeper is undeliverable.
pub const MAX_TUNNEL_DEPTH: u8 = 4;

const VXLAN_PORT: u16 = 4789;
const GENEVE_PORT: u16 = 6081;
const TEREDO_PORT: u16 = 3544;
const VXLAN_HEADER: usize = 8;
const GENEVE_HEADER: usize = 8;

/// What a tunnel packet carries.
pub type Inner<'a> = Result<Packet<'a>, DecodeError<'a>>;

/// The packet inside `outer`, where `outer` is a tunnel's; `None` for any other packet. What is wrong
/// with the tunnel's own header is added to the events of `outer`, so call this before `outer` is
/// inspected. Costs a comparison or two for packets that are no tunnel.
///
/// Fragments carry nothing until they are put together.
#[inline]
pub fn inner<'a>(outer: &mut Packet<'a>) -> Option<Inner<'a>> {
    match outer.transport {
        Transport::Other(protocol @ (IPV4 | IPV6 | GRE)) => by_protocol(outer, protocol),
        Transport::Udp {
            source,
            destination,
        } => by_port(outer, source, destination),
        _ => None,
    }
}

/// A packet inside `outer`, of which nothing is decoded yet.
fn nested<'a>(outer: &Packet<'a>) -> Packet<'a> {
    let mut packet = Packet::undecoded(outer.frame);
    packet.payload_end = outer.payload_end;
    packet.tunnel_depth = outer.tunnel_depth.saturating_add(1);
    packet.reassembled = outer.reassembled;
    packet
}

fn by_protocol<'a>(outer: &mut Packet<'a>, protocol: u8) -> Option<Inner<'a>> {
    let packet = nested(outer);
    let at = outer.payload_start;
    if packet.tunnel_depth > MAX_TUNNEL_DEPTH {
        return Some(read(packet, |_| Err(DecodeEvent::TooManyLayers)));
    }
    Some(match protocol {
        IPV4 | IPV6 if is_malformed_in_ipv6(outer) => return None,
        IPV4 => read(packet, |packet| ipv4::decode(packet, at)),
        IPV6 => read(packet, |packet| ipv6::decode(packet, at)),
        _ => {
            let carried = tunnel_gre::header(rest(outer, at), &mut outer.events)?;
            read(packet, |packet| tunnel_gre::carried(packet, carried, at))
        }
    })
}

/// IPv6's own events already say that there is no packet inside.
fn is_malformed_in_ipv6(outer: &Packet<'_>) -> bool {
    use DecodeEvent as E;
    outer.network == Network::Ipv6
        && [
            E::Ipv4InIpv6TooSmall,
            E::Ipv4InIpv6WrongVersion,
            E::Ipv6InIpv6TooSmall,
            E::Ipv6InIpv6WrongVersion,
        ]
        .into_iter()
        .any(|event| outer.events.contains(event))
}

fn by_port<'a>(outer: &Packet<'a>, source: u16, destination: u16) -> Option<Inner<'a>> {
    let tunnel: fn(&mut Packet<'_>, usize) -> Option<Step> = match (source, destination) {
        (_, VXLAN_PORT) => vxlan,
        (_, GENEVE_PORT) => geneve,
        (_, TEREDO_PORT) | (TEREDO_PORT, _) => teredo,
        _ => return None,
    };
    let mut packet = nested(outer);
    if packet.tunnel_depth > MAX_TUNNEL_DEPTH {
        return None;
    }
    match tunnel(&mut packet, outer.payload_start)? {
        Ok(()) if packet.network != Network::Other => Some(Ok(packet)),
        _ => None,
    }
}

fn vxlan(packet: &mut Packet<'_>, at: usize) -> Option<Step> {
    let header = rest(packet, at).first_chunk::<VXLAN_HEADER>()?;
    // The I flag says that there is a network identifier.
    if header[0] & 0x08 == 0 {
        return None;
    }
    Some(link::ethernet(packet, at + VXLAN_HEADER))
}

fn geneve(packet: &mut Packet<'_>, at: usize) -> Option<Step> {
    let header = rest(packet, at).first_chunk::<GENEVE_HEADER>()?;
    if header[0] >> 6 != 0 {
        return None;
    }
    let kind = u16::from_be_bytes([header[2], header[3]]);
    let next = at + GENEVE_HEADER + usize::from(header[0] & 0x3f) * 4;
    match kind {
        link::TRANSPARENT_ETHERNET => Some(link::ethernet(packet, next)),
        link::IPV4 | link::IPV6 => Some(link::ether_type(packet, kind, next)),
        _ => None,
    }
}

/// IPv6 over UDP, behind an optional authentication and an optional origin indication.
fn teredo(packet: &mut Packet<'_>, mut at: usize) -> Option<Step> {
    if u16_at(rest(packet, at), 0)? == 1 {
        let id = usize::from(byte(rest(packet, at), 2)?);
        let value = usize::from(byte(rest(packet, at), 3)?);
        at += 13 + id + value;
    }
    if u16_at(rest(packet, at), 0)? == 0 {
        at += 8;
    }
    Some(ipv6::decode(packet, at))
}
