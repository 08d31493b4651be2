//! What tells the sides of a rejected packet: a TCP reset, else ICMP destination unreachable.
//!
//! TCP: RFC 9293, 3.5.2 (reset generation) with the sequence numbers of the packet itself, so that the
//! receiver's exact check (RFC 5961, 3.2) accepts it. Others: RFC 1122, 3.2.2, RFC 1812, 4.3 and
//! RFC 4443, 2.4: never about an ICMP error, a later fragment, or from or to a group or no address.
//! The link layer is the packet's own, VLAN tags included.

pub mod allowance;
mod icmp;
mod ip;
mod tcp;

use std::net::IpAddr;

use weir_engine::packet::{Packet, Transport};

/// Whom an answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The sender of the packet.
    Source,
    /// Its receiver.
    Destination,
}

/// Length of an Ethernet header without tags.
const ETHERNET: usize = 14;

/// Writes the frame that tells `side` into `frame` (cleared first). False when nothing may be said about
/// this packet.
#[must_use]
pub fn answer(packet: &Packet<'_>, side: Side, frame: &mut Vec<u8>) -> bool {
    frame.clear();
    link(packet, side, frame).is_some()
        && match packet.transport {
            Transport::Tcp(header) => tcp::reset(packet, &header, side, frame).is_some(),
            _ if may_answer(packet) => icmp::unreachable(packet, side, frame).is_some(),
            _ => false,
        }
}

/// Addresses of the answer: from the other end, to the side that is told.
fn ends(packet: &Packet<'_>, side: Side) -> (IpAddr, IpAddr) {
    match side {
        Side::Source => (packet.destination, packet.source),
        Side::Destination => (packet.source, packet.destination),
    }
}

fn link(packet: &Packet<'_>, side: Side, frame: &mut Vec<u8>) -> Option<()> {
    let header = packet.frame.get(..packet.l3)?;
    let (destination, rest) = header.split_at_checked(6)?;
    let (source, rest) = rest.split_at_checked(6)?;
    if header.len() < ETHERNET {
        return None;
    }
    let (to, from) = match side {
        Side::Source => (source, destination),
        Side::Destination => (destination, source),
    };
    for part in [to, from, rest] {
        frame.extend_from_slice(part);
    }
    Some(())
}

fn may_answer(packet: &Packet<'_>) -> bool {
    let single = |address: IpAddr| match address {
        IpAddr::V4(a) => !a.is_multicast() && !a.is_broadcast() && !a.is_unspecified(),
        IpAddr::V6(a) => !a.is_multicast() && !a.is_unspecified(),
    };
    // The first byte of an Ethernet group address is odd.
    let unicast = packet.frame.first().is_some_and(|byte| byte & 1 == 0);
    let answerable = match packet.transport {
        Transport::Icmp4(icmp) => !matches!(icmp.kind, 3 | 4 | 5 | 11 | 12),
        Transport::Icmp6(icmp) => icmp.kind >= 128,
        Transport::None => false,
        _ => true,
    };
    unicast && answerable && single(packet.source) && single(packet.destination)
}

#[cfg(test)]
mod tests;
