//! Which of many byte patterns occur in a buffer.
//!
//! A [`Prefilter`] is built once from patterns (each with the caller's identifier) and then asked, for
//! every buffer, which patterns occur in it. It is exact: no occurrence is missed, none is invented (a
//! `nocase` pattern occurs without regard to ASCII case).
//!
//! ```text
//! patterns -> distinct ─┬─ few: masks ───────────────────────> tables -> compare
//!                       └─ many ─┬─ long: hash filter ───────> table -> compare
//!                                └─ 1-4 bytes: masks | pairs > tables -> compare
//!                                        (too many comparisons -> automaton)
//! ```
//!
//! Four bytes of each pattern, the rarest of it in traffic, stand for the whole (`gram`). Where the
//! processor has AVX-512 with byte permutations, or AVX2, and the patterns are few, positions of a haystack
//! are ruled out 64 or 32 at a time by masks (`simd`), for patterns of every length in one pass. Else a
//! hash filter rules them out, in which two neighbouring grams stand for each pattern, so that only every
//! second position needs a look (`table`). What is left is looked up in the tables and compared byte by
//! byte. (A gather of eight filter words at a time was tried and was slower than the scalar filter.)
//!
//! Invariants: immutable after building, shared by all workers; scanning allocates nothing; its work
//! is bounded by the length of the haystack, whatever its bytes: where many patterns had to share a
//! bucket, a haystack that makes the table compare more than once a byte is finished by an
//! Aho-Corasick automaton (`scan`). `unsafe` is confined to `simd`.

mod gram;
mod pattern;
mod scan;
mod short;
mod simd;
mod table;

pub use pattern::Pattern;
pub use scan::Engine;

use pattern::Distinct;
use scan::Scanner;

/// A set of patterns, compiled.
#[derive(Debug)]
pub struct Prefilter {
    patterns: Box<[Distinct]>,
    scanners: Box<[Scanner]>,
}

/// Why a set of patterns cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildError {
    /// A pattern is empty: it would occur everywhere.
    EmptyPattern {
        /// Its identifier.
        id: u32,
    },
    /// The patterns are too many or too long for the automaton.
    TooLarge(String),
}

impl std::fmt::Display for BuildError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::EmptyPattern { id } => write!(f, "pattern {id} is empty"),
            Self::TooLarge(why) => write!(f, "the patterns do not fit one automaton: {why}"),
        }
    }
}

impl std::error::Error for BuildError {}

impl Prefilter {
    /// Compiles `patterns`.
    ///
    /// # Errors
    ///
    /// [`BuildError`] when a pattern is empty or the whole is too large.
    pub fn build<'p>(patterns: impl IntoIterator<Item = Pattern<'p>>) -> Result<Self, BuildError> {
        Self::build_for(Engine::Best, patterns)
    }

    /// Compiles `patterns` for a given engine; all find the same.
    ///
    /// # Errors
    ///
    /// As [`Prefilter::build`].
    pub fn build_for<'p>(
        engine: Engine,
        patterns: impl IntoIterator<Item = Pattern<'p>>,
    ) -> Result<Self, BuildError> {
        let patterns = pattern::distinct(patterns)?;
        Ok(Self {
            scanners: Scanner::build(&patterns, engine)?.into(),
            patterns: patterns.into(),
        })
    }

    /// Calls `found(id, end)` for every occurrence in `haystack`; `end` is the index behind its last
    /// byte. Occurrences come in no particular order, and one may be reported more than once.
    pub fn scan(&self, haystack: &[u8], mut found: impl FnMut(u32, usize)) {
        for scanner in &self.scanners {
            scanner.scan(&self.patterns, haystack, &mut found);
        }
    }

    /// Number of distinct patterns.
    #[must_use]
    pub fn len(&self) -> usize {
        self.patterns.len()
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Bytes of the longest pattern, 0 when there is none: one less is what a caller that scans a
    /// stream piece by piece has to look back.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.patterns
            .iter()
            .map(|pattern| pattern.bytes.len())
            .max()
            .unwrap_or(0)
    }

    /// How most positions are ruled out, for reports and benchmarks: `none` without patterns.
    #[must_use]
    pub fn way(&self) -> &'static str {
        self.scanners.first().map_or("none", Scanner::way)
    }
}
