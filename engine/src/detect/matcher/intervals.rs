//! Sets of integers as sorted, disjoint, inclusive intervals.

/// An integer type that intervals are made of.
pub(crate) trait Endpoint: Copy + Ord + std::fmt::Debug {
    /// Smallest value.
    const MIN: Self;
    /// Largest value.
    const MAX: Self;
    /// The next value, `None` at the end.
    fn next(self) -> Option<Self>;
    /// The value before, `None` at the start.
    fn previous(self) -> Option<Self>;
}

macro_rules! endpoint {
    ($($kind:ty),*) => {$(
        impl Endpoint for $kind {
            const MIN: Self = <$kind>::MIN;
            const MAX: Self = <$kind>::MAX;
            fn next(self) -> Option<Self> {
                self.checked_add(1)
            }
            fn previous(self) -> Option<Self> {
                self.checked_sub(1)
            }
        }
    )*};
}
endpoint!(u16, u32, u128);

/// Sorted, disjoint, non-adjacent, inclusive intervals. Lookup is a binary search.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Intervals<T>(Box<[(T, T)]>);

impl<T: Endpoint> Intervals<T> {
    /// The empty set.
    pub(crate) fn empty() -> Self {
        Self(Box::new([]))
    }

    /// Every value.
    pub(crate) fn full() -> Self {
        Self(Box::new([(T::MIN, T::MAX)]))
    }

    /// Union of intervals in any order; those with their ends swapped are empty.
    pub(crate) fn union(mut parts: Vec<(T, T)>) -> Self {
        parts.retain(|(low, high)| low <= high);
        parts.sort_unstable();
        let mut merged: Vec<(T, T)> = Vec::with_capacity(parts.len());
        for (low, high) in parts {
            match merged.last_mut() {
                Some(last) if last.1.next().is_none_or(|after| low <= after) => {
                    last.1 = last.1.max(high);
                }
                _ => merged.push((low, high)),
            }
        }
        Self(merged.into_boxed_slice())
    }

    /// Every value that is not in the set.
    pub(crate) fn complement(&self) -> Self {
        let mut gaps = Vec::with_capacity(self.0.len() + 1);
        let mut start = Some(T::MIN);
        for &(low, high) in &self.0 {
            if let (Some(from), Some(to)) = (start, low.previous())
                && from <= to
            {
                gaps.push((from, to));
            }
            start = high.next();
        }
        if let Some(from) = start {
            gaps.push((from, T::MAX));
        }
        Self(gaps.into_boxed_slice())
    }

    /// Values of both sets.
    pub(crate) fn intersection(&self, other: &Self) -> Self {
        let (mut left, mut right) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut common = Vec::new();
        while let (Some(&&(a, b)), Some(&&(c, d))) = (left.peek(), right.peek()) {
            if a.max(c) <= b.min(d) {
                common.push((a.max(c), b.min(d)));
            }
            if b < d {
                left.next();
            } else {
                right.next();
            }
        }
        Self(common.into_boxed_slice())
    }

    /// Values of this set that the other lacks.
    pub(crate) fn minus(&self, other: &Self) -> Self {
        self.intersection(&other.complement())
    }

    /// Whether `value` is in the set.
    pub(crate) fn contains(&self, value: T) -> bool {
        let behind = self.0.partition_point(|&(low, _)| low <= value);
        behind
            .checked_sub(1)
            .and_then(|index| self.0.get(index))
            .is_some_and(|&(_, high)| value <= high)
    }

    /// True when it holds nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True when it holds every value.
    pub(crate) fn is_full(&self) -> bool {
        matches!(*self.0, [(low, high)] if low == T::MIN && high == T::MAX)
    }

    /// The intervals in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (T, T)> + '_ {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts() -> impl Strategy<Value = Vec<(u16, u16)>> {
        proptest::collection::vec((0u16..40, 0u16..40), 0..6)
    }

    fn naive(parts: &[(u16, u16)], value: u16) -> bool {
        parts.iter().any(|&(a, b)| a <= value && value <= b)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn set_operations_agree_with_membership(a in parts(), b in parts()) {
            let (left, right) = (Intervals::union(a.clone()), Intervals::union(b.clone()));
            for value in (0..45).chain([u16::MAX]) {
                let (x, y) = (naive(&a, value), naive(&b, value));
                prop_assert_eq!(left.contains(value), x);
                prop_assert_eq!(left.complement().contains(value), !x);
                prop_assert_eq!(left.intersection(&right).contains(value), x && y);
                prop_assert_eq!(left.minus(&right).contains(value), x && !y);
            }
        }
    }

    #[test]
    fn the_ends_of_the_range_do_not_overflow() {
        let all = Intervals::union(vec![(0u16, 9), (10, u16::MAX)]);
        assert!(all.is_full());
        assert!(all.complement().is_empty());
        assert!(Intervals::<u128>::empty().complement().is_full());
    }
}
