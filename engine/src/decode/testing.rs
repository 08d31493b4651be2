//! Frames for tests: headers as bytes, right unless a test breaks them.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::checksum;

pub(crate) const A4: Ipv4Addr = Ipv4Addr::new(10, 1, 2, 3);
pub(crate) const B4: Ipv4Addr = Ipv4Addr::new(10, 4, 5, 6);
pub(crate) const A6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0xa);
pub(crate) const B6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0xb);

fn len16(len: usize) -> [u8; 2] {
    u16::try_from(len)
        .expect("a test's frame is small")
        .to_be_bytes()
}

/// Ethernet II.
pub(crate) fn ethernet(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    frame.extend(kind.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// IPv4 from [`A4`] to [`B4`], no fragment, with options (whose length is a multiple of 4).
pub(crate) fn ipv4_with(protocol: u8, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let header = 20 + options.len();
    let mut packet = vec![0x40 | u8::try_from(header / 4).expect("at most 60"), 0];
    packet.extend(len16(header + payload.len()));
    packet.extend([0x12, 0x34, 0x40, 0, 64, protocol, 0, 0]);
    packet.extend(A4.octets());
    packet.extend(B4.octets());
    packet.extend_from_slice(options);
    fix_ipv4(&mut packet);
    packet.extend_from_slice(payload);
    packet
}

/// Puts the right checksum into the IPv4 header that `packet` starts with.
pub(crate) fn fix_ipv4(packet: &mut [u8]) {
    let header = usize::from(packet[0] & 15) * 4;
    packet[10..12].fill(0);
    let field = checksum::finish(checksum::sum(&packet[..header]));
    packet[10..12].copy_from_slice(&field);
}

/// IPv4 from [`A4`] to [`B4`].
pub(crate) fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    ipv4_with(protocol, &[], payload)
}

/// One IPv4 fragment: `offset` in bytes.
pub(crate) fn ipv4_fragment(
    protocol: u8,
    id: u16,
    offset: usize,
    more: bool,
    data: &[u8],
) -> Vec<u8> {
    let mut packet = ipv4(protocol, data);
    packet[4..6].copy_from_slice(&id.to_be_bytes());
    let units = u16::try_from(offset / 8).expect("13 bits");
    packet[6..8].copy_from_slice(&(units | u16::from(more) << 13).to_be_bytes());
    fix_ipv4(&mut packet);
    packet
}

/// IPv6 from [`A6`] to [`B6`].
pub(crate) fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend(len16(payload.len()));
    packet.extend([next, 64]);
    packet.extend(A6.octets());
    packet.extend(B6.octets());
    packet.extend_from_slice(payload);
    packet
}

/// A fragment header and the data behind it.
pub(crate) fn fragment_header(
    next: u8,
    id: u32,
    offset: usize,
    more: bool,
    data: &[u8],
) -> Vec<u8> {
    let field = u16::try_from(offset).expect("16 bits") | u16::from(more);
    let mut header = vec![next, 0];
    header.extend(field.to_be_bytes());
    header.extend(id.to_be_bytes());
    header.extend_from_slice(data);
    header
}

/// One IPv6 fragment.
pub(crate) fn ipv6_fragment(next: u8, id: u32, offset: usize, more: bool, data: &[u8]) -> Vec<u8> {
    ipv6(44, &fragment_header(next, id, offset, more, data))
}

/// An IPv6 options header (hop-by-hop or destination) padded to a multiple of 8.
pub(crate) fn options_header(next: u8, options: &[u8]) -> Vec<u8> {
    let mut header = vec![next, 0];
    header.extend_from_slice(options);
    header.resize(header.len().div_ceil(8) * 8, 0);
    header[1] = u8::try_from(header.len() / 8 - 1).expect("small");
    header
}

/// TCP from port 40000 to 80, no checksum, options of a length that is a multiple of 4.
pub(crate) fn tcp(options: &[u8], payload: &[u8]) -> Vec<u8> {
    let words = u8::try_from((20 + options.len()) / 4).expect("at most 15");
    let mut segment = 40_000u16.to_be_bytes().to_vec();
    segment.extend(80u16.to_be_bytes());
    segment.extend([
        0,
        0,
        0,
        7,
        0,
        0,
        0,
        9,
        words << 4,
        0x18,
        0x20,
        0,
        0,
        0,
        0,
        5,
    ]);
    segment.extend_from_slice(options);
    segment.extend_from_slice(payload);
    segment
}

/// UDP, no checksum.
pub(crate) fn udp(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    let mut datagram = source.to_be_bytes().to_vec();
    datagram.extend(destination.to_be_bytes());
    datagram.extend(len16(8 + payload.len()));
    datagram.extend([0, 0]);
    datagram.extend_from_slice(payload);
    datagram
}

/// An ICMP or `ICMPv6` message, no checksum.
pub(crate) fn icmp(kind: u8, code: u8, rest: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, code, 0, 0];
    message.extend(rest);
    message.extend_from_slice(payload);
    message
}
