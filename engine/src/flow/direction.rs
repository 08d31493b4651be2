//! Who opened a flow: the side whose first packet says so, else a guess by ports.

use crate::packet::{Packet, Transport};
use crate::stream::flags;

use super::key::Side;

/// Ports below this are given to services.
const WELL_KNOWN: u16 = 1024;
/// Where Linux begins to take ports for clients.
const EPHEMERAL: u16 = 32_768;

/// The client side of a flow whose first packet is `packet`, sent by `sender`.
#[must_use]
pub fn client(packet: &Packet<'_>, sender: Side) -> Side {
    let server_speaks = match packet.transport {
        Transport::Tcp(tcp) if tcp.flags & flags::SYN != 0 => tcp.flags & flags::ACK != 0,
        Transport::Tcp(tcp) => looks_like_service(tcp.source, tcp.destination),
        Transport::Icmp4(icmp) => matches!(icmp.kind, 0 | 14 | 16 | 18),
        Transport::Icmp6(icmp) => icmp.kind == 129,
        _ => false,
    };
    if server_speaks {
        sender.other()
    } else {
        sender
    }
}

/// True when `source` is a service's port and `destination` a client's.
fn looks_like_service(source: u16, destination: u16) -> bool {
    (source < WELL_KNOWN && destination >= WELL_KNOWN)
        || (source < EPHEMERAL && destination >= EPHEMERAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_port_facing_a_client_port_is_the_server() {
        assert!(looks_like_service(80, 40_000));
        assert!(looks_like_service(80, 1024));
        assert!(looks_like_service(8080, 40_000));
        assert!(!looks_like_service(40_000, 80));
        assert!(!looks_like_service(40_000, 50_000));
        assert!(!looks_like_service(8080, 9090));
        assert!(!looks_like_service(22, 80));
    }
}
