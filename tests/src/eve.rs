//! Reads the EVE JSON that the enforcer writes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::poll;

/// An EVE file, read again on every question.
#[derive(Clone, Debug)]
pub struct Eve(PathBuf);

impl Eve {
    /// The EVE file at `path`; it need not exist yet.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// All complete records.
    ///
    /// # Errors
    /// When a complete line is not JSON.
    pub fn records(&self) -> Result<Vec<Value>> {
        let text = fs::read_to_string(&self.0).unwrap_or_default();
        let complete = text
            .rfind('\n')
            .map_or("", |end| text.get(..end).unwrap_or_default());
        complete
            .lines()
            .map(|line| {
                serde_json::from_str(line).with_context(|| format!("not an EVE record: {line}"))
            })
            .collect()
    }

    /// The records of a type (`alert`, `drop`, `flow`) that `accept` takes.
    ///
    /// # Errors
    /// When the file holds something other than JSON lines.
    pub fn select(&self, kind: &str, accept: impl Fn(&Value) -> bool) -> Result<Vec<Value>> {
        let records = self.records()?;
        Ok(records
            .into_iter()
            .filter(|record| record.get("event_type").and_then(Value::as_str) == Some(kind))
            .filter(|record| accept(record))
            .collect())
    }

    /// Alerts of a signature.
    ///
    /// # Errors
    /// When the file holds something other than JSON lines.
    pub fn alerts(&self, sid: u64) -> Result<Vec<Value>> {
        self.select("alert", |record| {
            number(record, "/alert/signature_id") == Some(sid)
        })
    }

    /// Waits until at least `count` alerts of a signature are there.
    ///
    /// # Errors
    /// When they do not come.
    pub fn wait_alerts(&self, sid: u64, count: usize) -> Result<Vec<Value>> {
        poll::until(
            &format!("{count} alert(s) of sid {sid} in {}", self.0.display()),
            || {
                let alerts = self.alerts(sid)?;
                Ok((alerts.len() >= count).then_some(alerts))
            },
        )
    }

    /// Waits for a record of a type that `accept` takes.
    ///
    /// # Errors
    /// When none comes.
    pub fn wait(&self, kind: &str, accept: impl Fn(&Value) -> bool) -> Result<Value> {
        poll::until(
            &format!("a record of type {kind} in {}", self.0.display()),
            || Ok(self.select(kind, &accept)?.into_iter().next()),
        )
    }
}

/// A number at a JSON pointer.
#[must_use]
pub fn number(record: &Value, pointer: &str) -> Option<u64> {
    record.pointer(pointer)?.as_u64()
}

/// A string at a JSON pointer, empty where there is none.
#[must_use]
pub fn text<'a>(record: &'a Value, pointer: &str) -> &'a str {
    record
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}
