//! Patterns as the caller gives them, and as the scanners keep them.

use std::collections::HashMap;

use crate::BuildError;

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

/// A pattern that several callers' identifiers may stand for.
#[derive(Debug)]
pub(crate) struct Distinct {
    /// The bytes; lower-cased where `nocase`.
    pub(crate) bytes: Box<[u8]>,
    /// ASCII case is ignored.
    pub(crate) nocase: bool,
    /// What to report, at least one.
    pub(crate) ids: Box<[u32]>,
}

impl Distinct {
    /// Whether the pattern stands in `haystack` at `start`.
    pub(crate) fn stands_at(&self, haystack: &[u8], start: usize) -> bool {
        let Some(window) = haystack
            .get(start..)
            .and_then(|rest| rest.get(..self.bytes.len()))
        else {
            return false;
        };
        if self.nocase {
            window.eq_ignore_ascii_case(&self.bytes)
        } else {
            *window == *self.bytes
        }
    }

    /// Reports an occurrence that ends before `end`.
    pub(crate) fn report(&self, end: usize, found: &mut impl FnMut(u32, usize)) {
        for &id in &self.ids {
            found(id, end);
        }
    }
}

/// Merges patterns that look for the same bytes in the same way, in order of first appearance.
pub(crate) fn distinct<'p>(
    patterns: impl IntoIterator<Item = Pattern<'p>>,
) -> Result<Vec<Distinct>, BuildError> {
    let mut order: Vec<(Vec<u8>, bool, Vec<u32>)> = Vec::new();
    let mut known: HashMap<(Vec<u8>, bool), usize> = HashMap::new();
    for pattern in patterns {
        if pattern.bytes.is_empty() {
            return Err(BuildError::EmptyPattern { id: pattern.id });
        }
        // A pattern without letters is the same with and without regard to case.
        let nocase = pattern.nocase && pattern.bytes.iter().any(u8::is_ascii_alphabetic);
        let bytes = if nocase {
            pattern.bytes.to_ascii_lowercase()
        } else {
            pattern.bytes.to_vec()
        };
        let next = order.len();
        let at = *known.entry((bytes.clone(), nocase)).or_insert(next);
        match order.get_mut(at) {
            Some((_, _, ids)) => ids.push(pattern.id),
            None => order.push((bytes, nocase, vec![pattern.id])),
        }
    }
    Ok(order
        .into_iter()
        .map(|(bytes, nocase, ids)| Distinct {
            bytes: bytes.into(),
            nocase,
            ids: ids.into(),
        })
        .collect())
}
