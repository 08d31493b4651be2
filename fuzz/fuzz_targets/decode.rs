//! Any bytes as a frame of any link type: no panic, ordered offsets, and where etherparse reads down to
//! the transport, the same packet.
#![no_main]

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use libfuzzer_sys::fuzz_target;
use weir_engine::decode::{checksum, decode, inner};
use weir_engine::frame::LinkType;
use weir_engine::packet::{Packet, Transport};

const LINKS: [LinkType; 8] = [
    LinkType::Ethernet,
    LinkType::RawIp,
    LinkType::LinuxSll,
    LinkType::LinuxSll2,
    LinkType::Null,
    LinkType::Loop,
    LinkType::Ppp,
    LinkType::CiscoHdlc,
];

fuzz_target!(|data: &[u8]| {
    let Some((selector, frame)) = data.split_first() else {
        return;
    };
    let link = LINKS[usize::from(*selector) % LINKS.len()];
    let mut next = Some(decode(frame, link));
    if link == LinkType::Ethernet
        && let Some(Ok(packet)) = &next
    {
        compare(packet, frame);
    }
    while let Some(decoded) = next {
        let mut packet = match decoded {
            Ok(packet) => packet,
            Err(error) => {
                assert!(error.packet.events.contains(error.event));
                error.packet
            }
        };
        assert!(packet.l3 <= packet.l4 && packet.l4 <= packet.payload_start);
        assert!(packet.payload_start <= packet.payload_end && packet.payload_end <= frame.len());
        let _ = checksum::verify_ipv4_header(&packet);
        let _ = checksum::verify_transport(&packet);
        next = inner(&mut packet);
    }
});

fn compare(packet: &Packet<'_>, frame: &[u8]) {
    let Ok(sliced) = SlicedPacket::from_ethernet(frame) else {
        return;
    };
    let (Some(net), Some(transport)) = (&sliced.net, &sliced.transport) else {
        return;
    };
    let ends = match net {
        NetSlice::Ipv4(ip) => (
            ip.header().source_addr().into(),
            ip.header().destination_addr().into(),
        ),
        NetSlice::Ipv6(ip) => (
            ip.header().source_addr().into(),
            ip.header().destination_addr().into(),
        ),
        NetSlice::Arp(_) => return,
    };
    let (ports, payload) = match (transport, packet.transport) {
        (TransportSlice::Tcp(tcp), Transport::Tcp(_)) => {
            ((tcp.source_port(), tcp.destination_port()), tcp.payload())
        }
        (TransportSlice::Udp(udp), Transport::Udp { .. }) => {
            ((udp.source_port(), udp.destination_port()), udp.payload())
        }
        _ => return,
    };
    assert_eq!((packet.source, packet.destination), ends);
    assert_eq!(packet.ports(), ports);
    assert_eq!(packet.payload(), payload);
}
