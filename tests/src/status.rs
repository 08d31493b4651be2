//! Reads `weir status --json` and compares counters.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
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

    /// The number at a JSON pointer.
    ///
    /// # Errors
    /// When there is none: a counter that is renamed must not read as 0.
    pub fn number(&self, pointer: &str) -> Result<u64> {
        self.0
            .pointer(pointer)
            .and_then(Value::as_u64)
            .with_context(|| format!("no number {pointer} in {}", self.0))
    }

    /// All counters below a JSON pointer, flattened: `drops.rule` and so on.
    #[must_use]
    pub fn counters(&self, pointer: &str) -> BTreeMap<String, u64> {
        let mut counters = BTreeMap::new();
        if let Some(value) = self.0.pointer(pointer) {
            flatten(value, "", &mut counters);
        }
        counters
    }

    /// What grew below a JSON pointer since `earlier`, by how much.
    #[must_use]
    pub fn growth(&self, earlier: &Self, pointer: &str) -> BTreeMap<String, u64> {
        let before = earlier.counters(pointer);
        self.counters(pointer)
            .into_iter()
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
