//! Who opened a flow: the side whose first packet says so, by its flags or by what its payload starts with,
//! else a guess by ports.

use crate::app_layer::{self, Start};
use crate::event::FlowDirection;
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
        Transport::Tcp(tcp) => {
            looks_like_service(tcp.source, tcp.destination) || is_answer(packet, tcp.source)
        }
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

/// True when a segment starts with what only servers send. Not asked of datagrams: whoever made up an
/// answer as a flow's first one would have its later requests taken for answers.
fn is_answer(packet: &Packet<'_>, server_port: u16) -> bool {
    app_layer::is_answer(&Start {
        direction: FlowDirection::ToClient,
        bytes: packet.payload(),
        other: &[],
        datagram: false,
        server_port,
    })
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
