//! One set: a table of hashes that is read without a lock, and the values behind it.
//!
//! A value is known by a keyed hash of 128 bits, so that nobody can choose values that are taken for one
//! another. It lies within [`PROBE`] slots of where its hash points, or the set is full for it: looking up
//! and adding are bounded whatever is in the set. Only who holds the lock on the values writes to slots,
//! the half of the hash that readers look at first last.

use std::hash::Hasher;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use siphasher::sip128::{Hasher128, SipHasher13};

use super::DataKind;

/// Slots that are looked at for one value.
const PROBE: usize = 64;
/// A slot that never held a value.
const EMPTY: u64 = 0;
/// A slot whose value was removed.
const REMOVED: u64 = 1;
/// Times that a table is doubled to hold what is loaded, at most.
const DOUBLINGS: u32 = 6;

/// How much a set may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataRoom {
    /// Values.
    pub entries: usize,
    /// Their bytes together.
    pub bytes: usize,
}

/// A value that a set is made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The value.
    pub value: Box<[u8]>,
    /// What is known of it.
    pub note: Note,
}

/// What a set knows of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// Nothing.
    None,
    /// `datarep`: its reputation.
    Reputation(u16),
    /// A JSON text that an alert shows.
    Json(Arc<str>),
}

/// A set of values.
#[derive(Debug)]
pub struct DataSet {
    kind: DataKind,
    seed: [u64; 2],
    slots: Box<[Slot]>,
    values: Mutex<Values>,
    /// By entry; empty where nothing is known of any.
    notes: Box<[Note]>,
}

/// What became of a value to add.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) enum Added {
    New,
    Known,
    Full,
}

#[derive(Debug, Default)]
struct Slot {
    /// One half of the hash, or [`EMPTY`] or [`REMOVED`].
    low: AtomicU64,
    high: AtomicU64,
    entry: AtomicU32,
}

/// The values in the order they were added.
#[derive(Debug)]
struct Values {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    removed: usize,
    room: DataRoom,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    slot: u32,
    start: u32,
    length: u32,
    live: bool,
}

impl DataSet {
    /// A set of `loaded` values with room for `room` altogether, and at least for what is loaded. `seed`
    /// keys its hashes: a random one. `None`: more than any table can hold.
    #[must_use]
    pub fn new(kind: DataKind, room: DataRoom, seed: [u64; 2], loaded: &[Loaded]) -> Option<Self> {
        let bytes = loaded.iter().map(|loaded| loaded.value.len()).sum();
        let room = DataRoom {
            entries: room.entries.max(loaded.len()),
            bytes: room.bytes.max(bytes),
        };
        let fits = |count: usize| u32::try_from(count).is_ok();
        if !fits(room.entries.checked_mul(2)?) || !fits(room.bytes) {
            return None;
        }
        let slots = room
            .entries
            .saturating_mul(2)
            .next_power_of_two()
            .max(PROBE);
        (0..DOUBLINGS)
            .find_map(|times| Self::with_slots(kind, (slots << times, room), seed, loaded))
    }

    fn with_slots(
        kind: DataKind,
        (slots, room): (usize, DataRoom),
        seed: [u64; 2],
        loaded: &[Loaded],
    ) -> Option<Self> {
        let values = Values {
            bytes: Vec::with_capacity(room.bytes),
            entries: Vec::with_capacity(room.entries),
            removed: 0,
            room,
        };
        let mut set = Self {
            kind,
            seed,
            slots: (0..slots).map(|_| Slot::default()).collect(),
            values: Mutex::new(values),
            notes: Box::default(),
        };
        let mut notes = Vec::new();
        for Loaded { value, note } in loaded {
            match set.add(value) {
                Added::New => notes.push(note.clone()),
                Added::Known => {}
                Added::Full => return None,
            }
        }
        if notes.iter().any(|note| *note != Note::None) {
            set.notes = notes.into();
        }
        Some(set)
    }

    /// Type of its values.
    #[must_use]
    pub fn kind(&self) -> DataKind {
        self.kind
    }

    /// Whether it is as it was loaded for ever: something is known of its values.
    pub(in crate::detect) fn is_fixed(&self) -> bool {
        !self.notes.is_empty()
    }

    /// Number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        let values = self.lock();
        values.entries.len() - values.removed
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Calls `each` with every value, in the order they were added. Waits for nobody that looks up.
    pub fn for_each(&self, mut each: impl FnMut(&[u8])) {
        let values = self.lock();
        let live = values.entries.iter().filter(|entry| entry.live);
        live.filter_map(|entry| values.value(entry))
            .for_each(&mut each);
    }

    /// What is known of a value; `None` where it is not in the set.
    pub(in crate::detect) fn get(&self, value: &[u8]) -> Option<&Note> {
        let slot = self.find(self.hash(value))?;
        let entry = self.slots.get(slot)?.entry.load(Ordering::Relaxed);
        let note = usize::try_from(entry)
            .ok()
            .and_then(|at| self.notes.get(at));
        Some(note.unwrap_or(&Note::None))
    }

    /// Adds a value.
    pub(in crate::detect) fn add(&self, value: &[u8]) -> Added {
        let hash = self.hash(value);
        if self.find(hash).is_some() {
            return Added::Known;
        }
        let mut values = self.lock();
        // Another worker may have added it before this one had the lock.
        if self.find(hash).is_some() {
            return Added::Known;
        }
        let Some((at, slot)) = self.probe(hash).find(|(_, slot)| slot.is_free()) else {
            return Added::Full;
        };
        let Some(entry) = values.push(value, at, &self.slots) else {
            return Added::Full;
        };
        slot.entry.store(entry, Ordering::Relaxed);
        slot.high.store(high(hash), Ordering::Relaxed);
        slot.low.store(low(hash), Ordering::Release);
        Added::New
    }

    /// Removes a value: whether it was there.
    pub(in crate::detect) fn remove(&self, value: &[u8]) -> bool {
        let hash = self.hash(value);
        if self.find(hash).is_none() {
            return false;
        }
        let mut values = self.lock();
        let Some(slot) = self.find(hash).and_then(|at| self.slots.get(at)) else {
            return false;
        };
        slot.low.store(REMOVED, Ordering::Release);
        values.forget(slot.entry.load(Ordering::Relaxed));
        true
    }

    fn lock(&self) -> MutexGuard<'_, Values> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hash(&self, value: &[u8]) -> u128 {
        let mut hasher = SipHasher13::new_with_keys(self.seed[0], self.seed[1]);
        hasher.write(value);
        hasher.finish128().as_u128()
    }

    /// The slots that may hold a hash.
    fn probe(&self, hash: u128) -> impl Iterator<Item = (usize, &Slot)> {
        let mask = self.slots.len() - 1;
        let start = usize::try_from(high(hash) & mask as u64).unwrap_or(0);
        (0..PROBE.min(self.slots.len())).filter_map(move |step| {
            let at = (start + step) & mask;
            Some((at, self.slots.get(at)?))
        })
    }

    fn find(&self, hash: u128) -> Option<usize> {
        for (at, slot) in self.probe(hash) {
            match slot.low.load(Ordering::Acquire) {
                EMPTY => return None,
                half if half == low(hash) && slot.high.load(Ordering::Relaxed) == high(hash) => {
                    return Some(at);
                }
                _ => {}
            }
        }
        None
    }
}

fn low(hash: u128) -> u64 {
    // Neither of the marks.
    u64::try_from(hash & u128::from(u64::MAX)).map_or(REMOVED + 1, |half| half.max(REMOVED + 1))
}

fn high(hash: u128) -> u64 {
    (hash >> 64) as u64
}

impl Slot {
    fn is_free(&self) -> bool {
        self.low.load(Ordering::Relaxed) <= REMOVED
    }
}

impl Values {
    fn value(&self, entry: &Entry) -> Option<&[u8]> {
        let start = usize::try_from(entry.start).ok()?;
        let length = usize::try_from(entry.length).ok()?;
        self.bytes.get(start..start.checked_add(length)?)
    }

    fn fits(&self, value: &[u8]) -> bool {
        self.entries.len() < self.room.entries
            && self.bytes.len().saturating_add(value.len()) <= self.room.bytes
    }

    /// Keeps a value; its index, or `None` where there is no room.
    fn push(&mut self, value: &[u8], slot: usize, slots: &[Slot]) -> Option<u32> {
        if !self.fits(value) && self.removed > self.entries.len() / 4 {
            self.compact(slots);
        }
        if !self.fits(value) {
            return None;
        }
        let entry = Entry {
            slot: u32::try_from(slot).ok()?,
            start: u32::try_from(self.bytes.len()).ok()?,
            length: u32::try_from(value.len()).ok()?,
            live: true,
        };
        let index = u32::try_from(self.entries.len()).ok()?;
        self.bytes.extend_from_slice(value);
        self.entries.push(entry);
        Some(index)
    }

    fn forget(&mut self, entry: u32) {
        let entry = usize::try_from(entry).ok();
        if let Some(entry) = entry.and_then(|at| self.entries.get_mut(at)) {
            self.removed += usize::from(std::mem::replace(&mut entry.live, false));
        }
    }

    /// Closes the gaps of what was removed. Paid for by the removals since the last time: at least one for three
    /// that are moved.
    fn compact(&mut self, slots: &[Slot]) {
        let (mut end, mut kept) = (0_usize, 0_usize);
        for at in 0..self.entries.len() {
            let Some(entry) = self.entries.get(at).copied().filter(|entry| entry.live) else {
                continue;
            };
            let (start, length) = (entry.start as usize, entry.length as usize);
            self.bytes.copy_within(start..start + length, end);
            if let Some(slot) = slots.get(entry.slot as usize) {
                let index = u32::try_from(kept).unwrap_or(u32::MAX);
                slot.entry.store(index, Ordering::Relaxed);
            }
            if let Some(place) = self.entries.get_mut(kept) {
                let start = u32::try_from(end).unwrap_or(u32::MAX);
                *place = Entry { start, ..entry };
            }
            end += length;
            kept += 1;
        }
        self.entries.truncate(kept);
        self.bytes.truncate(end);
        self.removed = 0;
    }
}

#[cfg(test)]
mod tests;
