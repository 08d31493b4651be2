//! One detector per rule set.

use crate::counters::add_detect;
use crate::detect::{DetectCounters, Detector, Limits};
use crate::frame::RuleSetId;

use super::RuleSets;

/// The detectors of one worker, by [`RuleSetId`].
#[derive(Debug)]
pub(super) struct Detectors {
    default: Detector,
    others: Vec<Detector>,
    limits: Limits,
    seed: [u64; 2],
}

impl Detectors {
    pub(super) fn new(rules: &RuleSets, limits: Limits, seed: [u64; 2]) -> Self {
        let make =
            |rules: &std::sync::Arc<_>| Detector::new(std::sync::Arc::clone(rules), limits, seed);
        Self {
            default: make(&rules.default),
            others: rules.others.iter().map(make).collect(),
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

    /// Changes the rules; detectors keep what they remember.
    pub(super) fn set_rules(&mut self, rules: &RuleSets) {
        self.default
            .set_rules(std::sync::Arc::clone(&rules.default));
        self.others.truncate(rules.others.len());
        for (index, rules) in rules.others.iter().enumerate() {
            let rules = std::sync::Arc::clone(rules);
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
