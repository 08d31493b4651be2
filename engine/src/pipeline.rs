//! The stages put together: one [`Engine`] per worker.

use std::sync::Arc;

use crate::detect::{Limits as DetectLimits, RuleSet};
use crate::event::Output;
use crate::frame::{FrameMeta, RuleSetId, Timestamp};
use crate::verdict::Verdict;

/// The compiled rule sets an engine holds, by [`RuleSetId`]. At least one: the default set.
#[derive(Clone, Debug)]
pub struct RuleSets {
    default: Arc<RuleSet>,
    others: Vec<Arc<RuleSet>>,
}

impl RuleSets {
    /// Sets by index: `default` is 0, `others` are 1 and up.
    #[must_use]
    pub fn new(default: Arc<RuleSet>, others: Vec<Arc<RuleSet>>) -> Self {
        Self { default, others }
    }

    /// The set of that index, the default one where there is none.
    #[must_use]
    pub fn get(&self, id: RuleSetId) -> &Arc<RuleSet> {
        usize::from(id.0)
            .checked_sub(1)
            .and_then(|index| self.others.get(index))
            .unwrap_or(&self.default)
    }
}

/// How an engine judges traffic, and its bounds.
#[derive(Clone, Copy, Debug, Default)]
pub struct EngineConfig {
    /// Take final checksums for right without looking (captures taken where they were not yet
    /// computed).
    pub ignore_checksums: bool,
    /// Follow TCP flows whose handshake was not seen.
    pub midstream: bool,
    /// Follow TCP flows of which only one direction is ever seen.
    pub async_oneside: bool,
    /// Bounds of the detection stage.
    pub detect: DetectLimits,
}

/// One worker's engine: every stage from the frame to its verdict. Owns its tables, shares nothing.
#[derive(Debug)]
pub struct Engine {
    rules: RuleSets,
}

impl Engine {
    /// An engine with all its memory in place. `seed` keys its hash tables: give each worker a random
    /// one.
    #[must_use]
    pub fn new(config: EngineConfig, rules: RuleSets, seed: [u64; 2]) -> Self {
        let _ = (config, seed);
        Self { rules }
    }

    /// Judges one frame. Its bytes may be rewritten in place (the first copy of overlapping stream data
    /// wins, also on the wire), never its length.
    pub fn process(
        &mut self,
        frame: &mut [u8],
        meta: &FrameMeta,
        output: &mut dyn Output,
    ) -> Verdict {
        let _ = (frame, meta, output);
        Verdict::Pass
    }

    /// Lets time pass: expires flows and fragments. Call about once a second, also without traffic.
    pub fn advance(&mut self, now: Timestamp, output: &mut dyn Output) {
        let _ = (now, output);
    }

    /// Ends every flow (shutdown, end of capture); fragments still held are dropped.
    pub fn finish(&mut self, now: Timestamp, output: &mut dyn Output) {
        let _ = (now, output);
    }

    /// Changes the rules. Flows and their state are kept.
    pub fn set_rules(&mut self, rules: RuleSets) {
        self.rules = rules;
    }
}
