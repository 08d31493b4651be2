//! Changes to a frame on its way: payload made equal to its first copy, urgent flag cleared.
//!
//! Lengths never change. A finished L4 checksum is adjusted by the difference (RFC 1624); a partial one
//! covers only the pseudo header, which is not touched, so it stays right as it is.

use crate::frame::{ChecksumState, FrameMeta};
use crate::packet::Packet;
use crate::stream::flags;

/// Offsets in the TCP header.
const FLAGS: usize = 13;
const CHECKSUM: usize = 16;
const URGENT: usize = 18;

/// Where a packet's TCP segment lies in its frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    header: usize,
    payload: usize,
    end: usize,
}

impl Place {
    pub(super) fn of(packet: &Packet<'_>) -> Self {
        Self {
            header: packet.l4,
            payload: packet.payload_start,
            end: packet.payload_end,
        }
    }
}

/// Changes the payload with `change`, clears the urgent flag where asked, keeps the checksum right.
pub(super) fn segment(
    frame: &mut [u8],
    place: Place,
    meta: &FrameMeta,
    clear_urgent: bool,
    change: impl FnOnce(&mut [u8]),
) {
    let Some(segment) = frame.get_mut(place.header..place.end) else {
        return;
    };
    let before = sum(segment);
    if clear_urgent {
        self::clear_urgent(segment);
    }
    if let Some(payload) = segment.get_mut(place.payload - place.header..) {
        change(payload);
    }
    if meta.checksum == ChecksumState::Final && meta.gso_size.is_none() {
        let after = sum(segment);
        adjust(segment, before, after);
    }
}

fn clear_urgent(segment: &mut [u8]) {
    if let Some(byte) = segment.get_mut(FLAGS) {
        *byte &= !flags::URG;
    }
    if let Some(pointer) = segment.get_mut(URGENT..URGENT + 2) {
        pointer.fill(0);
    }
}

/// RFC 1624, equation 3: `~(~checksum + ~before + after)`.
fn adjust(segment: &mut [u8], before: u16, after: u16) {
    let Some(field) = segment.get_mut(CHECKSUM..CHECKSUM + 2) else {
        return;
    };
    let old = u16::from_be_bytes([field[0], field[1]]);
    let new = !fold(u64::from(!old) + u64::from(!before) + u64::from(after));
    field.copy_from_slice(&new.to_be_bytes());
}

/// One's complement sum of 16-bit words, the last one padded.
fn sum(bytes: &[u8]) -> u16 {
    let mut total = 0u64;
    for pair in bytes.chunks(2) {
        let high = pair.first().copied().unwrap_or(0);
        let low = pair.get(1).copied().unwrap_or(0);
        total += u64::from(u16::from_be_bytes([high, low]));
    }
    fold(total)
}

fn fold(mut total: u64) -> u16 {
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    u16::try_from(total).unwrap_or(u16::MAX)
}
