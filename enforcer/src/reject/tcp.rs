//! TCP resets.

use std::net::IpAddr;

use pnet::packet::tcp::{MutableTcpPacket, TcpFlags, ipv4_checksum, ipv6_checksum};
use weir_engine::packet::{Packet, TcpHeader};

use super::{Side, ends, ip};

const PROTOCOL: u8 = 6;
const LEN: usize = 20;

/// Appends the reset. `None` when the packet is itself one, or opens a connection that its receiver does not have
/// yet.
pub(super) fn reset(
    packet: &Packet<'_>,
    header: &TcpHeader,
    side: Side,
    frame: &mut Vec<u8>,
) -> Option<()> {
    let opens = header.flags & (TcpFlags::SYN | TcpFlags::ACK) == TcpFlags::SYN;
    if header.flags & TcpFlags::RST != 0 || (side == Side::Destination && opens) {
        return None;
    }
    let ends = ends(packet, side);
    ip::append(frame, ends, PROTOCOL, LEN)?;
    let at = frame.len();
    frame.resize(at + LEN, 0);
    let mut tcp = MutableTcpPacket::new(frame.get_mut(at..)?)?;
    tcp.set_data_offset(5);
    match side {
        Side::Source => to_source(&mut tcp, header, packet.payload().len()),
        Side::Destination => to_destination(&mut tcp, header),
    }
    let sum = match ends {
        (IpAddr::V4(a), IpAddr::V4(b)) => ipv4_checksum(&tcp.to_immutable(), &a, &b),
        (IpAddr::V6(a), IpAddr::V6(b)) => ipv6_checksum(&tcp.to_immutable(), &a, &b),
        _ => return None,
    };
    tcp.set_checksum(sum);
    Some(())
}

/// As the receiver would have answered a segment for a connection it does not have.
fn to_source(tcp: &mut MutableTcpPacket<'_>, header: &TcpHeader, payload: usize) {
    tcp.set_source(header.destination);
    tcp.set_destination(header.source);
    if header.flags & TcpFlags::ACK != 0 {
        tcp.set_sequence(header.acknowledgement);
        tcp.set_flags(TcpFlags::RST);
        return;
    }
    let bit = |flag: u8| u32::from(header.flags & flag != 0);
    // A frame is shorter than 2^17 bytes.
    let payload = u32::try_from(payload).unwrap_or(0);
    let length = payload + bit(TcpFlags::SYN) + bit(TcpFlags::FIN);
    tcp.set_acknowledgement(header.sequence.wrapping_add(length));
    tcp.set_flags(TcpFlags::RST | TcpFlags::ACK);
}

/// In the place of the segment that does not come.
fn to_destination(tcp: &mut MutableTcpPacket<'_>, header: &TcpHeader) {
    tcp.set_source(header.source);
    tcp.set_destination(header.destination);
    tcp.set_sequence(header.sequence);
    tcp.set_flags(TcpFlags::RST);
    if header.flags & TcpFlags::ACK != 0 {
        tcp.set_acknowledgement(header.acknowledgement);
        tcp.set_flags(TcpFlags::RST | TcpFlags::ACK);
    }
}
