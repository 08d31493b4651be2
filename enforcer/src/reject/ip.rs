//! The IP header of an answer.

use std::net::IpAddr;

use pnet::packet::Packet as _;
use pnet::packet::ip::IpNextHeaderProtocol;
use pnet::packet::ipv4::{Ipv4Flags, MutableIpv4Packet, checksum};
use pnet::packet::ipv6::MutableIpv6Packet;

/// Initial TTL and hop limit.
const HOPS: u8 = 64;

/// Appends an IP header for `payload` bytes of `protocol`. `None` when the ends' families differ.
pub(super) fn append(
    frame: &mut Vec<u8>,
    (source, destination): (IpAddr, IpAddr),
    protocol: u8,
    payload: usize,
) -> Option<()> {
    let at = frame.len();
    let protocol = IpNextHeaderProtocol::new(protocol);
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            const LEN: usize = 20;
            frame.resize(at + LEN, 0);
            let mut ip = MutableIpv4Packet::new(frame.get_mut(at..)?)?;
            ip.set_version(4);
            ip.set_header_length(5);
            ip.set_total_length(u16::try_from(LEN + payload).ok()?);
            ip.set_flags(Ipv4Flags::DontFragment);
            ip.set_ttl(HOPS);
            ip.set_next_level_protocol(protocol);
            ip.set_source(source);
            ip.set_destination(destination);
            let sum = checksum(&ip.to_immutable());
            ip.set_checksum(sum);
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            const LEN: usize = 40;
            frame.resize(at + LEN, 0);
            let mut ip = MutableIpv6Packet::new(frame.get_mut(at..)?)?;
            ip.set_version(6);
            ip.set_payload_length(u16::try_from(payload).ok()?);
            ip.set_next_header(protocol);
            ip.set_hop_limit(HOPS);
            ip.set_source(source);
            ip.set_destination(destination);
            debug_assert_eq!(ip.packet().len(), LEN);
        }
        _ => return None,
    }
    Some(())
}
