//! Frames made byte by byte, good and bad: what sockets will not send.
//!
//! Written from RFC 791, 8200, 793, 768, 792, 4443 independently of the decoder under test.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Result, bail};
use pnet::util::MacAddr;

/// TCP flags.
pub mod flags {
    /// FIN.
    pub const FIN: u8 = 0x01;
    /// SYN.
    pub const SYN: u8 = 0x02;
    /// RST.
    pub const RST: u8 = 0x04;
    /// PSH.
    pub const PSH: u8 = 0x08;
    /// ACK.
    pub const ACK: u8 = 0x10;
}

/// IANA protocol numbers.
pub mod protocol {
    /// ICMP for IPv4.
    pub const ICMP: u8 = 1;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// Fragment header of IPv6.
    pub const FRAGMENT6: u8 = 44;
    /// ICMP for IPv6.
    pub const ICMP6: u8 = 58;
}

/// Link-layer and network-layer ends of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Source MAC address.
    pub source_mac: MacAddr,
    /// Destination MAC address.
    pub destination_mac: MacAddr,
    /// Source address.
    pub source: IpAddr,
    /// Destination address; of the same family.
    pub destination: IpAddr,
}

/// A TCP header's variable part.
#[derive(Clone, Copy, Debug)]
pub struct Tcp {
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// Sequence number.
    pub sequence: u32,
    /// Acknowledgement number.
    pub acknowledgement: u32,
    /// Flags, see [`flags`].
    pub flags: u8,
}

/// Window of every crafted segment.
const WINDOW: u16 = 0xffff;

/// Time to live of every crafted packet.
const TTL: u8 = 64;

/// Body of the smallest fragment that both families' receivers take: Linux drops IPv6 packets under 1280 bytes
/// that say "more fragments".
pub const SMALLEST_FIRST_FRAGMENT: usize = 1240;

/// A frame with a TCP segment.
///
/// # Errors
/// When the families differ or the payload is too long for one packet.
pub fn tcp(ends: &Ends, header: &Tcp, payload: &[u8]) -> Result<Vec<u8>> {
    ip(ends, protocol::TCP, &tcp_segment(ends, header, payload)?)
}

/// A TCP segment with its checksum.
///
/// # Errors
/// When the payload is too long.
pub fn tcp_segment(ends: &Ends, header: &Tcp, payload: &[u8]) -> Result<Vec<u8>> {
    let mut segment = Vec::with_capacity(20 + payload.len());
    segment.extend(header.source_port.to_be_bytes());
    segment.extend(header.destination_port.to_be_bytes());
    segment.extend(header.sequence.to_be_bytes());
    segment.extend(header.acknowledgement.to_be_bytes());
    segment.extend([5 << 4, header.flags]);
    segment.extend(WINDOW.to_be_bytes());
    segment.extend([0; 4]);
    segment.extend(payload);
    finish_checksum(ends, protocol::TCP, &mut segment, 16)?;
    Ok(segment)
}

/// A frame with a UDP datagram.
///
/// # Errors
/// When the families differ or the payload is too long.
pub fn udp(ends: &Ends, ports: (u16, u16), payload: &[u8]) -> Result<Vec<u8>> {
    ip(ends, protocol::UDP, &udp_datagram(ends, ports, payload)?)
}

/// A UDP datagram with its checksum.
///
/// # Errors
/// When the payload is too long.
pub fn udp_datagram(ends: &Ends, ports: (u16, u16), payload: &[u8]) -> Result<Vec<u8>> {
    let mut datagram = Vec::with_capacity(8 + payload.len());
    datagram.extend(ports.0.to_be_bytes());
    datagram.extend(ports.1.to_be_bytes());
    datagram.extend(u16::try_from(8 + payload.len())?.to_be_bytes());
    datagram.extend([0; 2]);
    datagram.extend(payload);
    finish_checksum(ends, protocol::UDP, &mut datagram, 6)?;
    Ok(datagram)
}

/// A frame with an echo request.
///
/// # Errors
/// When the families differ or the payload is too long.
pub fn echo_request(
    ends: &Ends,
    identifier: u16,
    sequence: u16,
    payload: &[u8],
) -> Result<Vec<u8>> {
    let (kind, number) = match ends.destination {
        IpAddr::V4(_) => (8, protocol::ICMP),
        IpAddr::V6(_) => (128, protocol::ICMP6),
    };
    let mut message = vec![kind, 0, 0, 0];
    message.extend(identifier.to_be_bytes());
    message.extend(sequence.to_be_bytes());
    message.extend(payload);
    if number == protocol::ICMP {
        let sum = fold(sum_words(0, &message));
        put(&mut message, 2, sum)?;
    } else {
        finish_checksum(ends, number, &mut message, 2)?;
    }
    ip(ends, number, &message)
}

/// A frame with one whole IP packet around `body`.
///
/// # Errors
/// When the families differ or the body is too long.
pub fn ip(ends: &Ends, number: u8, body: &[u8]) -> Result<Vec<u8>> {
    match (ends.source, ends.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let header = ipv4_header((source, destination), number, body.len(), 0, 0)?;
            Ok(frame(ends, 0x0800, &[&header, body]))
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let header = ipv6_header((source, destination), number, body.len())?;
            Ok(frame(ends, 0x86dd, &[&header, body]))
        }
        _ => bail!("ends of different families: {ends:?}"),
    }
}

/// The IP packet around `body` as fragments whose bodies are `size` bytes (a multiple of 8), in order.
///
/// # Errors
/// When the families differ or the size is no multiple of 8.
pub fn fragments(
    ends: &Ends,
    number: u8,
    body: &[u8],
    identifier: u16,
    size: usize,
) -> Result<Vec<Vec<u8>>> {
    if size == 0 || !size.is_multiple_of(8) {
        bail!("fragments of {size} bytes: not a multiple of 8");
    }
    let pieces: Vec<&[u8]> = body.chunks(size).collect();
    pieces
        .iter()
        .enumerate()
        .map(|(index, piece)| {
            let offset = u16::try_from(index * size / 8)?;
            let more = index + 1 < pieces.len();
            fragment(ends, number, (identifier, offset, more), piece)
        })
        .collect()
}

/// One fragment: `(identifier, offset in units of 8 bytes, more fragments)`.
///
/// # Errors
/// When the families differ or the body is too long.
pub fn fragment(ends: &Ends, number: u8, place: (u16, u16, bool), body: &[u8]) -> Result<Vec<u8>> {
    let (identifier, offset, more) = place;
    match (ends.source, ends.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let field = offset | if more { 0x2000 } else { 0 };
            let header = ipv4_header((source, destination), number, body.len(), identifier, field)?;
            Ok(frame(ends, 0x0800, &[&header, body]))
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let header = ipv6_header((source, destination), protocol::FRAGMENT6, body.len() + 8)?;
            let mut extension = vec![number, 0];
            extension.extend(((offset << 3) | u16::from(more)).to_be_bytes());
            extension.extend(u32::from(identifier).to_be_bytes());
            Ok(frame(ends, 0x86dd, &[&header, &extension, body]))
        }
        _ => bail!("ends of different families: {ends:?}"),
    }
}

/// A gratuitous ARP reply that claims `address` for `mac`.
#[must_use]
pub fn arp_claim(source_mac: MacAddr, mac: MacAddr, address: Ipv4Addr) -> Vec<u8> {
    let mut body = vec![0, 1, 8, 0, 6, 4, 0, 2];
    body.extend(mac.octets());
    body.extend(address.octets());
    body.extend([0xff; 6]);
    body.extend(address.octets());
    ethernet(source_mac, MacAddr::broadcast(), 0x0806, &[&body])
}

/// An Ethernet frame around `parts`.
#[must_use]
pub fn ethernet(source: MacAddr, destination: MacAddr, kind: u16, parts: &[&[u8]]) -> Vec<u8> {
    let mut frame = Vec::new();
    frame.extend(destination.octets());
    frame.extend(source.octets());
    frame.extend(kind.to_be_bytes());
    for part in parts {
        frame.extend(*part);
    }
    frame
}

fn frame(ends: &Ends, kind: u16, parts: &[&[u8]]) -> Vec<u8> {
    ethernet(ends.source_mac, ends.destination_mac, kind, parts)
}

fn ipv4_header(
    (source, destination): (Ipv4Addr, Ipv4Addr),
    number: u8,
    body: usize,
    identifier: u16,
    fragment: u16,
) -> Result<Vec<u8>> {
    let mut header = vec![0x45, 0];
    header.extend(u16::try_from(20 + body)?.to_be_bytes());
    header.extend(identifier.to_be_bytes());
    header.extend(fragment.to_be_bytes());
    header.extend([TTL, number, 0, 0]);
    header.extend(source.octets());
    header.extend(destination.octets());
    let sum = fold(sum_words(0, &header));
    put(&mut header, 10, sum)?;
    Ok(header)
}

fn ipv6_header(
    (source, destination): (Ipv6Addr, Ipv6Addr),
    number: u8,
    body: usize,
) -> Result<Vec<u8>> {
    let mut header = vec![0x60, 0, 0, 0];
    header.extend(u16::try_from(body)?.to_be_bytes());
    header.extend([number, TTL]);
    header.extend(source.octets());
    header.extend(destination.octets());
    Ok(header)
}

fn finish_checksum(ends: &Ends, number: u8, body: &mut [u8], at: usize) -> Result<()> {
    let mut sum = u32::from(number) + u32::try_from(body.len())?;
    for address in [ends.source, ends.destination] {
        sum = match address {
            IpAddr::V4(v4) => sum_words(sum, &v4.octets()),
            IpAddr::V6(v6) => sum_words(sum, &v6.octets()),
        };
    }
    let folded = fold(sum_words(sum, body));
    put(body, at, folded)
}

fn sum_words(start: u32, bytes: &[u8]) -> u32 {
    bytes.chunks(2).fold(start, |sum, pair| {
        let high = u32::from(pair.first().copied().unwrap_or(0)) << 8;
        sum + high + u32::from(pair.get(1).copied().unwrap_or(0))
    })
}

fn fold(mut sum: u32) -> [u8; 2] {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let [_, _, high, low] = (!sum).to_be_bytes();
    [high, low]
}

fn put(bytes: &mut [u8], at: usize, value: [u8; 2]) -> Result<()> {
    match bytes.get_mut(at..at + 2) {
        Some(field) => field.copy_from_slice(&value),
        None => bail!("{} bytes hold no checksum at {at}", bytes.len()),
    }
    Ok(())
}
