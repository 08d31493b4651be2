//! The buffers that a worker's frames live in between capture and injection.
//!
//! Frames are judged and sent on where they were received: nothing is copied, nothing allocated. Only
//! the pages that frames touch become resident, so the room for 64 KiB super-packets costs nothing
//! while frames are small.

use weir_datapath::mark::CaptureMark;

use super::sys::Received;
use super::vnet::{self, VnetHeader};
use crate::settle::Permit;

/// Longest frame: an IP packet of 65,535 bytes behind an Ethernet header and two VLAN tags. The capture
/// pair's MTU and gso_max_size keep longer ones from arising.
pub const MAX_FRAME: usize = 65_535 + 14 + 8;

/// Free bytes in front of a received frame: room for the VLAN tag that the kernel took off, and the IP
/// header is aligned.
const HEADROOM: usize = 18;

/// Distance between buffers.
const STRIDE: usize = 66 * 1024;

const _: () = assert!(
    HEADROOM + MAX_FRAME <= STRIDE,
    "the longest frame fits its room"
);

/// Bytes of frames wished for in one receive. More would leave the core's second cache before they are
/// judged and sent on, and long batches hold acknowledgements up behind data.
const WISHED_BYTES: usize = 256 * 1024;

/// Bytes of both MAC addresses.
const MACS: usize = 12;

/// Where a frame goes when it is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// To the pod, out of its host interface.
    Pod {
        /// Index of that interface.
        ifindex: u32,
    },
    /// Into the host's stack, as if just received on the pod's host interface.
    Host {
        /// Index of that interface.
        ifindex: u32,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Settlement {
    Unsettled,
    Deliver(Destination),
    Gone,
}

#[derive(Clone, Debug)]
struct Slot {
    vnet: [u8; vnet::LEN],
    start: usize,
    end: usize,
    mark: u32,
    truncated: bool,
    settlement: Settlement,
}

/// Room for one batch of frames.
pub struct FrameBatch {
    memory: Vec<u8>,
    slots: Vec<Slot>,
    filled: usize,
    /// Frames to ask for next: so many of the latest size make [`WISHED_BYTES`].
    wanted: usize,
}

impl FrameBatch {
    /// Room for `frames` frames.
    #[must_use]
    pub fn new(frames: u16) -> Self {
        let frames = usize::from(frames);
        let slot = Slot {
            vnet: [0; vnet::LEN],
            start: 0,
            end: 0,
            mark: 0,
            truncated: false,
            settlement: Settlement::Gone,
        };
        Self {
            memory: vec![0; frames * STRIDE],
            slots: vec![slot; frames],
            filled: 0,
            wanted: frames,
        }
    }

    /// The frames of the last receive.
    pub fn frames(&mut self) -> impl Iterator<Item = Held<'_>> {
        let rooms = self.memory.chunks_exact_mut(STRIDE);
        self.slots
            .iter_mut()
            .zip(rooms)
            .take(self.filled)
            .map(|(slot, room)| Held { slot, room })
    }

    /// Frames of the last receive that nobody settled. They are not delivered.
    #[must_use]
    pub fn unsettled(&self) -> usize {
        let slots = self.slots.iter().take(self.filled);
        slots
            .filter(|s| s.settlement == Settlement::Unsettled)
            .count()
    }

    /// The frames to deliver, in the order they came.
    pub(super) fn deliveries(
        &self,
    ) -> impl Iterator<Item = (&[u8; vnet::LEN], &[u8], Destination)> {
        let rooms = self.memory.chunks_exact(STRIDE);
        let slots = self.slots.iter().zip(rooms).take(self.filled);
        slots.filter_map(|(slot, room)| match slot.settlement {
            Settlement::Deliver(to) => Some((&slot.vnet, room.get(slot.start..slot.end)?, to)),
            Settlement::Unsettled | Settlement::Gone => None,
        })
    }

    /// Where the `index`th frame to deliver goes.
    pub(super) fn delivery(&self, index: usize) -> Option<Destination> {
        let slots = self.slots.iter().take(self.filled);
        let deliveries = slots.filter_map(|slot| match slot.settlement {
            Settlement::Deliver(to) => Some(to),
            Settlement::Unsettled | Settlement::Gone => None,
        });
        deliveries.into_iter().nth(index)
    }

    /// Frames to deliver to pods, and into the host's stack.
    #[must_use]
    pub fn delivery_counts(&self) -> (u64, u64) {
        let mut counts = (0, 0);
        for slot in self.slots.iter().take(self.filled) {
            match slot.settlement {
                Settlement::Deliver(Destination::Pod { .. }) => counts.0 += 1,
                Settlement::Deliver(Destination::Host { .. }) => counts.1 += 1,
                Settlement::Unsettled | Settlement::Gone => {}
            }
        }
        counts
    }

    /// Forgets all frames.
    pub(super) fn clear(&mut self) {
        self.filled = 0;
    }

    /// The rooms to receive into: virtio-net header and frame.
    pub(super) fn rooms(&mut self) -> impl Iterator<Item = (&mut [u8; vnet::LEN], &mut [u8])> {
        let rooms = self.memory.chunks_exact_mut(STRIDE);
        self.slots
            .iter_mut()
            .zip(rooms)
            .take(self.wanted)
            .map(|(slot, room)| (&mut slot.vnet, room.get_mut(HEADROOM..).unwrap_or_default()))
    }

    /// Takes note of what was received into the first rooms.
    pub(super) fn fill(&mut self, received: &[Received]) {
        let rooms = self.memory.chunks_exact_mut(STRIDE);
        for ((slot, room), received) in self.slots.iter_mut().zip(rooms).zip(received) {
            slot.fill(room, *received);
        }
        self.filled = received.len().min(self.slots.len());
        let bytes: usize = received.iter().map(|received| received.len).sum();
        if let Some(mean) = bytes.checked_div(received.len()) {
            let fitting = WISHED_BYTES / mean.max(1);
            self.wanted = fitting.clamp(1, self.slots.len().max(1));
        }
    }
}

impl Slot {
    fn fill(&mut self, room: &mut [u8], received: Received) {
        self.start = HEADROOM;
        self.end = HEADROOM
            + received
                .len
                .saturating_sub(vnet::LEN)
                .min(STRIDE - HEADROOM);
        self.mark = received.mark;
        self.truncated = received.truncated;
        self.settlement = Settlement::Unsettled;
        if let Some((tpid, tci)) = received.vlan {
            self.restore_tag(room, tpid, tci);
        }
    }

    /// Puts the VLAN tag back that the kernel took off: the addresses move into the headroom.
    fn restore_tag(&mut self, room: &mut [u8], tpid: u16, tci: u16) {
        if self.end - self.start < MACS {
            return;
        }
        let start = self.start - 4;
        room.copy_within(self.start..self.start + MACS, start);
        let [[a, b], [c, d]] = [tpid.to_be_bytes(), tci.to_be_bytes()];
        if let Some(place) = room.get_mut(start + MACS..start + MACS + 4) {
            place.copy_from_slice(&[a, b, c, d]);
        }
        self.start = start;
        self.vnet = VnetHeader::from_bytes(self.vnet).with_vlan_tag().to_bytes();
    }
}

/// A frame in the enforcer's hands. It goes nowhere unless it is settled, which takes it by value.
#[must_use = "a held frame is settled: delivered or not"]
pub struct Held<'b> {
    slot: &'b mut Slot,
    room: &'b mut [u8],
}

impl Held<'_> {
    /// Whose interface it crosses in which direction; `None` for a frame that weir's rules did not
    /// divert.
    #[must_use]
    pub fn mark(&self) -> Option<CaptureMark> {
        CaptureMark::from_raw(self.slot.mark)
    }

    /// True when the frame was longer than [`MAX_FRAME`]: what is here is not all of it.
    #[must_use]
    pub fn truncated(&self) -> bool {
        self.slot.truncated
    }

    /// The header that travels with it.
    #[must_use]
    pub fn vnet(&self) -> VnetHeader {
        VnetHeader::from_bytes(self.slot.vnet)
    }

    /// Its bytes, Ethernet header first.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.room
            .get_mut(self.slot.start..self.slot.end)
            .unwrap_or_default()
    }

    /// Its bytes, Ethernet header first.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.room
            .get(self.slot.start..self.slot.end)
            .unwrap_or_default()
    }

    /// Delivers it with the batch.
    pub fn deliver(self, _: Permit, to: Destination) {
        self.slot.settlement = Settlement::Deliver(to);
    }

    /// Ends it here: dropped, or the engine keeps a copy.
    pub fn discard(self) {
        self.slot.settlement = Settlement::Gone;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(batch: &mut FrameBatch, frame: &[u8], vlan: Option<(u16, u16)>) {
        {
            let (_, room) = batch.rooms().next().unwrap();
            room[..frame.len()].copy_from_slice(frame);
        }
        let received = Received {
            len: frame.len() + vnet::LEN,
            truncated: false,
            mark: 7,
            vlan,
        };
        batch.fill(&[received]);
    }

    #[test]
    fn vlan_tag_is_put_back_behind_the_addresses() {
        let mut batch = FrameBatch::new(1);
        let frame: Vec<u8> = (0..60).collect();
        receive(&mut batch, &frame, Some((0x88a8, 0x2005)));
        let held = batch.frames().next().unwrap();
        let mut expected = frame[..12].to_vec();
        expected.extend([0x88, 0xa8, 0x20, 0x05]);
        expected.extend(&frame[12..]);
        assert_eq!(held.bytes(), expected);
    }

    #[test]
    fn unsettled_frames_are_counted_and_not_delivered() {
        let mut batch = FrameBatch::new(1);
        receive(&mut batch, &[0; 60], None);
        for held in batch.frames() {
            assert_eq!(held.mark().unwrap().ifindex(), 7);
        }
        assert_eq!((batch.unsettled(), batch.deliveries().count()), (1, 0));
        batch.frames().for_each(Held::discard);
        assert_eq!((batch.unsettled(), batch.deliveries().count()), (0, 0));
    }
}
