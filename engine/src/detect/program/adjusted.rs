//! What `threshold.config` changes of a signature.

use std::net::IpAddr;
use std::sync::Arc;

use weir_policies::threshold_config::RateFilter;

use crate::detect::matcher::AddressSet;

/// Suppressions and rate filter of one signature.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::detect) struct Adjusted {
    /// Any of them holds its alerts back, not what else a match does.
    pub(in crate::detect) suppressions: Vec<Suppression>,
    pub(in crate::detect) rate: Option<RateFilter>,
}

/// Where a signature raises no alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::detect) enum Suppression {
    Always,
    Source(Arc<AddressSet>),
    Destination(Arc<AddressSet>),
    Either(Arc<AddressSet>),
}

impl Adjusted {
    /// Whether an alert between these is held back.
    pub(in crate::detect) fn suppresses(&self, source: IpAddr, destination: IpAddr) -> bool {
        self.suppressions
            .iter()
            .any(|suppression| match suppression {
                Suppression::Always => true,
                Suppression::Source(hosts) => hosts.contains(source),
                Suppression::Destination(hosts) => hosts.contains(destination),
                Suppression::Either(hosts) => hosts.contains(source) || hosts.contains(destination),
            })
    }
}
