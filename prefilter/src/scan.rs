//! One scan: the fastest way that fits the patterns, a bound on work, and the automaton behind it.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use crate::BuildError;
use crate::gram::GRAM;
use crate::pattern::Distinct;
use crate::short::{ShortPatterns, fold};
use crate::simd::MaskScanner;
use crate::table::{GramTable, Stride};

/// Comparisons in crowded buckets free of charge in a scan, whatever the length of the haystack.
const FREE_COMPARISONS: usize = 256;

/// Patterns up to which masks are tried.
const MASKED: usize = 1024;

/// Cost of a position, against 1 for verifying a candidate, above which masks are slower than a filter that
/// looks at every second position.
const DEAR: f64 = 1.0 / 10.0;

/// The same for patterns so short that something has to look at every position for them.
const DEAR_FOR_SHORT: f64 = 1.0 / 5.0;

/// What a caller may ask for instead of the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Engine {
    /// The fastest that this processor and these patterns allow.
    #[default]
    Best,
    /// No vector instructions beyond AVX2.
    Avx2,
    /// No vector instructions.
    Scalar,
}

/// One pass over a haystack.
#[derive(Debug)]
pub(crate) enum Scanner {
    /// Positions are ruled out many at a time by masks; for patterns of any length.
    Masks {
        /// The masks.
        masks: MaskScanner,
        /// The patterns of at least [`GRAM`] bytes.
        long: Option<LongPatterns>,
        /// The others.
        short: Option<ShortPatterns>,
    },
    /// Positions are ruled out by the filter of the table.
    Filter(LongPatterns),
    /// Positions are ruled out by pairs of bytes.
    Pairs(ShortPatterns),
}

impl Scanner {
    /// Scanners that together find the patterns: one by masks if these can tell them apart; else one
    /// by masks for the short ones, and for the others a filter that looks at every second position; else
    /// a filter that looks at every position, and what serves the shortest.
    pub(crate) fn build(patterns: &[Distinct], engine: Engine) -> Result<Vec<Self>, BuildError> {
        let members = |lengths: std::ops::Range<usize>| -> Vec<u32> {
            (0_u32..)
                .zip(patterns)
                .filter(|(_, pattern)| lengths.contains(&pattern.bytes.len()))
                .map(|(index, _)| index)
                .collect()
        };
        let masked = |lengths, dear| Self::masked(patterns, &members(lengths), (engine, dear));
        if let Some(one) = masked(0..usize::MAX, DEAR)? {
            return Ok(vec![one]);
        }
        let far = Stride::Two.shortest();
        let mut scanners = Vec::new();
        if let Some(rest) = masked(0..far, DEAR_FOR_SHORT)? {
            let long = LongPatterns::build(patterns, &members(far..usize::MAX), Stride::Two)?;
            scanners.extend(long.map(Self::Filter));
            scanners.push(rest);
            return Ok(scanners);
        }
        let none_short = members(GRAM..far).is_empty();
        let stride = if none_short { Stride::Two } else { Stride::One };
        let long = LongPatterns::build(patterns, &members(GRAM..usize::MAX), stride)?;
        scanners.extend(long.map(Self::Filter));
        match masked(0..GRAM, DEAR_FOR_SHORT)? {
            Some(short) => scanners.push(short),
            None => {
                let short = ShortPatterns::build(patterns, &members(0..GRAM));
                scanners.extend(short.map(Self::Pairs));
            }
        }
        Ok(scanners)
    }

    /// A scanner by masks for those patterns, where processor and patterns allow.
    fn masked(
        patterns: &[Distinct],
        members: &[u32],
        (engine, dear): (Engine, f64),
    ) -> Result<Option<Self>, BuildError> {
        if members.len() > MASKED {
            return Ok(None);
        }
        let is_long = |index: &&u32| patterns[**index as usize].bytes.len() >= GRAM;
        let long: Vec<u32> = members.iter().filter(is_long).copied().collect();
        let short: Vec<u32> = members.iter().filter(|i| !is_long(i)).copied().collect();
        let table = (!long.is_empty()).then(|| GramTable::build(patterns, &long, Stride::One));
        let grams = table.iter().flat_map(GramTable::grams);
        let grams: Vec<[u8; GRAM]> = grams.map(|gram| gram.to_le_bytes()).collect();
        let folded: Vec<Vec<u8>> = short
            .iter()
            .map(|&index| {
                patterns[index as usize]
                    .bytes
                    .iter()
                    .copied()
                    .map(fold)
                    .collect()
            })
            .collect();
        let grams = grams.iter().map(<[u8; GRAM]>::as_slice);
        let grams = grams.chain(folded.iter().map(Vec::as_slice)).collect();
        let Some(masks) = MaskScanner::build(grams, engine, dear) else {
            return Ok(None);
        };
        let long = table.map(|table| LongPatterns::behind(table, patterns));
        Ok(Some(Self::Masks {
            masks,
            long: long.transpose()?,
            short: ShortPatterns::build(patterns, &short),
        }))
    }

    /// Reports every occurrence, some perhaps twice.
    pub(crate) fn scan(
        &self,
        patterns: &[Distinct],
        haystack: &[u8],
        found: &mut impl FnMut(u32, usize),
    ) {
        match self {
            Self::Filter(long) => {
                let mut budget = long.budget(haystack);
                long.table.scan(haystack, |at| {
                    budget -= long.table.verify(patterns, haystack, (at, budget), found);
                });
                long.finish(budget, patterns, haystack, found);
            }
            Self::Pairs(short) => short.scan(patterns, haystack, found),
            Self::Masks { masks, long, short } => {
                let mut budget = long.as_ref().map_or(0, |long| long.budget(haystack));
                masks.scan(haystack, |at| {
                    if let Some(short) = short {
                        short.verify(patterns, haystack, at, found);
                    }
                    if let Some(long) = long {
                        budget -= long.table.verify(patterns, haystack, (at, budget), found);
                    }
                });
                if let Some(long) = long {
                    long.finish(budget, patterns, haystack, found);
                }
            }
        }
    }

    /// Name of the way positions are ruled out, for reports and benchmarks.
    pub(crate) fn way(&self) -> &'static str {
        match self {
            Self::Masks { masks, .. } => masks.way(),
            Self::Filter(_) => "filter",
            Self::Pairs(_) => "pairs",
        }
    }
}

/// Patterns of at least [`GRAM`] bytes.
#[derive(Debug)]
pub(crate) struct LongPatterns {
    table: GramTable,
    /// For the patterns in crowded buckets. Linear in any haystack; takes over when one was made to cost
    /// comparisons.
    automaton: Option<Automaton>,
}

impl LongPatterns {
    /// `None` when there is none.
    fn build(
        patterns: &[Distinct],
        members: &[u32],
        stride: Stride,
    ) -> Result<Option<Self>, BuildError> {
        if members.is_empty() {
            return Ok(None);
        }
        let table = GramTable::build(patterns, members, stride);
        Self::behind(table, patterns).map(Some)
    }

    /// With an automaton where the table is crowded.
    fn behind(table: GramTable, patterns: &[Distinct]) -> Result<Self, BuildError> {
        let crowded = table.crowded();
        let automaton = (!crowded.is_empty()).then(|| Automaton::build(patterns, &crowded));
        Ok(Self {
            table,
            automaton: automaton.transpose()?,
        })
    }

    /// Comparisons that a scan may make in crowded buckets.
    fn budget(&self, haystack: &[u8]) -> usize {
        FREE_COMPARISONS + haystack.len()
    }

    /// Has the automaton look where the budget did not suffice.
    fn finish(
        &self,
        budget: usize,
        patterns: &[Distinct],
        haystack: &[u8],
        found: &mut impl FnMut(u32, usize),
    ) {
        if budget == 0
            && let Some(automaton) = &self.automaton
        {
            automaton.scan(patterns, haystack, found);
        }
    }
}

/// Aho-Corasick over some patterns.
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
