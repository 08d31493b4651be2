//! Vector scanner: positions of a haystack where a gram may stand.
//!
//! It only rules positions out; what remains is verified. Its answer never misses a position.
//!
//! The only `unsafe` of this crate is in here: unaligned loads of arrays of the loaded size, and the
//! call of a function compiled for AVX2 on processors that were seen to have it.

mod nibble;

#[cfg(target_arch = "x86_64")]
mod avx2;

pub(crate) use nibble::NibbleMasks;

/// A permit: this processor has AVX2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2(());

impl Avx2 {
    /// The permit, where the processor has AVX2.
    pub(crate) fn detect() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            return Some(Self(()));
        }
        None
    }

    /// Calls `candidate` with positions from 0 on where a gram of `masks` may stand, and returns the
    /// first position that was not looked at. `candidate` returning false ends the scan behind that
    /// position's block.
    #[cfg_attr(not(target_arch = "x86_64"), expect(unused_variables))]
    pub(crate) fn scan_nibbles(
        self,
        masks: &NibbleMasks,
        haystack: &[u8],
        candidate: impl FnMut(usize) -> bool,
    ) -> usize {
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "a call of a function compiled for AVX2")]
        // SAFETY: `self` exists only where AVX2 was detected.
        return unsafe { avx2::scan_nibbles(masks, haystack, candidate) };
        #[cfg(not(target_arch = "x86_64"))]
        0
    }
}
