//! What is to befall a frame, before the mode has its say.

use std::sync::Arc;

use crate::detect::{Effect, Outcome, Signature};
use crate::event::{Ends, FlowDirection, FlowSummary};
use crate::verdict::{DropReason, RejectSides};

/// Why a frame is to be dropped.
#[derive(Clone, Debug)]
pub(super) struct Condemned {
    pub(super) reason: DropReason,
    /// Name of the event behind it.
    pub(super) detail: Option<&'static str>,
    pub(super) signature: Option<Arc<Signature>>,
    pub(super) reject: Option<RejectSides>,
}

/// The packet that condemned a frame. Kept apart from [`Condemned`], which is passed around by value
/// for every packet and has to be small.
#[derive(Clone, Copy, Debug)]
pub(super) struct Culprit {
    pub(super) ends: Ends,
    pub(super) flow: Option<FlowSummary>,
    pub(super) direction: Option<FlowDirection>,
}

impl Condemned {
    pub(super) fn new(reason: DropReason, detail: Option<&'static str>) -> Self {
        Self {
            reason,
            detail,
            signature: None,
            reject: None,
        }
    }

    /// What the signatures that matched a packet ask for.
    pub(super) fn by_rules(outcome: &Outcome) -> Option<Self> {
        let Effect::Drop {
            signature, reject, ..
        } = outcome.effect()
        else {
            return None;
        };
        Some(Self {
            signature: Some(Arc::clone(outcome.signature(signature))),
            reject,
            ..Self::new(DropReason::Rule, None)
        })
    }

    /// The rest of a flow that an exception policy gave up.
    pub(super) fn by_exception(reason: DropReason) -> Self {
        Self::new(DropReason::FlowDropped, Some(reason.name()))
    }

    pub(super) fn by_flow(signature: &Arc<Signature>) -> Self {
        Self {
            signature: Some(Arc::clone(signature)),
            ..Self::new(DropReason::FlowDropped, None)
        }
    }
}

/// `None`: nothing speaks against the frame.
pub(super) type Ruling = Option<Condemned>;

/// What is to befall a frame.
#[derive(Debug)]
pub(super) enum Fate {
    /// Nothing speaks against it.
    Deliver,
    /// A fragment that is kept until its datagram is judged.
    Hold,
    /// It is to be dropped.
    Condemned(Condemned),
}

impl From<Ruling> for Fate {
    fn from(ruling: Ruling) -> Self {
        ruling.map_or(Self::Deliver, Self::Condemned)
    }
}
