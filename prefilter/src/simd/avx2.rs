//! The scanner for AVX2.

use std::arch::x86_64::{
    __m256i, _mm_loadu_si128, _mm256_and_si256, _mm256_broadcastsi128_si256, _mm256_cmpeq_epi8,
    _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8,
    _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_srli_epi16,
};

use super::NibbleMasks;
use super::nibble::SETS;
use crate::gram::GRAM;

/// Positions that one step looks at.
const WIDE: usize = 32;

/// Bytes that one step loads.
const WINDOW: usize = WIDE + GRAM - 1;

#[target_feature(enable = "avx2")]
pub(super) fn scan_nibbles(
    masks: &NibbleMasks,
    haystack: &[u8],
    mut candidate: impl FnMut(usize) -> bool,
) -> usize {
    let mut tables = [[_mm256_setzero_si256(); 2 * GRAM]; SETS];
    for (tables, set) in tables.iter_mut().zip(&masks.sets) {
        for (table, bytes) in tables.iter_mut().zip(set.low.iter().chain(&set.high)) {
            *table = broadcast(bytes);
        }
    }
    let tables = tables.get(..masks.sets.len()).unwrap_or(&tables);
    let nibble = _mm256_set1_epi8(0x0f);
    let zero = _mm256_setzero_si256();
    let mut at = 0;
    while let Some(window) = haystack.get(at..).and_then(<[u8]>::first_chunk::<WINDOW>) {
        let mut low = [zero; GRAM];
        let mut high = [zero; GRAM];
        for place in 0..GRAM {
            let Some(bytes) = window[place..].first_chunk() else {
                unreachable!("a window holds {WIDE} bytes behind each of its first {GRAM}");
            };
            let bytes = load_32(bytes);
            low[place] = _mm256_and_si256(bytes, nibble);
            high[place] = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), nibble);
        }
        let mut buckets = zero;
        for tables in tables {
            let mut set = _mm256_set1_epi8(-1);
            for place in 0..GRAM {
                let by_low = _mm256_shuffle_epi8(tables[place], low[place]);
                let by_high = _mm256_shuffle_epi8(tables[GRAM + place], high[place]);
                set = _mm256_and_si256(set, _mm256_and_si256(by_low, by_high));
            }
            buckets = _mm256_or_si256(buckets, set);
        }
        let empty = _mm256_movemask_epi8(_mm256_cmpeq_epi8(buckets, zero));
        let go_on = each_bit(!empty.cast_unsigned(), at, &mut candidate);
        at += WIDE;
        if !go_on {
            break;
        }
    }
    at
}

/// Calls `candidate` for every set bit; false as soon as it says so.
#[inline]
fn each_bit(mut bits: u32, at: usize, candidate: &mut impl FnMut(usize) -> bool) -> bool {
    let mut go_on = true;
    while bits != 0 {
        go_on &= candidate(at + bits.trailing_zeros() as usize);
        bits &= bits - 1;
    }
    go_on
}

#[target_feature(enable = "avx2")]
#[expect(unsafe_code, reason = "an unaligned load")]
fn broadcast(table: &[u8; 16]) -> __m256i {
    // SAFETY: the table has the sixteen bytes that are loaded; the load may be unaligned.
    let sixteen = unsafe { _mm_loadu_si128(table.as_ptr().cast()) };
    _mm256_broadcastsi128_si256(sixteen)
}

#[target_feature(enable = "avx2")]
#[expect(unsafe_code, reason = "an unaligned load")]
fn load_32(bytes: &[u8; WIDE]) -> __m256i {
    // SAFETY: the array has the 32 bytes that are loaded; the load may be unaligned.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}
