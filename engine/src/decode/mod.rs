//! Frames to packets: link layer, IP, transport; every deviation a [`DecodeEvent`].
//!
//! Role: the only reader of raw header bytes from the wire. A [`Packet`] holds offsets that were checked
//! here once; nothing is copied or allocated.
//!
//! What is read: Ethernet II and 802.3 with LLC/SNAP, up to [`MAX_VLANS`] VLAN tags (802.1Q, 802.1ad,
//! 0x9100), VN-tag, E-tag, 802.1ah, `FabricPath`, `PPPoE` and PPP, MPLS, Linux cooked, BSD loopback, Cisco HDLC,
//! ARP (recognised), IPv4 (RFC 791), IPv6 (RFC 8200) with up to [`MAX_EXTENSIONS`] extension headers,
//! TCP (RFC 9293), UDP, ICMP, `ICMPv6`, IGMP, SCTP with its chunks. What a frame's packet carries in a tunnel is
//! decoded by [`inner`], one tunnel at a time, as a packet of its own.
//!
//! Invariants: no panic on any input; offsets of a packet satisfy `l3 <= l4 <= payload_start <=
//! payload_end <= frame.len()`; bytes beyond the IP length (link padding) belong to nothing; the
//! transport header of a fragment is not decoded, not even the first's: only the whole datagram says
//! what it is.

mod bytes;
pub mod checksum;
mod event;
mod events;
#[cfg(test)]
mod fault_tests;
mod icmp;
mod icmp_types;
mod igmp;
mod ipv4;
mod ipv4_options;
mod ipv6;
mod ipv6_options;
mod link;
mod mpls;
#[cfg(test)]
mod oracle_tests;
mod ppp;
pub mod sctp;
mod tcp;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod transport;
mod tunnel;
mod tunnel_gre;
#[cfg(test)]
mod tunnel_tests;

pub use event::{DecodeEvent, Judgement};
pub use events::Events;
pub(crate) use events::MAX_EVENTS;
pub(crate) use transport::IGMP;
pub use tunnel::{Inner, MAX_TUNNEL_DEPTH, inner};

use crate::frame::LinkType;
use crate::packet::{Packet, Transport};

/// VLAN tags that a frame may carry.
pub const MAX_VLANS: usize = 3;
/// Link-level headers of any kind (tags, labels) that are followed in one frame.
pub const MAX_LINK_LAYERS: usize = 16;
/// IPv6 extension headers that are followed in one packet.
pub const MAX_EXTENSIONS: usize = 16;

/// A packet that cannot be read in one way only, and must not be delivered.
#[derive(Clone, Copy, Debug)]
pub struct DecodeError<'a> {
    /// The event that stopped decoding; also among the packet's events.
    pub event: DecodeEvent,
    /// What could be read up to there: addresses are unspecified where there was no IP header, the
    /// transport is [`Transport::None`] and there is no payload. Rules
    /// on events are matched against it.
    pub packet: Packet<'a>,
}

/// What decoding one layer says: `Err` ends it.
pub(crate) type Step = Result<(), DecodeEvent>;

/// Decodes a frame. `Ok` also for frames that carry no IP ([`Packet::is_ip`] tells).
///
/// # Errors
///
/// When the frame is undeliverable; the error holds the packet as far as it was read.
#[expect(
    clippy::result_large_err,
    reason = "both sides are the same view, returned in place; boxing would allocate"
)]
pub fn decode(frame: &[u8], link: LinkType) -> Result<Packet<'_>, DecodeError<'_>> {
    read(Packet::undecoded(frame), |packet| {
        link::decode(packet, link)
    })
}

/// Has `layers` decode into `packet`, where it is to be returned: a packet is too large to be moved
/// around for each frame.
#[expect(clippy::result_large_err, reason = "see `decode`")]
#[inline(always)]
fn read<'a>(
    packet: Packet<'a>,
    layers: impl FnOnce(&mut Packet<'a>) -> Step,
) -> Result<Packet<'a>, DecodeError<'a>> {
    let mut result = Ok(packet);
    let step = match &mut result {
        Ok(packet) => layers(packet),
        Err(_) => Ok(()),
    };
    if let (Err(event), Ok(packet)) = (step, &result) {
        result = Err(fail(*packet, event));
    }
    debug_assert!(result.as_ref().map_or(true, offsets_are_ordered));
    result
}

/// The packet as far as it was read before `event`.
#[cold]
fn fail(mut packet: Packet<'_>, event: DecodeEvent) -> DecodeError<'_> {
    packet.events.insert(event);
    packet.transport = Transport::None;
    packet.payload_start = packet.payload_end;
    packet.l4 = packet.l4.min(packet.payload_end);
    packet.l3 = packet.l3.min(packet.l4);
    DecodeError { event, packet }
}

fn offsets_are_ordered(packet: &Packet<'_>) -> bool {
    packet.l3 <= packet.l4
        && packet.l4 <= packet.payload_start
        && packet.payload_start <= packet.payload_end
        && packet.payload_end <= packet.frame.len()
}
