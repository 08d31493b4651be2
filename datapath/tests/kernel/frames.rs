//! Frames byte by byte, and sending them.

use std::net::{Ipv4Addr, Ipv6Addr};

use pnet::datalink::{self, Channel, Config};

/// Sends a frame as it is on a device of the calling thread's network namespace.
pub(crate) fn send(device: &str, frame: &[u8]) {
    let interface = datalink::interfaces()
        .into_iter()
        .find(|interface| interface.name == device)
        .unwrap();
    let Channel::Ethernet(mut sender, _) =
        datalink::channel(&interface, Config::default()).unwrap()
    else {
        unreachable!("the device is no Ethernet");
    };
    sender.send_to(frame, None).unwrap().unwrap();
}

pub(crate) fn ethernet(to: [u8; 6], from: [u8; 6], kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = [&to[..], &from, &kind.to_be_bytes(), payload].concat();
    frame.resize(frame.len().max(60), 0);
    frame
}

/// The same frame with a VLAN tag.
pub(crate) fn tagged(frame: &[u8], vlan: u16) -> Vec<u8> {
    let (addresses, rest) = frame.split_at(12);
    [
        addresses,
        &0x8100u16.to_be_bytes(),
        &vlan.to_be_bytes(),
        rest,
    ]
    .concat()
}

/// An IPv4 packet with a UDP datagram between these ports.
pub(crate) fn udp4(from: Ipv4Addr, to: Ipv4Addr, ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    ipv4(17, from, to, &udp(ports, payload))
}

pub(crate) fn ipv4(protocol: u8, from: Ipv4Addr, to: Ipv4Addr, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + payload.len()).unwrap();
    let mut header = vec![0x45, 0];
    header.extend(length.to_be_bytes());
    header.extend([0, 1, 0, 0, 64, protocol, 0, 0]);
    header.extend(from.octets());
    header.extend(to.octets());
    let sum: u32 = header
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]))
        .sum();
    let folded = u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
    header[10..12].copy_from_slice(&(!folded).to_be_bytes());
    [header, payload.to_vec()].concat()
}

/// A UDP datagram without a checksum, which IPv4 allows.
pub(crate) fn udp((source, target): (u16, u16), payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).unwrap();
    let mut datagram = Vec::new();
    for field in [source, target, length, 0] {
        datagram.extend(field.to_be_bytes());
    }
    datagram.extend(payload);
    datagram
}

pub(crate) fn ipv6(
    (next_header, hop_limit): (u8, u8),
    from: Ipv6Addr,
    to: Ipv6Addr,
    payload: &[u8],
) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap();
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend(length.to_be_bytes());
    packet.extend([next_header, hop_limit]);
    packet.extend(from.octets());
    packet.extend(to.octets());
    packet.extend(payload);
    packet
}

/// An ICMPv6 message of neighbour discovery: type, code, checksum, four bytes, target.
pub(crate) fn discovery(kind: u8, target: Ipv6Addr) -> Vec<u8> {
    [&[kind, 0, 0, 0, 0, 0, 0, 0][..], &target.octets()].concat()
}

pub(crate) fn arp(sender: ([u8; 6], Ipv4Addr), target: Ipv4Addr) -> Vec<u8> {
    let mut packet = vec![0, 1, 8, 0, 6, 4, 0, 1];
    packet.extend(sender.0);
    packet.extend(sender.1.octets());
    packet.extend([0; 6]);
    packet.extend(target.octets());
    packet
}
