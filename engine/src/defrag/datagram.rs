//! A complete datagram and the fragments it came in.

use crate::decode::{DecodeError, DecodeEvent, decode};
use crate::frame::{ChecksumState, FrameMeta, LinkType};
use crate::packet::Packet;

use super::parts::Parts;

/// A datagram put together, with the frames that brought it. Give it back with
/// [`Defrag::recycle`](super::Defrag::recycle) when it is settled.
#[must_use = "the held fragments are neither delivered nor dropped yet"]
#[derive(Debug)]
pub struct Datagram {
    pub(super) parts: Parts,
    pub(super) bytes: Vec<u8>,
    pub(super) meta: FrameMeta,
    pub(super) vlan: [u16; 3],
    pub(super) vlan_layers: u8,
    pub(super) tunnel_depth: u8,
}

impl Datagram {
    pub(super) fn new(parts: Parts, bytes: Vec<u8>, last: &FrameMeta, tunnel_depth: u8) -> Self {
        let partial = parts
            .iter()
            .any(|part| part.meta.checksum == ChecksumState::Partial);
        let (vlan, vlan_layers) = parts
            .last()
            .map_or(([0; 3], 0), |part| (part.vlan, part.vlan_layers));
        Self {
            meta: FrameMeta {
                link: LinkType::RawIp,
                checksum: if partial {
                    ChecksumState::Partial
                } else {
                    ChecksumState::Final
                },
                gso_size: None,
                ..*last
            },
            parts,
            bytes,
            vlan,
            vlan_layers,
            tunnel_depth,
        }
    }

    /// The datagram's bytes, from its IP header on: a raw IP frame.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The same, to be rewritten; [`Datagram::write_back`] carries it over to the fragments.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// What to know about the datagram as a frame: that of the fragment which completed it, but raw IP.
    #[must_use]
    pub fn meta(&self) -> &FrameMeta {
        &self.meta
    }

    /// Decodes the datagram. The packet says that it is reassembled, and carries the VLAN tags that its
    /// last fragment had.
    ///
    /// # Errors
    ///
    /// When it is undeliverable, also because it is itself a fragment.
    #[expect(clippy::result_large_err, reason = "see `decode`")]
    pub fn decode(&self) -> Result<Packet<'_>, DecodeError<'_>> {
        let dress = |packet: &mut Packet<'_>| {
            packet.reassembled = true;
            packet.vlan = self.vlan;
            packet.vlan_layers = self.vlan_layers;
            packet.tunnel_depth = self.tunnel_depth;
        };
        match decode(&self.bytes, LinkType::RawIp) {
            Ok(mut packet) if packet.fragment.is_none() => {
                dress(&mut packet);
                Ok(packet)
            }
            Ok(mut packet) => {
                let event = DecodeEvent::Ipv6DuplicateFragment;
                packet.events.insert(event);
                dress(&mut packet);
                Err(DecodeError { event, packet })
            }
            Err(mut error) => {
                dress(&mut error.packet);
                Err(error)
            }
        }
    }

    /// The frames that are held, in the order they came. The one that completed the datagram is not
    /// among them: it is the caller's.
    pub fn held(&self) -> impl Iterator<Item = (&[u8], &FrameMeta)> {
        let earlier = self.parts.len().saturating_sub(1);
        self.parts
            .iter()
            .take(earlier)
            .filter(|part| part.held)
            .map(|part| (self.parts.frame(part), &part.meta))
    }

    /// Number of fragments, copies included.
    #[must_use]
    pub fn fragments(&self) -> usize {
        self.parts.len()
    }

    /// Copies the datagram's data, after it was rewritten, into the fragments: those that are held, and
    /// `current`, the frame that completed it. Checksums of the transport are part of the data; IP
    /// headers are not touched.
    pub fn write_back(&mut self, current: &mut [u8]) {
        let count = self.parts.len();
        let Self { parts, bytes, .. } = self;
        let data_len = parts.complete().unwrap_or_default();
        let data = bytes
            .get(bytes.len().saturating_sub(data_len)..)
            .unwrap_or_default();
        for index in 0..count {
            let Some((frame, part)) = parts.frame_mut(index) else {
                continue;
            };
            let target = if index + 1 == count {
                &mut *current
            } else {
                frame
            };
            let to = target.get_mut(Parts::data_range(&part));
            if let (Some(to), Some(from)) = (to, data.get(part.range())) {
                to.copy_from_slice(from);
            }
        }
    }
}
