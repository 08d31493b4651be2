//! Frames by hand: Ethernet, IPv4 or IPv6, TCP and others, with right checksums unless asked otherwise.

use std::net::IpAddr;

/// TCP flag bits.
pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
pub(crate) const PSH: u8 = 0x08;
pub(crate) const ACK: u8 = 0x10;
pub(crate) const URG: u8 = 0x20;

/// Length of the link header in front of every packet.
pub(crate) const LINK: usize = 14;

/// A TCP segment to be.
#[derive(Clone, Debug)]
pub(crate) struct Tcp {
    pub(crate) ports: (u16, u16),
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) flags: u8,
    pub(crate) window: u16,
    pub(crate) urgent: u16,
    pub(crate) options: Vec<u8>,
    pub(crate) payload: Vec<u8>,
    pub(crate) bad_checksum: bool,
}

impl Tcp {
    pub(crate) fn bytes(&self, ends: (IpAddr, IpAddr)) -> Vec<u8> {
        let mut options = self.options.clone();
        options.resize(options.len().next_multiple_of(4), 1);
        let offset = u8::try_from(5 + options.len() / 4).unwrap();
        let mut segment = Vec::new();
        segment.extend(self.ports.0.to_be_bytes());
        segment.extend(self.ports.1.to_be_bytes());
        segment.extend(self.seq.to_be_bytes());
        segment.extend(self.ack.to_be_bytes());
        segment.extend([offset << 4, self.flags]);
        segment.extend(self.window.to_be_bytes());
        segment.extend([0, 0]);
        segment.extend(self.urgent.to_be_bytes());
        segment.extend(options);
        segment.extend(&self.payload);
        let mut sum = transport_sum(ends, 6, &segment);
        if self.bad_checksum {
            sum = sum.wrapping_add(1);
        }
        segment[16..18].copy_from_slice(&sum.to_be_bytes());
        segment
    }
}

/// A UDP datagram.
pub(crate) fn udp(ends: (IpAddr, IpAddr), ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let mut datagram = Vec::new();
    datagram.extend(ports.0.to_be_bytes());
    datagram.extend(ports.1.to_be_bytes());
    datagram.extend(u16::try_from(8 + payload.len()).unwrap().to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(payload);
    let sum = transport_sum(ends, 17, &datagram);
    datagram[6..8].copy_from_slice(&sum.to_be_bytes());
    datagram
}

/// An ICMP message; `rest` is what stands behind the checksum.
pub(crate) fn icmp(kind: u8, code: u8, rest: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, code, 0, 0];
    message.extend(rest);
    let sum = !fold(sum(&message));
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    message
}

/// A frame around `body`.
pub(crate) fn frame(ends: (IpAddr, IpAddr), protocol: u8, body: &[u8]) -> Vec<u8> {
    packet(ends, protocol, body, 0)
}

/// IPv4 fragments of `body`, cut at `cuts` (multiples of 8).
pub(crate) fn fragments(
    ends: (IpAddr, IpAddr),
    protocol: u8,
    body: &[u8],
    cuts: &[usize],
) -> Vec<Vec<u8>> {
    let mut bounds = vec![0];
    bounds.extend(cuts);
    bounds.push(body.len());
    bounds
        .windows(2)
        .map(|pair| {
            let more = if pair[1] < body.len() { 0x2000 } else { 0 };
            let place = u16::try_from(pair[0] / 8).unwrap() | more;
            packet(ends, protocol, &body[pair[0]..pair[1]], place)
        })
        .collect()
}

fn packet(ends: (IpAddr, IpAddr), protocol: u8, body: &[u8], place: u16) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    match ends {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            frame.extend([0x08, 0x00]);
            let total = u16::try_from(20 + body.len()).unwrap();
            let mut header = vec![0x45, 0];
            header.extend(total.to_be_bytes());
            header.extend([0x12, 0x34]);
            header.extend(place.to_be_bytes());
            header.extend([64, protocol, 0, 0]);
            header.extend(source.octets());
            header.extend(destination.octets());
            let sum = !fold(sum(&header));
            header[10..12].copy_from_slice(&sum.to_be_bytes());
            frame.extend(header);
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
            frame.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
            frame.extend([protocol, 64]);
            frame.extend(source.octets());
            frame.extend(destination.octets());
        }
        _ => panic!("ends of two families"),
    }
    frame.extend(body);
    frame
}

/// The checksum of a transport header and payload whose checksum field is 0.
pub(crate) fn transport_sum(ends: (IpAddr, IpAddr), protocol: u8, segment: &[u8]) -> u16 {
    let mut total = u64::from(protocol) + segment.len() as u64 + sum(segment);
    for end in [ends.0, ends.1] {
        total += match end {
            IpAddr::V4(address) => sum(&address.octets()),
            IpAddr::V6(address) => sum(&address.octets()),
        };
    }
    !fold(total)
}

fn sum(bytes: &[u8]) -> u64 {
    bytes
        .chunks(2)
        .map(|pair| u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0)))
        .sum()
}

fn fold(mut total: u64) -> u16 {
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    u16::try_from(total).unwrap()
}

/// True when the TCP checksum of an IPv4 frame without options is right.
pub(crate) fn tcp_checksum_is_right(frame: &[u8], ends: (IpAddr, IpAddr)) -> bool {
    let mut segment = frame[LINK + 20..].to_vec();
    let found = u16::from_be_bytes([segment[16], segment[17]]);
    segment[16..18].fill(0);
    transport_sum(ends, 6, &segment) == found
}
