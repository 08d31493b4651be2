//! The compiled rules.

use std::sync::Arc;

use super::{Signature, SignatureId};

/// What rules compile to. Immutable; workers share it by [`Arc`].
#[derive(Debug, Default)]
pub struct RuleSet {
    pub(super) signatures: Vec<Arc<Signature>>,
}

impl RuleSet {
    /// A set that matches nothing.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// Number of signatures.
    #[must_use]
    pub fn len(&self) -> usize {
        self.signatures.len()
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.signatures.is_empty()
    }

    /// A signature that this set reported.
    ///
    /// # Panics
    ///
    /// When `id` is of another set.
    #[must_use]
    pub fn signature(&self, id: SignatureId) -> &Arc<Signature> {
        &self.signatures[id.0 as usize]
    }

    /// All signatures, in the order of their weight.
    pub fn signatures(&self) -> impl Iterator<Item = &Signature> {
        self.signatures.iter().map(AsRef::as_ref)
    }
}
