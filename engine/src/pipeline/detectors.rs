//! One detector per rule set.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::counters::add_detect;
use crate::detect::{DetectCounters, Detector, FlowState, Limits};
use crate::frame::RuleSetId;

use super::RuleSets;

/// Sets of earlier rules whose names are known. A flow that was last looked at with an older one is not looked
/// at when it ends.
const PAST: usize = 1024;

/// The detectors of one worker, by [`RuleSetId`].
#[derive(Debug)]
pub(super) struct Detectors {
    default: Detector,
    others: Vec<Detector>,
    /// Names of the others.
    names: Vec<Arc<str>>,
    /// What sets that were in force before were numbered and called, the latest first.
    past: VecDeque<(u64, Arc<str>)>,
    limits: Limits,
    seed: [u64; 2],
}

impl Detectors {
    pub(super) fn new(rules: &RuleSets, limits: Limits, seed: [u64; 2]) -> Self {
        let make = |rules: &Arc<_>| Detector::new(Arc::clone(rules), limits, seed);
        Self {
            default: make(&rules.default),
            others: rules.others.iter().map(make).collect(),
            names: rules.names.clone(),
            past: VecDeque::with_capacity(PAST),
            limits,
            seed,
        }
    }

    /// The detector of that rule set, the default one where there is none.
    pub(super) fn get_mut(&mut self, id: RuleSetId) -> &mut Detector {
        let other = usize::from(id.0)
            .checked_sub(1)
            .and_then(|index| self.others.get_mut(index));
        other.unwrap_or(&mut self.default)
    }

    /// The set to ask about a flow that `flow` was last looked at with set `id`, maybe before rules were changed:
    /// that of the same name. `None`: there is none any more.
    pub(super) fn successor(&self, id: RuleSetId, flow: &FlowState) -> Option<RuleSetId> {
        let other = usize::from(id.0).checked_sub(1);
        let Some(other) = other.and_then(|index| self.others.get(index)) else {
            return (id == RuleSetId::default()).then_some(id);
        };
        if flow.is_known_to(other.rules()) {
            return Some(id);
        }
        let mut past = self.past.iter();
        let (_, name) = past.find(|(generation, _)| flow.is_of(*generation))?;
        let index = self.names.iter().position(|known| known == name)?;
        u8::try_from(index + 1).ok().map(RuleSetId)
    }

    /// Changes the rules; detectors keep what they remember.
    pub(super) fn set_rules(&mut self, rules: &RuleSets) {
        for (detector, name) in self.others.iter().zip(&self.names) {
            self.past.truncate(PAST - 1);
            let generation = detector.rules().generation();
            self.past.push_front((generation, Arc::clone(name)));
        }
        self.names.clone_from(&rules.names);
        self.default.set_rules(Arc::clone(&rules.default));
        self.others.truncate(rules.others.len());
        for (index, rules) in rules.others.iter().enumerate() {
            let rules = Arc::clone(rules);
            match self.others.get_mut(index) {
                Some(detector) => detector.set_rules(rules),
                None => self
                    .others
                    .push(Detector::new(rules, self.limits, self.seed)),
            }
        }
    }

    /// What all of them counted.
    pub(super) fn counters(&self) -> DetectCounters {
        let mut sum = *self.default.counters();
        for other in &self.others {
            add_detect(&mut sum, other.counters());
        }
        sum
    }
}
