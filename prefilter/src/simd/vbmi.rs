//! The scanner for AVX-512 with byte permutations (VBMI).

use std::arch::x86_64::{
    __m512i, _mm512_and_si512, _mm512_loadu_si512, _mm512_or_si512, _mm512_permutex2var_epi8,
    _mm512_set1_epi8, _mm512_setzero_si512, _mm512_test_epi8_mask,
};

use super::masks::ByteTables;
use super::{Found, rounds};
use crate::gram::GRAM;

/// Positions that one step looks at.
const WIDE: usize = 64;

/// Bytes that one step loads.
const WINDOW: usize = WIDE + GRAM - 1;

/// A table of 128 masks in two registers.
type Table = [__m512i; 2];

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
pub(super) fn scan(tables: &[ByteTables], haystack: &[u8], candidate: impl FnMut(usize)) {
    let round = |rest: &[u8], found: &mut Found| match tables {
        [a] => round([a], rest, found),
        [a, b] => round([a, b], rest, found),
        [a, b, c] => round([a, b, c], rest, found),
        [a, b, c, d, ..] => round([a, b, c, d], rest, found),
        [] => rest.len(),
    };
    rounds::<WIDE, WINDOW>(haystack, round, candidate);
}

/// A function of its own, so that the tables stay in registers.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn round<const SETS: usize>(tables: [&ByteTables; SETS], rest: &[u8], found: &mut Found) -> usize {
    let mut sets = [[[_mm512_setzero_si512(); 2]; GRAM]; SETS];
    for (set, tables) in sets.iter_mut().zip(tables) {
        for (table, bytes) in set.iter_mut().zip(&tables.0) {
            *table = load_table(bytes);
        }
    }
    found.fill::<WIDE, WINDOW>(rest, |window| {
        let mut buckets = _mm512_setzero_si512();
        for set in &sets {
            let mut passed = _mm512_set1_epi8(-1);
            for (place, [low, high]) in set.iter().enumerate() {
                let masks = _mm512_permutex2var_epi8(*low, load_at(window, place), *high);
                passed = _mm512_and_si512(passed, masks);
            }
            buckets = _mm512_or_si512(buckets, passed);
        }
        _mm512_test_epi8_mask(buckets, buckets)
    })
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_table(table: &[u8; 128]) -> Table {
    match table.as_chunks() {
        ([low, high], []) => [load(low), load(high)],
        _ => unreachable!("a table holds twice {WIDE} bytes"),
    }
}

/// The bytes of a window from `place` on.
#[inline]
#[target_feature(enable = "avx512f")]
fn load_at(window: &[u8; WINDOW], place: usize) -> __m512i {
    let Some(bytes) = window.get(place..).and_then(<[u8]>::first_chunk) else {
        unreachable!("a window holds {WIDE} bytes behind each of its first {GRAM}");
    };
    load(bytes)
}

#[inline]
#[target_feature(enable = "avx512f")]
#[expect(unsafe_code, reason = "an unaligned load")]
fn load(bytes: &[u8; WIDE]) -> __m512i {
    // SAFETY: the array has the 64 bytes that are loaded; the load may be unaligned.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}
