//! `threshold.config`: what is changed of rules from outside.

use std::collections::HashMap;
use std::sync::Arc;

use weir_policies::LineError;
use weir_policies::rule::ast::{Rule, Threshold};
use weir_policies::threshold_config::{Effect, Entry, SuppressSide, Target};

use super::env::Variables;
use super::header::{NESTING, addresses};
use crate::detect::program::{Adjusted, Suppression};

/// Thresholds, suppressions and rate filters, by the signatures that they are for.
#[derive(Debug, Default)]
pub struct Adjustments {
    signatures: HashMap<(u32, u32), Own>,
    /// For all signatures of a generator, or of all.
    general: Vec<(Option<u32>, Suppression)>,
}

/// What is for one signature.
#[derive(Debug, Default)]
struct Own {
    threshold: Option<Threshold>,
    adjusted: Adjusted,
}

impl Adjustments {
    /// Resolves entries of a file. Those that cannot be applied are returned with their line; the others
    /// stand.
    #[must_use]
    pub fn new(entries: &[Entry], vars: &dyn Variables) -> (Self, Vec<LineError>) {
        let mut all = Self::default();
        let mut errors = Vec::new();
        for entry in entries {
            if let Err(message) = all.add(entry, vars) {
                let line = entry.line;
                errors.push(LineError { line, message });
            }
        }
        (all, errors)
    }

    fn add(&mut self, entry: &Entry, vars: &dyn Variables) -> Result<(), String> {
        let Target { gid, sid } = entry.target;
        let suppression = match &entry.effect {
            Effect::Suppress { hosts } => Some(match hosts {
                None => Suppression::Always,
                Some((side, hosts)) => {
                    let hosts = Arc::new(addresses(hosts, vars, NESTING)?);
                    match side {
                        SuppressSide::Source => Suppression::Source(hosts),
                        SuppressSide::Destination => Suppression::Destination(hosts),
                        SuppressSide::Either => Suppression::Either(hosts),
                    }
                }
            }),
            _ => None,
        };
        let (Some(gid), Some(sid)) = (gid, sid) else {
            self.general.extend(suppression.map(|what| (gid, what)));
            return Ok(());
        };
        let own = self.signatures.entry((gid, sid)).or_default();
        let twice = |what| format!("a line before it gives signature {gid}:{sid} another {what}");
        match &entry.effect {
            Effect::Suppress { .. } => own.adjusted.suppressions.extend(suppression),
            Effect::Threshold(_) if own.threshold.is_some() => return Err(twice("threshold")),
            Effect::Threshold(threshold) => own.threshold = Some(threshold.clone()),
            Effect::RateFilter(_) if own.adjusted.rate.is_some() => {
                return Err(twice("rate_filter"));
            }
            Effect::RateFilter(filter) => own.adjusted.rate = Some(*filter),
        }
        Ok(())
    }

    /// Threshold in place of the rule's own.
    pub(super) fn threshold(&self, rule: &Rule) -> Option<&Threshold> {
        let own = self.signatures.get(&(rule.meta.gid, rule.meta.sid))?;
        own.threshold.as_ref()
    }

    /// Suppressions and rate filter of a rule, where it has any.
    pub(super) fn adjusted(&self, rule: &Rule) -> Option<Box<Adjusted>> {
        let gid = rule.meta.gid;
        let own = self.signatures.get(&(gid, rule.meta.sid));
        let mut adjusted = own.map(|own| own.adjusted.clone()).unwrap_or_default();
        let general = self.general.iter();
        let general = general.filter(|(of, _)| of.is_none_or(|of| of == gid));
        adjusted
            .suppressions
            .extend(general.map(|(_, suppression)| suppression.clone()));
        (adjusted != Adjusted::default()).then(|| Box::new(adjusted))
    }
}
