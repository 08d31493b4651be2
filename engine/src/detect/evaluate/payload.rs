//! Chains of payload tests against bytes, with backtracking.
//!
//! A relative test that fails sends the search back to the content (or expression) before it, which
//! tries its next occurrence; occurrences are tried from left to right. Three things keep that cheap:
//! tests that do not depend on each other are separate chains; a test that can fail for good (nothing
//! to its right bounds it, so a later start cannot help) ends the chain at once; and all work is
//! bounded.
//!
//! In a stream, a match counts only when it reaches into the fresh bytes: what lies in the old ones
//! alone was reported before.

use std::sync::Arc;

use crate::detect::matcher::{asn1, entropy, number_matches};
use crate::detect::outcome::{Excerpt, Remark};
use crate::detect::program::{
    Asn1Test, Base64Test, CAPTURES, CaptureName, Chain, Chains, ContentTest, EntropyOf, PcreTest,
    Test, Value,
};

use super::Work;
use super::bytes::{self, resolve};
use super::data::data_matches;

/// Bytes under test.
#[derive(Clone, Copy, Debug)]
pub(in crate::detect) struct Subject<'a> {
    pub(in crate::detect) bytes: &'a [u8],
    /// A match must reach beyond this index; `None`: any will do.
    pub(in crate::detect) fresh_from: Option<usize>,
    /// Where `bytes` starts in the data that offsets, depths and sizes are said of.
    pub(in crate::detect) origin: u64,
}

impl<'a> Subject<'a> {
    /// Bytes in which any match will do.
    pub(in crate::detect) fn whole(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            fresh_from: None,
            origin: 0,
        }
    }
}

/// How far a chain has come.
#[derive(Clone, Copy, Debug)]
struct Cursor {
    /// Index behind the last match.
    position: usize,
    /// Index behind the last byte that any test looked at.
    touched: usize,
    /// First byte matched.
    first: usize,
}

impl Cursor {
    fn over(self, start: usize, end: usize) -> Self {
        Self {
            position: end,
            touched: self.touched.max(end),
            first: self.first.min(start),
        }
    }

    fn touching(self, end: usize) -> Self {
        Self {
            touched: self.touched.max(end),
            ..self
        }
    }
}

/// What became of the rest of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Matched,
    /// Another start may do.
    Retry,
    /// No later start will.
    Never,
    /// Out of work: give up.
    GaveUp,
}

/// Whether all chains match; where the match begins.
pub(in crate::detect) fn chains_match(
    chains: &Chains,
    subject: Subject<'_>,
    work: &mut Work,
) -> Option<usize> {
    work.begin(subject.bytes.len());
    all_match(chains, subject, work)
}

fn all_match(chains: &Chains, subject: Subject<'_>, work: &mut Work) -> Option<usize> {
    work.origin = subject.origin;
    let mut wanted = subject.fresh_from.filter(|_| chains.reads);
    let mut first = usize::MAX;
    for Chain { tests } in &chains.chains {
        work.fresh_from = wanted;
        work.stale = None;
        let start = Cursor {
            position: 0,
            touched: 0,
            first: usize::MAX,
        };
        match run(tests, subject.bytes, start, work) {
            Step::Matched => {
                first = first.min(work.first);
                wanted = None;
            }
            Step::GaveUp => return None,
            Step::Retry | Step::Never => first = first.min(work.stale?),
        }
    }
    let fresh = wanted.is_none();
    fresh.then_some(if first == usize::MAX { 0 } else { first })
}

fn run(tests: &[Test], bytes: &[u8], cursor: Cursor, work: &mut Work) -> Step {
    let Some((test, rest)) = tests.split_first() else {
        return complete(cursor, work);
    };
    match test {
        Test::Content(test) if test.negated => match first_occurrence(test, bytes, cursor, work) {
            Some(None) => run(rest, bytes, cursor, work),
            Some(Some(_)) => Step::Retry,
            None => Step::GaveUp,
        },
        Test::Content(test) => content(test, rest, bytes, cursor, work),
        Test::Pcre(test) => pcre(test, rest, bytes, cursor, work),
        Test::ByteJump(test) => {
            let jumped = bytes::byte_jump(test, bytes, cursor.position, &work.variables);
            let Some((end, position)) = jumped else {
                return Step::Retry;
            };
            let moved = Cursor {
                position,
                ..cursor.touching(end)
            };
            // Where a jump lands does not grow with where it starts.
            not_for_good(run(rest, bytes, moved, work))
        }
        test => match once(test, bytes, cursor, work) {
            Some(cursor) => run(rest, bytes, cursor, work),
            None => Step::Retry,
        },
    }
}

/// A test that holds in one way or not at all: how far the chain has come with it.
fn once(test: &Test, bytes: &[u8], cursor: Cursor, work: &mut Work) -> Option<Cursor> {
    let behind = |position: usize| Cursor {
        position,
        ..cursor.touching(position)
    };
    let touching = |end: usize| cursor.touching(end);
    let (position, variables) = (cursor.position, &mut work.variables);
    match test {
        Test::ByteTest(test) => bytes::byte_test(test, bytes, position, variables).map(touching),
        Test::ByteExtract(test) => {
            bytes::byte_extract(test, bytes, position, variables).map(behind)
        }
        Test::ByteMath(test) => bytes::byte_math(test, bytes, position, variables).map(behind),
        Test::IsDataAt(test) => bytes::is_data_at(test, bytes, position, variables).map(touching),
        Test::Size(test) => {
            let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            let size = size.saturating_add(work.origin);
            number_matches(*test, size).then_some(cursor)
        }
        Test::Data(test) => data_matches(test, bytes, work).then_some(cursor),
        Test::Base64(test) => base64(test, bytes, cursor, work).map(touching),
        Test::Entropy(test) => entropy_of(test, bytes, work).map(touching),
        Test::Asn1(test) => asn1(test, bytes, cursor, work).map(touching),
        // These move on their own.
        Test::Content(_) | Test::Pcre(_) | Test::ByteJump(_) => None,
    }
}

fn complete(cursor: Cursor, work: &mut Work) -> Step {
    if work.fresh_from.is_some_and(|from| cursor.touched <= from) {
        work.stale.get_or_insert(cursor.first);
        return Step::Retry;
    }
    work.first = cursor.first;
    Step::Matched
}

fn not_for_good(step: Step) -> Step {
    match step {
        Step::Never => Step::Retry,
        step => step,
    }
}

/// Where a content may lie: from the first index to the second, exclusive.
fn region(test: &ContentTest, length: usize, cursor: Cursor, work: &Work) -> (usize, usize) {
    let value = |value: Option<Value>| value.map(|value| resolve(value, &work.variables));
    let signed = |index: usize| i64::try_from(index).unwrap_or(i64::MAX);
    // Offset and depth are said of the whole, of which `origin` bytes are gone.
    let origin = i64::try_from(work.origin).unwrap_or(i64::MAX);
    let offset = value(test.offset).unwrap_or(0).saturating_sub(origin);
    let mut low = offset;
    let mut high = signed(length);
    if let Some(depth) = value(test.depth) {
        high = high.min(offset.saturating_add(depth));
    }
    if test.relative {
        let distance = value(test.distance).unwrap_or(0);
        let start = signed(cursor.position).saturating_add(distance);
        low = low.max(start);
        if let Some(within) = value(test.within) {
            high = high.min(start.saturating_add(within));
        }
    }
    let index = |value: i64| usize::try_from(value.max(0)).unwrap_or(usize::MAX);
    (index(low), index(high))
}

/// Start of the first occurrence in `low..high`; outer `None` when out of work.
fn occurrence(
    test: &ContentTest,
    bytes: &[u8],
    (low, high): (usize, usize),
    work: &mut Work,
) -> Option<Option<usize>> {
    let Some(slice) = bytes.get(low..high) else {
        return Some(None);
    };
    if test.ends_with {
        let start = bytes.len().checked_sub(test.literal.len());
        let fits = start.filter(|&start| start >= low && high == bytes.len());
        return Some(fits.filter(|&start| test.literal.occurs_at(bytes, start)));
    }
    if slice.len() < test.literal.len() {
        return Some(None);
    }
    if slice.len() == test.literal.len() {
        return Some(test.literal.occurs_at(bytes, low).then_some(low));
    }
    let found = test.literal.find(slice);
    let looked_at = found.map_or(slice.len(), |at| at + test.literal.len());
    work.spend(looked_at)
        .then(|| found.and_then(|at| low.checked_add(at)))
}

fn first_occurrence(
    test: &ContentTest,
    bytes: &[u8],
    cursor: Cursor,
    work: &mut Work,
) -> Option<Option<usize>> {
    let region = region(test, bytes.len(), cursor, work);
    occurrence(test, bytes, region, work)
}

fn content(
    test: &ContentTest,
    rest: &[Test],
    bytes: &[u8],
    cursor: Cursor,
    work: &mut Work,
) -> Step {
    let (mut low, high) = region(test, bytes.len(), cursor, work);
    let mut failed = if for_good(test) {
        Step::Never
    } else {
        Step::Retry
    };
    let variables = work.variables;
    loop {
        if !work.spend(0) {
            return Step::GaveUp;
        }
        let start = match occurrence(test, bytes, (low, high), work) {
            None => return Step::GaveUp,
            Some(None) => return failed,
            Some(Some(start)) => start,
        };
        let end = start.saturating_add(test.literal.len());
        match run(rest, bytes, cursor.over(start, end), work) {
            Step::Retry => {}
            step => return step,
        }
        // It was found here; that the rest failed says nothing of a later start.
        failed = Step::Retry;
        work.variables = variables;
        low = start.saturating_add(1);
    }
}

/// Whether a content that is not found is not found from any later start either.
fn for_good(test: &ContentTest) -> bool {
    let variable = |value: Option<Value>| matches!(value, Some(Value::Variable(_)));
    let bounded = test.relative && test.within.is_some();
    !bounded
        && ![test.offset, test.depth, test.distance]
            .into_iter()
            .any(variable)
}

fn pcre(test: &PcreTest, rest: &[Test], bytes: &[u8], cursor: Cursor, work: &mut Work) -> Step {
    let base = if test.relative { cursor.position } else { 0 };
    let Some(subject) = bytes.get(base..) else {
        return Step::Retry;
    };
    let variables = work.variables;
    let mut start = 0;
    loop {
        let left = subject.len().saturating_sub(start);
        if !work.spend(left) {
            return Step::GaveUp;
        }
        let found = match test.regular.find_at(subject, start) {
            Ok(found) => found,
            Err(_) => {
                work.pcre_errors += 1;
                return Step::GaveUp;
            }
        };
        let step = match (found, test.negated) {
            (Some(_), true) | (None, false) => return Step::Retry,
            (None, true) => return run(rest, bytes, cursor, work),
            (Some(found), false) => {
                let (from, to) = (base + found.start, base + found.end);
                let at = std::mem::replace(&mut start, found.start.saturating_add(1));
                let step = run(rest, bytes, cursor.over(from, to), work);
                if step == Step::Matched {
                    capture(test, (subject, at), work);
                }
                step
            }
        };
        match not_for_good(step) {
            Step::Retry => work.variables = variables,
            step => return step,
        }
    }
}

/// Keeps what the groups of an expression captured in the match that is found from `start` on.
fn capture(test: &PcreTest, (subject, start): (&[u8], usize), work: &mut Work) {
    if test.captures.is_empty() {
        return;
    }
    let mut groups: [&[u8]; CAPTURES] = [&[]; CAPTURES];
    // It was found before: an expression that gives up now has captured nothing.
    let found = test.regular.captures_at(subject, start, |group, bytes| {
        if let Some(place) = groups.get_mut(group) {
            *place = bytes;
        }
    });
    if found != Ok(true) {
        return;
    }
    let group = |index: usize| groups.get(index).copied().unwrap_or_default();
    for capture in &test.captures {
        let name = match &capture.name {
            CaptureName::Given(name) => name.as_bytes(),
            CaptureName::Group(index) => group(*index),
        };
        work.remark(Remark::Captured {
            kind: capture.kind,
            name: Excerpt::of(name),
            value: Excerpt::of(group(capture.group)),
        });
    }
}

/// The index behind the bytes whose entropy is as asked.
fn entropy_of(test: &EntropyOf, bytes: &[u8], work: &mut Work) -> Option<usize> {
    let end = match test.bytes {
        0 => bytes.len(),
        length => test.offset.checked_add(length)?,
    };
    let part = bytes.get(test.offset..end)?;
    if !work.spend(part.len()) {
        return None;
    }
    let value = entropy(part);
    if !test.test.matches(value) {
        return None;
    }
    work.remark(Remark::Entropy {
        buffer: Arc::clone(&test.buffer),
        value,
    });
    Some(end)
}

/// The index behind the data that is as asked.
fn asn1(test: &Asn1Test, bytes: &[u8], cursor: Cursor, work: &mut Work) -> Option<usize> {
    let base = if test.relative { cursor.position } else { 0 };
    let start = i64::try_from(base).ok()?.checked_add(test.offset)?;
    let data = bytes.get(usize::try_from(start).ok()?..)?;
    let found = work.spend(data.len().min(asn1::REACH)) && test.checks.matches(data);
    found.then_some(bytes.len())
}

/// Decodes and tests what was decoded; the index behind the encoded bytes where that matches.
fn base64(test: &Base64Test, bytes: &[u8], cursor: Cursor, work: &mut Work) -> Option<usize> {
    let base = if test.relative { cursor.position } else { 0 };
    let start = base.checked_add(usize::try_from(test.offset).ok()?)?;
    let mut encoded = bytes.get(start..)?;
    let most = test.bytes.and_then(|bytes| usize::try_from(bytes).ok());
    let most = most.unwrap_or(usize::MAX).min(super::work::BASE64_INPUT);
    encoded = encoded.get(..most).unwrap_or(encoded);
    if !work.spend(encoded.len()) {
        return None;
    }
    let mut decoded = std::mem::take(&mut work.decoded);
    let used = bytes::decode_base64(encoded, &mut decoded);
    let (fresh_from, stale) = (work.fresh_from.take(), work.stale);
    let subject = Subject {
        bytes: &decoded,
        fresh_from: None,
        origin: 0,
    };
    let origin = work.origin;
    let matched = !decoded.is_empty() && all_match(&test.then, subject, work).is_some();
    work.origin = origin;
    work.decoded = decoded;
    (work.fresh_from, work.stale) = (fresh_from, stale);
    matched.then_some(start.saturating_add(used))
}
