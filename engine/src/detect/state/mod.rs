//! What detection remembers between packets: thresholds, bits on hosts, and the names of variables.
//! (What it remembers of a flow is [`FlowState`](super::FlowState), which lives in the flow table.)
//!
//! Every table has a fixed size, allocated once; a full one throws out its oldest entry of the same
//! bucket, O(1), and counts it. Keys are keyed hashes of 128 bits: attackers choose addresses.

mod bucket;
mod captured;
mod host_bits;
mod name;
mod tags;
mod threshold;

pub(super) use captured::Captured;
pub(super) use host_bits::HostBits;
pub(super) use name::Name;
pub(super) use tags::{Tagged, TaggedHosts};
pub(super) use threshold::{Count, Decision, ThresholdKey, ThresholdState, Thresholds, decide};
