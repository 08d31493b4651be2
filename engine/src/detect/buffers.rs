//! Sticky buffers: which keyword names which bytes, and what may be done to them before they are
//! tested.
//!
//! A buffer is an entry of [`REGISTRY`] and an arm of [`packet_bytes`] (for buffers of the packet). A
//! protocol of the application layer adds entries of its own [`Provider`]; the evaluator asks for bytes
//! by [`BufferId`] and knows none of them.

use super::program::Version;
use crate::decode::{IGMP, sctp};
use crate::frame::LinkType;
use crate::packet::{Network, Packet, Transport};

/// A buffer: index into [`REGISTRY`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct BufferId(u16);

/// Who provides a buffer's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Provider {
    /// The packet at hand.
    Packet(PacketBuffer),
}

/// Headers of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PacketBuffer {
    Ip(Version),
    Tcp,
    Udp,
    Icmp4,
    Icmp6,
    Igmp,
    Sctp,
    /// User data, chunk by chunk.
    SctpData,
    Source,
    Destination,
    /// Addresses and type of the frame.
    Ethernet,
}

/// A keyword and who provides its bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) keyword: &'static str,
    pub(super) provider: Provider,
}

const fn packet(keyword: &'static str, buffer: PacketBuffer) -> Entry {
    Entry {
        keyword,
        provider: Provider::Packet(buffer),
    }
}

/// Every buffer there is, by its canonical keyword.
pub(super) const REGISTRY: &[Entry] = &[
    packet("ether.hdr", PacketBuffer::Ethernet),
    packet("ipv4.hdr", PacketBuffer::Ip(Version::V4)),
    packet("ipv6.hdr", PacketBuffer::Ip(Version::V6)),
    packet("ip.src", PacketBuffer::Source),
    packet("ip.dst", PacketBuffer::Destination),
    packet("tcp.hdr", PacketBuffer::Tcp),
    packet("udp.hdr", PacketBuffer::Udp),
    packet("icmpv4.hdr", PacketBuffer::Icmp4),
    packet("icmpv6.hdr", PacketBuffer::Icmp6),
    packet("igmp.hdr", PacketBuffer::Igmp),
    packet("sctp.chunk_data", PacketBuffer::SctpData),
    packet("sctp.hdr", PacketBuffer::Sctp),
];

/// The buffer of that keyword.
pub(super) fn lookup(keyword: &str) -> Option<BufferId> {
    let index = REGISTRY.iter().position(|entry| entry.keyword == keyword)?;
    u16::try_from(index).ok().map(BufferId)
}

/// Where the evaluator gets bytes from, for the packet (later: the transaction) at hand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Buffers<'a> {
    pub(super) packet: &'a Packet<'a>,
    /// How its frame is to be read.
    pub(super) link: LinkType,
}

impl<'a> Buffers<'a> {
    /// Every instance of a buffer that there is here.
    pub(super) fn all(&self, id: BufferId) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let (packet, link) = (self.packet, self.link);
        let asked = REGISTRY.get(usize::from(id.0)).map(|entry| entry.provider);
        let chunks = asked == Some(Provider::Packet(PacketBuffer::SctpData));
        let one = asked.and_then(|Provider::Packet(buffer)| match buffer {
            PacketBuffer::Ethernet => ethernet_header(packet, link),
            buffer => packet_bytes(packet, buffer),
        });
        let many = chunks.then(|| sctp::chunks(packet).filter_map(|chunk| chunk.user_data()));
        one.into_iter().chain(many.into_iter().flatten())
    }
}

/// The header of an Ethernet frame; of what a tunnel carries, or fragments became, there is none.
fn ethernet_header<'a>(packet: &Packet<'a>, link: LinkType) -> Option<&'a [u8]> {
    const LENGTH: usize = 14;
    let own = packet.tunnel_depth == 0 && !packet.reassembled && link == LinkType::Ethernet;
    packet.frame.get(..LENGTH).filter(|_| own)
}

fn packet_bytes<'a>(packet: &'a Packet<'a>, buffer: PacketBuffer) -> Option<&'a [u8]> {
    let bytes = match (buffer, packet.network, packet.transport) {
        (PacketBuffer::Ip(Version::V4), Network::Ipv4, _)
        | (PacketBuffer::Ip(Version::V6), Network::Ipv6, _) => packet.ip_header(),
        (PacketBuffer::Tcp, _, Transport::Tcp(_))
        | (PacketBuffer::Udp, _, Transport::Udp { .. })
        | (PacketBuffer::Icmp6, _, Transport::Icmp6(_)) => packet.transport_header(),
        (PacketBuffer::Icmp4, _, Transport::Icmp4(icmp)) => icmp4_header(packet, icmp.kind),
        (PacketBuffer::Igmp, Network::Ipv4, Transport::Other(IGMP)) => packet.transport_header(),
        (PacketBuffer::Sctp, _, Transport::Sctp { .. }) => packet.segment(),
        (PacketBuffer::Source, ..) => address(packet, 0)?,
        (PacketBuffer::Destination, ..) => address(packet, 1)?,
        _ => return None,
    };
    (!bytes.is_empty()).then_some(bytes)
}

/// Source (0) or destination (1) address, as the IP header has it.
fn address<'a>(packet: &Packet<'a>, which: usize) -> Option<&'a [u8]> {
    let (first, length) = match packet.network {
        Network::Ipv4 => (12, 4),
        Network::Ipv6 => (8, 16),
        _ => return None,
    };
    let start = first + which * length;
    packet.ip_header().get(start..start + length)
}

/// The header of an ICMP message by its type (RFC 792, 950, 1256): of router advertisements, all
/// addresses; of timestamps and address masks, their values; of all others, eight bytes.
fn icmp4_header<'a>(packet: &Packet<'a>, kind: u8) -> &'a [u8] {
    let message = packet.segment();
    let length = match kind {
        9 => {
            let word = |at: usize| message.get(at).copied().map_or(0, usize::from);
            8 + word(4) * word(5) * 4
        }
        13 | 14 => 20,
        17 | 18 => 12,
        _ => 8,
    };
    message.get(..length).unwrap_or(message)
}
