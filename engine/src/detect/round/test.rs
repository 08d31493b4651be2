//! One signature against the packet, or against a transaction.

use super::{Round, Target};

use crate::app_layer::{Progress, ProtocolId, Recognition, Transaction};
use crate::detect::application::{self, Answer, Application};
use crate::detect::buffers::Buffers;
use crate::detect::candidates::Found;
use crate::detect::evaluate::{
    Subject, chains_match, header_matches, packet_tests_match, state_matches,
};
use crate::detect::program::{Absent, BufferTests, Chains, Program, Scan};
use crate::detect::{HitSource, SignatureId};
use crate::event::FlowDirection;
use crate::frame::Mode;

impl Round<'_> {
    /// Whether a signature matches, and where.
    pub(super) fn test(
        &mut self,
        id: SignatureId,
        program: &Program,
        (found, end): (Found, usize),
    ) -> Option<HitSource> {
        if !header_matches(program, self.inspection) {
            return None;
        }
        let source = self.test_all(program, found);
        let source = source.filter(|_| self.test_buffers(program, true).is_some());
        self.keep_pending(id, program, (source.is_some(), end));
        source
    }

    fn test_all(&mut self, program: &Program, found: Found) -> Option<HitSource> {
        if !packet_tests_match(program, self.inspection) || !state_matches(program, &mut self.store)
        {
            return None;
        }
        let source = match &program.payload {
            Some(chains) => self.test_payload(program, chains, found)?,
            None => HitSource::Packet { offset: 0 },
        };
        self.test_buffers(program, false)?;
        Some(source)
    }

    /// The tests on the packet's buffers: those that change a set, or the others.
    fn test_buffers(&mut self, program: &Program, change: bool) -> Option<()> {
        let buffers = Buffers {
            packet: self.inspection.packet,
            link: self.inspection.meta.link,
        };
        let asked = program.buffers.iter();
        for BufferTests { buffer, tests } in asked.filter(|asked| asked.tests.change() == change) {
            let mut instances = buffers.all(*buffer).peekable();
            match (instances.peek().is_some(), tests.absent) {
                (false, Some(_)) => {}
                (false, None) | (true, Some(Absent::Only)) => return None,
                (true, _) => {
                    instances
                        .find_map(|bytes| chains_match(tests, Subject::whole(bytes), self.work))?;
                }
            }
        }
        Some(())
    }

    fn test_payload(
        &mut self,
        program: &Program,
        chains: &Chains,
        found: Found,
    ) -> Option<HitSource> {
        if found != Found::Packet
            && let Some(view) = self.inspection.stream
            && (!chains.anchored || view.window_offset == 0)
        {
            let subject = Subject {
                bytes: view.bytes,
                fresh_from: Some(view.fresh_from),
                origin: view.window_offset,
            };
            if let Some(offset) = chains_match(chains, subject, self.work) {
                return Some(HitSource::Stream { offset });
            }
        }
        let payload = self.inspection.packet.payload();
        if found == Found::Stream || program.scan == Scan::StreamOnly || payload.is_empty() {
            return None;
        }
        let subject = Subject {
            bytes: payload,
            fresh_from: None,
            origin: 0,
        };
        let offset = chains_match(chains, subject, self.work)?;
        Some(HitSource::Packet { offset })
    }

    /// Whether a signature that matched the stream matches the packet's own payload as well. Where
    /// nothing is in line, packets are inspected when they come and the stream when it is acknowledged:
    /// one that says where in the payload to look is then asked twice.
    pub(super) fn test_packet_too(
        &mut self,
        program: &Program,
        (target, source): (Target, HitSource),
    ) -> Option<HitSource> {
        let chains = program.payload.as_ref()?;
        let both = matches!(target, Target::Packet(Found::Both, _));
        let passive = self.inspection.meta.mode == Mode::Detect;
        let twice = both && passive && chains.placed && program.scan != Scan::StreamOnly;
        if !twice || !matches!(source, HitSource::Stream { .. }) {
            return None;
        }
        let subject = Subject::whole(self.inspection.packet.payload());
        let offset = chains_match(chains, subject, self.work)?;
        Some(HitSource::Packet { offset })
    }

    /// A stream signature whose fast pattern was met but which did not match may match when more of the
    /// stream comes; one that matched starts anew.
    fn keep_pending(&mut self, id: SignatureId, program: &Program, (matched, end): (bool, usize)) {
        let half = self.half();
        let chains = program.payload.as_ref();
        let pattern = chains.and_then(|chains| chains.fast_pattern.as_ref());
        let (Some(view), Some(flow), Some(pattern)) = (
            self.inspection.stream,
            self.store.flow.as_deref_mut(),
            pattern,
        ) else {
            return;
        };
        let pending = &mut flow.pending[half];
        if matched {
            pending.remove(id);
        } else if end > 0 && !pattern.whole {
            let end = u64::try_from(end).unwrap_or(u64::MAX);
            pending.add(id, view.window_offset.saturating_add(end));
        }
    }

    /// Whether a signature matches a transaction, for the first time.
    pub(super) fn test_transaction(
        &mut self,
        id: SignatureId,
        program: &Program,
        index: usize,
    ) -> Option<HitSource> {
        let application = program.application.as_ref()?;
        let app = self.inspection.app?;
        let Recognition::Known(protocol) = app.recognition() else {
            return None;
        };
        let transaction = app.transactions().nth(index)?;
        let direction = Some(self.direction()?).filter(|_| !application.transactional);
        let memory = self
            .store
            .flow
            .as_deref_mut()?
            .transactions
            .of(transaction.id());
        let fired_for = memory.fired_for(id);
        let over = memory.fired_at((id, direction)).is_some_and(|progress| {
            let again = application.asks_states_only() && progress != progress_of(transaction);
            fired_for.is_none() && !again
        });
        if over || !header_matches(program, self.inspection) {
            return None;
        }
        let at = (protocol, transaction);
        let mut answer = match self.test_all(program, Found::Both) {
            Some(_) => application::test(application, at, direction, self.work),
            None => Answer::Later,
        };
        if let Some(files) = fired_for
            && !application.matches_further(at, files, self.work)
        {
            answer = answer.min(Answer::Later);
        }
        // What changes a set is asked when all else is answered, and only then.
        if answer == Answer::Now && self.test_buffers(program, true).is_none() {
            answer = Answer::Never;
        }
        let sid = u32::try_from(program.identity & u64::from(u32::MAX)).unwrap_or(u32::MAX);
        self.remember_answer((id, sid), application, at, answer);
        (answer == Answer::Now).then_some(HitSource::Transaction { index })
    }

    /// What a transaction said to a signature: it fires once for each direction of a transaction, for each
    /// further file that it speaks of, or for each state that it asks about; and waits for what may still come.
    fn remember_answer(
        &mut self,
        (id, sid): (SignatureId, u32),
        application: &Application,
        (protocol, transaction): (ProtocolId, &dyn Transaction),
        answer: Answer,
    ) {
        let (Some(direction), Some(flow)) = (self.direction(), self.store.flow.as_deref_mut())
        else {
            return;
        };
        let half = direction.index();
        if answer == Answer::Now {
            let stored = application.stored((protocol, transaction), direction, self.work);
            flow.transactions
                .of(transaction.id())
                .store(sid, stored.files);
            flow.store(sid, stored.flow);
        }
        let memory = flow.transactions.of(transaction.id());
        match answer {
            Answer::Now => {
                if application.speaks_of_files() {
                    let at = (protocol, transaction);
                    let through = FlowDirection::BOTH.map(|side| {
                        if side == direction || application.transactional {
                            application.through_with(at, side, self.work)
                        } else {
                            (0, false)
                        }
                    });
                    memory.fire_for(id, through.map(|(files, _)| files));
                    for side in FlowDirection::BOTH {
                        if through[side.index()].1 {
                            memory.wait(side.index(), id);
                        }
                    }
                }
                let once = Some(direction).filter(|_| !application.transactional);
                memory.fire((id, once), progress_of(transaction));
                if application.silences {
                    memory.silence();
                }
            }
            Answer::Later if application.transactional => {
                memory.wait(half, id);
                memory.wait(1 - half, id);
            }
            Answer::Later => memory.wait(half, id),
            Answer::Never => {}
        }
    }
}

/// How far both directions of a transaction have come.
fn progress_of(transaction: &dyn Transaction) -> [Progress; 2] {
    FlowDirection::BOTH.map(|direction| transaction.progress(direction))
}
