//! Pod policy: the mode and fail mode of an attachment.

use serde::{Deserialize, Serialize};

/// What weir does with the traffic of a pod. Ordered from loose to tight.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Not inspected, not wired.
    Off,
    /// Inspected; what would be dropped is delivered and its alert marked `would_drop`.
    Detect,
    /// Inspected; drop and reject signatures act.
    #[default]
    Prevent,
}

/// What the kernel does with a pod's frames while no enforcer answers. Ordered from loose to tight.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum FailMode {
    /// Frames pass uninspected.
    #[default]
    Open,
    /// Frames are dropped.
    Closed,
}
