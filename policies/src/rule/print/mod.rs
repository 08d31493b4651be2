//! Rules back to text.
//!
//! `Display` writes the options as they were written; [`canonical`] writes what the tree says: sticky
//! buffers in place of the older modifiers, canonical keywords, one form per value. Both read back to
//! an equal tree, positions aside (and, for the latter, [`Rule::body`] aside).

mod header;
mod options;

use std::fmt;

use super::ast::{Action, Located, RejectSide, Rule, Setting, Written};

impl fmt::Display for Rule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_head(self, out)?;
        write!(out, "{})", self.body)
    }
}

impl fmt::Display for Written {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.keyword)?;
        match &self.value {
            Some(value) => write!(out, ":{value}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Alert => "alert",
            Self::Drop => "drop",
            Self::Reject(RejectSide::Default) => "reject",
            Self::Reject(RejectSide::Source) => "rejectsrc",
            Self::Reject(RejectSide::Destination) => "rejectdst",
            Self::Reject(RejectSide::Both) => "rejectboth",
            Self::Pass => "pass",
            Self::Config => "config",
        })
    }
}

/// `#`, action, header and the opening parenthesis.
fn write_head(rule: &Rule, out: &mut dyn fmt::Write) -> fmt::Result {
    let hash = if rule.enabled { "" } else { "# " };
    write!(out, "{hash}{} {} (", rule.action, rule.header)
}

/// A rule with its options as the tree has them.
#[must_use]
pub fn canonical(rule: &Rule) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_canonical(rule, &mut out);
    out
}

fn write_canonical(rule: &Rule, out: &mut String) -> fmt::Result {
    write_head(rule, out)?;
    let mut options = options::Writer::new(out);
    options.message(&rule.meta)?;
    for condition in &rule.matches {
        options.condition(&condition.value)?;
    }
    if let Some(threshold) = &rule.threshold {
        options.threshold(threshold)?;
    }
    for Located { value, .. } in &rule.settings {
        match value {
            Setting::NoAlert => options.bare("noalert")?,
            Setting::Alert => options.bare("alert")?,
            Setting::Prefilter => options.bare("prefilter")?,
            Setting::Other(written) => options.written(written)?,
        }
    }
    options.identity(&rule.meta)?;
    out.push(')');
    Ok(())
}
