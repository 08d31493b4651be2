//! One table and one set of properties over every engine, against a naive oracle.

#![expect(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

use std::collections::BTreeSet;

use proptest::prelude::*;
use weir_prefilter::{BuildError, Engine, Pattern, Prefilter};

const ENGINES: [Engine; 3] = [Engine::Best, Engine::Avx2, Engine::Scalar];

/// What `scan` reports, as a set.
fn scan(set: &Prefilter, haystack: &[u8]) -> BTreeSet<(u32, usize)> {
    let mut found = BTreeSet::new();
    set.scan(haystack, |id, end| {
        found.insert((id, end));
    });
    found
}

/// The definition: every pattern compared at every position.
fn naive(patterns: &[(Vec<u8>, bool)], haystack: &[u8]) -> BTreeSet<(u32, usize)> {
    let mut found = BTreeSet::new();
    for (id, (bytes, nocase)) in (0..).zip(patterns) {
        for (start, window) in haystack.windows(bytes.len()).enumerate() {
            let stands = if *nocase {
                window.eq_ignore_ascii_case(bytes)
            } else {
                window == bytes
            };
            if stands {
                found.insert((id, start + bytes.len()));
            }
        }
    }
    found
}

fn build(engine: Engine, patterns: &[(Vec<u8>, bool)]) -> Prefilter {
    let patterns = (0..).zip(patterns).map(|(id, (bytes, nocase))| Pattern {
        bytes,
        nocase: *nocase,
        id,
    });
    Prefilter::build_for(engine, patterns).unwrap()
}

fn agree(patterns: &[(Vec<u8>, bool)], haystack: &[u8]) {
    let expected = naive(patterns, haystack);
    for engine in ENGINES {
        let set = build(engine, patterns);
        assert_eq!(scan(&set, haystack), expected, "{engine:?} ({})", set.way());
    }
}

type Borrowed<'a> = &'a [(&'a [u8], bool)];

fn owned(patterns: &[(&[u8], bool)]) -> Vec<(Vec<u8>, bool)> {
    patterns
        .iter()
        .map(|(bytes, nocase)| (bytes.to_vec(), *nocase))
        .collect()
}

#[test]
fn every_engine_finds_what_the_definition_finds() {
    let long = [
        b"padding ".repeat(20),
        b"${JnDi:ldap://".to_vec(),
        b"x".repeat(70),
    ]
    .concat();
    let table: [(Borrowed<'_>, &[u8]); 12] = [
        (&[], b"anything"),
        (&[(b"GET", false), (b"get", true)], b"xGeT GET"),
        (&[(b"a", false)], b""),
        (&[(b"a", false)], b"a"),
        (&[(b"a", true), (b"A", false)], b"aA"),
        (&[(b"abcd", false)], b"abcd"),
        (&[(b"abcd", false)], b"abc"),
        (
            &[(b"abc", false), (b"abcd", false), (b"bcde", true)],
            b"xABCDE abcde",
        ),
        (
            &[(b"\0\0\0\0", false), (b"\xff\xfe", false)],
            b"\0\0\0\0\0\xff\xfe",
        ),
        (&[(b"${jndi:", true), (b"ldap://", true)], &long),
        (
            &[(b"@@@@", true), (b"````", true), (b"[[[[", false)],
            b"@@@@````[[[[{{{{",
        ),
        (
            &[(b"aaaa", true), (b"aaaaa", false), (b"aa", false)],
            b"aaAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ),
    ];
    for (patterns, haystack) in table {
        agree(&owned(patterns), haystack);
    }
}

#[test]
fn a_pattern_is_found_at_every_offset() {
    let patterns = owned(&[(b"needle", true), (b"edl", false), (b"\r\n\r\n", false)]);
    for before in 0..80 {
        for after in [0, 1, 3, 40] {
            let mut haystack = vec![b'.'; before];
            haystack.extend_from_slice(b"NeEdLe edl\r\n\r\n");
            haystack.extend(std::iter::repeat_n(b'.', after));
            agree(&patterns, &haystack);
        }
    }
}

/// Lengths around one and two rounds of the vector loops: 64 windows of 32 or 64 bytes.
const ROUND_BORDERS: [usize; 7] = [2047, 2048, 2051, 4095, 4096, 4099, 9000];

#[test]
fn a_pattern_is_found_in_every_round_of_the_vector_loop() {
    let patterns = owned(&[(b"needle", true), (b"edl", false), (b"\r\n\r\n", false)]);
    let sets = ENGINES.map(|engine| build(engine, &patterns));
    let needle = b"NeEdLe edl\r\n\r\n";
    for length in ROUND_BORDERS {
        let places = (0..length).step_by(61);
        let borders = [2033, 2045, 2046, 2047, 2048, 4081, 4093, 4094, 4095, 4096]
            .into_iter()
            .filter(|at| *at < length);
        for at in places.chain(borders).chain([length - needle.len()]) {
            let mut haystack = vec![b'.'; length];
            for (to, from) in haystack.iter_mut().skip(at).zip(needle) {
                *to = *from;
            }
            // What lies in front of the needle is dots.
            let found = naive(&patterns, &haystack[at..]).into_iter();
            let expected: BTreeSet<_> = found.map(|(id, end)| (id, at + end)).collect();
            for set in &sets {
                assert_eq!(scan(set, &haystack), expected, "{} at {at}", set.way());
            }
        }
    }
}

/// Every window of a round has candidates.
#[test]
fn rounds_full_of_occurrences_lose_none() {
    for length in ROUND_BORDERS {
        agree(&owned(&[(b"aa", false)]), &vec![b'a'; length]);
        agree(
            &owned(&[(b"aa", true), (b"aaaaa", false)]),
            &vec![b'a'; length],
        );
    }
}

/// Or the tests over engines would hold one engine against itself.
#[test]
fn each_engine_uses_the_instructions_that_the_processor_has() {
    let patterns = owned(&[(b"needle", true), (b"edl", false)]);
    let ways = ENGINES.map(|engine| build(engine, &patterns).way());
    #[cfg(target_arch = "x86_64")]
    let (avx2, vbmi) = (
        std::arch::is_x86_feature_detected!("avx2"),
        std::arch::is_x86_feature_detected!("avx512f")
            && std::arch::is_x86_feature_detected!("avx512bw")
            && std::arch::is_x86_feature_detected!("avx512vbmi"),
    );
    #[cfg(not(target_arch = "x86_64"))]
    let (avx2, vbmi) = (false, false);
    let scalar = ways[2];
    let by_avx2 = if avx2 { "masks-avx2" } else { scalar };
    let best = if vbmi { "masks-vbmi" } else { by_avx2 };
    assert!(!scalar.starts_with("masks"), "{scalar}");
    assert_eq!(ways, [best, by_avx2, scalar]);
}

#[test]
fn equal_patterns_report_each_their_own_id() {
    let pattern = |id, nocase| Pattern {
        bytes: b"same",
        nocase,
        id,
    };
    let set = Prefilter::build([pattern(1, false), pattern(2, false), pattern(3, true)]).unwrap();
    assert_eq!(
        scan(&set, b"same"),
        BTreeSet::from([(1, 4), (2, 4), (3, 4)])
    );
    assert_eq!(scan(&set, b"SAME"), BTreeSet::from([(3, 4)]));
    assert_eq!((set.len(), set.longest()), (2, 4));
}

#[test]
fn an_empty_pattern_is_refused() {
    let built = Prefilter::build([Pattern {
        bytes: b"",
        nocase: false,
        id: 7,
    }]);
    assert_eq!(built.unwrap_err(), BuildError::EmptyPattern { id: 7 });
}

/// Patterns that can only share one gram, and a haystack made of it: the automaton takes over, and
/// nothing is lost.
#[test]
fn a_crowded_bucket_under_attack_loses_nothing() {
    let patterns: Vec<(Vec<u8>, bool)> = (0..200_u32)
        .map(|n| {
            let bytes = if n % 2 == 0 { *b"aaaa" } else { *b"AAAA" };
            let mut bytes = bytes.to_vec();
            for (bit, byte) in bytes.iter_mut().enumerate() {
                *byte ^= if n >> (bit + 1) & 1 == 1 { 0x20 } else { 0 };
            }
            (bytes, n % 3 == 0)
        })
        .collect();
    agree(&patterns, &b"aAaA".repeat(300));
}

#[test]
fn many_patterns_use_the_hash_filter() {
    let patterns: Vec<(Vec<u8>, bool)> = (0..3000_u32)
        .map(|n| {
            (
                format!("pattern-{:05}-{}", n * 7919 % 100_000, n).into_bytes(),
                n % 2 == 0,
            )
        })
        .collect();
    let haystack = b"pattern-07919-1 PATTERN-15838-2 pattern-23757-3!".repeat(3);
    agree(&patterns, &haystack);
}

fn bytes(alphabet: &'static [u8], len: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(alphabet), len)
}

type Place = (prop::sample::Index, prop::sample::Index);

/// Writes some of the patterns somewhere, or nothing would ever match.
fn plant(patterns: &[(Vec<u8>, bool)], haystack: &mut [u8], places: &[Place]) {
    if patterns.is_empty() || haystack.is_empty() {
        return;
    }
    for (which, at) in places {
        let pattern = &which.get(patterns).0;
        let at = at.index(haystack.len());
        for (to, from) in haystack[at..].iter_mut().zip(pattern) {
            *to = *from;
        }
    }
}

proptest! {
    /// Few different bytes, so that patterns overlap, nest and nearly match.
    #[test]
    fn engines_agree_on_narrow_alphabets(
        patterns in prop::collection::vec((bytes(b"aAb@`\0", 1..9), any::<bool>()), 0..40),
        haystack in bytes(b"aAb@`\0", 0..200),
    ) {
        agree(&patterns, &haystack);
    }

    #[test]
    fn engines_agree_on_any_bytes(
        patterns in prop::collection::vec((prop::collection::vec(any::<u8>(), 1..12), any::<bool>()), 0..60),
        mut haystack in prop::collection::vec(any::<u8>(), 0..300),
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..6),
    ) {
        plant(&patterns, &mut haystack, &places);
        agree(&patterns, &haystack);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Longer than the rounds of the vector loops.
    #[test]
    fn engines_agree_on_long_haystacks(
        patterns in prop::collection::vec((prop::collection::vec(any::<u8>(), 1..8), any::<bool>()), 1..12),
        mut haystack in prop::collection::vec(any::<u8>(), 1900..9000),
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..60),
    ) {
        plant(&patterns, &mut haystack, &places);
        agree(&patterns, &haystack);
    }
}
