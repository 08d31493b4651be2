//! Patterns of one to three bytes, too short for a gram: looked up by their first two bytes.

use crate::gram::GRAM;
use crate::pattern::Distinct;

/// Bits of the filter: one for each pair of folded bytes.
const PAIRS: usize = 1 << 16;

/// Scans for the patterns shorter than [`GRAM`] bytes.
#[derive(Debug)]
pub(crate) struct ShortPatterns {
    /// A bit for each pair of folded bytes that a pattern may start with.
    filter: Box<[u64]>,
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
            let seconds = second.map_or(0..=u8::MAX, |second| second..=second);
            for second in seconds {
                let pair = pair(first, second);
                filter[pair / 64] |= 1 << (pair % 64);
            }
        }
        Some(Self {
            filter: filter.into(),
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
            if self.may_start(fold(window[0]), fold(window[1])) {
                self.verify(patterns, haystack, at, found);
            }
        }
        // The last byte starts no pair, but may be a pattern.
        if let Some(last) = haystack.len().checked_sub(1) {
            self.verify(patterns, haystack, last, found);
        }
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
        let second = haystack.get(at + 1).map(|&byte| fold(byte));
        if second.is_some_and(|second| !self.may_start(first, second)) {
            return;
        }
        for second in [None, second]
            .iter()
            .take(1 + usize::from(second.is_some()))
        {
            let key = (first, *second);
            let from = self.starts.partition_point(|&(a, b, _)| (a, b) < key);
            for &(a, b, index) in &self.starts[from..] {
                if (a, b) != key {
                    break;
                }
                let pattern = &patterns[index as usize];
                if pattern.stands_at(haystack, at) {
                    pattern.report(at + pattern.bytes.len(), found);
                }
            }
        }
    }
}

pub(crate) fn fold(byte: u8) -> u8 {
    byte | 0x20
}

fn pair(first: u8, second: u8) -> usize {
    usize::from(first) << 8 | usize::from(second)
}
