//! The stages put together: one [`Engine`] per worker.

mod config;

use std::sync::Arc;

pub use config::EngineConfig;

use crate::counters::Counters;
use crate::detect::RuleSet;
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

/// One worker's engine: every stage from the frame to its verdict. Owns its tables, shares nothing.
#[derive(Debug)]
pub struct Engine {
    rules: RuleSets,
    counters: Counters,
}

impl Engine {
    /// An engine with all its memory in place. `seed` keys its hash tables: give each worker a random
    /// one.
    #[must_use]
    pub fn new(config: EngineConfig, rules: RuleSets, seed: [u64; 2]) -> Self {
        let _ = (config, seed);
        Self {
            rules,
            counters: Counters::default(),
        }
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

    /// Judges a datagram that another worker put together from fragments and that its
    /// [`Output::elsewhere`] handed over. The answer is for all its fragments: [`Verdict::Pass`] means
    /// deliver them, anything else drop them; it is never [`Verdict::Held`]. `datagram` is never
    /// rewritten.
    pub fn process_datagram(
        &mut self,
        datagram: &mut [u8],
        meta: &FrameMeta,
        output: &mut dyn Output,
    ) -> Verdict {
        let _ = (datagram, meta, output);
        Verdict::Pass
    }

    /// Says that frames may have passed this node without being handed in (the kernel failed open
    /// while the worker stood still): flows that are already known may have holes, so each picks up its
    /// sequence numbers anew. O(1).
    pub fn missed_frames(&mut self) {}

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Changes the rules. Flows and their state are kept.
    pub fn set_rules(&mut self, rules: RuleSets) {
        self.rules = rules;
    }
}
