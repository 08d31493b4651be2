//! A fixed table of entries by 128-bit key, in buckets of four.

use crate::frame::Timestamp;

/// Entries of one bucket.
const WAYS: usize = 4;

/// A fixed number of entries. Lookup looks at one bucket; when that is full its oldest entry goes.
#[derive(Debug)]
pub(super) struct Buckets<V> {
    slots: Box<[Slot<V>]>,
    evicted: u64,
}

#[derive(Clone, Debug)]
struct Slot<V> {
    key: u128,
    touched: Timestamp,
    value: Option<V>,
}

impl<V: Clone> Buckets<V> {
    /// A table of at least `capacity` entries, at least one bucket.
    pub(super) fn new(capacity: usize) -> Self {
        let slots = capacity.div_ceil(WAYS).max(1) * WAYS;
        let empty = Slot {
            key: 0,
            touched: Timestamp(0),
            value: None,
        };
        Self {
            slots: vec![empty; slots].into_boxed_slice(),
            evicted: 0,
        }
    }

    /// Entries thrown out before their time.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }

    /// The entry of `key`.
    pub(super) fn get(&mut self, key: u128) -> Option<&mut V> {
        self.bucket(key)
            .iter_mut()
            .find(|slot| slot.value.is_some() && slot.key == key)
            .and_then(|slot| slot.value.as_mut())
    }

    /// The entry of `key`, made by `fresh` where there is none. `dead` says which entries of others are
    /// worth nothing any more: they go first, uncounted.
    pub(super) fn entry(
        &mut self,
        key: u128,
        now: Timestamp,
        dead: impl Fn(&V) -> bool,
        fresh: impl FnOnce() -> V,
    ) -> &mut V {
        let bucket = self.bucket(key);
        let known = bucket
            .iter()
            .position(|slot| slot.value.is_some() && slot.key == key);
        let (at, evicts) = match known {
            Some(at) => (at, false),
            None => place(bucket, dead),
        };
        if known.is_none() {
            self.evicted += u64::from(evicts);
        }
        // `at` is below the bucket's length: both sources of it enumerate the bucket.
        let slot = &mut self.bucket(key)[at];
        if known.is_none() {
            slot.key = key;
            slot.value = None;
        }
        slot.touched = now;
        slot.value.get_or_insert_with(fresh)
    }

    /// Forgets the entry of `key`.
    pub(super) fn remove(&mut self, key: u128) {
        for slot in self.bucket(key) {
            if slot.key == key {
                slot.value = None;
            }
        }
    }

    fn bucket(&mut self, key: u128) -> &mut [Slot<V>] {
        let buckets = (self.slots.len() / WAYS).max(1) as u128;
        // The remainder is below a length, so it fits.
        let start = usize::try_from(key % buckets).unwrap_or(0) * WAYS;
        &mut self.slots[start..start + WAYS]
    }
}

/// A free place, else a dead entry's, else the one that was touched longest ago. True where that takes
/// the place of a live entry.
fn place<V>(bucket: &[Slot<V>], dead: impl Fn(&V) -> bool) -> (usize, bool) {
    let free = |slot: &Slot<V>| slot.value.as_ref().is_none_or(&dead);
    if let Some(at) = bucket.iter().position(free) {
        return (at, false);
    }
    let oldest = (0..bucket.len()).min_by_key(|&at| bucket[at].touched);
    (oldest.unwrap_or(0), true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_bucket_gives_up_its_oldest_entry_and_counts_it() {
        let mut table: Buckets<u32> = Buckets::new(4);
        for key in 1u32..=4 {
            let at = Timestamp(u64::from(key));
            *table.entry(key.into(), at, |_| false, || 0) = key;
        }
        table.entry(1, Timestamp(9), |_| false, || 0);
        assert_eq!(table.evicted(), 0);
        table.entry(5, Timestamp(10), |_| false, || 50);
        assert_eq!(table.evicted(), 1);
        assert_eq!(table.get(2), None);
        assert_eq!(table.get(1), Some(&mut 1));
        assert_eq!(table.get(5), Some(&mut 50));
    }

    #[test]
    fn dead_entries_go_first_and_are_not_counted() {
        let mut table: Buckets<u32> = Buckets::new(4);
        for key in 1u32..=4 {
            let at = Timestamp(u64::from(key));
            *table.entry(key.into(), at, |_| false, || 0) = key;
        }
        table.entry(5, Timestamp(9), |value| *value == 3, || 5);
        assert_eq!(table.evicted(), 0);
        assert_eq!(table.get(3), None);
        table.remove(5);
        assert_eq!(table.get(5), None);
    }
}
