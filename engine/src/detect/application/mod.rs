//! Signatures against transactions of the application layer.
//!
//! A transaction is looked at whenever the direction of the packet at hand has moved on in it: buffers that
//! have become readable are searched for fast patterns, and signatures that were found by them, or wait
//! for what comes later in the same direction, are tested. A signature fires once for each direction of a
//! transaction, one on files for each further file.
//!
//! - [`Application`]: what a signature asks of a transaction, compiled ([`compile`]);
//! - [`Groups`]: fast patterns by buffer;
//! - [`Memory`]: what was inspected of a transaction, kept in the flow;
//! - [`test`]: one signature against one transaction.

mod compile;
mod dates;
mod file;
mod group;
mod legacy;
mod memory;
mod number;
mod state;
mod test;

use super::program::Chains;
use super::transform::Transform;
use crate::app_layer::{AppEvent, BufferId, ProtocolId};

pub(super) use compile::{ApplicationDraft, protocols_named, transports};
use file::FileCondition;
pub(super) use file::{DigestLists, KEYWORDS as FILE_KEYWORDS};
pub(super) use group::Groups;
pub(super) use legacy::{legacy_content, legacy_keywords};
pub(super) use memory::Memories;
use number::NumberCondition;
pub(super) use number::{OLDER_NAMES, SETTINGS, VARIANTS};
use state::StateCondition;
pub(super) use test::{Answer, test};

/// What a signature asks of a transaction.
#[derive(Debug)]
pub(super) struct Application {
    /// The protocols whose transactions it may match.
    pub(super) protocols: Box<[ProtocolId]>,
    /// It speaks of both directions of a transaction at once.
    pub(super) transactional: bool,
    /// The directions in which it is looked at.
    pub(super) directions: [bool; 2],
    pub(super) buffers: Box<[BufferCondition]>,
    numbers: Box<[NumberCondition]>,
    pub(super) events: Box<[(ProtocolId, AppEvent)]>,
    files: FileCondition,
    /// How far it must have come; each entry is for one of `protocols`.
    states: Box<[StateCondition]>,
    /// Which of `buffers` has the fast pattern.
    pub(super) fast: Option<usize>,
    /// What it matches is left out of the records.
    pub(super) silences: bool,
}

impl Application {
    /// Asks about nothing but the state of a transaction (`app-layer-state`): then each state that it comes to
    /// is asked about anew.
    pub(super) fn asks_states_only(&self) -> bool {
        self.states.iter().any(|state| state.asked)
            && self.buffers.is_empty()
            && self.numbers.is_empty()
            && self.events.is_empty()
            && self.files.is_empty()
    }
}

/// Tests on one buffer.
#[derive(Debug)]
pub(super) struct BufferCondition {
    /// The buffers that go by the keyword, of several protocols or directions.
    pub(super) ids: Box<[BufferId]>,
    pub(super) transforms: Box<[Transform]>,
    pub(super) tests: Chains,
    /// So many bytes from the buffer's beginning decide what its tests say of what is not in it; `None`: only
    /// all of them do.
    pub(super) decided_by: Option<usize>,
    /// Some test changes a set.
    pub(super) changes: bool,
    /// Some test uses what is read from another buffer.
    pub(super) imports: bool,
}
