//! Patterns of one to three bytes, too short for a gram: looked up by their first two bytes.

use std::ops::Range;

use crate::gram::GRAM;
use crate::pattern::Distinct;

/// Bits of the filter: one for each pair of folded bytes.
const PAIRS: usize = 1 << 16;

/// Scans for the patterns shorter than [`GRAM`] bytes.
#[derive(Debug)]
pub(crate) struct ShortPatterns {
    /// A bit for each pair of folded bytes that a pattern of more than one byte may start with.
    filter: Box<[u64]>,
    /// Where the patterns of one byte stand in `starts`, by that byte, folded.
    singles: Box<[Range<u32>]>,
    /// (first folded byte, second or `None` for a one-byte pattern, index), sorted.
    starts: Box<[(u8, Option<u8>, u32)]>,
}

impl ShortPatterns {
    /// The patterns whose indexes are given, all shorter than [`GRAM`]; `None` when there is none.
    pub(crate) fn build(patterns: &[Distinct], members: &[u32]) -> Option<Self> {
        let mut starts: Vec<(u8, Option<u8>, u32)> = Vec::new();
        for &index in members {
            match *patterns[index as usize].bytes {
                [first] => starts.push((fold(first), None, index)),
                [first, second] | [first, second, _] => {
                    starts.push((fold(first), Some(fold(second)), index));
                }
                _ => debug_assert!(false, "a pattern of {GRAM} bytes or more"),
            }
        }
        if starts.is_empty() {
            return None;
        }
        starts.sort_unstable();
        let mut filter = vec![0_u64; PAIRS / 64];
        for &(first, second, _) in &starts {
            if let Some(second) = second {
                let pair = pair(first, second);
                filter[pair / 64] |= 1 << (pair % 64);
            }
        }
        let place = |key: (u8, Option<u8>)| {
            let before = starts.partition_point(|&(first, second, _)| (first, second) < key);
            u32::try_from(before).unwrap_or(u32::MAX)
        };
        // `None` is in front of every second byte.
        let singles = (0..=u8::MAX).map(|first| place((first, None))..place((first, Some(0))));
        let singles = singles.collect();
        Some(Self {
            filter: filter.into(),
            singles,
            starts: starts.into(),
        })
    }

    /// Reports every occurrence.
    pub(crate) fn scan(
        &self,
        patterns: &[Distinct],
        haystack: &[u8],
        found: &mut impl FnMut(u32, usize),
    ) {
        for (at, window) in haystack.windows(2).enumerate() {
            let first = fold(window[0]);
            if self.may_start(first, fold(window[1])) || self.is_single(first) {
                self.verify(patterns, haystack, at, found);
            }
        }
        // The last byte starts no pair, but may be a pattern.
        if let Some(last) = haystack.len().checked_sub(1) {
            self.verify(patterns, haystack, last, found);
        }
    }

    #[inline]
    fn is_single(&self, first: u8) -> bool {
        !self.singles[usize::from(first)].is_empty()
    }

    /// Whether a pattern may start with those folded bytes.
    #[inline]
    fn may_start(&self, first: u8, second: u8) -> bool {
        let pair = pair(first, second);
        self.filter[pair / 64] >> (pair % 64) & 1 != 0
    }

    /// Reports the patterns that stand at `at`.
    pub(crate) fn verify(
        &self,
        patterns: &[Distinct],
        haystack: &[u8],
        at: usize,
        found: &mut impl FnMut(u32, usize),
    ) {
        let Some(first) = haystack.get(at).copied().map(fold) else {
            return;
        };
        let single = &self.singles[usize::from(first)];
        for &(_, _, index) in &self.starts[single.start as usize..single.end as usize] {
            report(patterns, haystack, (at, index), found);
        }
        let Some(second) = haystack.get(at + 1).copied().map(fold) else {
            return;
        };
        if !self.may_start(first, second) {
            return;
        }
        let key = (first, Some(second));
        let from = self.starts.partition_point(|&(a, b, _)| (a, b) < key);
        for &(a, b, index) in &self.starts[from..] {
            if (a, b) != key {
                break;
            }
            report(patterns, haystack, (at, index), found);
        }
    }
}

/// Reports a pattern where it stands at `at`.
fn report(
    patterns: &[Distinct],
    haystack: &[u8],
    (at, index): (usize, u32),
    found: &mut impl FnMut(u32, usize),
) {
    let pattern = &patterns[index as usize];
    if pattern.stands_at(haystack, at) {
        pattern.report(at + pattern.bytes.len(), found);
    }
}

/// Sets bit 5, as grams are folded.
pub(crate) fn fold(byte: u8) -> u8 {
    byte | 0x20
}

fn pair(first: u8, second: u8) -> usize {
    usize::from(first) << 8 | usize::from(second)
}
