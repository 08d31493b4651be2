//! Which fragments belong together, and the keyed hash over it.

use std::hash::BuildHasher;
use std::net::IpAddr;

use siphasher::sip::SipHasher13;

use crate::frame::{AttachmentId, FrameMeta};
use crate::packet::{Fragment, Network, Packet};

/// What the fragments of a datagram have in common.
///
/// IPv6 fragments need not name the same next header, only the first one's counts (RFC 8200, 4.5); the
/// protocol is therefore part of the key in IPv4 alone. The attachment is part of it because all
/// fragments of a datagram cross the same host interface: no other pod can add to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    source: IpAddr,
    destination: IpAddr,
    id: u32,
    protocol: u8,
    vlan: [u16; 3],
    tunnel_depth: u8,
    attachment: AttachmentId,
}

impl Key {
    pub(super) fn new(packet: &Packet<'_>, fragment: Fragment, meta: &FrameMeta) -> Self {
        Self {
            source: packet.source,
            destination: packet.destination,
            id: fragment.id,
            protocol: match packet.network {
                Network::Ipv4 => packet.protocol,
                _ => 0,
            },
            vlan: packet.vlan,
            tunnel_depth: packet.tunnel_depth,
            attachment: meta.attachment,
        }
    }
}

/// `SipHash` with a secret seed: senders choose the keys, so they must not be able to make them collide.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seed(pub(super) [u64; 2]);

impl BuildHasher for Seed {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> Self::Hasher {
        SipHasher13::new_with_keys(self.0[0], self.0[1])
    }
}
