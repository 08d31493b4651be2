//! Signatures against packets and streams.
//!
//! - [`RuleSet`]: what the rules of some files compile to; immutable, shared by all workers;
//! - [`Detector`]: one per worker; owns every buffer that inspection needs;
//! - [`FlowState`]: what detection remembers of one flow; lives in the flow table;
//! - [`Inspection`] in, [`Outcome`] out.
//!
//! A packet is inspected once, together with the fresh bytes of its stream if it brought any.
//!
//! Invariants: a rule is evaluated as documented or refused with a reason, never in part; a packet
//! meets only the signatures of its protocol, direction and ports; inspection allocates nothing once
//! warm; work per packet is bounded ([`Limits`]) and a limit that is hit is counted
//! ([`DetectCounters`]), never silent.

mod application;
mod buffers;
mod candidates;
mod compile;
mod data;
mod detector;
mod evaluate;
mod flow_state;
mod group;
mod inspection;
mod limits;
mod matcher;
mod outcome;
mod program;
mod reputation;
mod round;
mod ruleset;
mod signature;
mod state;
#[cfg(test)]
mod tests;
mod transform;

pub use compile::{
    Adjustments, Classifications, CompileCounts, CompileEnv, Compiled, Draft, NoClassifications,
    NoRuleFiles, NoVariables, Refusal, RuleClass, RuleFiles, Variables, evaluated_keywords,
};
pub use data::{
    DataFormat, DataKind, DataRoom, DataSet, DataSource, DataSpec, JsonKeys, Loaded, Note,
    ValueError,
};
pub use detector::{DetectCounters, Detector};
pub use flow_state::{FlowState, MAX_STORING};
pub use inspection::{Extent, FlowView, Inspection, StreamView};
pub use limits::Limits;
pub use outcome::{CaptureKind, Effect, Excerpt, Hit, HitSource, Outcome, Remark, Scope};
pub use reputation::Reputation;
pub use ruleset::RuleSet;
pub use signature::{Signature, SignatureId, TargetEnd};
