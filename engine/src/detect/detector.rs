//! One worker's inspection of packets.

use std::sync::Arc;

use super::candidates::Candidates;
use super::evaluate::{StateStore, Work};
use super::round::Round;
use super::state::{Captured, HostBits, TaggedHosts, Thresholds};
use super::{Effect, Extent, FlowState, Inspection, Limits, Outcome, RuleSet, Scope, SignatureId};

/// Candidates of one packet's transactions that there is room for at the start. More make room: as many
/// as there are transactions and signatures at most.
const TRANSACTION_CANDIDATES: usize = 1024;
use crate::packet::Transport;

/// Inspects packets against a [`RuleSet`]. One per worker; owns all scratch memory.
#[derive(Debug)]
pub struct Detector {
    outcome: Outcome,
    counters: DetectCounters,
    limits: Limits,
    candidates: Candidates,
    transactions: Vec<(SignatureId, usize)>,
    work: Work,
    thresholds: Thresholds,
    host_bits: HostBits,
    tagged_hosts: TaggedHosts,
    /// What was captured in the packet at hand.
    captured: Captured,
}

/// What the detector counts. Monotonic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct DetectCounters {
    /// Packets inspected.
    pub packets: u64,
    /// Signatures that were evaluated beyond the prefilter.
    pub evaluated: u64,
    /// Signatures that fired, `noalert` ones included.
    pub matched: u64,
    /// Alerts left out by [`Limits::alerts`].
    pub alerts_suppressed: u64,
    /// Evaluations given up at [`Limits::match_steps`].
    pub match_steps_exceeded: u64,
    /// Regular expressions that ended in an engine error (match limit, stack): no verdict reached.
    pub pcre_errors: u64,
    /// Flowbits or variables not set because the flow held [`Limits::flow_variables`].
    pub flow_variables_full: u64,
    /// Entries thrown out of the full threshold table before their time.
    pub thresholds_evicted: u64,
    /// Entries thrown out of the full table of host bits before their time.
    pub host_bits_evicted: u64,
    /// Entries thrown out of the full table of tagged hosts before their time.
    pub tagged_hosts_evicted: u64,
    /// Values that a full data set did not take.
    pub data_full: u64,
}

impl Detector {
    /// A detector for `rules`, all memory in place. `seed` keys its hash tables: give each worker a
    /// random one.
    #[must_use]
    pub fn new(rules: Arc<RuleSet>, limits: Limits, seed: [u64; 2]) -> Self {
        let mut candidates = Candidates::default();
        candidates.reserve(rules.len());
        Self {
            outcome: Outcome::new(rules, limits.alerts),
            counters: DetectCounters::default(),
            limits,
            candidates,
            transactions: Vec::with_capacity(TRANSACTION_CANDIDATES),
            work: Work::new(limits.match_steps),
            thresholds: Thresholds::new(limits.thresholds, seed),
            host_bits: HostBits::new(limits.host_bits, seed),
            tagged_hosts: TaggedHosts::new(limits.tagged_hosts, seed),
            captured: Captured::default(),
        }
    }

    /// Changes the rules. Threshold and flow state are kept.
    pub fn set_rules(&mut self, rules: Arc<RuleSet>) {
        self.candidates.reserve(rules.len());
        self.outcome.rules = rules;
    }

    /// The rules in force.
    #[must_use]
    pub fn rules(&self) -> &Arc<RuleSet> {
        &self.outcome.rules
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> &DetectCounters {
        &self.counters
    }

    /// Inspects a packet. Call once per packet, whether or not it brought payload. Flows that `flow`
    /// says are dropped or passed are answered at once.
    pub fn inspect(
        &mut self,
        inspection: &Inspection<'_>,
        mut flow: Option<&mut FlowState>,
    ) -> &Outcome {
        self.counters.packets += 1;
        self.outcome.reset();
        self.outcome.tagged = self.take_tags(inspection, flow.as_deref_mut());
        match flow {
            Some(flow) if flow.dropped_by.is_some() => {
                self.outcome.past = flow.dropped_by.clone();
                self.outcome.effect = Effect::Drop {
                    signature: Outcome::PAST,
                    scope: Scope::Flow,
                    reject: None,
                };
            }
            Some(flow) if flow.passed => {
                self.outcome.effect = Effect::Pass { scope: Scope::Flow };
            }
            flow => self.look(inspection, flow),
        }
        &self.outcome
    }

    /// Counts the packet for the tags that run: whether it is to be recorded.
    fn take_tags(&mut self, inspection: &Inspection<'_>, flow: Option<&mut FlowState>) -> bool {
        if inspection.extent != Extent::Packet {
            return false;
        }
        let (packet, now) = (inspection.packet, inspection.meta.at);
        let length = packet.frame.len();
        let ends = [packet.source, packet.destination];
        let host = self.tagged_hosts.take(ends, length, now);
        let session = flow.is_some_and(|flow| flow.tagged.take(length, now));
        host || session
    }

    fn look(&mut self, inspection: &Inspection<'_>, mut flow: Option<&mut FlowState>) {
        let mut inspection = *inspection;
        if let Some(flow) = flow.as_deref_mut() {
            flow.enter(self.outcome.rules.generation);
            set_back(&mut inspection, flow);
        }
        let packet = inspection.packet;
        self.captured.clear();
        let store = StateStore {
            flow,
            host_bits: &mut self.host_bits,
            tagged_hosts: &mut self.tagged_hosts,
            captured: &mut self.captured,
            ends: (packet.source, packet.destination),
            now: inspection.meta.at,
            limit: self.limits.flow_variables,
            full: 0,
        };
        let mut round = Round {
            inspection: &inspection,
            candidates: &mut self.candidates,
            transactions: &mut self.transactions,
            work: &mut self.work,
            thresholds: &mut self.thresholds,
            counters: &mut self.counters,
            store,
        };
        round.run(&mut self.outcome);
        let full = round.store.full;
        self.count(full);
    }

    fn count(&mut self, full: u64) {
        let counters = &mut self.counters;
        counters.flow_variables_full += full;
        counters.alerts_suppressed += u64::from(self.outcome.suppressed);
        counters.match_steps_exceeded = self.work.steps_exceeded;
        counters.pcre_errors = self.work.pcre_errors;
        counters.thresholds_evicted = self.thresholds.evicted();
        counters.host_bits_evicted = self.host_bits.evicted();
        counters.tagged_hosts_evicted = self.tagged_hosts.evicted();
        counters.data_full = self.work.data_full;
    }
}

/// The segment that completes a handshake is itself part of the handshake, as long as it brings nothing:
/// `flow:established` speaks of what comes behind it.
fn set_back(inspection: &mut Inspection<'_>, flow: &mut FlowState) {
    let Some(view) = &mut inspection.flow else {
        return;
    };
    let before = std::mem::replace(&mut flow.was_established, view.established);
    let tcp = matches!(inspection.packet.transport, Transport::Tcp(_));
    if tcp && !before && inspection.packet.payload().is_empty() {
        view.established = false;
    }
}
