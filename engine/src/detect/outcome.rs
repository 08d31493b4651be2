//! What the detector found.

use std::sync::Arc;

use crate::verdict::RejectSides;

use super::{RuleSet, Signature, SignatureId};

/// The signatures that fired on one packet, and what they ask for together.
#[derive(Debug)]
pub struct Outcome {
    pub(super) rules: Arc<RuleSet>,
    pub(super) hits: Vec<Hit>,
    pub(super) effect: Effect,
    pub(super) suppressed: u32,
}

impl Outcome {
    pub(super) fn new(rules: Arc<RuleSet>, alerts: usize) -> Self {
        Self {
            rules,
            hits: Vec::with_capacity(alerts),
            effect: Effect::None,
            suppressed: 0,
        }
    }

    /// Signatures to raise an alert for, in the order of their weight (action, then priority).
    #[must_use]
    pub fn hits(&self) -> &[Hit] {
        &self.hits
    }

    /// The signature behind a hit of this outcome.
    #[must_use]
    pub fn signature(&self, id: SignatureId) -> &Arc<Signature> {
        self.rules.signature(id)
    }

    /// What the signatures ask for together. A `noalert` signature counts here though it is no hit.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// Alerts that [`Limits::alerts`](super::Limits::alerts) left out.
    #[must_use]
    pub fn suppressed(&self) -> u32 {
        self.suppressed
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
}

/// What a signature matched in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HitSource {
    /// The packet: its headers, or its payload. Offset of the first matched payload byte.
    Packet {
        /// Index into the packet's payload.
        offset: usize,
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
