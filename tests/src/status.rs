//! Reads `weir status --json` and compares counters.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::command::Run;
use crate::netns::Netns;
use crate::node::binary;

/// One answer of `weir status --json`.
#[derive(Clone, Debug)]
pub struct Status(pub Value);

impl Status {
    /// Asks the enforcer behind `run_dir`, from inside the node's namespace.
    ///
    /// # Errors
    /// When the command fails or prints something else than JSON.
    pub fn read(node: &Netns, run_dir: &Path) -> Result<Self> {
        let weir = binary("weir")?;
        let text = node.run(|| {
            Run::new(
                Command::new(&weir)
                    .args(["status", "--json", "--run-dir"])
                    .arg(run_dir),
            )
            .succeed()
        })?;
        let value =
            serde_json::from_str(&text).with_context(|| format!("weir status printed: {text}"))?;
        Ok(Self(value))
    }

    /// The counter of a dotted name such as `frames.seen`, wherever in the answer the counters are.
    ///
    /// # Errors
    /// When there is none or more than one: a counter that is renamed must not read as 0.
    pub fn counter(&self, name: &str) -> Result<u64> {
        let suffix = format!(".{name}");
        let found: Vec<u64> = self
            .counters()
            .into_iter()
            .filter(|(key, _)| key == name || key.ends_with(&suffix))
            .map(|(_, value)| value)
            .collect();
        match found.as_slice() {
            [value] => Ok(*value),
            _ => bail!("{} counters {name} in {}", found.len(), self.0),
        }
    }

    /// All numbers of the answer by dotted path.
    #[must_use]
    pub fn counters(&self) -> BTreeMap<String, u64> {
        let mut counters = BTreeMap::new();
        flatten(&self.0, "", &mut counters);
        counters
    }

    /// The counters whose path contains `part` and that grew since `earlier`, and by how much.
    #[must_use]
    pub fn growth(&self, earlier: &Self, part: &str) -> BTreeMap<String, u64> {
        let before = earlier.counters();
        self.counters()
            .into_iter()
            .filter(|(name, _)| name.contains(part))
            .filter_map(|(name, now)| {
                let was = before.get(&name).copied().unwrap_or(0);
                (now > was).then(|| (name, now - was))
            })
            .collect()
    }
}

fn flatten(value: &Value, name: &str, counters: &mut BTreeMap<String, u64>) {
    match value {
        Value::Number(number) => {
            counters.insert(name.to_owned(), number.as_u64().unwrap_or(0));
        }
        Value::Object(map) => {
            for (key, inner) in map {
                let path = if name.is_empty() {
                    key.clone()
                } else {
                    format!("{name}.{key}")
                };
                flatten(inner, &path, counters);
            }
        }
        _ => {}
    }
}
