//! Vector scanners: positions of a haystack where a gram may stand.
//!
//! They only rule positions out; what remains is verified. Their answer never misses a position.
//!
//! The only `unsafe` of this crate is in here: unaligned loads of arrays of the loaded size, and the
//! calls of functions compiled for instructions that the processor was seen to have.

mod masks;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod vbmi;

use masks::{ByteTables, Lookup, Masks, NibbleTables};

use crate::Engine;

/// Scans by masks for one set of grams. Exists only where the processor has the instructions.
#[derive(Debug)]
pub(crate) struct MaskScanner(Tables);

#[derive(Debug)]
enum Tables {
    /// For AVX2.
    Avx2(Box<[NibbleTables]>),
    /// For AVX-512 with VBMI.
    Vbmi(Box<[ByteTables]>),
}

impl MaskScanner {
    /// A scanner for `grams`, folded, of one to four bytes; `None` where the processor has no such
    /// instructions, the engine must not use them, or the grams are too many to be told apart: a position
    /// would cost more than `dear`, against 1 for verifying a candidate.
    pub(crate) fn build(grams: Vec<&[u8]>, engine: Engine, dear: f64) -> Option<Self> {
        if engine == Engine::Best && has_vbmi() {
            let masks = Masks::build(grams, Lookup::SevenBits, dear)?;
            return Some(Self(Tables::Vbmi(masks.bytes())));
        }
        if engine != Engine::Scalar && has_avx2() {
            let masks = Masks::build(grams, Lookup::Nibbles, dear)?;
            return Some(Self(Tables::Avx2(masks.nibbles())));
        }
        None
    }

    /// Calls `candidate` with every position, from 0 on, where a gram may stand, and perhaps with
    /// positions behind the haystack.
    #[cfg_attr(not(target_arch = "x86_64"), expect(unused_variables))]
    pub(crate) fn scan(&self, haystack: &[u8], candidate: impl FnMut(usize)) {
        #[cfg(target_arch = "x86_64")]
        #[expect(
            unsafe_code,
            reason = "calls of functions compiled for more instructions"
        )]
        match &self.0 {
            // SAFETY: such tables are made only where AVX2 was detected.
            Tables::Avx2(tables) => unsafe { avx2::scan(tables, haystack, candidate) },
            // SAFETY: such tables are made only where what the function needs was detected.
            Tables::Vbmi(tables) => unsafe { vbmi::scan(tables, haystack, candidate) },
        }
    }

    /// Its name, for reports and benchmarks.
    pub(crate) fn way(&self) -> &'static str {
        match &self.0 {
            Tables::Avx2(_) => "masks-avx2",
            Tables::Vbmi(_) => "masks-vbmi",
        }
    }
}

fn has_avx2() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

fn has_vbmi() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx512f")
        && std::arch::is_x86_feature_detected!("avx512bw")
        && std::arch::is_x86_feature_detected!("avx512vbmi");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Windows looked at in a row before their candidates are followed up: so that the loop over them
/// neither branches nor leaves its registers.
#[cfg(target_arch = "x86_64")]
const ROUND: usize = 64;

/// Windows of one round in which grams may stand.
#[cfg(target_arch = "x86_64")]
struct Found {
    /// First position of each window, counted from the first window's, and a bit for each of its
    /// positions.
    windows: [(usize, u64); ROUND],
    count: usize,
}

#[cfg(target_arch = "x86_64")]
impl Found {
    /// Asks `look` about windows of `WINDOW` bytes, `WIDE` apart: as many as fit the haystack, at most
    /// [`ROUND`]. Returns how many positions were looked at.
    #[inline(always)]
    fn fill<const WIDE: usize, const WINDOW: usize>(
        &mut self,
        haystack: &[u8],
        look: impl Fn(&[u8; WINDOW]) -> u64,
    ) -> usize {
        let mut at = 0;
        self.count = 0;
        while at < ROUND * WIDE
            && let Some(window) = haystack.get(at..).and_then(<[u8]>::first_chunk)
        {
            let bits = look(window);
            // There are no more of them than windows: the remainder only spares a check.
            self.windows[self.count % ROUND] = (at, bits);
            self.count += usize::from(bits != 0);
            at += WIDE;
        }
        at
    }
}

/// Has `round` fill in what it finds until every position of the haystack was looked at, and calls
/// `candidate` with every position found. The last windows, of at most `WINDOW` bytes, are filled up with
/// zeros.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn rounds<const WIDE: usize, const WINDOW: usize>(
    haystack: &[u8],
    round: impl Fn(&[u8], &mut Found) -> usize,
    mut candidate: impl FnMut(usize),
) {
    let mut found = Found {
        windows: [(0, 0); ROUND],
        count: 0,
    };
    let mut padded = [0; 256];
    let mut at = 0;
    while let Some(rest) = haystack.get(at..).filter(|rest| !rest.is_empty()) {
        let looked_at = if rest.len() >= WINDOW {
            round(rest, &mut found)
        } else {
            let (filled, _) = padded.split_at_mut(rest.len());
            filled.copy_from_slice(rest);
            let end = rest.len().next_multiple_of(WIDE) + WINDOW - WIDE;
            round(padded.get(..end).unwrap_or_default(), &mut found)
        };
        for (window, bits) in found.windows.iter().take(found.count) {
            each_bit(*bits, at + window, &mut candidate);
        }
        at += looked_at;
    }
}

/// Calls `candidate` for every set bit.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn each_bit(mut bits: u64, at: usize, candidate: &mut impl FnMut(usize)) {
    while bits != 0 {
        candidate(at + bits.trailing_zeros() as usize);
        bits &= bits - 1;
    }
}
