//! Fast patterns by buffer and what is done to it, for each protocol.

use std::collections::HashMap;

use weir_prefilter::{BuildError, Pattern, Prefilter};

use super::Application;
use super::file::count_files;
use super::memory::Memory;
use crate::app_layer::{BufferBytes, BufferId, BufferShape, ProtocolId, Transaction};
use crate::detect::SignatureId;
use crate::detect::evaluate::Work;
use crate::detect::program::Program;
use crate::detect::transform::Transform;
use crate::event::FlowDirection;

/// The signatures on transactions of a rule set.
#[derive(Debug, Default)]
pub(in crate::detect) struct Groups {
    /// By protocol and direction.
    tables: HashMap<(ProtocolId, usize), Table>,
}

/// Signatures of one protocol and direction.
#[derive(Debug, Default)]
struct Table {
    buffers: Vec<Searched>,
    /// Signatures without a fast pattern.
    always: Vec<u32>,
    /// Some signature speaks of files: further ones matter.
    files: bool,
}

/// A buffer, what is done to it, and the fast patterns that are searched in the result.
#[derive(Debug)]
struct Searched {
    buffer: BufferId,
    transforms: Box<[Transform]>,
    prefilter: Prefilter,
}

impl Groups {
    /// Puts every program on transactions into the tables whose transactions it may match.
    #[expect(
        clippy::mutable_key_type,
        reason = "what an expression keeps for speed is no part of its identity"
    )]
    pub(in crate::detect) fn build(programs: &[Program]) -> Result<Self, BuildError> {
        type Members = HashMap<(BufferId, Box<[Transform]>), Vec<u32>>;
        let mut groups = Self::default();
        let mut members: HashMap<(ProtocolId, usize), Members> = HashMap::new();
        for (index, program) in (0_u32..).zip(programs) {
            let Some(application) = &program.application else {
                continue;
            };
            for (protocol, half) in application.places() {
                let table = groups.tables.entry((protocol, half)).or_default();
                table.files |= application.speaks_of_files();
                let Some(condition) = application.fast.map(|at| &application.buffers[at]) else {
                    groups
                        .tables
                        .entry((protocol, half))
                        .or_default()
                        .always
                        .push(index);
                    continue;
                };
                // A transactional signature is found by its fast pattern in whichever direction has it.
                let ids = condition.ids.iter().filter(|id| protocol.is(id.protocol()));
                for id in ids.filter(|id| id.spec().direction.index() == half) {
                    let key = (*id, condition.transforms.clone());
                    let table = members.entry((protocol, half)).or_default();
                    table.entry(key).or_default().push(index);
                }
            }
        }
        for (place, members) in members {
            let table = groups.tables.entry(place).or_default();
            for ((buffer, transforms), members) in members {
                table.buffers.push(Searched {
                    prefilter: prefilter(&members, programs)?,
                    buffer,
                    transforms,
                });
            }
            table.buffers.sort_by_key(|searched| searched.buffer);
        }
        Ok(groups)
    }

    /// Calls `found` with every signature that is to be tested against the transaction now.
    pub(in crate::detect) fn collect(
        &self,
        (protocol, direction): (ProtocolId, FlowDirection),
        (transaction, memory): (&dyn Transaction, &mut Memory),
        work: &mut Work,
        mut found: impl FnMut(SignatureId),
    ) {
        let half = direction.index();
        let progress = transaction.progress(direction);
        let events = transaction.events().len();
        let (before, events_before) = (memory.seen[half], memory.events[half]);
        (memory.seen[half], memory.events[half]) = (Some(progress), events);
        let moved = before != Some(progress);
        memory.take_waiting(half, &mut found);
        let kinds = std::iter::once(&protocol).chain(protocol.kinds());
        let tables = || {
            kinds
                .clone()
                .filter_map(|kind| self.tables.get(&(*kind, half)))
        };
        let mut further = false;
        if tables().any(|table| table.files) {
            let files = count_files(transaction, direction);
            further = std::mem::replace(&mut memory.files[half], files) != files;
        }
        let always = moved || further || events != events_before;
        for table in tables() {
            if always {
                table
                    .always
                    .iter()
                    .for_each(|index| found(SignatureId(*index)));
            }
            for searched in &table.buffers {
                let spec = searched.buffer.spec();
                let seen = |progress| protocol.progress_as(searched.buffer.protocol(), progress);
                let streaming = spec.shape == BufferShape::Streaming;
                let reached = seen(progress) >= spec.progress;
                let fresh = before.is_none_or(|before| seen(before) < spec.progress);
                if reached && (fresh || streaming) {
                    searched.search(transaction, work, &mut found);
                }
            }
        }
    }
}

impl Application {
    /// The protocols and directions in which it is looked at.
    fn places(&self) -> impl Iterator<Item = (ProtocolId, usize)> + '_ {
        self.protocols.iter().flat_map(|protocol| {
            let halves = (0..2).filter(|half| self.directions[*half]);
            halves.map(|half| (*protocol, half))
        })
    }
}

impl Searched {
    fn search(
        &self,
        transaction: &dyn Transaction,
        work: &mut Work,
        found: &mut impl FnMut(SignatureId),
    ) {
        let longest = self.prefilter.longest();
        for bytes in (0..).map_while(|index| transaction.buffer(self.buffer, index)) {
            if self.transforms.is_empty() {
                let bytes = fresh(&bytes, longest);
                self.prefilter
                    .scan(bytes, |index, _| found(SignatureId(index)));
            } else {
                work.transformed(&self.transforms, bytes.bytes, |bytes, _| {
                    self.prefilter
                        .scan(bytes, |index, _| found(SignatureId(index)));
                });
            }
        }
    }
}

/// The bytes that were not searched yet, and as many in front of them as a pattern may reach back to.
fn fresh<'a>(buffer: &BufferBytes<'a>, longest: usize) -> &'a [u8] {
    let from = buffer.fresh_from.saturating_sub(longest.saturating_sub(1));
    buffer.bytes.get(from..).unwrap_or_default()
}

fn prefilter(members: &[u32], programs: &[Program]) -> Result<Prefilter, BuildError> {
    Prefilter::build(members.iter().filter_map(|&index| {
        let application = programs.get(index as usize)?.application.as_ref()?;
        let condition = application.buffers.get(application.fast?)?;
        let pattern = condition.tests.fast_pattern.as_ref()?;
        Some(Pattern {
            bytes: &pattern.bytes,
            nocase: pattern.nocase,
            id: index,
        })
    }))
}
