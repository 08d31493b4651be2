//! The flow table: bounded, reserved at start, keyed hash, one list per protocol and state for
//! timeouts and eviction. Every operation is O(1); a lookup walks the flows of one bucket, which the
//! keyed hash keeps few.
//!
//! Owner: one worker's engine.

use crate::frame::Timestamp;

use super::class::Class;
use super::key::{FlowKey, Side};
use super::limits::{FlowExceptionPolicy, FlowLimits};
use super::lists::Lists;
use super::state::{EndReason, Flow};

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;

/// "No slot".
const NONE: u32 = u32::MAX;
/// Flow ids are below this, so that every JSON reader keeps them exact.
const ID_MASK: u64 = (1 << 53) - 1;

/// A flow of the table, valid until the flow ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlowIndex(u32);

#[derive(Debug)]
struct Slot {
    hash: u64,
    /// Next slot of the same bucket, or of the free ones.
    next: u32,
    class: Class,
    flow: Flow,
}

/// Where a flow was found or put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Insertion {
    /// The table had room.
    Created(FlowIndex),
    /// A flow that was closed or not established gave way.
    EvictedNew(FlowIndex),
    /// An established flow gave way.
    EvictedEstablished(FlowIndex),
    /// There is no room and the exception policy says drop.
    Refused,
}

/// Flows of one worker.
#[derive(Debug)]
pub struct FlowTable {
    slots: Vec<Slot>,
    buckets: Vec<u32>,
    free: u32,
    active: usize,
    classes: Lists<{ Class::COUNT }>,
    buffered: Lists<1>,
    limits: FlowLimits,
    seed: [u64; 2],
    born: u64,
}

impl FlowTable {
    /// A table with all its memory reserved. At least one flow fits.
    #[must_use]
    pub fn new(limits: FlowLimits, seed: [u64; 2]) -> Self {
        let flows = limits.flows.clamp(1, NONE as usize - 1);
        let buckets = flows.next_power_of_two();
        Self {
            slots: Vec::with_capacity(flows),
            buckets: vec![NONE; buckets],
            free: NONE,
            active: 0,
            classes: Lists::new(flows),
            buffered: Lists::new(flows),
            limits: FlowLimits { flows, ..limits },
            seed,
            born: 0,
        }
    }

    /// Flows followed now.
    #[must_use]
    pub fn active(&self) -> usize {
        self.active
    }

    /// The flow of that key.
    #[must_use]
    pub fn find(&self, key: &FlowKey) -> Option<FlowIndex> {
        let hash = key.hash(self.seed);
        let mut at = self.buckets.get(self.bucket(hash)).copied()?;
        while let Some(slot) = self.slots.get(at as usize) {
            if slot.hash == hash && slot.flow.key() == key {
                return Some(FlowIndex(at));
            }
            at = slot.next;
        }
        None
    }

    /// The flow at that place.
    #[must_use]
    pub fn get(&self, index: FlowIndex) -> Option<&Flow> {
        self.slots.get(index.0 as usize).map(|slot| &slot.flow)
    }

    /// The flow at that place.
    #[must_use]
    pub fn get_mut(&mut self, index: FlowIndex) -> Option<&mut Flow> {
        self.slots
            .get_mut(index.0 as usize)
            .map(|slot| &mut slot.flow)
    }

    /// True when the flow has been silent for longer than its class allows.
    #[must_use]
    pub fn timed_out(&self, index: FlowIndex, now: Timestamp) -> bool {
        self.slots.get(index.0 as usize).is_some_and(|slot| {
            now.since(slot.flow.last()) > slot.class.timeout(&self.limits.timeouts)
        })
    }

    /// Puts a new flow in. `ended` is told of a flow that gives way, before its memory is reused.
    pub fn insert(
        &mut self,
        key: FlowKey,
        client: Side,
        at: Timestamp,
        ended: &mut dyn FnMut(&mut Flow, EndReason),
    ) -> Insertion {
        let mut made: fn(FlowIndex) -> Insertion = Insertion::Created;
        if self.active == self.limits.flows {
            let Some((victim, class)) = self.victim() else {
                return Insertion::Refused;
            };
            made = if class.is_expendable() {
                Insertion::EvictedNew
            } else {
                Insertion::EvictedEstablished
            };
            self.remove(victim, EndReason::Forced, ended);
        }
        let index = self.take_slot(&key);
        self.restart(index, key, client, at);
        made(index)
    }

    /// Makes the flow at `index` a new one in place: same key, new identity. The caller has reported
    /// the end of the old one.
    pub fn renew(&mut self, index: FlowIndex, client: Side, at: Timestamp) {
        if let Some(key) = self.get(index).map(|flow| *flow.key()) {
            let id = self.next_id();
            if let Some(flow) = self.get_mut(index) {
                flow.restart(id, key, client, at);
            }
            self.buffered.remove(index.0);
        }
    }

    /// Says that the flow has just spoken and belongs to `class`.
    pub fn touch(&mut self, index: FlowIndex, class: Class) {
        if let Some(slot) = self.slots.get_mut(index.0 as usize) {
            slot.class = class;
            self.classes.move_to_back(index.0, class as usize);
        }
    }

    /// Says whether the flow holds stream buffers, and that they were just used.
    pub fn touch_buffers(&mut self, index: FlowIndex, holds: bool) {
        if holds {
            self.buffered.move_to_back(index.0, 0);
        } else {
            self.buffered.remove(index.0);
        }
    }

    /// The flow whose stream buffers were used longest ago.
    #[must_use]
    pub fn idlest_buffers(&self) -> Option<FlowIndex> {
        self.buffered.front(0).map(FlowIndex)
    }

    /// Ends at most `batch` flows that have been silent too long; returns how many.
    pub fn expire(
        &mut self,
        now: Timestamp,
        batch: usize,
        ended: &mut dyn FnMut(&mut Flow, EndReason),
    ) -> usize {
        let mut gone = 0;
        for class in Class::ALL {
            while gone < batch
                && let Some(index) = self.classes.front(class as usize).map(FlowIndex)
                && self.timed_out(index, now)
            {
                self.remove(index, EndReason::Timeout, ended);
                gone += 1;
            }
        }
        gone
    }

    /// Ends every flow.
    pub fn clear(&mut self, ended: &mut dyn FnMut(&mut Flow, EndReason)) {
        for class in Class::ALL {
            while let Some(index) = self.classes.front(class as usize).map(FlowIndex) {
                self.remove(index, EndReason::Shutdown, ended);
            }
        }
    }

    /// Ends a flow.
    pub fn remove(
        &mut self,
        index: FlowIndex,
        reason: EndReason,
        ended: &mut dyn FnMut(&mut Flow, EndReason),
    ) {
        self.unlink_from_bucket(index);
        self.classes.remove(index.0);
        self.buffered.remove(index.0);
        let free = self.free;
        if let Some(slot) = self.slots.get_mut(index.0 as usize) {
            ended(&mut slot.flow, reason);
            slot.next = free;
            self.free = index.0;
            self.active -= 1;
        }
    }

    /// Who gives way: closed flows first, then the oldest not yet established one, then as the
    /// exception policy says. A flow that a signature ended goes last: forgetting it would let its
    /// attack go on.
    fn victim(&self) -> Option<(FlowIndex, Class)> {
        let oldest = |wanted: fn(Class) -> bool| {
            Class::ALL
                .into_iter()
                .filter(|class| wanted(*class))
                .filter_map(|class| {
                    let index = FlowIndex(self.classes.front(class as usize)?);
                    Some((self.get(index)?.last(), index, class))
                })
                .min_by_key(|(last, ..)| *last)
                .map(|(_, index, class)| (index, class))
        };
        let expendable =
            oldest(|class| class == Class::TcpClosed).or_else(|| oldest(Class::is_expendable));
        match self.limits.when_full {
            FlowExceptionPolicy::DropNew => expendable,
            FlowExceptionPolicy::EvictIdlest => expendable
                .or_else(|| oldest(|class| class != Class::Dropped))
                .or_else(|| oldest(|_| true)),
        }
    }

    fn take_slot(&mut self, key: &FlowKey) -> FlowIndex {
        self.active += 1;
        if let Some(slot) = self.slots.get(self.free as usize) {
            let index = self.free;
            self.free = slot.next;
            return FlowIndex(index);
        }
        let index = u32::try_from(self.slots.len()).unwrap_or(NONE - 1);
        self.slots.push(Slot {
            hash: 0,
            next: NONE,
            class: Class::OtherNew,
            flow: Flow::new(*key),
        });
        FlowIndex(index)
    }

    fn restart(&mut self, index: FlowIndex, key: FlowKey, client: Side, at: Timestamp) {
        let hash = key.hash(self.seed);
        let id = self.next_id();
        let bucket = self.bucket(hash);
        let Some(head) = self.buckets.get_mut(bucket) else {
            return;
        };
        if let Some(slot) = self.slots.get_mut(index.0 as usize) {
            slot.hash = hash;
            slot.next = std::mem::replace(head, index.0);
            slot.class = Class::OtherNew;
            slot.flow.restart(id, key, client, at);
        }
        self.classes.move_to_back(index.0, Class::OtherNew as usize);
    }

    fn unlink_from_bucket(&mut self, index: FlowIndex) {
        let Some((hash, next)) = self
            .slots
            .get(index.0 as usize)
            .map(|slot| (slot.hash, slot.next))
        else {
            return;
        };
        let bucket = self.bucket(hash);
        let Some(head) = self.buckets.get_mut(bucket) else {
            return;
        };
        if *head == index.0 {
            *head = next;
            return;
        }
        let mut at = *head;
        while let Some(slot) = self.slots.get_mut(at as usize) {
            if slot.next == index.0 {
                slot.next = next;
                return;
            }
            at = slot.next;
        }
    }

    fn bucket(&self, hash: u64) -> usize {
        // The number of buckets is a power of two.
        usize::try_from(hash & (self.buckets.len() as u64 - 1)).unwrap_or(0)
    }

    /// Ids run through all 53-bit numbers in an order that the seed gives: unique in this engine, and
    /// in practice on the node.
    fn next_id(&mut self) -> u64 {
        self.born = self.born.wrapping_add(1);
        let step = self.seed[0] | 1;
        self.born.wrapping_mul(step).wrapping_add(self.seed[1]) & ID_MASK
    }
}
