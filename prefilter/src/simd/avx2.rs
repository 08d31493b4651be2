//! The scanner for AVX2.

use std::arch::x86_64::{
    __m256i, _mm_loadu_si128, _mm256_and_si256, _mm256_broadcastsi128_si256, _mm256_cmpeq_epi8,
    _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8,
    _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_srli_epi16,
};

use super::masks::NibbleTables;
use super::{Found, rounds};
use crate::gram::GRAM;

/// Positions that one step looks at.
const WIDE: usize = 32;

/// Bytes that one step loads.
const WINDOW: usize = WIDE + GRAM - 1;

#[target_feature(enable = "avx2")]
pub(super) fn scan(tables: &[NibbleTables], haystack: &[u8], candidate: impl FnMut(usize)) {
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
#[target_feature(enable = "avx2")]
fn round<const SETS: usize>(
    tables: [&NibbleTables; SETS],
    rest: &[u8],
    found: &mut Found,
) -> usize {
    let zero = _mm256_setzero_si256();
    let nibble = _mm256_set1_epi8(0x0f);
    let mut sets = [[[zero; 2]; GRAM]; SETS];
    for (set, tables) in sets.iter_mut().zip(tables) {
        for (place, table) in set.iter_mut().enumerate() {
            *table = [
                broadcast(&tables.low[place]),
                broadcast(&tables.high[place]),
            ];
        }
    }
    found.fill::<WIDE, WINDOW>(rest, |window| {
        let mut low = [zero; GRAM];
        let mut high = [zero; GRAM];
        for place in 0..GRAM {
            let bytes = load_at(window, place);
            low[place] = _mm256_and_si256(bytes, nibble);
            high[place] = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), nibble);
        }
        let mut buckets = zero;
        for set in &sets {
            let mut passed = _mm256_set1_epi8(-1);
            for place in 0..GRAM {
                let by_low = _mm256_shuffle_epi8(set[place][0], low[place]);
                let by_high = _mm256_shuffle_epi8(set[place][1], high[place]);
                passed = _mm256_and_si256(passed, _mm256_and_si256(by_low, by_high));
            }
            buckets = _mm256_or_si256(buckets, passed);
        }
        let empty = _mm256_movemask_epi8(_mm256_cmpeq_epi8(buckets, zero));
        u64::from(!empty.cast_unsigned())
    })
}

#[inline]
#[target_feature(enable = "avx2")]
#[expect(unsafe_code, reason = "an unaligned load")]
fn broadcast(table: &[u8; 16]) -> __m256i {
    // SAFETY: the table has the sixteen bytes that are loaded; the load may be unaligned.
    let sixteen = unsafe { _mm_loadu_si128(table.as_ptr().cast()) };
    _mm256_broadcastsi128_si256(sixteen)
}

/// The bytes of a window from `place` on.
#[inline]
#[target_feature(enable = "avx2")]
#[expect(unsafe_code, reason = "an unaligned load")]
fn load_at(window: &[u8; WINDOW], place: usize) -> __m256i {
    let Some(bytes) = window.get(place..).and_then(<[u8]>::first_chunk::<WIDE>) else {
        unreachable!("a window holds {WIDE} bytes behind each of its first {GRAM}");
    };
    // SAFETY: the array has the 32 bytes that are loaded; the load may be unaligned.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}
