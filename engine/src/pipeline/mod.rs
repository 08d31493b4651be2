//! The stages put together: one [`Engine`] per worker.

mod anomaly;
mod application;
mod config;
mod detectors;
mod exception;
mod fragments;
mod frames;
mod inspect;
mod look;
mod report;
mod rest;
mod rewrite;
mod ruling;
mod tracking;

use std::sync::Arc;

pub use config::EngineConfig;
pub use exception::{ExceptionPolicies, ExceptionPolicy, ImpossiblePolicy};

use crate::app_layer::{Expectations, ParserPool};
use crate::counters::Counters;
use crate::decode;
use crate::defrag::Defrag;
use crate::detect::RuleSet;
use crate::event::Output;
use crate::flow::FlowTable;
use crate::frame::{FrameMeta, RuleSetId, Timestamp};
use crate::stream::StreamMemory;
use crate::verdict::Verdict;

use detectors::Detectors;
use fragments::discard;
use ruling::Culprit;

/// Flows ended on the way, at most, each time that a second of the frames' clock has passed.
const EXPIRE_ON_THE_WAY: usize = 256;
/// Most event names that one packet can raise.
const EVENT_NAMES: usize = 256;

/// The compiled rule sets an engine holds, by [`RuleSetId`]. At least one: the default set.
#[derive(Clone, Debug)]
pub struct RuleSets {
    default: Arc<RuleSet>,
    others: Vec<Arc<RuleSet>>,
    /// Names of the others, as far as they have any.
    names: Vec<Arc<str>>,
}

impl RuleSets {
    /// Sets by index: `default` is 0, `others` are 1 and up.
    #[must_use]
    pub fn new(default: Arc<RuleSet>, others: Vec<Arc<RuleSet>>) -> Self {
        Self {
            default,
            others,
            names: Vec::new(),
        }
    }

    /// The same, the others with names: of one name are sets that take each other's place when rules are
    /// changed, whatever their indices.
    #[must_use]
    pub fn named(self, names: Vec<Arc<str>>) -> Self {
        Self { names, ..self }
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
    config: EngineConfig,
    detectors: Detectors,
    defrag: Defrag,
    flows: FlowTable,
    memory: StreamMemory,
    parsers: ParserPool,
    counters: Counters,
    /// How often frames may have been missed.
    epoch: u32,
    /// The flow table was full when it was last asked for room.
    full: bool,
    /// Length of the frame at hand.
    frame_length: u64,
    last_tick: Timestamp,
    /// The packet that condemned the frame at hand, the outermost if several.
    culprit: Option<Culprit>,
    /// Scratch: names of the events of the packet at hand.
    event_names: Vec<&'static str>,
}

impl Engine {
    /// An engine with all its memory in place. `seed` keys its hash tables: give each worker a random
    /// one.
    #[must_use]
    pub fn new(config: EngineConfig, rules: RuleSets, seed: [u64; 2]) -> Self {
        Self {
            config,
            detectors: Detectors::new(&rules, config.detect, seed),
            defrag: Defrag::new(config.defrag, seed),
            flows: FlowTable::new(config.flow, seed),
            memory: StreamMemory::new(config.stream),
            parsers: ParserPool::new(config.app_layer).with_files(config.files),
            counters: Counters::default(),
            epoch: 0,
            full: false,
            frame_length: 0,
            last_tick: Timestamp::default(),
            culprit: None,
            event_names: Vec::with_capacity(EVENT_NAMES),
        }
    }

    /// With the table of expected connections that the engines of several workers share.
    #[must_use]
    pub fn with_expectations(mut self, expectations: Arc<Expectations>) -> Self {
        self.parsers.share(expectations);
        self
    }

    /// Judges one frame. Its bytes may be rewritten in place (the first copy of overlapping stream data
    /// wins, also on the wire; urgent flags are cleared), never its length.
    pub fn process(
        &mut self,
        frame: &mut [u8],
        meta: &FrameMeta,
        output: &mut dyn Output,
    ) -> Verdict {
        self.begin(frame.len(), meta, output);
        let fate = self.judge_frame(frame, meta, output);
        self.finish_frame();
        self.settle(&fate, meta, output)
    }

    /// Judges a datagram that another worker put together from fragments and that its
    /// [`Output::elsewhere`] handed over. The answer is for all its fragments: [`Verdict::Pass`] means
    /// deliver them, anything else drop them; it is never [`Verdict::Held`]. A datagram cannot be
    /// rewritten: one that would have to be is dropped.
    pub fn process_datagram(
        &mut self,
        datagram: &[u8],
        meta: &FrameMeta,
        output: &mut dyn Output,
    ) -> Verdict {
        self.begin(datagram.len(), meta, output);
        let fate = match decode::decode(datagram, meta.link) {
            Ok(mut packet) => {
                packet.reassembled = true;
                self.judge_packet(packet, meta, output)
            }
            Err(error) => self.judge_undecodable(&error, meta, output).into(),
        };
        self.finish_frame();
        self.settle(&fate, meta, output)
    }

    /// Says that frames may have passed this node without being handed in (the kernel failed open
    /// while the worker stood still): flows that are already known may have holes, so each picks up its
    /// sequence numbers anew. O(1).
    pub fn missed_frames(&mut self) {
        self.epoch = self.epoch.wrapping_add(1);
    }

    /// Lets time pass: expires flows and fragments. Call about once a second, also without traffic.
    pub fn advance(&mut self, now: Timestamp, output: &mut dyn Output) {
        self.expire(now, self.config.flow.expire_batch, output);
    }

    /// Ends every flow (shutdown, end of capture); fragments still held are dropped.
    pub fn finish(&mut self, now: Timestamp, output: &mut dyn Output) {
        let frames = &mut self.counters.frames;
        self.defrag
            .clear(&mut |discarded| discard(&discarded, frames, output));
        let (mut rest, flows) = self.rest();
        flows.clear(&mut |flow, reason| rest.end(flow, (reason, now), output));
        self.finish_frame();
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Changes the rules. Flows and their state are kept.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the engine is given the rules"
    )]
    pub fn set_rules(&mut self, rules: RuleSets) {
        self.detectors.set_rules(&rules);
    }

    fn begin(&mut self, length: usize, meta: &FrameMeta, output: &mut dyn Output) {
        self.frame_length = length as u64;
        self.culprit = None;
        self.counters.frames.seen += 1;
        self.counters.frames.bytes += self.frame_length;
        if meta.at.since(self.last_tick).as_secs() >= 1 {
            self.expire(meta.at, EXPIRE_ON_THE_WAY, output);
        }
    }

    fn expire(&mut self, now: Timestamp, batch: usize, output: &mut dyn Output) {
        self.last_tick = now;
        let frames = &mut self.counters.frames;
        self.defrag
            .advance(now, &mut |discarded| discard(&discarded, frames, output));
        let (mut rest, flows) = self.rest();
        let gone = flows.expire(now, batch, &mut |flow, reason| {
            rest.end(flow, (reason, now), output);
        });
        self.counters.flows.timed_out += gone as u64;
        self.finish_frame();
    }

    /// Brings the gauges and the detectors' counts up to date.
    fn finish_frame(&mut self) {
        self.count_active();
        self.counters.streams.memory = self.memory.pool.memory() as u64;
        self.counters.defrag = self.defrag.counters();
        self.counters.detect = self.detectors.counters();
    }
}
