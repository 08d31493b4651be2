//! One case: what to replay, what is expected, what came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;
use weir_tests::command::Run;

/// No case takes a debug build longer on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

/// Signature ids and how often each fired.
pub(crate) type Alerts = BTreeMap<u64, u64>;

/// A case of the corpus.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// Its tier; `None` for cases that need Lua or rule hooks.
    pub(crate) tier: Option<u64>,
    /// Drop and reject signatures act.
    pub(crate) prevent: bool,
    pub(crate) expected: Alerts,
    /// Packets that are dropped, in prevent cases: the first of them, and how many there are.
    drops: BTreeSet<u64>,
    dropped: usize,
    capture: String,
    rules: Vec<String>,
    flags: Vec<&'static str>,
}

/// What a replay of a case came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) alerts: Alerts,
    pub(crate) drops: BTreeSet<u64>,
    /// Why the replay could not be used, or which rules were refused.
    pub(crate) trouble: Vec<String>,
    /// The replay did not end well: nothing it printed counts.
    pub(crate) failed: bool,
}

/// The cases of the corpus but for those of firewall mode, which weir does not have.
pub(crate) fn read(corpus: &Path) -> Result<Vec<Case>> {
    let path = corpus.join("verify/cases.jsonl");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let mut cases = Vec::new();
    for line in text.lines() {
        let value: Value = serde_json::from_str(line).context("a case is no JSON")?;
        if value["mode"] != "firewall" {
            cases.push(Case::from(&value));
        }
    }
    Ok(cases)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

impl From<&Value> for Case {
    fn from(value: &Value) -> Self {
        let knobs = &value["knobs"];
        let mut flags = Vec::new();
        if knobs["checksum"] == "none" {
            flags.extend(["--checksums", "ignore"]);
        }
        if knobs["midstream"] == true {
            flags.push("--midstream");
        }
        if knobs["async"] == true {
            flags.push("--async-oneside");
        }
        let prevent = value["mode"] == "ips";
        flags.extend(["--mode", if prevent { "prevent" } else { "detect" }]);
        let alerts = value["alerts"].as_object().into_iter().flatten();
        Self {
            name: text(&value["name"]),
            tier: value["tier"].as_u64(),
            prevent,
            expected: alerts
                .filter_map(|(sid, count)| Some((sid.parse().ok()?, count.as_u64()?)))
                .filter(|(_, count)| *count > 0)
                .collect(),
            drops: value["drops"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_u64)
                .collect(),
            dropped: value["n_drops"]
                .as_u64()
                .and_then(|count| count.try_into().ok())
                .unwrap_or(0),
            capture: text(&value["pcap"]),
            rules: value["rules"]
                .as_array()
                .into_iter()
                .flatten()
                .map(text)
                .collect(),
            flags,
        }
    }
}

impl Case {
    /// Replays the case.
    pub(crate) fn run(&self, weir: &Path, corpus: &Path) -> Outcome {
        let verify = corpus.join("verify");
        let data = verify.join("data");
        let mut command = Command::new(weir);
        command
            .env("RUST_LOG", "warn")
            .arg("replay")
            .args(&self.flags)
            .arg("--vars")
            .arg(verify.join("vars.yaml"))
            .arg("--pcap")
            .arg(data.join(&self.capture))
            .arg("--rules")
            .args(self.rules.iter().map(|file| data.join(file)));
        match Run::new(&mut command).limit(LIMIT).finish() {
            Ok(finished) => {
                let mut outcome = Outcome::read(&finished.stdout);
                outcome.failed = !finished.status.success();
                let lines = finished.stderr.lines();
                let refused = lines.filter(|line| outcome.failed || line.contains("refused"));
                outcome.trouble.extend(refused.map(str::to_owned));
                if outcome.failed {
                    outcome.trouble.push(finished.status.to_string());
                }
                outcome
            }
            Err(error) => Outcome {
                trouble: vec![format!("{error:#}")],
                failed: true,
                ..Outcome::default()
            },
        }
    }

    /// Whether it says which packets are dropped, and whether these and no others were. `None`: nothing was
    /// dropped, as it should be.
    pub(crate) fn same_drops(&self, outcome: &Outcome) -> Option<bool> {
        let asks = self.prevent && (self.dropped > 0 || !outcome.drops.is_empty());
        let same = outcome.drops.len() == self.dropped && self.drops.is_subset(&outcome.drops);
        asks.then_some(same && !outcome.failed)
    }

    /// The whole multiset is the expected one.
    pub(crate) fn passes(&self, outcome: &Outcome) -> bool {
        !outcome.failed && outcome.alerts == self.expected
    }
}

impl Outcome {
    /// Reads EVE lines.
    fn read(eve: &str) -> Self {
        let mut outcome = Self::default();
        for line in eve.lines() {
            let Ok(event) = serde_json::from_str::<Value>(line) else {
                outcome.trouble.push(format!("no JSON: {line}"));
                outcome.failed = true;
                continue;
            };
            if event["event_type"] == "alert" {
                let sid = event["alert"]["signature_id"].as_u64().unwrap_or_default();
                *outcome.alerts.entry(sid).or_default() += 1;
            }
            if event["event_type"] == "drop" && event["would_drop"] != true {
                outcome.drops.extend(event["pcap_cnt"].as_u64());
            }
        }
        outcome
    }
}
