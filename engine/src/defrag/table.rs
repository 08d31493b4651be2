//! The table of unfinished datagrams.

use std::collections::HashMap;
use std::ops::Range;

use crate::decode::DecodeEvent;
use crate::frame::{FrameMeta, Mode, Timestamp};
use crate::packet::{Fragment, Network, Packet};
use crate::verdict::DropReason;

use super::assemble::assemble;
use super::datagram::Datagram;
use super::key::{Key, Seed};
use super::limits::DefragLimits;
use super::parts::{Fit, Parts};
use super::slots::{SlotId, Slots};
use super::sound;

/// Parts of finished datagrams that are kept for the next, and how much memory each keeps.
const SPARE: usize = 32;
const SPARE_BYTES: usize = 16 << 10;

/// What became of a packet that was offered.
#[must_use]
#[derive(Debug)]
pub enum Accepted {
    /// It is no fragment.
    Whole,
    /// It is kept and must not be delivered now.
    Held,
    /// A copy is kept; deliver it (detect mode).
    Watched,
    /// It completed its datagram.
    Complete(Datagram),
    /// It must not be delivered (in detect mode: prevent would not have).
    Refused {
        /// Why.
        reason: DropReason,
        /// What is wrong with it, or was with an earlier fragment of its datagram.
        event: Option<DecodeEvent>,
    },
}

/// A held fragment that will not be delivered.
#[derive(Clone, Copy, Debug)]
pub struct Discarded<'a> {
    /// The frame.
    pub frame: &'a [u8],
    /// What came with it.
    pub meta: &'a FrameMeta,
    /// Why.
    pub reason: DropReason,
    /// What is wrong with its datagram, where the reason is [`DropReason::Fragment`].
    pub event: Option<DecodeEvent>,
}

/// Takes the held fragments that are given up.
pub type Sink<'s> = dyn FnMut(Discarded<'_>) + 's;

/// What the stage counts. All but the gauge only grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct DefragCounters {
    /// Fragments offered.
    pub fragments: u64,
    /// Datagrams completed.
    pub reassembled: u64,
    /// Datagrams refused for what was wrong with them.
    pub refused: u64,
    /// Datagrams given up unfinished after [`DefragLimits::timeout`].
    pub timed_out: u64,
    /// Datagrams that gave way because the table or its memory was full.
    pub evicted: u64,
    /// Fragments refused because their datagram has too many, or is too large for the memory.
    pub no_room: u64,
    /// Datagrams unfinished now (gauge).
    pub active: u64,
}

/// One worker's table of unfinished datagrams.
#[derive(Debug)]
pub struct Defrag {
    limits: DefragLimits,
    by_key: HashMap<Key, SlotId, Seed>,
    slots: Slots,
    /// Bytes of all frames kept.
    bytes: usize,
    spare: Vec<Parts>,
    scratch: Vec<u8>,
    counters: DefragCounters,
}

impl Defrag {
    /// An empty table. `seed` keys its hash: give each worker a random one.
    #[must_use]
    pub fn new(limits: DefragLimits, seed: [u64; 2]) -> Self {
        Self {
            by_key: HashMap::with_capacity_and_hasher(limits.datagrams, Seed(seed)),
            slots: Slots::new(limits.datagrams),
            bytes: 0,
            spare: Vec::with_capacity(SPARE),
            scratch: Vec::new(),
            counters: DefragCounters::default(),
            limits,
        }
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> DefragCounters {
        DefragCounters {
            active: u64::try_from(self.by_key.len()).unwrap_or(u64::MAX),
            ..self.counters
        }
    }

    /// Offers a packet. One that is no fragment costs a comparison. What is wrong with a fragment is
    /// added to the packet's events. `discarded` gets the held fragments that this one makes the table
    /// give up.
    pub fn accept(
        &mut self,
        packet: &mut Packet<'_>,
        meta: &FrameMeta,
        discarded: &mut Sink<'_>,
    ) -> Accepted {
        match packet.fragment {
            None => Accepted::Whole,
            Some(fragment) => self.fragment(packet, fragment, meta, discarded),
        }
    }

    /// Gives up datagrams that were not completed in time.
    pub fn advance(&mut self, now: Timestamp, discarded: &mut Sink<'_>) {
        while let Some((id, since)) = self.slots.oldest() {
            if now.since(since) < self.limits.timeout {
                break;
            }
            self.counters.timed_out += 1;
            self.remove(id, DropReason::FragmentTimeout, discarded);
        }
    }

    /// Gives up everything.
    pub fn clear(&mut self, discarded: &mut Sink<'_>) {
        while let Some((id, _)) = self.slots.oldest() {
            self.remove(id, DropReason::FragmentTimeout, discarded);
        }
    }

    /// Gives up the datagram that a fragment belongs to, with that fragment: a signature drops it.
    pub fn abandon(&mut self, packet: &Packet<'_>, meta: &FrameMeta, discarded: &mut Sink<'_>) {
        let Some(fragment) = packet.fragment else {
            return;
        };
        let key = Key::new(packet, fragment, meta);
        if let Some(id) = self.by_key.get(&key).copied() {
            self.remove(id, DropReason::Rule, discarded);
        }
    }

    /// Takes back a datagram that is settled, for its memory.
    pub fn recycle(&mut self, datagram: Datagram) {
        self.scratch = datagram.bytes;
        self.keep_spare(datagram.parts);
    }

    fn fragment(
        &mut self,
        packet: &mut Packet<'_>,
        fragment: Fragment,
        meta: &FrameMeta,
        discarded: &mut Sink<'_>,
    ) -> Accepted {
        self.counters.fragments += 1;
        self.advance(meta.at, discarded);
        let key = Key::new(packet, fragment, meta);
        let checks = sound::Checks {
            mode: meta.mode,
            refuse_tiny_first: self.limits.refuse_tiny_first,
        };
        let range = match sound::check(packet, fragment, checks) {
            Ok(range) => range,
            Err(sound::Unsound { event, whole }) => {
                packet.events.insert(event);
                if whole {
                    self.poison(key, event, meta, discarded);
                }
                return refused(event);
            }
        };
        let id = match self.by_key.get(&key) {
            Some(id) => *id,
            None => self.insert(key, meta.at, discarded),
        };
        if let Err(event) = self.place(id, packet, &range, meta) {
            if meta.mode == Mode::Prevent {
                self.poison(key, event, meta, discarded);
            }
            return refused(event);
        }
        if !self.make_room(id, packet.frame.len(), discarded) {
            self.counters.no_room += 1;
            return Accepted::Refused {
                reason: DropReason::FragmentMemcap,
                event: None,
            };
        }
        if let Some(slot) = self.slots.get_mut(id) {
            slot.parts.push(packet, fragment, &range, meta);
            self.bytes += packet.frame.len();
        }
        self.complete(id, packet, meta, discarded)
    }

    /// Judges a fragment beside the others of its datagram.
    fn place(
        &mut self,
        id: SlotId,
        packet: &mut Packet<'_>,
        range: &Range<usize>,
        meta: &FrameMeta,
    ) -> Result<(), DecodeEvent> {
        let Some(slot) = self.slots.get_mut(id) else {
            return Ok(());
        };
        if let Some(event) = slot.refused {
            return Err(event);
        }
        let data = packet.payload().get(..range.len()).unwrap_or_default();
        let more = packet.fragment.is_some_and(|fragment| fragment.more);
        let fit = slot.parts.fit(range, more, data);
        let Some(event) = misfit(fit, packet.network) else {
            return Ok(());
        };
        let watched = meta.mode == Mode::Detect && !matches!(fit, Fit::Contradiction { .. });
        let told = watched && std::mem::replace(&mut slot.parts.conflict, true);
        if !told {
            packet.events.insert(event);
        }
        if watched { Ok(()) } else { Err(event) }
    }

    /// The answer for a fragment that was kept.
    fn complete(
        &mut self,
        id: SlotId,
        packet: &mut Packet<'_>,
        meta: &FrameMeta,
        discarded: &mut Sink<'_>,
    ) -> Accepted {
        let Some((total, key)) = self
            .slots
            .get(id)
            .and_then(|slot| Some((slot.parts.complete()?, slot.key)))
        else {
            return match meta.mode {
                Mode::Prevent => Accepted::Held,
                Mode::Detect => Accepted::Watched,
            };
        };
        let mut bytes = std::mem::take(&mut self.scratch);
        let whole = self
            .slots
            .get(id)
            .is_some_and(|slot| assemble(&slot.parts, total, self.limits.overlap, &mut bytes));
        if !whole {
            // Only the headers of the first fragment can make it too large now.
            self.scratch = bytes;
            let event = too_large(packet.network);
            packet.events.insert(event);
            self.poison(key, event, meta, discarded);
            return refused(event);
        }
        self.counters.reassembled += 1;
        let parts = self.take(id);
        Accepted::Complete(Datagram::new(parts, bytes, meta, packet.tunnel_depth))
    }

    /// Room for `more` bytes in a datagram, others giving way. `false` when it cannot be made.
    fn make_room(&mut self, id: SlotId, more: usize, discarded: &mut Sink<'_>) -> bool {
        let Some((count, own)) = self
            .slots
            .get(id)
            .map(|slot| (slot.parts.len(), slot.parts.bytes()))
        else {
            return false;
        };
        if count >= self.limits.fragments || own + more > self.limits.bytes {
            return false;
        }
        while self.bytes + more > self.limits.bytes {
            let Some(oldest) = self.slots.oldest_but(id) else {
                return false;
            };
            self.counters.evicted += 1;
            self.remove(oldest, DropReason::FragmentMemcap, discarded);
        }
        true
    }

    fn insert(&mut self, key: Key, at: Timestamp, discarded: &mut Sink<'_>) -> SlotId {
        if self.slots.is_full()
            && let Some((oldest, _)) = self.slots.oldest()
        {
            self.counters.evicted += 1;
            self.remove(oldest, DropReason::FragmentMemcap, discarded);
        }
        let parts = self.spare.pop().unwrap_or_default();
        let id = self.slots.push(key, at, parts);
        self.by_key.insert(key, id);
        id
    }

    /// Refuses a datagram: drops what is held of it, and remembers to drop what comes.
    fn poison(&mut self, key: Key, event: DecodeEvent, meta: &FrameMeta, discarded: &mut Sink<'_>) {
        let id = match self.by_key.get(&key) {
            Some(id) => *id,
            None => self.insert(key, meta.at, discarded),
        };
        let Some(slot) = self.slots.get_mut(id) else {
            return;
        };
        if slot.refused.replace(event).is_none() {
            self.counters.refused += 1;
        }
        let parts = std::mem::take(&mut slot.parts);
        self.discard(parts, DropReason::Fragment, Some(event), discarded);
    }

    /// Ends a datagram, dropping what is held of it.
    fn remove(&mut self, id: SlotId, reason: DropReason, discarded: &mut Sink<'_>) {
        let Some(slot) = self.slots.remove(id) else {
            return;
        };
        self.by_key.remove(&slot.key);
        self.discard(slot.parts, reason, None, discarded);
    }

    /// Ends a datagram and hands out its parts.
    fn take(&mut self, id: SlotId) -> Parts {
        let Some(slot) = self.slots.remove(id) else {
            return Parts::default();
        };
        self.by_key.remove(&slot.key);
        self.bytes -= slot.parts.bytes();
        slot.parts
    }

    fn discard(
        &mut self,
        parts: Parts,
        reason: DropReason,
        event: Option<DecodeEvent>,
        discarded: &mut Sink<'_>,
    ) {
        self.bytes -= parts.bytes();
        for part in parts.iter().filter(|part| part.held) {
            discarded(Discarded {
                frame: parts.frame(part),
                meta: &part.meta,
                reason,
                event,
            });
        }
        self.keep_spare(parts);
    }

    fn keep_spare(&mut self, mut parts: Parts) {
        if self.spare.len() < SPARE {
            parts.clear(SPARE_BYTES);
            self.spare.push(parts);
        }
    }
}

fn refused(event: DecodeEvent) -> Accepted {
    Accepted::Refused {
        reason: DropReason::Fragment,
        event: Some(event),
    }
}

/// What is wrong with a fragment beside the others of its datagram.
fn misfit(fit: Fit, network: Network) -> Option<DecodeEvent> {
    let v6 = network == Network::Ipv6;
    match fit {
        Fit::New | Fit::Same { exact: true } => None,
        // RFC 5722 forbids every overlap; RFC 8200 lets exact copies pass.
        Fit::Same { exact: false } => v6.then_some(DecodeEvent::Ipv6FragOverlap),
        Fit::Conflict | Fit::Contradiction { overlaps: true } => Some(if v6 {
            DecodeEvent::Ipv6FragOverlap
        } else {
            DecodeEvent::Ipv4FragOverlap
        }),
        Fit::Contradiction { overlaps: false } => Some(if v6 {
            DecodeEvent::Ipv6FragInvalidLength
        } else {
            DecodeEvent::Ipv4FragInvalidLength
        }),
    }
}

fn too_large(network: Network) -> DecodeEvent {
    match network {
        Network::Ipv6 => DecodeEvent::Ipv6FragTooLarge,
        _ => DecodeEvent::Ipv4FragTooLarge,
    }
}
