//! A compiled rule.

use weir_policies::rule::ast::{Action, Meta};

/// A signature of the [`RuleSet`](super::RuleSet) that reported it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SignatureId(pub(super) u32);

/// A compiled rule: who it is and what it asks for. What it tests is private to this stage.
#[derive(Debug)]
pub struct Signature {
    /// Identity.
    pub meta: Meta,
    /// What it asks for.
    pub action: Action,
    /// 1 (highest) to 255: the rule's own, else its class's, else 3.
    pub priority: u8,
    /// What its class means; empty where unknown.
    pub category: Box<str>,
    /// Which end of a packet it sees as the target of the attack (`target`).
    pub target: Option<TargetEnd>,
}

/// An end of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetEnd {
    /// `src_ip`
    Source,
    /// `dest_ip`
    Destination,
}

impl TargetEnd {
    /// Reads the value of `target`.
    pub(super) fn read(value: &str) -> Option<Self> {
        match value.trim() {
            "src_ip" => Some(Self::Source),
            "dest_ip" => Some(Self::Destination),
            _ => None,
        }
    }
}
