//! Internet checksums (RFC 1071): judged, and computed for frames that weir rewrites.
//!
//! What is judged: the IPv4 header, TCP, UDP, ICMP, `ICMPv6`, IGMP. What is not, because the frame carries
//! no finished sum:
//! - [`ChecksumState::Partial`] (`VIRTIO_NET_HDR_F_NEEDS_CSUM`): the field holds the sum of the pseudo
//!   header, the device fills in the rest;
//! - a GSO super-frame ([`FrameMeta::gso_size`]): it never was on a wire; its field is of no frame, and
//!   the segments it becomes get their own. Whoever sends it on must mark it as needing checksums.
//! - fragments: the sum is over the whole datagram;
//! - UDP in IPv4 with checksum 0.
//!
//! The pseudo header takes the destination of the IP header. While a routing header or source route
//! still has addresses to visit that is not the final one; such a packet is not for the host it is
//! addressed to, and counts as wrong.

use std::net::IpAddr;

use crate::frame::{ChecksumState, FrameMeta};
use crate::packet::{Network, Packet, Transport};

use super::transport::{ICMP, ICMPV6, IGMP, TCP, UDP};

/// Which checksum is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChecksumFault {
    /// IPv4 header.
    Ipv4Header,
    /// TCP.
    Tcp,
    /// UDP; in IPv6 also a missing one (RFC 8200, 8.1).
    Udp,
    /// ICMP.
    Icmp4,
    /// `ICMPv6`.
    Icmp6,
    /// IGMP.
    Igmp,
}

impl ChecksumFault {
    /// Stable name, as records give it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ipv4Header => "checksum.ipv4",
            Self::Tcp => "checksum.tcp",
            Self::Udp => "checksum.udp",
            Self::Icmp4 => "checksum.icmpv4",
            Self::Icmp6 => "checksum.icmpv6",
            Self::Igmp => "checksum.igmp",
        }
    }
}

/// Judges every checksum that the frame carries.
///
/// # Errors
///
/// The first one that is wrong.
pub fn verify(packet: &Packet<'_>, meta: &FrameMeta) -> Result<(), ChecksumFault> {
    verify_ipv4_header(packet)?;
    if meta.checksum == ChecksumState::Partial || meta.gso_size.is_some() {
        return Ok(());
    }
    verify_transport(packet)
}

/// Judges the IPv4 header checksum; the header is final even in frames whose L4 checksum is not.
///
/// # Errors
///
/// When it is wrong.
pub fn verify_ipv4_header(packet: &Packet<'_>) -> Result<(), ChecksumFault> {
    if packet.network == Network::Ipv4 && fold(sum(packet.ip_header())) != 0xffff {
        return Err(ChecksumFault::Ipv4Header);
    }
    Ok(())
}

/// Judges the L4 checksum, in the belief that it is final.
///
/// # Errors
///
/// When it is wrong.
pub fn verify_transport(packet: &Packet<'_>) -> Result<(), ChecksumFault> {
    if packet.fragment.is_some() {
        return Ok(());
    }
    let (fault, pseudo) = match packet.transport {
        Transport::Tcp(_) => (ChecksumFault::Tcp, pseudo_header(packet, TCP)),
        // The sender may leave it out, in IPv4.
        Transport::Udp { .. } if packet.transport_header().ends_with(&[0, 0]) => {
            return match packet.network {
                Network::Ipv6 => Err(ChecksumFault::Udp),
                _ => Ok(()),
            };
        }
        Transport::Udp { .. } => (ChecksumFault::Udp, pseudo_header(packet, UDP)),
        Transport::Icmp4(_) => (ChecksumFault::Icmp4, 0),
        Transport::Icmp6(_) => (ChecksumFault::Icmp6, pseudo_header(packet, ICMPV6)),
        Transport::Other(IGMP) if packet.network == Network::Ipv4 => (ChecksumFault::Igmp, 0),
        _ => return Ok(()),
    };
    if fold(pseudo + sum(packet.segment())) == 0xffff {
        Ok(())
    } else {
        Err(fault)
    }
}

/// Offset of the checksum field in the transport header of a protocol; `None` where it has none.
#[must_use]
pub fn field_offset(protocol: u8) -> Option<usize> {
    match protocol {
        TCP => Some(16),
        UDP => Some(6),
        ICMP | ICMPV6 | IGMP => Some(2),
        _ => None,
    }
}

/// Sum of the pseudo header of `packet`'s segment (RFC 9293, 3.1; RFC 8200, 8.1), unfolded.
fn pseudo_header(packet: &Packet<'_>, protocol: u8) -> u64 {
    let addresses = match (packet.source, packet.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            sum(&source.octets()) + sum(&destination.octets())
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            sum(&source.octets()) + sum(&destination.octets())
        }
        // Never: both come from one header.
        _ => 0,
    };
    let len = u64::try_from(packet.segment().len()).unwrap_or(u64::MAX >> 16);
    addresses + big_endian(len) + big_endian(u64::from(protocol))
}

/// A number below 2^32 as it counts in a sum of native-order words.
fn big_endian(number: u64) -> u64 {
    let word = u32::try_from(number).unwrap_or(u32::MAX);
    u64::from(u32::from_ne_bytes(word.to_be_bytes()))
}

/// Sum of `bytes` as words in the machine's byte order, to be folded: the ones' complement sum does
/// not depend on it (RFC 1071, 2B). Cannot overflow below 2^32 bytes.
#[must_use]
pub fn sum(bytes: &[u8]) -> u64 {
    let (words, tail) = bytes.as_chunks::<8>();
    let (mut low, mut high) = (0u64, 0u64);
    for word in words {
        let word = u64::from_ne_bytes(*word);
        low += word & 0xffff_ffff;
        high += word >> 32;
    }
    let mut last = [0u8; 8];
    for (to, from) in last.iter_mut().zip(tail) {
        *to = *from;
    }
    let last = u64::from_ne_bytes(last);
    low + high + (last & 0xffff_ffff) + (last >> 32)
}

/// Folds a sum to 16 bits, in the machine's byte order.
#[must_use]
pub fn fold(sum: u64) -> u16 {
    let mut sum = sum;
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    // At most 0xffff.
    u16::try_from(sum).unwrap_or(u16::MAX)
}

/// Checksum field, in wire order, over bytes whose field is zero.
#[must_use]
pub fn finish(sum: u64) -> [u8; 2] {
    (!fold(sum)).to_ne_bytes()
}

/// The checksum field after `old` bytes under it became `new` (RFC 1624, equation 3). Both have the
/// same length and start at an even offset of what the sum covers; `field` is in wire order.
#[must_use]
pub fn update(field: [u8; 2], old: &[u8], new: &[u8]) -> [u8; 2] {
    let kept = u64::from(!u16::from_ne_bytes(field));
    let removed = u64::from(!fold(sum(old)));
    finish(kept + removed + sum(new))
}
