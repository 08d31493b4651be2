//! The virtio-net header in front of each frame (`struct virtio_net_hdr`, native byte order, 10 bytes).

/// Bytes of the header.
pub const LEN: usize = 10;

/// The L4 checksum is left to the device.
const F_NEEDS_CSUM: u8 = 1;
/// The frame is no super-packet.
const GSO_NONE: u8 = 0;
/// Bytes that a VLAN tag adds.
const VLAN_TAG: u16 = 4;

/// One header, as received; sent back the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct VnetHeader {
    flags: u8,
    gso_type: u8,
    header_len: u16,
    gso_size: u16,
    csum_start: u16,
    csum_offset: u16,
}

impl VnetHeader {
    /// The header of a frame that is neither a super-packet nor lacks a checksum.
    pub const PLAIN: Self = Self {
        flags: 0,
        gso_type: GSO_NONE,
        header_len: 0,
        gso_size: 0,
        csum_start: 0,
        csum_offset: 0,
    };

    /// Reads the kernel's bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; LEN]) -> Self {
        let [flags, gso_type, a, b, c, d, e, f, g, h] = bytes;
        Self {
            flags,
            gso_type,
            header_len: u16::from_ne_bytes([a, b]),
            gso_size: u16::from_ne_bytes([c, d]),
            csum_start: u16::from_ne_bytes([e, f]),
            csum_offset: u16::from_ne_bytes([g, h]),
        }
    }

    /// The kernel's bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; LEN] {
        let [a, b] = self.header_len.to_ne_bytes();
        let [c, d] = self.gso_size.to_ne_bytes();
        let [e, f] = self.csum_start.to_ne_bytes();
        let [g, h] = self.csum_offset.to_ne_bytes();
        [self.flags, self.gso_type, a, b, c, d, e, f, g, h]
    }

    /// True where the sender left the L4 checksum to the device: what stands there is the
    /// pseudo-header's sum only.
    #[must_use]
    pub fn needs_checksum(self) -> bool {
        self.flags & F_NEEDS_CSUM != 0
    }

    /// Payload bytes per wire segment, where the frame is a super-packet.
    #[must_use]
    pub fn gso_size(self) -> Option<u16> {
        (self.gso_type != GSO_NONE && self.gso_size != 0).then_some(self.gso_size)
    }

    /// The header for the same frame with a VLAN tag put in front of its EtherType.
    #[must_use]
    pub fn with_vlan_tag(self) -> Self {
        let shift = |offset: u16| offset.saturating_add(VLAN_TAG);
        Self {
            csum_start: if self.needs_checksum() {
                shift(self.csum_start)
            } else {
                self.csum_start
            },
            header_len: if self.gso_type == GSO_NONE {
                self.header_len
            } else {
                shift(self.header_len)
            },
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bytes_survive(bytes: [u8; LEN]) {
            prop_assert_eq!(VnetHeader::from_bytes(bytes).to_bytes(), bytes);
        }
    }

    #[test]
    fn tag_moves_the_checksum_but_not_what_is_relative_to_it() {
        let header = VnetHeader {
            flags: F_NEEDS_CSUM,
            gso_type: 1,
            header_len: 66,
            gso_size: 1448,
            csum_start: 34,
            csum_offset: 16,
        };
        let tagged = header.with_vlan_tag();
        assert_eq!((tagged.csum_start, tagged.header_len), (38, 70));
        assert_eq!((tagged.csum_offset, tagged.gso_size()), (16, Some(1448)));
        assert_eq!(VnetHeader::PLAIN.with_vlan_tag(), VnetHeader::PLAIN);
    }
}
