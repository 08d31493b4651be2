//! Link layers: what stands in front of the network header, and the `EtherType` chain.
//!
//! Formats: IEEE 802.3, 802.1Q, 802.1ad, 802.1ah, 802.1BR (E-tag), Cisco VN-tag and `FabricPath`, LLC/SNAP
//! (RFC 1042), the LINKTYPE_* registry of tcpdump.org.

use crate::frame::LinkType;
use crate::packet::{Network, Packet};

use super::bytes::{array_at, byte, u16_at};
use super::{DecodeEvent, MAX_LINK_LAYERS, MAX_VLANS, Step, ipv4, ipv6, mpls, ppp};

pub(super) const IPV4: u16 = 0x0800;
pub(super) const ARP: u16 = 0x0806;
pub(super) const TRANSPARENT_ETHERNET: u16 = 0x6558;
pub(super) const IPV6: u16 = 0x86dd;
pub(super) const PPP: u16 = 0x880b;
const MPLS_UNICAST: u16 = 0x8847;
const MPLS_MULTICAST: u16 = 0x8848;
const PPPOE_DISCOVERY: u16 = 0x8863;
const PPPOE_SESSION: u16 = 0x8864;
/// Up to here the field behind the addresses is a length (802.3), not a type.
const MAX_LENGTH: u16 = 1500;

const ETHERNET_HEADER: usize = 14;
const SLL_HEADER: usize = 16;
const SLL2_HEADER: usize = 20;
const ARP_PACKET: usize = 28;

/// Decodes a frame from its first byte.
pub(super) fn decode(packet: &mut Packet<'_>, link: LinkType) -> Step {
    match link {
        LinkType::Ethernet => ethernet(packet, 0),
        LinkType::RawIp => raw_ip(packet, 0),
        LinkType::LinuxSll => cooked(packet, 14, SLL_HEADER, DecodeEvent::SllTooSmall),
        LinkType::LinuxSll2 => cooked(packet, 0, SLL2_HEADER, DecodeEvent::Sll2TooSmall),
        LinkType::Null => loopback(packet, true),
        LinkType::Loop => loopback(packet, false),
        LinkType::Ppp => ppp::hdlc(packet, 0),
        LinkType::CiscoHdlc => cooked(packet, 2, 4, DecodeEvent::ChdlcTooSmall),
    }
}

/// The bytes from `at` to the end of what the layers so far allow.
#[inline]
pub(super) fn rest<'a>(packet: &Packet<'a>, at: usize) -> &'a [u8] {
    packet.frame.get(at..packet.payload_end).unwrap_or_default()
}

/// An Ethernet header at `at`.
pub(super) fn ethernet(packet: &mut Packet<'_>, at: usize) -> Step {
    let kind = u16_at(rest(packet, at), 12).ok_or(DecodeEvent::EthernetTooSmall)?;
    let next = at + ETHERNET_HEADER;
    if kind <= MAX_LENGTH {
        return llc(packet, usize::from(kind), next);
    }
    ether_type(packet, kind, next)
}

/// An IP header at `at`, version 4 or 6.
pub(super) fn raw_ip(packet: &mut Packet<'_>, at: usize) -> Step {
    match byte(rest(packet, at), 0).map(|first| first >> 4) {
        Some(4) => ipv4::decode(packet, at),
        Some(6) => ipv6::decode(packet, at),
        _ => Err(DecodeEvent::RawInvalidVersion),
    }
}

/// A header of `len` bytes whose `EtherType` is at `kind_at`. Numbers below the types (Linux writes 1
/// for 802.3 and 4 for LLC there) mean nothing that weir looks into.
fn cooked(packet: &mut Packet<'_>, kind_at: usize, len: usize, small: DecodeEvent) -> Step {
    let header = packet.frame.get(..len).ok_or(small)?;
    match u16_at(header, kind_at) {
        Some(kind) if kind > MAX_LENGTH => ether_type(packet, kind, len),
        _ => other(packet, len),
    }
}

/// A 4-byte address family. `host_order`: in the byte order of the machine that captured, which a
/// capture file does not say; families are small, so both are tried.
fn loopback(packet: &mut Packet<'_>, host_order: bool) -> Step {
    const INET: u32 = 2;
    // Linux, NetBSD and OpenBSD, FreeBSD, Darwin.
    const INET6: [u32; 4] = [10, 24, 28, 30];
    let raw = array_at(packet.frame, 0).ok_or(DecodeEvent::NullTooSmall)?;
    let big = u32::from_be_bytes(raw);
    let family = if host_order && big > 0xffff {
        u32::from_le_bytes(raw)
    } else {
        big
    };
    if family == INET {
        ipv4::decode(packet, 4)
    } else if INET6.contains(&family) {
        ipv6::decode(packet, 4)
    } else {
        packet.events.insert(DecodeEvent::NullUnsupportedType);
        other(packet, 4)
    }
}

/// LLC behind an 802.3 length: SNAP leads on to an `EtherType`, anything else is not looked into.
fn llc(packet: &mut Packet<'_>, len: usize, at: usize) -> Step {
    packet.payload_end = packet.payload_end.min(at.saturating_add(len));
    match array_at::<8>(rest(packet, at), 0) {
        Some([0xaa, 0xaa, 3, 0, 0, 0, high, low]) => {
            ether_type(packet, u16::from_be_bytes([high, low]), at + 8)
        }
        _ => other(packet, at),
    }
}

/// A tag in front of another `EtherType`.
struct Tag {
    /// Bytes of the tag, the next `EtherType` included, which is its last two.
    len: usize,
    /// The frame cuts it short.
    small: DecodeEvent,
    /// What follows is not known.
    unknown: DecodeEvent,
}

const fn tag(kind: u16) -> Option<Tag> {
    use DecodeEvent as E;
    let (len, small, unknown) = match kind {
        0x8100 | 0x88a8 | 0x9100 => (4, E::VlanTooSmall, E::VlanUnknownType),
        0x8926 => (6, E::VntagTooSmall, E::VntagUnknownType),
        0x893f => (8, E::EtagTooSmall, E::EtagUnknownType),
        // Service tag, then a whole Ethernet header.
        0x88e7 => (18, E::Ieee8021ahTooSmall, E::EthernetUnknownType),
        0x8903 => (16, E::DceTooSmall, E::EthernetUnknownType),
        _ => return None,
    };
    Some(Tag {
        len,
        small,
        unknown,
    })
}

/// What `kind` says stands at `at`, through any tags.
pub(super) fn ether_type(packet: &mut Packet<'_>, mut kind: u16, mut at: usize) -> Step {
    let mut unknown = DecodeEvent::EthernetUnknownType;
    for _ in 0..MAX_LINK_LAYERS {
        let Some(tag) = tag(kind) else {
            return network(packet, kind, at, unknown);
        };
        let header = rest(packet, at).get(..tag.len).ok_or(tag.small)?;
        if tag.small == DecodeEvent::VlanTooSmall {
            push_vlan(packet, u16_at(header, 0).unwrap_or_default())?;
        }
        kind = u16_at(header, tag.len - 2).unwrap_or_default();
        at += tag.len;
        unknown = tag.unknown;
        if kind <= MAX_LENGTH {
            return llc(packet, usize::from(kind), at);
        }
    }
    Err(DecodeEvent::TooManyLayers)
}

fn push_vlan(packet: &mut Packet<'_>, tci: u16) -> Step {
    let slot = packet
        .vlan
        .get_mut(usize::from(packet.vlan_layers))
        .ok_or(DecodeEvent::VlanTooManyLayers)?;
    *slot = tci & 0x0fff;
    packet.vlan_layers += 1;
    debug_assert!(usize::from(packet.vlan_layers) <= MAX_VLANS);
    Ok(())
}

fn network(packet: &mut Packet<'_>, kind: u16, at: usize, unknown: DecodeEvent) -> Step {
    match kind {
        IPV4 => ipv4::decode(packet, at),
        IPV6 => ipv6::decode(packet, at),
        ARP => arp(packet, at),
        MPLS_UNICAST | MPLS_MULTICAST => mpls::decode(packet, at),
        PPPOE_SESSION => ppp::pppoe_session(packet, at),
        PPPOE_DISCOVERY => ppp::pppoe_discovery(packet, at),
        PPP => ppp::protocol(packet, at),
        _ => {
            packet.events.insert(unknown);
            other(packet, at)
        }
    }
}

fn arp(packet: &mut Packet<'_>, at: usize) -> Step {
    other(packet, at)?;
    if rest(packet, at).len() >= ARP_PACKET {
        packet.network = Network::Arp;
    }
    Ok(())
}

/// Ends decoding: what stands at `at` is not looked into. It is the packet's payload.
pub(super) fn other(packet: &mut Packet<'_>, at: usize) -> Step {
    let at = at.min(packet.payload_end);
    packet.network = Network::Other;
    packet.l3 = at;
    packet.l4 = at;
    packet.payload_start = at;
    Ok(())
}
