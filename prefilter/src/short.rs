//! Patterns of one to three bytes, too short for a gram: looked up by their first two bytes.

use crate::gram::GRAM;
use crate::pattern::Distinct;
use crate::scan::Engine;
use crate::simd::{Avx2, NibbleMasks};

/// Bits of the filter: one for each pair of folded bytes.
const PAIRS: usize = 1 << 16;

/// Scans for the patterns shorter than [`GRAM`] bytes.
#[derive(Debug)]
pub(crate) struct ShortPatterns {
    /// A bit for each pair of folded bytes that a pattern may start with.
    filter: Box<[u64]>,
    /// (first folded byte, second or `None` for a one-byte pattern, index), sorted.
    starts: Box<[(u8, Option<u8>, u32)]>,
    /// Rules positions out 32 at a time, where the patterns are few enough.
    masks: Option<(Avx2, Box<NibbleMasks>)>,
}

impl ShortPatterns {
    /// `None` when there is no such pattern.
    pub(crate) fn build(patterns: &[Distinct], engine: Engine) -> Option<Self> {
        let mut starts: Vec<(u8, Option<u8>, u32)> = Vec::new();
        for (index, pattern) in patterns.iter().enumerate() {
            match *pattern.bytes {
                [first] => starts.push((fold(first), None, u32::try_from(index).ok()?)),
                [first, second] | [first, second, _] => {
                    let index = u32::try_from(index).ok()?;
                    starts.push((fold(first), Some(fold(second)), index));
                }
                _ => debug_assert!(pattern.bytes.len() >= GRAM),
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
            masks: masks(patterns, engine),
        })
    }

    /// Reports every occurrence.
    pub(crate) fn scan(
        &self,
        patterns: &[Distinct],
        haystack: &[u8],
        found: &mut impl FnMut(u32, usize),
    ) {
        let from = self.masks.as_ref().map_or(0, |(avx2, masks)| {
            avx2.scan_nibbles(masks, haystack, |at| {
                self.verify(patterns, haystack, at, found);
                true
            })
        });
        for (at, window) in haystack.windows(2).enumerate().skip(from) {
            let pair = pair(fold(window[0]), fold(window[1]));
            if self.filter[pair / 64] >> (pair % 64) & 1 != 0 {
                self.verify(patterns, haystack, at, found);
            }
        }
        // The last byte starts no pair, but may be a pattern.
        if let Some(last) = haystack.len().checked_sub(1) {
            self.verify(patterns, haystack, last, found);
        }
    }

    fn verify(
        &self,
        patterns: &[Distinct],
        haystack: &[u8],
        at: usize,
        found: &mut impl FnMut(u32, usize),
    ) {
        let first = fold(haystack[at]);
        let second = haystack.get(at + 1).map(|&byte| fold(byte));
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

/// Nibble masks of the short patterns, where the processor and the patterns allow.
fn masks(patterns: &[Distinct], engine: Engine) -> Option<(Avx2, Box<NibbleMasks>)> {
    let avx2 = Avx2::detect().filter(|_| engine == Engine::Best)?;
    let folded: Vec<Vec<u8>> = patterns
        .iter()
        .filter(|pattern| pattern.bytes.len() < GRAM)
        .map(|pattern| pattern.bytes.iter().copied().map(fold).collect())
        .collect();
    let masks = NibbleMasks::build(folded.iter().map(Vec::as_slice).collect())?;
    Some((avx2, Box::new(masks)))
}

fn fold(byte: u8) -> u8 {
    byte | 0x20
}

fn pair(first: u8, second: u8) -> usize {
    usize::from(first) << 8 | usize::from(second)
}
