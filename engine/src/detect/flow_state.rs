//! What detection remembers of one flow.

use std::sync::Arc;

use super::application::Memories;
use super::state::{Captured, Name, Tagged, ThresholdState};
use super::{Excerpt, RuleSet, Signature, SignatureId};
use crate::app_layer::ProtocolId;
use crate::event::FlowDirection;
use crate::frame::Timestamp;

/// Stream signatures whose fast pattern was met and whose rest may still come, for each direction. One
/// more, and the whole window is searched again.
const PENDING: usize = 8;

/// Signatures of which it is remembered that they asked to store files, for a transaction and for a flow.
pub const MAX_STORING: usize = 16;

/// Detection's memory of one flow: flowbits, what was inspected and reported, pass and drop decisions.
/// Bounded by [`Limits`](super::Limits); [`FlowState::clear`] keeps its memory for the next flow.
#[derive(Debug, Default)]
pub struct FlowState {
    pub(super) dropped_by: Option<Arc<Signature>>,
    pub(super) passed: bool,
    /// A signature asks for what its transactions' records leave out otherwise.
    pub(super) keeps: bool,
    /// Files of each direction are to be stored, to the server and to the client.
    pub(super) stores: [bool; 2],
    /// Sids of the signatures that asked for it, and of which directions.
    storing: Vec<(u32, [bool; 2])>,
    /// Signatures on addresses alone were looked at, to the server and to the client.
    pub(super) addresses_seen: [bool; 2],
    /// Number of the rule set that `pending` and `addresses_seen` speak of.
    pub(super) generation: u64,
    pub(super) pending: [Pending; 2],
    /// Signatures on the protocol alone that ask about no more than these directions were looked at.
    pub(super) protocol_seen: [bool; 2],
    /// The protocol that they were last told of.
    pub(super) protocol_known: Option<ProtocolId>,
    /// The connection was established before the packet at hand.
    pub(super) was_established: bool,
    /// What signatures that matched captured.
    pub(super) captured: Captured,
    /// What is left of its tags.
    pub(super) tagged: Tagged,
    /// What was inspected of its transactions.
    pub(super) transactions: Memories,
    bits: Vec<Name>,
    integers: Vec<(Name, u32)>,
    thresholds: Vec<(u64, ThresholdState)>,
}

/// The flow holds no more of these: the variable was not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

impl FlowState {
    /// The signature that ended this flow: every later packet is to be dropped, uninspected.
    #[must_use]
    pub fn dropped_by(&self) -> Option<&Arc<Signature>> {
        self.dropped_by.as_ref()
    }

    /// True once a pass signature took the flow out of inspection.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.passed
    }

    /// Takes the flow out of inspection.
    pub fn pass(&mut self) {
        self.passed = true;
    }

    /// True once a signature asked that records of the flow's transactions hold all there is
    /// (`tls.store`).
    #[must_use]
    pub fn keeps(&self) -> bool {
        self.keeps
    }

    /// Whether a signature asked that a transaction be left out of the records (`config: logging disable`).
    #[must_use]
    pub fn is_silent(&self, transaction: u64) -> bool {
        self.transactions.is_silent(transaction)
    }

    /// Whether a signature asked to store a file (`filestore`): of which transaction, in which direction, its
    /// index.
    #[must_use]
    pub fn stores(&self, transaction: u64, direction: FlowDirection, file: usize) -> bool {
        let side = direction.index();
        self.stores[side] || self.transactions.stores(transaction, side, file)
    }

    /// Sids of the signatures that asked so; at most [`MAX_STORING`] of the transaction and of the flow.
    pub fn storing(
        &self,
        transaction: u64,
        direction: FlowDirection,
        file: usize,
    ) -> impl Iterator<Item = u32> + '_ {
        let side = direction.index();
        let of_flow = self.storing.iter().filter(move |(_, sides)| sides[side]);
        let of_transaction = self.transactions.storing(transaction, side, file);
        of_flow.map(|(sid, _)| *sid).chain(of_transaction)
    }

    /// Lets all files of some directions be stored, as a signature asks.
    pub(super) fn store(&mut self, sid: u32, sides: [bool; 2]) {
        for (stores, wanted) in self.stores.iter_mut().zip(sides) {
            *stores |= wanted;
        }
        let known = self.storing.iter().any(|(known, _)| *known == sid);
        if sides != [false; 2] && !known && self.storing.len() < MAX_STORING {
            self.storing.push((sid, sides));
        }
    }

    /// Variables that expressions captured of the flow: names and values.
    #[must_use]
    pub fn captured(&self) -> &[(Excerpt, Excerpt)] {
        self.captured.all()
    }

    /// Forgets the flow, keeping memory for the next one.
    pub fn clear(&mut self) {
        self.dropped_by = None;
        self.passed = false;
        self.keeps = false;
        self.stores = [false; 2];
        self.storing.clear();
        self.addresses_seen = [false; 2];
        self.generation = 0;
        self.pending.iter_mut().for_each(Pending::clear);
        self.transactions.clear();
        self.protocol_seen = [false; 2];
        self.protocol_known = None;
        self.was_established = false;
        self.tagged = Tagged::default();
        self.captured.clear();
        self.bits.clear();
        self.integers.clear();
        self.thresholds.clear();
    }

    /// Whether the rule set of that number was the last to look at the flow.
    pub(crate) fn is_of(&self, generation: u64) -> bool {
        self.generation != 0 && self.generation == generation
    }

    /// Whether these rules were the last to look at the flow.
    pub(crate) fn is_known_to(&self, rules: &RuleSet) -> bool {
        self.generation == rules.generation
    }

    /// Forgets what was remembered by signature ids of another rule set.
    pub(super) fn enter(&mut self, generation: u64) {
        if self.generation != generation {
            // A flow that is new to every rule set has nothing pending; an older one is searched anew.
            let known = self.generation != 0;
            self.generation = generation;
            self.addresses_seen = [false; 2];
            self.transactions.clear();
            for pending in &mut self.pending {
                pending.clear();
                pending.overflowed = known;
            }
        }
    }

    pub(super) fn bit(&self, name: Name) -> bool {
        self.bits.contains(&name)
    }

    pub(super) fn set_bit(&mut self, name: Name, limit: usize) -> Result<(), Full> {
        if self.bit(name) {
            return Ok(());
        }
        if self.bits.len() >= limit {
            return Err(Full);
        }
        self.bits.push(name);
        Ok(())
    }

    pub(super) fn clear_bit(&mut self, name: Name) {
        if let Some(at) = self.bits.iter().position(|&bit| bit == name) {
            self.bits.swap_remove(at);
        }
    }

    pub(super) fn integer(&self, name: Name) -> Option<u32> {
        let found = self.integers.iter().find(|(known, _)| *known == name);
        found.map(|&(_, value)| value)
    }

    pub(super) fn set_integer(&mut self, name: Name, value: u32, limit: usize) -> Result<(), Full> {
        if let Some((_, known)) = self.integers.iter_mut().find(|(known, _)| *known == name) {
            *known = value;
            return Ok(());
        }
        if self.integers.len() >= limit {
            return Err(Full);
        }
        self.integers.push((name, value));
        Ok(())
    }

    /// The threshold of a signature that counts by flow.
    pub(super) fn threshold(
        &mut self,
        identity: u64,
        now: Timestamp,
        limit: usize,
    ) -> Result<&mut ThresholdState, Full> {
        let known = self.thresholds.iter().position(|(id, _)| *id == identity);
        let at = match known {
            Some(at) => at,
            None if self.thresholds.len() >= limit => return Err(Full),
            None => {
                self.thresholds.push((identity, ThresholdState::new(now)));
                self.thresholds.len() - 1
            }
        };
        self.thresholds
            .get_mut(at)
            .map(|(_, state)| state)
            .ok_or(Full)
    }
}

/// Stream signatures that wait for more of the stream.
#[derive(Debug, Default)]
pub(super) struct Pending {
    entries: [Option<(SignatureId, u64)>; PENDING],
    /// Some did not fit: the whole window is to be searched.
    pub(super) overflowed: bool,
}

impl Pending {
    pub(super) fn clear(&mut self) {
        self.entries = [None; PENDING];
        self.overflowed = false;
    }

    /// Remembers a signature whose fast pattern ended at that offset of the stream.
    pub(super) fn add(&mut self, signature: SignatureId, end: u64) {
        let same =
            |entry: &Option<(SignatureId, u64)>| entry.is_some_and(|(known, _)| known == signature);
        let at = self.entries.iter().position(same);
        let at = at.or_else(|| self.entries.iter().position(Option::is_none));
        match at.and_then(|at| self.entries.get_mut(at)) {
            Some(entry) => *entry = Some((signature, end)),
            None => self.overflowed = true,
        }
    }

    /// Forgets a signature: it fired.
    pub(super) fn remove(&mut self, signature: SignatureId) {
        for entry in &mut self.entries {
            if entry.is_some_and(|(known, _)| known == signature) {
                *entry = None;
            }
        }
    }

    /// Those whose fast pattern still lies in the window that starts at `window_offset`; the others are
    /// forgotten.
    pub(super) fn live(&mut self, window_offset: u64) -> impl Iterator<Item = SignatureId> + '_ {
        self.entries.iter_mut().filter_map(move |entry| {
            if entry.is_some_and(|(_, end)| end <= window_offset) {
                *entry = None;
            }
            entry.map(|(signature, _)| signature)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_and_integers_are_bounded_and_forgotten_with_the_flow() {
        let mut flow = FlowState::default();
        let (a, b) = (Name::new("a"), Name::new("b"));
        assert_eq!(flow.set_bit(a, 1), Ok(()));
        assert_eq!(flow.set_bit(a, 1), Ok(()));
        assert_eq!(flow.set_bit(b, 1), Err(Full));
        flow.clear_bit(a);
        assert_eq!(flow.set_bit(b, 1), Ok(()));
        assert_eq!(flow.set_integer(a, 1, 1), Ok(()));
        assert_eq!(flow.set_integer(a, 2, 1), Ok(()));
        assert_eq!(flow.set_integer(b, 2, 1), Err(Full));
        assert_eq!(flow.integer(a), Some(2));
        flow.clear();
        assert!(!flow.bit(b));
        assert_eq!(flow.integer(a), None);
    }

    #[test]
    fn pending_signatures_leave_with_the_window_and_overflow_is_remembered() {
        let mut pending = Pending::default();
        for id in 0..8 {
            pending.add(SignatureId(id), u64::from(id) + 1);
        }
        assert!(!pending.overflowed);
        assert_eq!(pending.live(5).count(), 3);
        pending.add(SignatureId(7), 20);
        pending.remove(SignatureId(6));
        assert_eq!(
            pending.live(5).collect::<Vec<_>>(),
            [SignatureId(5), SignatureId(7)]
        );
        for id in 10..20 {
            pending.add(SignatureId(id), 30);
        }
        assert!(pending.overflowed);
    }
}
