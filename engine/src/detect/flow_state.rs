//! What detection remembers of one flow.

use std::sync::Arc;

use super::Signature;

/// Detection's memory of one flow: flowbits, what was inspected and reported, pass and drop decisions.
/// Bounded by [`Limits`](super::Limits); [`FlowState::clear`] keeps its memory for the next flow.
#[derive(Debug, Default)]
pub struct FlowState {
    pub(super) dropped_by: Option<Arc<Signature>>,
    pub(super) passed: bool,
}

impl FlowState {
    /// The signature that ended this flow: every later packet is to be dropped, uninspected.
    #[must_use]
    pub fn dropped_by(&self) -> Option<&Arc<Signature>> {
        self.dropped_by.as_ref()
    }

    /// True once a pass signature took the flow out of inspection.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.passed
    }

    /// Forgets the flow, keeping memory for the next one.
    pub fn clear(&mut self) {
        self.dropped_by = None;
        self.passed = false;
    }
}
