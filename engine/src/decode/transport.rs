//! UDP (RFC 768), and the choice of the transport decoder.

use crate::packet::{Network, Packet, Transport};

use super::link::rest;
use super::{DecodeEvent, Step, icmp, igmp, sctp, tcp};

/// Protocol numbers (IANA).
pub(super) const ICMP: u8 = 1;
pub(crate) const IGMP: u8 = 2;
pub(super) const IPV4: u8 = 4;
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const IPV6: u8 = 41;
pub(super) const GRE: u8 = 47;
const ESP: u8 = 50;
const AH: u8 = 51;
pub(super) const ICMPV6: u8 = 58;
const NO_NEXT: u8 = 59;
const SCTP: u8 = 132;

/// Security parameters index and sequence number (RFC 4303).
const ESP_HEADER: usize = 8;
const UDP_HEADER: usize = 8;

/// The transport header at `packet.l4`, of the protocol `packet.protocol`.
#[inline]
pub(super) fn decode(packet: &mut Packet<'_>) -> Step {
    match (packet.protocol, packet.network) {
        (TCP, _) => tcp::decode(packet),
        (UDP, _) => udp(packet),
        (ICMP, Network::Ipv4) => icmp::decode4(packet),
        (ICMPV6, Network::Ipv6) => icmp::decode6(packet),
        (SCTP, _) => sctp::decode(packet),
        (IGMP, Network::Ipv4) => igmp::decode(packet),
        (protocol, network) => {
            packet.transport = Transport::Other(protocol);
            let short = protocol == ESP && rest(packet, packet.l4).len() < ESP_HEADER;
            let event = short.then_some(DecodeEvent::EspTooSmall);
            if let Some(event) = event.or_else(|| remark(protocol, network)) {
                packet.events.insert(event);
            }
            Ok(())
        }
    }
}

/// The event for a protocol that is not looked into.
fn remark(protocol: u8, network: Network) -> Option<DecodeEvent> {
    match (protocol, network) {
        (ICMPV6, Network::Ipv4) => Some(DecodeEvent::Ipv4Icmpv6),
        (ICMP, Network::Ipv6) => Some(DecodeEvent::Ipv6Icmpv4),
        (IPV4 | IPV6 | GRE | ESP | AH | NO_NEXT, _) => None,
        (_, Network::Ipv4) => Some(DecodeEvent::Ipv4UnknownProtocol),
        (_, _) => Some(DecodeEvent::Ipv6UnknownNextHeader),
    }
}

fn udp(packet: &mut Packet<'_>) -> Step {
    let segment = rest(packet, packet.l4);
    let header = segment
        .first_chunk::<UDP_HEADER>()
        .ok_or(DecodeEvent::UdpTooSmall)?;
    let len = usize::from(u16::from_be_bytes([header[4], header[5]]));
    if len < UDP_HEADER {
        return Err(DecodeEvent::UdpLenTooSmall);
    }
    if len > segment.len() {
        return Err(DecodeEvent::UdpLenInvalid);
    }
    packet.transport = Transport::Udp {
        source: u16::from_be_bytes([header[0], header[1]]),
        destination: u16::from_be_bytes([header[2], header[3]]),
    };
    packet.payload_start = packet.l4 + UDP_HEADER;
    // What the IP packet has beyond the datagram is not delivered to any socket.
    packet.payload_end = packet.l4 + len;
    Ok(())
}
