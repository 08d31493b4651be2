//! ICMP errors: the flow of the packet that they are about.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::packet::{Packet, Transport};

use super::key::{Endpoint, FlowKey, Side};

/// The key of the packet that an ICMP error quotes, and which end had sent that packet. `None` for
/// anything that is no error or quotes too little (RFC 792: 8 bytes behind the IP header).
#[must_use]
pub fn related(packet: &Packet<'_>) -> Option<(FlowKey, Side)> {
    let quoted = match packet.transport {
        Transport::Icmp4(icmp) if matches!(icmp.kind, 3 | 4 | 5 | 11 | 12) => {
            quoted_ipv4(packet.segment().get(8..)?)?
        }
        Transport::Icmp6(icmp) if matches!(icmp.kind, 1..=4) => {
            quoted_ipv6(packet.segment().get(8..)?)?
        }
        _ => return None,
    };
    let (source_port, destination_port) = quoted.ports()?;
    Some(FlowKey::new(
        Endpoint {
            address: quoted.source,
            port: source_port,
        },
        Endpoint {
            address: quoted.destination,
            port: destination_port,
        },
        quoted.protocol,
        packet.vlan,
    ))
}

struct Quoted<'a> {
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    transport: &'a [u8],
}

impl Quoted<'_> {
    fn ports(&self) -> Option<(u16, u16)> {
        let word = |at: usize| {
            let bytes = self.transport.get(at..at + 2)?;
            Some(u16::from_be_bytes(bytes.try_into().ok()?))
        };
        match self.protocol {
            6 | 17 | 132 => Some((word(0)?, word(2)?)),
            1 | 58 => {
                let id = word(4)?;
                Some((id, id))
            }
            _ => Some((0, 0)),
        }
    }
}

fn quoted_ipv4(bytes: &[u8]) -> Option<Quoted<'_>> {
    let header = bytes.get(..20)?;
    let first = *header.first()?;
    let length = usize::from(first & 0x0f) * 4;
    let offset = u16::from_be_bytes([*header.get(6)?, *header.get(7)?]) & 0x1fff;
    if first >> 4 != 4 || length < 20 || offset != 0 {
        return None;
    }
    let address = |at: usize| -> Option<IpAddr> {
        let octets: [u8; 4] = header.get(at..at + 4)?.try_into().ok()?;
        Some(Ipv4Addr::from(octets).into())
    };
    Some(Quoted {
        source: address(12)?,
        destination: address(16)?,
        protocol: *header.get(9)?,
        transport: bytes.get(length..)?,
    })
}

/// Only quotes without extension headers are followed: others are errors of no known flow.
fn quoted_ipv6(bytes: &[u8]) -> Option<Quoted<'_>> {
    let header = bytes.get(..40)?;
    if *header.first()? >> 4 != 6 {
        return None;
    }
    let address = |at: usize| -> Option<IpAddr> {
        let octets: [u8; 16] = header.get(at..at + 16)?.try_into().ok()?;
        Some(Ipv6Addr::from(octets).into())
    };
    Some(Quoted {
        source: address(8)?,
        destination: address(24)?,
        protocol: *header.get(6)?,
        transport: bytes.get(40..)?,
    })
}
