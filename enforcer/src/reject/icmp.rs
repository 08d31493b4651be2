//! ICMP destination unreachable: port for UDP, administratively prohibited for the rest.
//!
//! It quotes the IP header and eight bytes. The receiver of the rejected packet is told by a quote of the
//! datagram that it would have answered with, as that is the one its socket knows; there is one for UDP
//! only.

use std::net::IpAddr;

use pnet::packet::icmpv6::{self, Icmpv6Packet};
use pnet::packet::util;
use weir_engine::packet::{Packet, Transport};

use super::{Side, ends, ip};

const ICMP4: u8 = 1;
const ICMP6: u8 = 58;
/// Bytes of the transport header that are quoted.
const QUOTED: usize = 8;
/// Type, code, checksum and four unused bytes.
const HEADER: usize = 8;

/// Appends the message. `None` when there is nothing to quote.
pub(super) fn unreachable(packet: &Packet<'_>, side: Side, frame: &mut Vec<u8>) -> Option<()> {
    let udp = matches!(packet.transport, Transport::Udp { .. });
    if side == Side::Destination && !udp {
        return None;
    }
    let quote = packet
        .frame
        .get(packet.l3..packet.l4.checked_add(QUOTED)?)?;
    let length = HEADER + quote.len();
    let ends = ends(packet, side);
    let (protocol, kind, code) = match (ends.0, udp) {
        (IpAddr::V4(_), true) => (ICMP4, 3, 3),
        (IpAddr::V4(_), false) => (ICMP4, 3, 13),
        (IpAddr::V6(_), true) => (ICMP6, 1, 4),
        (IpAddr::V6(_), false) => (ICMP6, 1, 1),
    };
    ip::append(frame, ends, protocol, length)?;
    let at = frame.len();
    frame.extend_from_slice(&[kind, code, 0, 0, 0, 0, 0, 0]);
    frame.extend_from_slice(quote);
    if side == Side::Destination {
        reverse(packet, frame.get_mut(at + HEADER..)?)?;
    }
    let message = frame.get(at..)?;
    let sum = match ends {
        (IpAddr::V4(_), IpAddr::V4(_)) => util::checksum(message, 1),
        (IpAddr::V6(a), IpAddr::V6(b)) => icmpv6::checksum(&Icmpv6Packet::new(message)?, &a, &b),
        _ => return None,
    };
    frame
        .get_mut(at + 2..at + 4)?
        .copy_from_slice(&sum.to_be_bytes());
    Some(())
}

/// Swaps addresses and ports of the quote. Neither checksum changes by that.
fn reverse(packet: &Packet<'_>, quote: &mut [u8]) -> Option<()> {
    let (addresses, length) = match packet.source {
        IpAddr::V4(_) => (12, 4),
        IpAddr::V6(_) => (8, 16),
    };
    let transport = packet.l4.checked_sub(packet.l3)?;
    for (at, length) in [(addresses, length), (transport, 2)] {
        let (a, b) = quote.get_mut(at..at + 2 * length)?.split_at_mut(length);
        a.swap_with_slice(b);
    }
    Some(())
}
