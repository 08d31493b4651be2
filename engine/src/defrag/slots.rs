//! Unfinished datagrams in the order of their first fragments: a slab with a list through it, so that
//! the oldest is found and any one is removed in O(1).

use crate::decode::DecodeEvent;
use crate::frame::Timestamp;

use super::key::Key;
use super::parts::Parts;

/// Index of a datagram. Meaningful until it is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SlotId(usize);

/// An unfinished datagram.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) key: Key,
    pub(super) since: Timestamp,
    pub(super) parts: Parts,
    /// Set when the datagram is refused: nothing is kept of it.
    pub(super) refused: Option<DecodeEvent>,
    older: Option<SlotId>,
    newer: Option<SlotId>,
}

/// All unfinished datagrams.
#[derive(Debug)]
pub(super) struct Slots {
    slots: Vec<Option<Slot>>,
    free: Vec<SlotId>,
    limit: usize,
    oldest: Option<SlotId>,
    newest: Option<SlotId>,
}

impl Slots {
    /// Room for `limit` datagrams, at least one.
    pub(super) fn new(limit: usize) -> Self {
        let limit = limit.max(1);
        Self {
            slots: Vec::with_capacity(limit),
            free: Vec::with_capacity(limit),
            limit,
            oldest: None,
            newest: None,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.free.is_empty() && self.slots.len() >= self.limit
    }

    pub(super) fn get(&self, id: SlotId) -> Option<&Slot> {
        self.slots.get(id.0)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, id: SlotId) -> Option<&mut Slot> {
        self.slots.get_mut(id.0)?.as_mut()
    }

    /// The one whose first fragment is the longest ago.
    pub(super) fn oldest(&self) -> Option<(SlotId, Timestamp)> {
        let id = self.oldest?;
        Some((id, self.get(id)?.since))
    }

    /// Adds one as the newest. There must be room.
    pub(super) fn push(&mut self, key: Key, since: Timestamp, parts: Parts) -> SlotId {
        debug_assert!(!self.is_full());
        let slot = Some(Slot {
            key,
            since,
            parts,
            refused: None,
            older: None,
            newer: None,
        });
        let id = match self.free.pop() {
            Some(id) => id,
            None => SlotId(self.slots.len()),
        };
        match self.slots.get_mut(id.0) {
            Some(place) => *place = slot,
            None => self.slots.push(slot),
        }
        self.link_newest(id);
        id
    }

    pub(super) fn remove(&mut self, id: SlotId) -> Option<Slot> {
        self.unlink(id);
        let slot = self.slots.get_mut(id.0)?.take()?;
        self.free.push(id);
        Some(slot)
    }

    /// The oldest but `id`.
    pub(super) fn oldest_but(&self, id: SlotId) -> Option<SlotId> {
        match self.oldest? {
            oldest if oldest == id => self.get(id)?.newer,
            oldest => Some(oldest),
        }
    }

    fn link_newest(&mut self, id: SlotId) {
        let newest = self.newest;
        if let Some(slot) = self.get_mut(id) {
            slot.older = newest;
            slot.newer = None;
        }
        match newest.and_then(|newest| self.get_mut(newest)) {
            Some(before) => before.newer = Some(id),
            None => self.oldest = Some(id),
        }
        self.newest = Some(id);
    }

    fn unlink(&mut self, id: SlotId) {
        let Some((older, newer)) = self.get(id).map(|slot| (slot.older, slot.newer)) else {
            return;
        };
        match older.and_then(|older| self.get_mut(older)) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
        match newer.and_then(|newer| self.get_mut(newer)) {
            Some(slot) => slot.older = older,
            None => self.newest = older,
        }
    }
}
