//! What the two directions of a flow have in common: bytes in, step by step.

use super::pending::Pending;
use super::shared::{NoRoom, Shared};

/// How far a step came.
pub(super) enum Step {
    /// So many bytes were taken.
    Taken(usize),
    /// More bytes are needed.
    More,
    /// So many bytes were taken; what follows is another protocol.
    Switched(usize),
}

/// How a run over what came ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ran {
    /// All is taken or waits.
    Through,
    /// There is no room for a transaction, another protocol follows, or the direction yields; so many bytes at
    /// the end of the input were not taken.
    NoRoom(usize),
    /// Nothing can be made of this direction.
    Failed,
}

/// A direction of a flow.
pub(super) trait Side {
    /// Takes a step; `bytes` are not empty. No room for a transaction: nothing was taken.
    fn step(&mut self, bytes: &[u8], eof: bool, shared: &mut Shared) -> Result<Step, NoRoom>;

    /// Bytes that wait for more.
    fn pending(&mut self) -> &mut Pending;

    /// Nothing can be made of what comes.
    fn has_failed(&self) -> bool;

    /// The other direction has to learn of what was read before anything else is.
    fn yields(&self) -> bool {
        false
    }

    /// Nothing more belongs to the message at hand.
    fn end(&mut self, shared: &mut Shared);
}

/// Takes what came. Bytes that are another protocol's, or for which there is no room, are not taken.
pub(super) fn take(side: &mut impl Side, bytes: &[u8], eof: bool, shared: &mut Shared) -> Ran {
    let mut pending = std::mem::take(side.pending());
    let (unread, full) = pending.run(bytes, |bytes| run(side, bytes, eof, shared));
    *side.pending() = pending;
    if side.has_failed() {
        return Ran::Failed;
    }
    if full {
        return Ran::NoRoom(unread);
    }
    if eof {
        side.end(shared);
    }
    Ran::Through
}

/// Returns how many bytes were taken, whether the rest waits, and whether something stands in the way.
fn run(side: &mut impl Side, bytes: &[u8], eof: bool, shared: &mut Shared) -> (usize, bool, bool) {
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        match side.step(rest, eof, shared) {
            Ok(Step::Taken(taken)) => at += taken,
            Ok(Step::More) => break,
            Ok(Step::Switched(taken)) => {
                at += taken;
                return (at, false, at < bytes.len());
            }
            Err(NoRoom) => return (at, false, true),
        }
        if side.has_failed() {
            return (bytes.len(), true, false);
        }
        if side.yields() && at < bytes.len() {
            return (at, false, true);
        }
    }
    (at, true, false)
}
