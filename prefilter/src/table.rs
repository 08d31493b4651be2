//! The gram table: from the bytes at a position to the patterns that may stand around it.
//!
//! ```text
//! gram --hash--> bit of the filter --rank--> bucket --> (pattern, offset of the gram in it) ...
//! ```
//!
//! A bit that is clear rules the position out. A set bit's rank among the set bits is its bucket; the
//! patterns of the bucket are then compared byte by byte, so that what is reported is exact.

use std::collections::HashMap;

use crate::gram::{FOLD, GRAM, MULTIPLIER, commonness, gram_at, hash};
use crate::pattern::Distinct;

/// Bounds of the filter's size: at least 2^9 bits, at most 2^20 (128 KiB, which stays in a core's second
/// cache).
const BITS: std::ops::RangeInclusive<u32> = 9..=20;

/// Filter bits wished for per gram.
const BITS_PER_GRAM: usize = 256;

/// What a pattern more in the same bucket weighs against a commoner gram, when grams are chosen.
const CROWDING: u32 = 6;

/// Most patterns in a bucket that is not crowded: comparing so many at every position is no slower than
/// an automaton.
const UNCROWDED: usize = 4;

/// A pattern of a bucket.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Index of the pattern.
    pattern: u32,
    /// Its gram, folded: other grams have the same hash.
    gram: u32,
    /// Where its gram starts in it, bytes.
    offset: u32,
}

/// How many positions apart a scanner looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stride {
    /// At every position: one gram stands for each pattern.
    One,
    /// At every second position: two grams that start one byte apart stand for each pattern, so that
    /// one of them starts where the scanner looks. For patterns of more than [`GRAM`] bytes.
    Two,
}

impl Stride {
    /// Positions from one look to the next.
    pub(crate) const fn step(self) -> usize {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }

    /// Bytes of the shortest pattern it can serve.
    pub(crate) const fn shortest(self) -> usize {
        GRAM + self.step() - 1
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct GramTable {
    stride: Stride,
    /// Width of the hash.
    bits: u32,
    /// The filter: bit `hash & 7` of byte `hash >> 3`.
    filter: Box<[u8]>,
    /// Number of set bits before each block of eight bytes.
    ranks: Box<[u32]>,
    /// Start of each bucket in `entries`, and one more for the end.
    starts: Box<[u32]>,
    entries: Box<[Entry]>,
    /// Distinct grams looked for, folded.
    grams: Box<[u32]>,
}

impl GramTable {
    /// A table over those `patterns` whose indexes are given; all have [`Stride::shortest`] bytes.
    pub(crate) fn build(patterns: &[Distinct], members: &[u32], stride: Stride) -> Self {
        let wished = (members.len() * stride.step() * BITS_PER_GRAM).next_power_of_two();
        let bits = wished.trailing_zeros().clamp(*BITS.start(), *BITS.end());
        Self::lay_out(choose(patterns, members, (stride, bits)), stride, bits)
    }

    fn lay_out(mut chosen: Vec<Choice>, stride: Stride, bits: u32) -> Self {
        chosen.sort_by_key(|choice| choice.hash);
        let mut filter = vec![0_u8; 1 << (bits - 3)];
        let mut starts = Vec::new();
        let mut last = None;
        let mut entries = Vec::with_capacity(chosen.len());
        for choice in &chosen {
            if last != Some(choice.hash) {
                last = Some(choice.hash);
                starts.push(to_u32(entries.len()));
                filter[(choice.hash >> 3) as usize] |= 1 << (choice.hash & 7);
            }
            entries.push(choice.entry);
        }
        starts.push(to_u32(entries.len()));
        let mut grams: Vec<u32> = chosen.iter().map(|choice| choice.entry.gram).collect();
        grams.sort_unstable();
        grams.dedup();
        Self {
            stride,
            bits,
            ranks: ranks(&filter),
            filter: filter.into(),
            starts: starts.into(),
            entries: entries.into(),
            grams: grams.into(),
        }
    }

    /// Distinct grams looked for, folded.
    pub(crate) fn grams(&self) -> &[u32] {
        &self.grams
    }

    /// Indexes of the patterns in crowded buckets, sorted.
    pub(crate) fn crowded(&self) -> Vec<u32> {
        let buckets = self.starts.windows(2);
        let mut crowded: Vec<u32> = buckets
            .map(|pair| &self.entries[pair[0] as usize..pair[1] as usize])
            .filter(|bucket| bucket.len() > UNCROWDED)
            .flat_map(|bucket| bucket.iter().map(|entry| entry.pattern))
            .collect();
        crowded.sort_unstable();
        crowded.dedup();
        crowded
    }

    /// Calls `candidate` with positions from 0 on where a gram may stand, [`Stride`] apart.
    pub(crate) fn scan(&self, haystack: &[u8], candidate: impl FnMut(usize)) {
        match self.stride {
            Stride::One => self.scan_by::<1, { 7 + GRAM }>(haystack, candidate),
            Stride::Two => self.scan_by::<2, { 14 + GRAM }>(haystack, candidate),
        }
    }

    /// Eight looks a round, `STEP` positions apart, in a window of `WINDOW` bytes, so that there is one
    /// branch where nothing stands.
    fn scan_by<const STEP: usize, const WINDOW: usize>(
        &self,
        haystack: &[u8],
        mut candidate: impl FnMut(usize),
    ) {
        let (filter, shift) = (&*self.filter, 32 - self.bits);
        let mut at = 0;
        while let Some(window) = haystack.get(at..).and_then(<[u8]>::first_chunk::<WINDOW>) {
            let mut set = 0_u32;
            for look in 0..8 {
                let hash = hash_in(window, look * STEP, shift);
                let byte = filter[(hash >> 3) as usize & (filter.len() - 1)];
                set |= (u32::from(byte) >> (hash & 7) & 1) << look;
            }
            while set != 0 {
                candidate(at + set.trailing_zeros() as usize * STEP);
                set &= set - 1;
            }
            at += 8 * STEP;
        }
        while at + GRAM <= haystack.len() {
            candidate(at);
            at += STEP;
        }
    }

    #[inline]
    fn is_set(&self, hash: u32) -> bool {
        self.filter[(hash >> 3) as usize] >> (hash & 7) & 1 != 0
    }

    /// Reports the patterns whose gram stands at `at`, but those of a crowded bucket only within `budget`
    /// comparisons. Returns what it took of that, all where it did not suffice.
    pub(crate) fn verify(
        &self,
        patterns: &[Distinct],
        haystack: &[u8],
        (at, budget): (usize, usize),
        found: &mut impl FnMut(u32, usize),
    ) -> usize {
        let Some(gram) = gram_at(haystack, at) else {
            return 0;
        };
        let bucket = self.bucket(hash(gram, self.bits));
        let crowd = if bucket.len() > UNCROWDED {
            bucket.len()
        } else {
            0
        };
        if crowd > budget {
            return budget;
        }
        for entry in bucket.iter().filter(|entry| entry.gram == gram) {
            let Some(start) = at.checked_sub(entry.offset as usize) else {
                continue;
            };
            let pattern = &patterns[entry.pattern as usize];
            if pattern.stands_at(haystack, start) {
                pattern.report(start + pattern.bytes.len(), found);
            }
        }
        crowd
    }

    /// The patterns of a hash; empty where its bit is clear.
    fn bucket(&self, hash: u32) -> &[Entry] {
        if !self.is_set(hash) {
            return &[];
        }
        let block = (hash >> 6) as usize;
        let before = block_of(&self.filter, block) & ((1_u64 << (hash & 63)) - 1);
        let rank = (self.ranks[block] + before.count_ones()) as usize;
        &self.entries[self.starts[rank] as usize..self.starts[rank + 1] as usize]
    }
}

/// Hash of the folded gram at `at` of a window that holds it.
#[inline]
fn hash_in<const WINDOW: usize>(window: &[u8; WINDOW], at: usize, shift: u32) -> u32 {
    let gram = u32::from_le_bytes([window[at], window[at + 1], window[at + 2], window[at + 3]]);
    (gram | FOLD).wrapping_mul(MULTIPLIER) >> shift
}

/// Which gram stands for a pattern.
#[derive(Clone, Copy, Debug)]
struct Choice {
    entry: Entry,
    hash: u32,
}

/// Chooses the grams of each pattern: rare ones, in buckets that are not crowded. Patterns with few
/// grams to choose from go first.
fn choose(patterns: &[Distinct], members: &[u32], (stride, bits): (Stride, u32)) -> Vec<Choice> {
    let mut order = members.to_vec();
    order.sort_by_key(|&index| patterns[index as usize].bytes.len());
    let mut crowds: HashMap<u32, u32> = HashMap::new();
    let mut chosen = Vec::with_capacity(order.len() * stride.step());
    for pattern in order {
        let bytes = &patterns[pattern as usize].bytes;
        let grams = |offset: usize| {
            (offset..offset + stride.step()).filter_map(move |offset| {
                let gram = gram_at(bytes, offset)?;
                let entry = Entry {
                    pattern,
                    gram,
                    offset: to_u32(offset),
                };
                let hash = hash(gram, bits);
                Some(Choice { entry, hash })
            })
        };
        let weight = |offset: &usize| -> u32 {
            grams(*offset)
                .map(|choice| {
                    let crowd = crowds.get(&choice.hash).copied().unwrap_or(0);
                    commonness(choice.entry.gram).saturating_add(crowd.saturating_mul(CROWDING))
                })
                .sum()
        };
        let last = bytes.len().saturating_sub(stride.shortest());
        let best = (0..=last).min_by_key(weight).unwrap_or(0);
        for choice in grams(best) {
            *crowds.entry(choice.hash).or_insert(0) += 1;
            chosen.push(choice);
        }
    }
    chosen
}

/// Eight bytes of the filter; bit n of the result is bit n of the block.
fn block_of(filter: &[u8], block: usize) -> u64 {
    filter
        .get(block * 8..)
        .and_then(<[u8]>::first_chunk)
        .map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

fn ranks(filter: &[u8]) -> Box<[u32]> {
    (0..filter.len() / 8)
        .scan(0, |before, block| {
            let rank = *before;
            *before += block_of(filter, block).count_ones();
            Some(rank)
        })
        .collect()
}

/// Sizes here are far below 2^32: patterns come from rule files, whose sizes are bounded.
fn to_u32(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}
