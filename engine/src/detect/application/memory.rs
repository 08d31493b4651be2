//! What was inspected of a flow's transactions.

use std::collections::VecDeque;

use crate::app_layer::{Progress, ProtocolId};
use crate::detect::{MAX_STORING, SignatureId};
use crate::event::FlowDirection;

/// Signatures that one transaction may have waiting in a direction. One more, and its buffers are searched
/// again the next time.
const WAITING: usize = 32;

/// Signatures that one transaction remembers to have fired.
const FIRED: usize = 64;

/// A signature that has fired, and in which direction; `None`: it speaks of both at once.
pub(in crate::detect) type Fired = (SignatureId, Option<FlowDirection>);

/// The memories of a flow's transactions, by their numbers. As many as there are transactions, whose
/// number the application layer bounds.
#[derive(Debug, Default)]
pub(in crate::detect) struct Memories {
    live: VecDeque<Memory>,
    spare: Vec<Memory>,
    /// Whose transactions they are.
    protocol: Option<ProtocolId>,
}

/// What was inspected of one transaction.
#[derive(Debug, Default)]
pub(in crate::detect) struct Memory {
    transaction: u64,
    /// How far each direction had come when it was inspected last; `None`: never.
    pub(super) seen: [Option<Progress>; 2],
    /// Anomalies it had then.
    pub(super) events: [usize; 2],
    waiting: [Vec<SignatureId>; 2],
    /// Signatures that have fired, and how far each direction had come.
    fired: Vec<(Fired, [Progress; 2])>,
    /// Signatures on files that have fired, and the files of each direction that they are through with: bits by index.
    fired_files: Vec<(SignatureId, [u64; 2])>,
    /// Files that each direction had when it was inspected last.
    pub(super) files: [u8; 2],
    /// Files to be stored: bits by index, of each direction.
    stored: [u64; 2],
    /// Sids of the signatures that asked for it, and for which.
    storing: Vec<(u32, [u64; 2])>,
    /// A signature asked that it be left out of the records.
    silent: bool,
}

impl Memories {
    /// Forgets all.
    pub(in crate::detect) fn clear(&mut self) {
        self.spare.extend(self.live.drain(..));
        self.protocol = None;
    }

    /// Forgets the transactions but those at hand, whose numbers come in order. What was seen of them as
    /// transactions of another protocol is to be seen again.
    pub(in crate::detect) fn keep(
        &mut self,
        protocol: ProtocolId,
        at_hand: impl Iterator<Item = u64>,
    ) {
        let before = self.protocol.replace(protocol);
        if before.is_some_and(|before| !protocol.is(before)) {
            // The numbers stand for other transactions.
            self.spare.extend(self.live.drain(..));
        }
        let mut at = 0;
        for transaction in at_hand {
            while self
                .live
                .get(at)
                .is_some_and(|memory| memory.transaction < transaction)
            {
                self.spare.extend(self.live.remove(at));
            }
            let known = self
                .live
                .get(at)
                .is_some_and(|memory| memory.transaction == transaction);
            at += usize::from(known);
        }
        self.spare.extend(self.live.drain(at..));
        if before != Some(protocol) {
            for memory in &mut self.live {
                memory.seen = [None; 2];
            }
        }
    }

    fn get(&self, transaction: u64) -> Option<&Memory> {
        let at = self
            .live
            .binary_search_by_key(&transaction, |memory| memory.transaction);
        self.live.get(at.ok()?)
    }

    /// Whether a transaction is left out of the records.
    pub(in crate::detect) fn is_silent(&self, transaction: u64) -> bool {
        self.get(transaction).is_some_and(|memory| memory.silent)
    }

    /// Whether a file of a transaction is to be stored.
    pub(in crate::detect) fn stores(&self, transaction: u64, side: usize, file: usize) -> bool {
        let memory = self.get(transaction);
        memory.is_some_and(|memory| is_among(memory.stored, side, file))
    }

    /// Sids of the signatures that asked for it.
    pub(in crate::detect) fn storing(
        &self,
        transaction: u64,
        side: usize,
        file: usize,
    ) -> impl Iterator<Item = u32> + '_ {
        let all = self.get(transaction).into_iter();
        all.flat_map(|memory| memory.storing.iter())
            .filter(move |(_, files)| is_among(*files, side, file))
            .map(|(sid, _)| *sid)
    }

    /// The memory of a transaction; an empty one where there is none. Transactions are asked for in
    /// order.
    pub(in crate::detect) fn of(&mut self, transaction: u64) -> &mut Memory {
        let at = self
            .live
            .partition_point(|memory| memory.transaction < transaction);
        let known = self
            .live
            .get(at)
            .is_some_and(|memory| memory.transaction == transaction);
        if !known {
            let mut memory = self.spare.pop().unwrap_or_default();
            memory.begin(transaction);
            self.live.insert(at, memory);
        }
        &mut self.live[at]
    }
}

/// Whether a file is among those of a direction.
fn is_among(files: [u64; 2], side: usize, file: usize) -> bool {
    let bits = files.get(side).copied().unwrap_or(0);
    file < 64 && bits >> file & 1 != 0
}

impl Memory {
    fn begin(&mut self, transaction: u64) {
        self.transaction = transaction;
        self.seen = [None; 2];
        self.events = [0; 2];
        self.waiting.iter_mut().for_each(Vec::clear);
        self.fired.clear();
        self.fired_files.clear();
        self.files = [0; 2];
        self.stored = [0; 2];
        self.storing.clear();
        self.silent = false;
    }

    /// Leaves it out of the records.
    pub(in crate::detect) fn silence(&mut self) {
        self.silent = true;
    }

    /// Signatures that wait for more of a direction; they wait no longer unless they are told to.
    pub(super) fn take_waiting(&mut self, side: usize, mut each: impl FnMut(SignatureId)) {
        for signature in self.waiting[side].drain(..) {
            each(signature);
        }
    }

    /// Lets a signature wait for more of a direction.
    pub(in crate::detect) fn wait(&mut self, side: usize, signature: SignatureId) {
        let waiting = &mut self.waiting[side];
        if waiting.contains(&signature) {
            return;
        }
        if waiting.len() < WAITING {
            waiting.push(signature);
        } else {
            // Whatever does not fit is found again by searching all buffers again.
            self.seen[side] = None;
        }
    }

    /// Lets files be stored, as a signature asks: bits by index, of each direction.
    pub(in crate::detect) fn store(&mut self, sid: u32, files: [u64; 2]) {
        let add = |to: &mut [u64; 2]| {
            for (stored, files) in to.iter_mut().zip(files) {
                *stored |= files;
            }
        };
        add(&mut self.stored);
        if let Some((_, known)) = self.storing.iter_mut().find(|(known, _)| *known == sid) {
            add(known);
        } else if files != [0; 2] && self.storing.len() < MAX_STORING {
            self.storing.push((sid, files));
        }
    }

    /// How far each direction had come when a signature fired last on this transaction; `None`: it has not.
    pub(in crate::detect) fn fired_at(&self, signature: Fired) -> Option<[Progress; 2]> {
        let known = self.fired.iter().find(|(id, _)| *id == signature);
        known.map(|(_, progress)| *progress)
    }

    /// Files of each direction that a signature which has fired is through with, bits by index; `None`: it has not.
    pub(in crate::detect) fn fired_for(&self, signature: SignatureId) -> Option<[u64; 2]> {
        let known = self.fired_files.iter().find(|(id, _)| *id == signature);
        known.map(|(_, files)| *files)
    }

    /// Remembers which files of each direction it is through with. More than a transaction remembers fire once.
    pub(in crate::detect) fn fire_for(&mut self, signature: SignatureId, files: [u64; 2]) {
        let mut known = self.fired_files.iter_mut();
        if let Some((_, known)) = known.find(|(id, _)| *id == signature) {
            for (known, files) in known.iter_mut().zip(files) {
                *known |= files;
            }
        } else if self.fired_files.len() < FIRED {
            self.fired_files.push((signature, files));
        }
    }

    /// Remembers that it has, and how far each direction has come. More than a transaction remembers may fire
    /// again.
    pub(in crate::detect) fn fire(&mut self, signature: Fired, progress: [Progress; 2]) {
        let mut known = self.fired.iter_mut();
        if let Some((_, last)) = known.find(|(id, _)| *id == signature) {
            *last = progress;
        } else if self.fired.len() < FIRED {
            self.fired.push((signature, progress));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_transaction_has_its_own_memory_until_it_is_retired() {
        let mut memories = Memories::default();
        memories.of(0).fire((SignatureId(7), None), [1, 0]);
        memories.of(2).fire((SignatureId(8), None), [0, 0]);
        assert_eq!(
            memories.of(0).fired_at((SignatureId(7), None)),
            Some([1, 0])
        );
        assert_eq!(memories.of(1).fired_at((SignatureId(7), None)), None);
        let protocol = ProtocolId::all().next().unwrap();
        memories.keep(protocol, [2, 3].into_iter());
        assert_eq!(memories.of(0).fired_at((SignatureId(7), None)), None);
        assert_eq!(
            memories.of(2).fired_at((SignatureId(8), None)),
            Some([0, 0])
        );
    }

    #[test]
    fn signatures_that_do_not_fit_make_the_buffers_be_searched_again() {
        let mut memory = Memory::default();
        memory.seen[0] = Some(3);
        for id in 0..32 {
            memory.wait(0, SignatureId(id));
            memory.wait(0, SignatureId(id));
        }
        assert_eq!(memory.seen[0], Some(3));
        memory.wait(0, SignatureId(99));
        assert_eq!(memory.seen[0], None);
        let mut waiting = Vec::new();
        memory.take_waiting(0, |id| waiting.push(id));
        assert_eq!(waiting.len(), 32);
    }
}
