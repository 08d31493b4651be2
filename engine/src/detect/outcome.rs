//! What the detector found.

use std::sync::Arc;

use weir_policies::rule::ast::Action;

use super::compile::action_rank;
use super::{RuleSet, Signature, SignatureId};
use crate::verdict::RejectSides;

/// The signatures that fired on one packet, and what they ask for together.
#[derive(Debug)]
pub struct Outcome {
    pub(super) rules: Arc<RuleSet>,
    pub(super) hits: Vec<Hit>,
    pub(super) effect: Effect,
    pub(super) suppressed: u32,
    /// An earlier alert asked that the packet be recorded.
    pub(super) tagged: bool,
    /// The signature that dropped the flow earlier, maybe of a set that is no longer in force.
    pub(super) past: Option<Arc<Signature>>,
    weights: Vec<Weight>,
    remarks: Vec<Remark>,
    limit: usize,
}

/// Remarks of one signature on one packet, at most.
pub(super) const REMARKS: usize = 16;

/// What a signature that fired says beside itself.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "held in place: a match allocates nothing"
)]
pub enum Remark {
    /// What a data set knows of a value that was found in it.
    Context {
        /// Name under which the alert shows it.
        key: Arc<str>,
        /// A JSON text.
        json: Arc<str>,
    },
    /// What an expression captured.
    Captured {
        /// Of what it is a variable.
        kind: CaptureKind,
        /// Its name.
        name: Excerpt,
        /// The bytes.
        value: Excerpt,
    },
    /// The entropy of a buffer that was asked for.
    Entropy {
        /// The buffer, by its keyword.
        buffer: Arc<str>,
        /// Bits a byte.
        value: f64,
    },
}

/// Of what a captured value is a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptureKind {
    /// `pkt`
    Packet,
    /// `flow`
    Flow,
    /// `alert`
    Alert,
}

/// Most bytes that an excerpt holds.
const EXCERPT: usize = 128;

/// The first bytes of something: at most 128.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Excerpt {
    bytes: [u8; EXCERPT],
    length: usize,
}

impl Excerpt {
    /// The first bytes of these.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let length = bytes.len().min(EXCERPT);
        let mut excerpt = Self {
            bytes: [0; EXCERPT],
            length,
        };
        let kept = excerpt.bytes.iter_mut().zip(bytes);
        kept.for_each(|(to, from)| *to = *from);
        excerpt
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl std::fmt::Debug for Excerpt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"{}\"", self.bytes().escape_ascii())
    }
}

impl Outcome {
    /// Stands for the signature that dropped the flow earlier.
    pub(super) const PAST: SignatureId = SignatureId(u32::MAX);

    pub(super) fn new(rules: Arc<RuleSet>, alerts: usize) -> Self {
        Self {
            rules,
            hits: Vec::with_capacity(alerts),
            effect: Effect::None,
            suppressed: 0,
            tagged: false,
            past: None,
            weights: Vec::with_capacity(alerts),
            remarks: Vec::with_capacity(alerts.saturating_mul(REMARKS)),
            limit: alerts,
        }
    }

    pub(super) fn reset(&mut self) {
        self.hits.clear();
        self.weights.clear();
        self.remarks.clear();
        self.effect = Effect::None;
        self.suppressed = 0;
        self.tagged = false;
        self.past = None;
    }

    /// The rules, and what is found with them.
    pub(super) fn parts(&mut self) -> (&RuleSet, Tally<'_>) {
        let tally = Tally {
            hits: &mut self.hits,
            weights: &mut self.weights,
            remarks: &mut self.remarks,
            effect: &mut self.effect,
            suppressed: &mut self.suppressed,
            limit: self.limit,
        };
        (&self.rules, tally)
    }

    /// Signatures to raise an alert for, in the order of their weight (action, then priority).
    #[must_use]
    pub fn hits(&self) -> &[Hit] {
        &self.hits
    }

    /// The signature behind a hit of this outcome.
    #[must_use]
    pub fn signature(&self, id: SignatureId) -> &Arc<Signature> {
        match &self.past {
            Some(past) if id == Self::PAST => past,
            _ => self.rules.signature(id),
        }
    }

    /// What the signature of a hit says beside itself.
    #[must_use]
    pub fn remarks(&self, hit: &Hit) -> &[Remark] {
        let (start, end) = hit.remarks;
        self.remarks.get(start..end).unwrap_or_default()
    }

    /// What the signatures ask for together. A `noalert` signature counts here though it is no hit.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// Whether an earlier alert asked that the packet be recorded (`tag`).
    #[must_use]
    pub fn is_tagged(&self) -> bool {
        self.tagged
    }

    /// Alerts that [`Limits::alerts`](super::Limits::alerts) left out.
    #[must_use]
    pub fn suppressed(&self) -> u32 {
        self.suppressed
    }
}

/// What is found in one round, bounded.
pub(super) struct Tally<'a> {
    hits: &'a mut Vec<Hit>,
    weights: &'a mut Vec<Weight>,
    remarks: &'a mut Vec<Remark>,
    pub(super) effect: &'a mut Effect,
    suppressed: &'a mut u32,
    limit: usize,
}

impl Tally<'_> {
    /// Keeps a signature's remarks: where they are.
    pub(super) fn remark(&mut self, remarks: impl Iterator<Item = Remark>) -> (usize, usize) {
        let start = self.remarks.len();
        let room = self.remarks.capacity().saturating_sub(start);
        self.remarks.extend(remarks.take(room));
        (start, self.remarks.len())
    }

    /// Adds a hit by its weight; the lightest goes when there are too many.
    pub(super) fn push(&mut self, weight: Weight, hit: Hit) {
        let at = self.weights.partition_point(|known| *known <= weight);
        if self.hits.len() >= self.limit {
            *self.suppressed += 1;
            if at >= self.limit {
                return;
            }
            self.hits.pop();
            self.weights.pop();
        }
        self.hits.insert(at, hit);
        self.weights.insert(at, weight);
    }
}

/// Sorts hits: by action, then priority, then evaluation order. Less is weightier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Weight(u8, u8, SignatureId);

impl Weight {
    pub(super) fn new(action: Action, priority: u8, id: SignatureId) -> Self {
        Self(action_rank(action), priority, id)
    }
}

/// A signature that fired and is to be reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Which.
    pub signature: SignatureId,
    /// Where it matched.
    pub source: HitSource,
    /// True where the signature drops or rejects and this match does (a threshold may hold the
    /// alert back without holding the drop back, never the reverse).
    pub drops: bool,
    /// Its remarks among those of the packet.
    pub(super) remarks: (usize, usize),
}

/// What a signature matched in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HitSource {
    /// The packet: its headers, or its payload. Offset of the first matched payload byte.
    Packet {
        /// Index into the packet's payload.
        offset: usize,
    },
    /// A transaction of the application layer.
    Transaction {
        /// Index among the transactions at hand.
        index: usize,
    },
    /// The stream window. Offset of the first matched byte.
    Stream {
        /// Index into [`StreamView::bytes`](super::StreamView::bytes).
        offset: usize,
    },
}

/// What all the signatures that matched a packet ask for together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: deliver it.
    None,
    /// A pass signature matched: deliver it; with [`Scope::Flow`] everything else of the flow as
    /// well, uninspected ([`FlowState`](super::FlowState) remembers).
    Pass {
        /// How far it reaches.
        scope: Scope,
    },
    /// Do not deliver it.
    Drop {
        /// The weightiest signature that asks for it.
        signature: SignatureId,
        /// How far it reaches. [`FlowState`](super::FlowState) remembers a dropped flow.
        scope: Scope,
        /// Whom to tell, where the signature rejects.
        reject: Option<RejectSides>,
    },
}

/// How far an effect reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// This packet.
    Packet,
    /// This packet and all later ones of its flow, in both directions.
    Flow,
}
