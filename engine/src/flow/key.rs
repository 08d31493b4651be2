//! The identity of a flow: addresses, ports, protocol and VLANs, the same for both directions.

use std::hash::Hasher;
use std::net::IpAddr;

use siphasher::sip::SipHasher13;

use crate::event::FlowDirection;
use crate::packet::{Packet, Transport};

/// Which of the two ends of a key sent a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The end whose address and port are the lower.
    Low,
    /// The other end.
    High,
}

impl Side {
    /// The other end.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::High => Self::Low,
        }
    }

    /// The end that sends in `direction`, given the end that opened the flow.
    #[must_use]
    pub fn sending(direction: FlowDirection, client: Self) -> Self {
        match direction {
            FlowDirection::ToServer => client,
            FlowDirection::ToClient => client.other(),
        }
    }

    /// Direction of a packet from this end, given the end that opened the flow.
    #[must_use]
    pub fn direction(self, client: Self) -> FlowDirection {
        if self == client {
            FlowDirection::ToServer
        } else {
            FlowDirection::ToClient
        }
    }
}

/// An end of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// Address.
    pub address: IpAddr,
    /// Port; the identifier for ICMP echo, 0 for protocols without ports.
    pub port: u16,
}

/// Identity of a flow. Both directions have the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowKey {
    low: Endpoint,
    high: Endpoint,
    protocol: u8,
    vlan: [u16; 3],
}

impl FlowKey {
    /// The key of a packet from `source` to `destination`, and which end sent it.
    #[must_use]
    pub fn new(
        source: Endpoint,
        destination: Endpoint,
        protocol: u8,
        vlan: [u16; 3],
    ) -> (Self, Side) {
        let (low, high, side) = if source <= destination {
            (source, destination, Side::Low)
        } else {
            (destination, source, Side::High)
        };
        let key = Self {
            low,
            high,
            protocol,
            vlan,
        };
        (key, side)
    }

    /// The key of a packet and which end sent it; `None` for packets that belong to no flow (no IP,
    /// or transport header unknown).
    #[must_use]
    pub fn of(packet: &Packet<'_>) -> Option<(Self, Side)> {
        if !packet.is_ip() || packet.fragment.is_some() {
            return None;
        }
        let (source_port, destination_port) = match packet.transport {
            Transport::Icmp4(icmp) | Transport::Icmp6(icmp) => {
                let id = icmp.id.unwrap_or_default();
                (id, id)
            }
            _ => packet.ports(),
        };
        Some(Self::new(
            Endpoint {
                address: packet.source,
                port: source_port,
            },
            Endpoint {
                address: packet.destination,
                port: destination_port,
            },
            packet.protocol,
            packet.vlan,
        ))
    }

    /// The end on that side.
    #[must_use]
    pub fn endpoint(&self, side: Side) -> Endpoint {
        match side {
            Side::Low => self.low,
            Side::High => self.high,
        }
    }

    /// IANA protocol number.
    #[must_use]
    pub fn protocol(&self) -> u8 {
        self.protocol
    }

    /// Keyed hash, so that an attacker who chooses addresses and ports cannot choose collisions.
    #[must_use]
    pub fn hash(&self, seed: [u64; 2]) -> u64 {
        let mut bytes = [0u8; 44];
        let mut at = 0;
        let mut put = |part: &[u8]| {
            if let Some(room) = bytes.get_mut(at..at + part.len()) {
                room.copy_from_slice(part);
            }
            at += part.len();
        };
        for end in [self.low, self.high] {
            match end.address {
                IpAddr::V4(address) => put(&address.octets()),
                IpAddr::V6(address) => put(&address.octets()),
            }
            put(&end.port.to_be_bytes());
        }
        for vlan in self.vlan {
            put(&vlan.to_be_bytes());
        }
        put(&[self.protocol, u8::from(self.low.address.is_ipv6())]);
        let used = bytes.get(..at).unwrap_or(&bytes);
        let mut hasher = SipHasher13::new_with_keys(seed[0], seed[1]);
        hasher.write(used);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(address: [u8; 4], port: u16) -> Endpoint {
        Endpoint {
            address: IpAddr::from(address),
            port,
        }
    }

    #[test]
    fn both_directions_have_one_key_and_opposite_sides() {
        let (a, b) = (end([10, 0, 0, 2], 80), end([10, 0, 0, 1], 40000));
        let (forward, from_a) = FlowKey::new(a, b, 6, [0; 3]);
        let (back, from_b) = FlowKey::new(b, a, 6, [0; 3]);
        assert_eq!(forward, back);
        assert_eq!(from_a, from_b.other());
        assert_eq!(forward.endpoint(from_a), a);
        assert_eq!(forward.hash([1, 2]), back.hash([1, 2]));
    }

    #[test]
    fn every_part_and_the_seed_change_the_hash() {
        let (a, b) = (end([10, 0, 0, 2], 80), end([10, 0, 0, 1], 40000));
        let key = FlowKey::new(a, b, 6, [0; 3]).0;
        let others = [
            FlowKey::new(a, b, 17, [0; 3]).0,
            FlowKey::new(a, b, 6, [7, 0, 0]).0,
            FlowKey::new(end([10, 0, 0, 2], 81), b, 6, [0; 3]).0,
            FlowKey::new(a, end([10, 0, 0, 3], 40000), 6, [0; 3]).0,
        ];
        for other in others {
            assert_ne!(key, other);
            assert_ne!(key.hash([1, 2]), other.hash([1, 2]));
        }
        assert_ne!(key.hash([1, 2]), key.hash([1, 3]));
    }

    #[test]
    fn an_ipv4_flow_and_an_ipv6_flow_of_the_same_bytes_differ() {
        let v4 = FlowKey::new(end([0; 4], 0), end([0; 4], 0), 6, [0; 3]).0;
        let zero = Endpoint {
            address: IpAddr::from([0u8; 16]),
            port: 0,
        };
        let v6 = FlowKey::new(zero, zero, 6, [0; 3]).0;
        assert_ne!(v4, v6);
        assert_ne!(v4.hash([1, 2]), v6.hash([1, 2]));
    }
}
