//! The committed list of cases that pass.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::case::{Case, Outcome};

/// What is expected of the cases.
pub(crate) struct Expectations {
    passing: BTreeSet<String>,
    /// `folder/sid` of signatures that fire on the captures without cases, as they should.
    captures: BTreeSet<String>,
    /// Cases held to be wrong, with the reason, from the documentation.
    arguable: BTreeMap<String, String>,
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("verify-expectations.json")
}

impl Expectations {
    /// Reads the committed file.
    pub(crate) fn read() -> Result<Self> {
        let path = path();
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let value: Value =
            serde_json::from_str(&text).with_context(|| format!("{} is broken", path.display()))?;
        let names = |key: &str| {
            let names = value[key].as_array().into_iter().flatten();
            names.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let reasons = value["arguable"].as_object().into_iter().flatten();
        Ok(Self {
            passing: names("passing"),
            captures: names("captures"),
            arguable: reasons
                .filter_map(|(name, reason)| Some((name.clone(), reason.as_str()?.to_owned())))
                .collect(),
        })
    }

    /// Writes the file.
    pub(crate) fn write(&self) -> Result<()> {
        let value = json!({
            "passing": self.passing,
            "arguable": self.arguable,
            "captures": self.captures,
        });
        let text = serde_json::to_string_pretty(&value)? + "\n";
        std::fs::write(path(), text).with_context(|| format!("cannot write {}", path().display()))
    }

    /// Cases that are expected to pass and do not.
    pub(crate) fn lost(&self, results: &[(&Case, &Outcome)]) -> Vec<String> {
        results
            .iter()
            .filter(|(case, outcome)| self.passing.contains(&case.name) && !case.passes(outcome))
            .map(|(case, _)| case.name.clone())
            .collect()
    }

    /// Adds the cases that pass and were not expected to; their names.
    pub(crate) fn gain(&mut self, results: &[(&Case, &Outcome)]) -> Vec<String> {
        let mut gained = Vec::new();
        for (case, outcome) in results {
            if case.passes(outcome) && self.passing.insert(case.name.clone()) {
                gained.push(case.name.clone());
            }
        }
        gained
    }

    /// Signatures that should fire and no longer do.
    pub(crate) fn lost_captures(&self, found: &[String]) -> Vec<String> {
        let lost = self.captures.iter().filter(|name| !found.contains(name));
        lost.cloned().collect()
    }

    /// Adds signatures that fire.
    pub(crate) fn gain_captures(&mut self, found: Vec<String>) {
        self.captures.extend(found);
    }
}
