//! Who wins where fragments overlap with different data.

use std::ops::Range;

/// Whose reading of overlapping fragments to follow, after Shankar and Paxson, "Active Mapping" (2003),
/// and Novak, "Target-Based Fragmentation Reassembly" (2005).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum OverlapPolicy {
    /// The earlier fragment wins, unless the later one begins before it.
    #[default]
    Bsd,
    /// The later one wins, unless the earlier one begins before it or ends after it.
    BsdRight,
    /// The earlier one wins, unless the later one begins before it, or begins with it and ends after it.
    Linux,
    /// The earlier one wins, always.
    First,
    /// The later one wins, always.
    Last,
    /// The earlier one wins, unless the later one begins before it and ends after it.
    Windows,
    /// The earlier one wins, unless the later one begins before it and does not end before it.
    Solaris,
}

impl OverlapPolicy {
    /// True when, where they overlap, the bytes of `later` count and not those of `earlier`. Ranges in
    /// bytes of the datagram.
    pub(super) fn later_wins(self, earlier: &Range<usize>, later: &Range<usize>) -> bool {
        let begins_before = later.start < earlier.start;
        match self {
            Self::Bsd => begins_before,
            Self::BsdRight => !(earlier.start < later.start || earlier.end > later.end),
            Self::Linux => {
                begins_before || (later.start == earlier.start && later.end > earlier.end)
            }
            Self::First => false,
            Self::Last => true,
            Self::Windows => begins_before && later.end > earlier.end,
            Self::Solaris => begins_before && later.end >= earlier.end,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_policy_decides_the_six_ways_to_overlap() {
        use OverlapPolicy as P;
        let earlier = 16..32;
        // Later: begins before and ends inside / with / behind; begins with and ends behind; inside;
        // begins inside and ends behind; the same range.
        let later = [8..24, 8..32, 8..40, 16..40, 24..32, 24..40, 16..32];
        let table = [
            (P::Bsd, [true, true, true, false, false, false, false]),
            (P::BsdRight, [false, true, true, true, false, false, true]),
            (P::Linux, [true, true, true, true, false, false, false]),
            (P::First, [false; 7]),
            (P::Last, [true; 7]),
            (P::Windows, [false, false, true, false, false, false, false]),
            (P::Solaris, [false, true, true, false, false, false, false]),
        ];
        for (policy, expected) in table {
            for (later, expected) in later.iter().zip(expected) {
                assert_eq!(
                    policy.later_wins(&earlier, later),
                    expected,
                    "{policy:?} {later:?}"
                );
            }
        }
    }
}
