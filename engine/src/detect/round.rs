//! One packet's round through the signatures: collect candidates, test them in order, act.

use weir_policies::rule::ast::{Action, RejectSide, Threshold, Track};

use super::application::{self, Answer};
use super::buffers::Buffers;
use super::candidates::{Candidates, Found};
use super::detector::DetectCounters;
use super::evaluate::{
    StateStore, Subject, Work, apply_changes, chains_match, header_matches, packet_tests_match,
    state_matches,
};
use super::outcome::Weight;
use super::program::{Chains, Kind, Program, Scan};
use super::state::{Count, Decision, ThresholdKey, Thresholds, decide};
use super::{
    Effect, FlowState, Hit, HitSource, Inspection, Outcome, RuleSet, Scope, SignatureId, StreamView,
};
use crate::app_layer::Recognition;
use crate::event::FlowDirection;
use crate::frame::Mode;
use crate::packet::Transport;
use crate::verdict::RejectSides;

/// Everything that one packet's inspection touches.
pub(super) struct Round<'a> {
    pub(super) inspection: &'a Inspection<'a>,
    pub(super) candidates: &'a mut Candidates,
    /// Signatures to be tested with transactions, and which by its place among those at hand.
    pub(super) transactions: &'a mut Vec<(SignatureId, usize)>,
    pub(super) work: &'a mut Work,
    pub(super) thresholds: &'a mut Thresholds,
    pub(super) counters: &'a mut DetectCounters,
    pub(super) store: StateStore<'a>,
}

/// How far a round has come through the candidates of the packet and of transactions.
#[derive(Clone, Copy, Debug, Default)]
struct Position {
    packet: usize,
    transaction: usize,
}

/// What a candidate is to be tested with.
#[derive(Clone, Copy, Debug)]
enum Target {
    /// The packet: where it was found, and where its fast pattern ends.
    Packet(Found, usize),
    /// The transaction at that place.
    Transaction(usize),
}

impl Round<'_> {
    /// Inspects the packet; the outcome must be empty.
    pub(super) fn run(&mut self, outcome: &mut Outcome) {
        let (rules, mut tally) = outcome.parts();
        self.candidates.clear();
        self.transactions.clear();
        if !self.inspection.again {
            self.collect(rules);
        }
        self.candidates.sort();
        self.collect_transactions(rules);
        let mut position = Position::default();
        while let Some((id, target)) = self.next(&mut position) {
            let Some(program) = rules.program(id) else {
                continue;
            };
            self.counters.evaluated += 1;
            let source = match target {
                Target::Packet(found, end) => self.test(id, program, (found, end)),
                Target::Transaction(index) => self.test_transaction(id, program, index),
            };
            let Some(source) = source else {
                continue;
            };
            self.counters.matched += 1;
            apply_changes(program, &mut self.store);
            let decision = self.decide(program);
            let weight = Weight::new(program.action, rules.signature(id).priority, id);
            let drops = decision.act && matches!(program.action, Action::Drop | Action::Reject(_));
            if program.alerts && decision.alert {
                let hit = Hit {
                    signature: id,
                    source,
                    drops,
                };
                tally.push(weight, hit);
            }
            if decision.act && self.act(program, (id, source), tally.effect) {
                break;
            }
        }
        self.remember(rules, *tally.effect);
    }

    /// The next candidate, of the packet or of a transaction, in evaluation order.
    fn next(&self, position: &mut Position) -> Option<(SignatureId, Target)> {
        let packet = self.candidates.get(position.packet);
        let transaction = self.transactions.get(position.transaction);
        match (packet, transaction) {
            (Some((id, found, end)), of) if of.is_none_or(|(other, _)| id <= *other) => {
                position.packet += 1;
                Some((id, Target::Packet(found, end)))
            }
            (_, Some((id, index))) => {
                position.transaction += 1;
                Some((*id, Target::Transaction(*index)))
            }
            _ => None,
        }
    }

    /// Searches the transactions in which the packet's direction has moved on.
    fn collect_transactions(&mut self, rules: &RuleSet) {
        let (Some(app), Some(flow), Some(direction)) = (
            self.inspection.app,
            self.store.flow.as_deref_mut(),
            self.inspection.flow.map(|flow| flow.direction),
        ) else {
            return;
        };
        let Recognition::Known(protocol) = app.recognition() else {
            return;
        };
        let mut transactions = app.transactions().peekable();
        if let Some(oldest) = transactions.peek() {
            flow.transactions.retire(oldest.id());
        }
        for (index, transaction) in (0..).zip(transactions) {
            let memory = flow.transactions.of(transaction.id());
            let found = |id| self.transactions.push((id, index));
            let at = (transaction, memory);
            rules
                .application
                .collect((protocol, direction), at, self.work, found);
        }
        self.transactions.sort_unstable();
        self.transactions.dedup();
    }

    /// Whether a signature matches a transaction, for the first time.
    fn test_transaction(
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
        let half = application::side(self.direction()?);
        let fired = |flow: &mut FlowState| flow.transactions.of(transaction.id()).has_fired(id);
        if self.store.flow.as_deref_mut().is_none_or(fired)
            || !header_matches(program, self.inspection)
        {
            return None;
        }
        let answer = match self.test_all(program, Found::Both) {
            Some(_) => application::test(application, (protocol, transaction), self.work),
            None => Answer::Later,
        };
        let memory = self
            .store
            .flow
            .as_deref_mut()?
            .transactions
            .of(transaction.id());
        match answer {
            Answer::Now => memory.fire(id),
            Answer::Later if application.transactional => {
                memory.wait(half, id);
                memory.wait(1 - half, id);
            }
            Answer::Later => memory.wait(half, id),
            Answer::Never => {}
        }
        (answer == Answer::Now).then_some(HitSource::Transaction)
    }

    fn direction(&self) -> Option<FlowDirection> {
        self.inspection.flow.map(|flow| flow.direction)
    }

    fn collect(&mut self, rules: &RuleSet) {
        let groups = &rules.groups;
        for event in self.inspection.events {
            for &index in groups.event(event) {
                self.candidates.add_packet(index);
            }
        }
        let packet = self.inspection.packet;
        if !packet.is_ip() {
            return;
        }
        self.collect_addresses(rules);
        self.collect_recognition(rules);
        let (source, destination) = packet.ports();
        let payload = packet.payload();
        let layers = groups.packet(packet.transport, self.direction());
        for group in layers.groups(source, destination) {
            for &index in group.always() {
                self.candidates.add_packet(index);
            }
            group.scan(payload, |index, _| self.candidates.add_packet(index));
        }
        if matches!(packet.transport, Transport::Tcp(_)) {
            match self.inspection.stream {
                Some(view) if view.fresh_from < view.bytes.len() => {
                    self.collect_stream(rules, &view)
                }
                Some(_) => {}
                None => self.collect_stream_from_packet(rules, payload),
            }
        }
    }

    /// Signatures on addresses alone: once for each direction of a flow.
    fn collect_addresses(&mut self, rules: &RuleSet) {
        let half = usize::from(self.direction() == Some(FlowDirection::ToClient));
        if let (Some(_), Some(flow)) = (self.inspection.flow, self.store.flow.as_deref_mut())
            && std::mem::replace(&mut flow.addresses_seen[half], true)
        {
            return;
        }
        for &index in rules.groups.addresses(self.inspection.packet.transport) {
            self.candidates.add_packet(index);
        }
    }

    /// Signatures on the application protocol alone: once a flow, when it is settled.
    fn collect_recognition(&mut self, rules: &RuleSet) {
        let app = self.inspection.app;
        let settled = app.is_some_and(|app| app.recognition() != Recognition::Pending);
        let Some(flow) = self.store.flow.as_deref_mut().filter(|_| settled) else {
            return;
        };
        if std::mem::replace(&mut flow.protocol_seen, true) {
            return;
        }
        for &index in rules.groups.recognition() {
            self.candidates.add_packet(index);
        }
    }

    /// Searches the fresh bytes, and as many old ones as a fast pattern may reach back to. Signatures
    /// whose fast pattern lies further back are pending in the flow.
    fn collect_stream(&mut self, rules: &RuleSet, view: &StreamView<'_>) {
        let half = usize::from(self.direction() == Some(FlowDirection::ToClient));
        let mut whole = false;
        if let Some(flow) = self.store.flow.as_deref_mut() {
            let pending = &mut flow.pending[half];
            whole = pending.overflowed;
            if whole {
                pending.clear();
            }
            for id in pending.live(view.window_offset) {
                self.candidates.add_stream(id.0, 0);
            }
        }
        let (source, destination) = self.inspection.packet.ports();
        let layers = rules.groups.stream(self.direction());
        for group in layers.groups(source, destination) {
            for &index in group.always() {
                self.candidates.add_stream(index, 0);
            }
            let from = if whole {
                0
            } else {
                view.fresh_from.saturating_sub(group.overlap())
            };
            let bytes = view.bytes.get(from..).unwrap_or_default();
            group.scan(bytes, |index, end| {
                self.candidates.add_stream(index, from.saturating_add(end));
            });
        }
    }

    fn collect_stream_from_packet(&mut self, rules: &RuleSet, payload: &[u8]) {
        let (source, destination) = self.inspection.packet.ports();
        let layers = rules.groups.stream(self.direction());
        for group in layers.groups(source, destination) {
            for &index in group.always() {
                self.candidates.add_packet(index);
            }
            group.scan(payload, |index, _| self.candidates.add_packet(index));
        }
    }

    /// Whether a signature matches, and where.
    fn test(
        &mut self,
        id: SignatureId,
        program: &Program,
        (found, end): (Found, usize),
    ) -> Option<HitSource> {
        if !header_matches(program, self.inspection) {
            return None;
        }
        let source = self.test_all(program, found);
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
        let buffers = Buffers {
            packet: self.inspection.packet,
        };
        for tests in &program.buffers {
            let subject = Subject {
                bytes: buffers.bytes(tests.buffer)?,
                fresh_from: None,
            };
            chains_match(&tests.tests, subject, self.work)?;
        }
        Some(source)
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
        };
        let offset = chains_match(chains, subject, self.work)?;
        Some(HitSource::Packet { offset })
    }

    /// A stream signature whose fast pattern was met but which did not match may match when more of the
    /// stream comes; one that matched starts anew.
    fn keep_pending(&mut self, id: SignatureId, program: &Program, (matched, end): (bool, usize)) {
        let chains = program.payload.as_ref();
        let pattern = chains.and_then(|chains| chains.fast_pattern.as_ref());
        let (Some(view), Some(flow), Some(pattern)) = (
            self.inspection.stream,
            self.store.flow.as_deref_mut(),
            pattern,
        ) else {
            return;
        };
        let half = usize::from(
            self.inspection.flow.map(|flow| flow.direction) == Some(FlowDirection::ToClient),
        );
        let pending = &mut flow.pending[half];
        if matched {
            pending.remove(id);
        } else if end > 0 && !pattern.whole {
            let end = u64::try_from(end).unwrap_or(u64::MAX);
            pending.add(id, view.window_offset.saturating_add(end));
        }
    }

    fn decide(&mut self, program: &Program) -> Decision {
        let every = Decision {
            alert: true,
            act: true,
        };
        let Some(rule) = &program.threshold else {
            return every;
        };
        if rule.track == Track::Flow {
            return self.decide_by_flow(rule, program.identity).unwrap_or(every);
        }
        let packet = self.inspection.packet;
        let [outer, inner, _] = packet.vlan;
        let key = ThresholdKey {
            identity: program.identity,
            track: rule.track,
            source: packet.source,
            destination: packet.destination,
            vlan: [outer, inner],
            distinct: self.distinct(rule),
        };
        self.thresholds.decide(rule, &key, self.store.now)
    }

    /// The port that a threshold counts once each.
    fn distinct(&self, rule: &Threshold) -> Option<u16> {
        let (source, destination) = self.inspection.packet.ports();
        match rule.unique_on.as_deref() {
            Some("src_port") => Some(source),
            Some(_) => Some(destination),
            None => None,
        }
    }

    /// `None`: there is no flow, or it holds too many thresholds; then nothing is held back.
    fn decide_by_flow(&mut self, rule: &Threshold, identity: u64) -> Option<Decision> {
        let (now, limit) = (self.store.now, self.store.limit);
        let flow = self.store.flow.as_deref_mut()?;
        match flow.threshold(identity, now, limit) {
            Ok(state) => Some(decide(rule, state, now, Count::Match)),
            Err(_) => {
                self.store.full += 1;
                None
            }
        }
    }

    /// Applies a signature's action; true ends the round.
    fn act(
        &self,
        program: &Program,
        (id, source): (SignatureId, HitSource),
        effect: &mut Effect,
    ) -> bool {
        let reject = match program.action {
            Action::Pass => {
                *effect = Effect::Pass {
                    scope: self.pass_scope(program, source),
                };
                return true;
            }
            Action::Reject(side) => Some(RejectSides {
                source: side != RejectSide::Destination,
                destination: side != RejectSide::Source,
            }),
            Action::Drop => None,
            Action::Alert | Action::Config => return false,
        };
        if matches!(effect, Effect::None) {
            *effect = Effect::Drop {
                signature: id,
                scope: self.drop_scope(program),
                reject,
            };
        }
        false
    }

    /// As documented: a match on addresses alone, in the stream or in the application layer passes the
    /// flow, others the packet.
    fn pass_scope(&self, program: &Program, source: HitSource) -> Scope {
        let on_flow = matches!(program.kind, Kind::IpOnly | Kind::LikeIpOnly)
            || (matches!(source, HitSource::Stream { .. }) && self.established())
            || of_the_application(program);
        self.scope(on_flow)
    }

    fn established(&self) -> bool {
        self.inspection.flow.is_some_and(|flow| flow.established)
    }

    /// A match on addresses alone or in a payload ends the flow; but not in a TCP packet that is not
    /// part of an established stream: it may not be the connection's at all. A match on headers drops
    /// the packet.
    fn drop_scope(&self, program: &Program) -> Scope {
        let tcp = matches!(self.inspection.packet.transport, Transport::Tcp(_));
        let of_flow = !tcp || (self.inspection.stream.is_some() && self.established());
        let on_flow = matches!(program.kind, Kind::IpOnly | Kind::LikeIpOnly)
            || of_the_application(program)
            || (program.payload.is_some() && of_flow);
        self.scope(on_flow)
    }

    fn scope(&self, on_flow: bool) -> Scope {
        if on_flow && self.inspection.flow.is_some() {
            Scope::Flow
        } else {
            Scope::Packet
        }
    }

    /// Lets the flow remember what ends it. In detect mode traffic goes on, and so does inspection.
    fn remember(&mut self, rules: &RuleSet, effect: Effect) {
        let Some(flow) = self.store.flow.as_deref_mut() else {
            return;
        };
        match effect {
            Effect::Drop {
                signature,
                scope: Scope::Flow,
                ..
            } if self.inspection.meta.mode == Mode::Prevent => {
                flow.dropped_by = Some(rules.signature(signature).clone());
            }
            Effect::Pass { scope: Scope::Flow } => flow.passed = true,
            _ => {}
        }
    }
}

/// Whether a signature speaks of what the flow carries.
fn of_the_application(program: &Program) -> bool {
    program.application.is_some() || matches!(program.kind, Kind::Protocol | Kind::Recognition)
}
