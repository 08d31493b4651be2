//! Which of many intervals hold a value.
//!
//! A segment tree over the intervals' ends, laid out flat: an interval stands in at most two nodes of each
//! level, so memory is `m log m` in the intervals however they overlap, and a lookup costs `log m` beside what
//! it finds.

use super::intervals::Endpoint;

/// Intervals, each with the member that it stands for.
#[derive(Debug)]
pub(crate) struct Stabbing<T> {
    /// Where the leaves begin, sorted; each ends where the next begins.
    starts: Box<[T]>,
    /// For each node, where its members begin in `members`; one more for the end. The root is 1, the children
    /// of `n` are `2n` and `2n + 1`, the leaves are the last as many as there are starts.
    offsets: Box<[usize]>,
    members: Box<[u32]>,
}

impl<T> Default for Stabbing<T> {
    fn default() -> Self {
        Self {
            starts: Box::default(),
            offsets: Box::default(),
            members: Box::default(),
        }
    }
}

impl<T: Endpoint> Stabbing<T> {
    /// Intervals from the first to the second value, both included, with their members.
    pub(crate) fn new(intervals: &[(T, T, u32)]) -> Self {
        let ends = intervals
            .iter()
            .flat_map(|(low, high, _)| [Some(*low), high.next()]);
        let mut starts: Vec<T> = ends.flatten().collect();
        starts.sort_unstable();
        starts.dedup();
        let leaves = starts.len();
        let mut nodes: Vec<Vec<u32>> = vec![Vec::new(); leaves.saturating_mul(2)];
        for (low, high, member) in intervals {
            let leaf = |start: T| leaves + starts.partition_point(|known| *known < start);
            let (mut from, mut to) = (leaf(*low), high.next().map_or(2 * leaves, leaf));
            while from < to {
                if from % 2 == 1 {
                    nodes[from].push(*member);
                    from += 1;
                }
                if to % 2 == 1 {
                    to -= 1;
                    nodes[to].push(*member);
                }
                from /= 2;
                to /= 2;
            }
        }
        let mut offsets = Vec::with_capacity(nodes.len() + 1);
        let mut members = Vec::new();
        for node in nodes {
            offsets.push(members.len());
            members.extend(node);
        }
        offsets.push(members.len());
        Self {
            starts: starts.into(),
            offsets: offsets.into(),
            members: members.into(),
        }
    }

    /// Calls `found` with the member of every interval that holds the value; more than once where several of one
    /// member do.
    pub(crate) fn each(&self, value: T, mut found: impl FnMut(u32)) {
        let behind = self.starts.partition_point(|start| *start <= value);
        let Some(leaf) = behind.checked_sub(1) else {
            return;
        };
        let mut node = self.starts.len() + leaf;
        while node > 0 {
            let (from, to) = (self.offsets.get(node), self.offsets.get(node + 1));
            let range = from.zip(to).map(|(from, to)| *from..*to);
            let members = range.and_then(|range| self.members.get(range));
            for member in members.unwrap_or_default() {
                found(*member);
            }
            node /= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found<T: Endpoint>(tree: &Stabbing<T>, value: T) -> Vec<u32> {
        let mut members = Vec::new();
        tree.each(value, |member| members.push(member));
        members.sort_unstable();
        members
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn the_intervals_that_hold_a_value_are_found_each_once(
            pairs in proptest::collection::vec((0u16..60, 0u16..60), 0..40),
        ) {
            let intervals: Vec<_> = (0..)
                .zip(&pairs)
                .map(|(member, (a, b))| (*a.min(b), *a.max(b), member))
                .collect();
            let tree = Stabbing::new(&intervals);
            for value in 0..70 {
                let naive = intervals.iter().filter(|(low, high, _)| (*low..=*high).contains(&value));
                let naive: Vec<u32> = naive.map(|(.., member)| *member).collect();
                prop_assert_eq!(found(&tree, value), naive);
            }
        }
    }

    #[test]
    fn the_ends_of_the_range_are_held() {
        let tree = Stabbing::new(&[(0u128, u128::MAX, 1), (u128::MAX, u128::MAX, 2), (0, 0, 3)]);
        assert_eq!(found(&tree, 0), [1, 3]);
        assert_eq!(found(&tree, 7), [1]);
        assert_eq!(found(&tree, u128::MAX), [1, 2]);
        assert_eq!(found(&Stabbing::<u32>::new(&[]), 5), [] as [u32; 0]);
    }

    #[test]
    fn intervals_within_intervals_take_little_memory() {
        let nested: Vec<(u32, u32, u32)> = (0..4096).map(|at| (at, 100_000 - at, at)).collect();
        let tree = Stabbing::new(&nested);
        assert!(tree.members.len() < 4096 * 2 * 14, "{}", tree.members.len());
        assert_eq!(found(&tree, 50_000).len(), 4096);
    }
}
