//! Which of many byte patterns occur in a buffer.
//!
//! A [`Prefilter`] is built once from patterns (each with the caller's identifier) and then asked, for
//! every buffer, which patterns occur in it. It is exact: no occurrence is missed, none is invented
//! (a `nocase` pattern occurs without regard to ASCII case).
//!
//! Invariants: immutable after building, shared by all workers; scanning allocates nothing and its work
//! is bounded by the buffer's length, whatever the bytes.

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, MatchKind};

/// One pattern to look for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pattern<'a> {
    /// Its bytes, at least one.
    pub bytes: &'a [u8],
    /// ASCII case is ignored.
    pub nocase: bool,
    /// What to report; need not be unique.
    pub id: u32,
}

/// A set of patterns, compiled.
#[derive(Debug)]
pub struct Prefilter {
    automaton: Option<AhoCorasick>,
    patterns: Vec<(Box<[u8]>, bool, u32)>,
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
        let mut owned = Vec::new();
        for pattern in patterns {
            if pattern.bytes.is_empty() {
                return Err(BuildError::EmptyPattern { id: pattern.id });
            }
            owned.push((Box::from(pattern.bytes), pattern.nocase, pattern.id));
        }
        let automaton = if owned.is_empty() {
            None
        } else {
            let built = AhoCorasickBuilder::new()
                .ascii_case_insensitive(true)
                .match_kind(MatchKind::Standard)
                .build(owned.iter().map(|(bytes, _, _)| bytes))
                .map_err(|error| BuildError::TooLarge(error.to_string()))?;
            Some(built)
        };
        Ok(Self {
            automaton,
            patterns: owned,
        })
    }

    /// Calls `found(id, end)` for every occurrence in `haystack`; `end` is the index behind its last
    /// byte. The same id may be reported more than once, in any order.
    pub fn scan(&self, haystack: &[u8], mut found: impl FnMut(u32, usize)) {
        let Some(automaton) = &self.automaton else {
            return;
        };
        for hit in automaton.find_overlapping_iter(haystack) {
            let Some((bytes, nocase, id)) = self.patterns.get(hit.pattern().as_usize()) else {
                continue;
            };
            let exact = || haystack.get(hit.start()..hit.end()) == Some(bytes);
            if *nocase || exact() {
                found(*id, hit.end());
            }
        }
    }

    /// Number of patterns.
    #[must_use]
    pub fn len(&self) -> usize {
        self.patterns.len()
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_each_pattern_by_its_own_case_rule() {
        let set = Prefilter::build([
            Pattern {
                bytes: b"GET",
                nocase: false,
                id: 1,
            },
            Pattern {
                bytes: b"get",
                nocase: true,
                id: 2,
            },
        ])
        .unwrap();
        let mut found = Vec::new();
        set.scan(b"xGeT GET", |id, end| found.push((id, end)));
        found.sort_unstable();
        assert_eq!(found, [(1, 8), (2, 4), (2, 8)]);
    }

    #[test]
    fn refuses_an_empty_pattern() {
        let built = Prefilter::build([Pattern {
            bytes: b"",
            nocase: false,
            id: 7,
        }]);
        assert_eq!(built.unwrap_err(), BuildError::EmptyPattern { id: 7 });
    }
}
