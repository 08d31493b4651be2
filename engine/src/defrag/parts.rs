//! The fragments of one datagram: frames as they came, and which blocks of the datagram they cover.
//!
//! Fragments begin at multiples of 8, and all but the last end at one: coverage is kept in blocks of 8
//! bytes, exactly.

use std::ops::Range;

use crate::frame::FrameMeta;
use crate::packet::{Fragment, Network, Packet, Transport};

use super::overlap::OverlapPolicy;

const BLOCK: usize = 8;
/// Blocks of the greatest datagram.
const BLOCKS: usize = 65_536 / BLOCK;
/// Greatest IP packet, header included in IPv4, not in IPv6.
pub(super) const MAX_LEN: usize = 65_535;

/// One fragment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// Where its frame stands in [`Parts::bytes`].
    frame: (usize, usize),
    /// Its data in that frame.
    data_at: usize,
    /// Its data in the datagram.
    start: usize,
    len: usize,
    pub(super) meta: FrameMeta,
    /// It was not delivered.
    pub(super) held: bool,
    /// IP header, fragment header, the byte that names it: in the frame.
    pub(super) l3: usize,
    pub(super) fragment: Fragment,
    pub(super) network: Network,
    /// Transport protocol, by this fragment.
    pub(super) protocol: u8,
    pub(super) vlan: [u16; 3],
    pub(super) vlan_layers: u8,
}

impl Part {
    pub(super) fn range(&self) -> Range<usize> {
        self.start..self.start + self.len
    }
}

/// What a new fragment does to the datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// It covers what nothing did.
    New,
    /// It covers again what is there, with the same data; `exact` when one earlier fragment is the same.
    Same { exact: bool },
    /// It overlaps with different data.
    Conflict,
    /// It contradicts where the datagram ends.
    Contradiction {
        /// It overlaps as well.
        overlaps: bool,
    },
}

/// The fragments of one datagram.
#[derive(Debug, Default)]
pub(super) struct Parts {
    bytes: Vec<u8>,
    list: Vec<Part>,
    covered: Coverage,
    /// Length of the datagram's data, once its last fragment is there.
    total: Option<usize>,
    /// Greatest end so far.
    end: usize,
    /// Fragments overlap with different data.
    pub(super) conflict: bool,
}

/// Which blocks are covered.
#[derive(Debug)]
struct Coverage {
    words: Box<[u64; BLOCKS / 64]>,
    blocks: usize,
}

impl Default for Coverage {
    fn default() -> Self {
        Self {
            words: Box::new([0; BLOCKS / 64]),
            blocks: 0,
        }
    }
}

impl Coverage {
    /// Adds blocks, and says how many of them were there already.
    fn add(&mut self, blocks: Range<usize>) -> usize {
        let mut again = 0;
        for (index, mask) in masks(blocks) {
            if let Some(word) = self.words.get_mut(index) {
                again += (*word & mask).count_ones() as usize;
                self.blocks += (!*word & mask).count_ones() as usize;
                *word |= mask;
            }
        }
        again
    }

    fn any(&self, blocks: Range<usize>) -> bool {
        masks(blocks)
            .any(|(index, mask)| self.words.get(index).is_some_and(|word| word & mask != 0))
    }

    fn clear(&mut self) {
        if self.blocks > 0 {
            self.words.fill(0);
            self.blocks = 0;
        }
    }
}

/// Words and their bits that a range of blocks covers.
fn masks(blocks: Range<usize>) -> impl Iterator<Item = (usize, u64)> {
    let last = blocks.end.div_ceil(64);
    (blocks.start / 64..last).map(move |index| {
        let low = blocks.start.saturating_sub(index * 64).min(64);
        let high = (blocks.end - index * 64).min(64);
        let below = |bits: usize| {
            if bits == 64 {
                u64::MAX
            } else {
                (1u64 << bits) - 1
            }
        };
        (index, below(high) & !below(low))
    })
}

fn blocks(range: &Range<usize>) -> Range<usize> {
    range.start / BLOCK..range.end.div_ceil(BLOCK)
}

impl Parts {
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Bytes of all frames.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, Part> {
        self.list.iter()
    }

    /// Length of the data, where all of it is there.
    pub(super) fn complete(&self) -> Option<usize> {
        self.total
            .filter(|total| self.covered.blocks == total.div_ceil(BLOCK))
    }

    pub(super) fn frame(&self, part: &Part) -> &[u8] {
        self.bytes
            .get(part.frame.0..part.frame.1)
            .unwrap_or_default()
    }

    pub(super) fn frame_mut(&mut self, index: usize) -> Option<(&mut [u8], Part)> {
        let part = *self.list.get(index)?;
        let frame = self.bytes.get_mut(part.frame.0..part.frame.1)?;
        Some((frame, part))
    }

    pub(super) fn data(&self, part: &Part) -> &[u8] {
        self.frame(part)
            .get(part.data_at..part.data_at + part.len)
            .unwrap_or_default()
    }

    /// Where `part`'s data stands in its frame.
    pub(super) fn data_range(part: &Part) -> Range<usize> {
        part.data_at..part.data_at + part.len
    }

    /// What the fragment would do, with nothing changed.
    pub(super) fn fit(&self, range: &Range<usize>, more: bool, data: &[u8]) -> Fit {
        let contradicts = match self.total {
            Some(total) => range.end > total || (!more && range.end != total),
            None => !more && range.end < self.end,
        };
        let overlaps = self.covered.any(blocks(range));
        if contradicts {
            return Fit::Contradiction { overlaps };
        }
        if !overlaps {
            return Fit::New;
        }
        let mut exact = false;
        for part in &self.list {
            let earlier = part.range();
            let common = earlier.start.max(range.start)..earlier.end.min(range.end);
            if common.is_empty() {
                continue;
            }
            let new = data.get(common.start - range.start..common.end - range.start);
            let old = self
                .data(part)
                .get(common.start - earlier.start..common.end - earlier.start);
            if new != old {
                return Fit::Conflict;
            }
            exact |= earlier == *range;
        }
        Fit::Same { exact }
    }

    /// Keeps a fragment. Its data is `range` of the datagram.
    pub(super) fn push(
        &mut self,
        packet: &Packet<'_>,
        fragment: Fragment,
        range: &Range<usize>,
        meta: &FrameMeta,
    ) {
        debug_assert_eq!(packet.transport, Transport::None);
        let at = self.bytes.len();
        self.bytes.extend_from_slice(packet.frame);
        self.list.push(Part {
            frame: (at, self.bytes.len()),
            data_at: packet.payload_start,
            start: range.start,
            len: range.len(),
            meta: *meta,
            held: meta.mode == crate::frame::Mode::Prevent,
            l3: packet.l3,
            fragment,
            network: packet.network,
            protocol: packet.protocol,
            vlan: packet.vlan,
            vlan_layers: packet.vlan_layers,
        });
        self.covered.add(blocks(range));
        self.end = self.end.max(range.end);
        if !fragment.more {
            self.total = Some(range.end);
        }
    }

    /// Writes the data of all parts to `to`, which has its length.
    pub(super) fn write_data(&self, to: &mut [u8], policy: OverlapPolicy) {
        if !self.conflict {
            for part in &self.list {
                if let Some(to) = to.get_mut(part.range()) {
                    to.copy_from_slice(self.data(part));
                }
            }
            return;
        }
        for (at, block) in to.chunks_mut(BLOCK).enumerate() {
            if let Some(owner) = self.owner(at * BLOCK, policy) {
                let from = at * BLOCK - owner.start;
                if let Some(data) = self.data(owner).get(from..from + block.len()) {
                    block.copy_from_slice(data);
                }
            }
        }
    }

    /// The part whose bytes count at an offset.
    fn owner(&self, at: usize, policy: OverlapPolicy) -> Option<&Part> {
        self.list
            .iter()
            .filter(|part| part.range().contains(&at))
            .reduce(|earlier, later| {
                if policy.later_wins(&earlier.range(), &later.range()) {
                    later
                } else {
                    earlier
                }
            })
    }

    /// The part that brings the headers: the one that owns the first bytes.
    pub(super) fn first(&self, policy: OverlapPolicy) -> Option<&Part> {
        if self.conflict {
            self.owner(0, policy)
        } else {
            self.list.iter().find(|part| part.start == 0)
        }
    }

    pub(super) fn last(&self) -> Option<&Part> {
        self.list.last()
    }

    /// Forgets everything, keeping memory up to `keep` bytes.
    pub(super) fn clear(&mut self, keep: usize) {
        self.bytes.clear();
        self.bytes.shrink_to(keep);
        self.list.clear();
        self.list.shrink_to(keep / size_of::<Part>());
        self.covered.clear();
        self.total = None;
        self.end = 0;
        self.conflict = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coverage_counts_each_block_once() {
        let mut coverage = Coverage::default();
        assert_eq!(coverage.add(3..130), 0);
        assert_eq!(coverage.blocks, 127);
        assert_eq!(coverage.add(0..4), 1);
        assert_eq!(coverage.add(129..193), 1);
        assert_eq!(coverage.blocks, 193);
        assert!(coverage.any(192..193));
        assert!(!coverage.any(193..BLOCKS));
        assert_eq!(coverage.add(0..BLOCKS), 193);
        assert_eq!(coverage.blocks, BLOCKS);
        coverage.clear();
        assert!(!coverage.any(0..BLOCKS));
    }

    #[test]
    fn an_empty_range_has_no_blocks() {
        assert_eq!(masks(64..64).count(), 0);
        assert!(masks(65..65).all(|(_, mask)| mask == 0));
    }
}
