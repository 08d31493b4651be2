//! One scan: the fastest way that fits the patterns, a bound on work, and the automaton behind it.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use crate::BuildError;
use crate::gram::GRAM;
use crate::pattern::Distinct;
use crate::simd::{Avx2, NibbleMasks};
use crate::table::{GramTable, Stride};

/// Most patterns in a bucket that need no automaton behind them: comparing so many at every position
/// is no slower than the automaton.
const UNCROWDED: usize = 4;

/// Comparisons free of charge in a scan, whatever the length of the haystack.
const FREE_COMPARISONS: usize = 256;

/// Distinct grams up to which nibble masks are tried.
const NIBBLE_GRAMS: usize = 256;

/// What a caller may ask for instead of the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Engine {
    /// The fastest that this processor and these patterns allow.
    #[default]
    Best,
    /// No vector instructions.
    Scalar,
}

/// How positions are ruled out.
#[derive(Debug)]
enum Way {
    /// By the filter of the table.
    Filter,
    /// 32 positions at a time, by nibble masks.
    Nibbles(Avx2, Box<NibbleMasks>),
}

/// Scans for patterns of at least [`GRAM`] bytes.
#[derive(Debug)]
pub(crate) struct LongPatterns {
    table: GramTable,
    way: Way,
    /// Linear in any haystack; takes over when a haystack was made to cost comparisons.
    automaton: Option<Automaton>,
}

impl LongPatterns {
    /// Scanners that together find the patterns of at least [`GRAM`] bytes: one by nibble masks if
    /// these can tell them apart, else one for the patterns that a scan at every second position finds
    /// and one for the shorter.
    pub(crate) fn build(patterns: &[Distinct], engine: Engine) -> Result<Vec<Self>, BuildError> {
        let members = |lengths: std::ops::RangeInclusive<usize>| -> Vec<u32> {
            (0_u32..)
                .zip(patterns)
                .filter(|(_, pattern)| lengths.contains(&pattern.bytes.len()))
                .map(|(index, _)| index)
                .collect()
        };
        let all = members(GRAM..=usize::MAX);
        if all.len() <= NIBBLE_GRAMS {
            let table = GramTable::build(patterns, &all, Stride::One);
            if let Some(way) = Way::nibbles(&table, engine) {
                return Ok(vec![Self::with_automaton(patterns, &all, (table, way))?]);
            }
        }
        let shortest = Stride::Two.shortest();
        let mut scanners = Vec::new();
        for (members, stride) in [
            (members(shortest..=usize::MAX), Stride::Two),
            (members(GRAM..=shortest - 1), Stride::One),
        ] {
            if members.is_empty() {
                continue;
            }
            let table = GramTable::build(patterns, &members, stride);
            let way = match stride {
                Stride::One => Way::nibbles(&table, engine).unwrap_or(Way::Filter),
                Stride::Two => Way::Filter,
            };
            scanners.push(Self::with_automaton(patterns, &members, (table, way))?);
        }
        Ok(scanners)
    }

    fn with_automaton(
        patterns: &[Distinct],
        members: &[u32],
        (table, way): (GramTable, Way),
    ) -> Result<Self, BuildError> {
        let automaton = if table.crowd() > UNCROWDED {
            Some(Automaton::build(patterns, members)?)
        } else {
            None
        };
        Ok(Self {
            table,
            way,
            automaton,
        })
    }

    /// Reports every occurrence, some perhaps twice.
    pub(crate) fn scan(
        &self,
        patterns: &[Distinct],
        haystack: &[u8],
        found: &mut impl FnMut(u32, usize),
    ) {
        let mut budget = match self.automaton {
            Some(_) => FREE_COMPARISONS + haystack.len(),
            None => usize::MAX,
        };
        let mut candidate = |at: usize| {
            let compared = self.table.verify(patterns, haystack, at, found);
            budget = budget.saturating_sub(compared);
            budget > 0
        };
        match &self.way {
            Way::Filter => {
                self.table.scan(haystack, candidate);
            }
            Way::Nibbles(avx2, masks) => {
                let mut at = avx2.scan_nibbles(masks, haystack, &mut candidate);
                while at + GRAM <= haystack.len() && candidate(at) {
                    at += 1;
                }
            }
        }
        if budget == 0
            && let Some(automaton) = &self.automaton
        {
            automaton.scan(patterns, haystack, found);
        }
    }

    /// Name of the way positions are ruled out, for reports and benchmarks.
    pub(crate) fn way(&self) -> &'static str {
        match self.way {
            Way::Filter => "filter",
            Way::Nibbles(..) => "nibbles",
        }
    }
}

impl Way {
    /// By nibble masks, where the processor and the grams allow.
    fn nibbles(table: &GramTable, engine: Engine) -> Option<Self> {
        let avx2 = Avx2::detect().filter(|_| engine == Engine::Best)?;
        let grams: Vec<[u8; GRAM]> = table
            .grams()
            .iter()
            .map(|gram| gram.to_le_bytes())
            .collect();
        let masks = NibbleMasks::build(grams.iter().map(<[u8; GRAM]>::as_slice).collect())?;
        Some(Self::Nibbles(avx2, Box::new(masks)))
    }
}

/// Aho-Corasick over a scanner's patterns.
#[derive(Debug)]
struct Automaton {
    automaton: AhoCorasick,
    /// Pattern of the automaton -> index of the pattern.
    index: Box<[u32]>,
}

impl Automaton {
    fn build(patterns: &[Distinct], members: &[u32]) -> Result<Self, BuildError> {
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .match_kind(MatchKind::Standard)
            .build(members.iter().map(|&index| &patterns[index as usize].bytes))
            .map_err(|error| BuildError::TooLarge(error.to_string()))?;
        Ok(Self {
            automaton,
            index: members.into(),
        })
    }

    fn scan(&self, patterns: &[Distinct], haystack: &[u8], found: &mut impl FnMut(u32, usize)) {
        for hit in self.automaton.find_overlapping_iter(haystack) {
            let index = self.index[hit.pattern().as_usize()];
            let pattern = &patterns[index as usize];
            if pattern.nocase || pattern.stands_at(haystack, hit.start()) {
                pattern.report(hit.end(), found);
            }
        }
    }
}
