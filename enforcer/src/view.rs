//! What workers read of the rest of the process: replaced as a whole, never changed.

use std::sync::Arc;

use weir_engine::pipeline::RuleSets;

use crate::attachments::snapshot::Snapshot;

/// Attachments and the rules for them. The rule-set ids in the snapshot are those of `rules`.
#[derive(Clone, Debug)]
pub struct View {
    /// Attachments.
    pub attachments: Arc<Snapshot>,
    /// Compiled rules.
    pub rules: Arc<RuleSets>,
}
