//! One packet's round through the signatures: collect candidates, test them in order, act.

mod act;
mod collect;
mod test;

use weir_policies::rule::ast::Action;

use crate::detect::candidates::{Candidates, Found};
use crate::detect::detector::DetectCounters;
use crate::detect::evaluate::{StateStore, Work, apply_changes, apply_tags, keep_captured};
use crate::detect::outcome::{Tally, Weight};
use crate::detect::program::Program;
use crate::detect::state::Thresholds;
use crate::detect::{Extent, Hit, HitSource, Inspection, Outcome, RuleSet, SignatureId};
use crate::event::FlowDirection;

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
        match self.inspection.extent {
            Extent::Packet => self.collect(rules),
            Extent::Stream => self.collect_rest(rules),
            Extent::Transactions => {}
        }
        self.candidates.sort();
        self.collect_transactions(rules);
        let mut position = Position::default();
        let mut passed = false;
        while let Some((id, target)) = self.next(&mut position) {
            let Some(program) = rules.program(id) else {
                continue;
            };
            if passed && !program.is_of_packet_alone() {
                continue;
            }
            self.counters.evaluated += 1;
            self.work.take_remarks();
            let source = match target {
                Target::Packet(found, end) => self.test(id, program, (found, end)),
                Target::Transaction(index) => self.test_transaction(id, program, index),
            };
            let Some(source) = source else {
                continue;
            };
            let mut over = self.fire((rules, program), (id, source), &mut tally);
            if !over && let Some(source) = self.test_packet_too(program, (target, source)) {
                over = self.fire((rules, program), (id, source), &mut tally);
            }
            if over && !self.is_passed_later(program, source) {
                break;
            }
            passed |= over;
        }
        self.remember(rules, *tally.effect);
    }

    /// Does what a signature that matched asks for; true when nothing else is to be tested.
    fn fire(
        &mut self,
        (rules, program): (&RuleSet, &Program),
        (id, source): (SignatureId, HitSource),
        tally: &mut Tally<'_>,
    ) -> bool {
        self.counters.matched += 1;
        apply_changes(program, &mut self.store);
        keep_captured(self.work.remarks(), &mut self.store);
        let decision = self.decide(program);
        let (action, alerts) = self.adjust(program);
        let weight = Weight::new(action, rules.signature(id).priority, id);
        let drops = decision.act && matches!(action, Action::Drop | Action::Reject(_));
        if decision.act {
            apply_tags(program, &mut self.store);
        }
        if program.alerts && decision.alert && alerts {
            let hit = Hit {
                signature: id,
                source,
                drops,
                remarks: tally.remark(self.work.take_remarks()),
            };
            tally.push(weight, hit);
        }
        decision.act && self.act((program, action), (id, source), tally.effect)
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

    /// Index of what is kept for the packet's direction.
    fn half(&self) -> usize {
        self.direction().map_or(0, FlowDirection::index)
    }

    fn direction(&self) -> Option<FlowDirection> {
        self.inspection.flow.map(|flow| flow.direction)
    }
}
