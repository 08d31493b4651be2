//! How an engine judges traffic, and its bounds.

use crate::app_layer::{FileNeeds, Limits as AppLimits};
use crate::defrag::DefragLimits;
use crate::detect::Limits as DetectLimits;
use crate::flow::FlowLimits;
use crate::stream::{StreamLimits, UrgentPolicy};

use super::ExceptionPolicies;

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
    /// What to do with urgent data.
    pub urgent: UrgentPolicy,
    /// What befalls traffic that cannot be followed.
    pub exceptions: ExceptionPolicies,
    /// Bounds of the fragment table.
    pub defrag: DefragLimits,
    /// Bounds of the flow table.
    pub flow: FlowLimits,
    /// Bounds of TCP tracking.
    pub stream: StreamLimits,
    /// Bounds of the application layer.
    pub app_layer: AppLimits,
    /// What is to be known of files whatever the rules want, and whether whole files may be kept for rules
    /// that ask to store them.
    pub files: FileNeeds,
    /// Bounds of the detection stage.
    pub detect: DetectLimits,
}

impl EngineConfig {
    /// For inspection in line: nothing that was not seen is held against a flow.
    #[must_use]
    pub fn inline() -> Self {
        Self {
            midstream: true,
            async_oneside: true,
            exceptions: ExceptionPolicies::inline(),
            ..Self::default()
        }
    }
}
