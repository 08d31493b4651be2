//! All ET Open rules over the captures that have no cases: what fired in the outside engine may fire
//! here, nothing else may.
//!
//! The outside engine read each folder as one run, so how often a signature fired on a pair of hosts is a
//! hint only; that it fired on that pair is not.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use weir_tests::command::Run;

/// A debug build on a busy machine loads all rules and reads a folder in a few seconds.
const LIMIT: Duration = Duration::from_secs(300);

/// Where a signature fired.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hit {
    sid: u64,
    source: IpAddr,
    source_port: u64,
    destination: IpAddr,
    destination_port: u64,
}

/// Files under a folder.
fn files(folder: &Path, into: &mut Vec<PathBuf>) -> Result<()> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            files(&path, into)?;
        } else {
            into.push(path);
        }
    }
    into.sort();
    Ok(())
}

/// Where the outside engine saw signatures fire in the captures of a folder.
pub(crate) fn expected(corpus: &Path, folder: &str) -> Result<BTreeSet<Hit>> {
    let path = corpus.join("captures/etopen-alerts.tsv");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let mut hits = BTreeSet::new();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [
            of,
            _,
            sid,
            _,
            source,
            source_port,
            destination,
            destination_port,
            _,
        ] = fields[..]
        else {
            anyhow::bail!("{}: not nine fields: {line}", path.display());
        };
        if of == folder {
            hits.insert(Hit {
                sid: sid.parse().context("a sid")?,
                source: source.parse().context("an address")?,
                source_port: source_port.parse().unwrap_or(0),
                destination: destination.parse().context("an address")?,
                destination_port: destination_port.parse().unwrap_or(0),
            });
        }
    }
    Ok(hits)
}

fn hit(event: &Value) -> Option<Hit> {
    let address = |name: &str| event[name].as_str()?.parse().ok();
    Some(Hit {
        sid: event["alert"]["signature_id"].as_u64()?,
        source: address("src_ip")?,
        source_port: event["src_port"].as_u64().unwrap_or(0),
        destination: address("dest_ip")?,
        destination_port: event["dest_port"].as_u64().unwrap_or(0),
    })
}

/// Where signatures fire here.
pub(crate) fn seen(weir: &Path, corpus: &Path, folder: &str) -> Result<BTreeSet<Hit>> {
    let (mut captures, mut rules) = (Vec::new(), Vec::new());
    files(&corpus.join("captures").join(folder), &mut captures)?;
    files(&corpus.join("rules/etopen"), &mut rules)?;
    let mut command = Command::new(weir);
    command
        .env("RUST_LOG", "error")
        .args(["replay", "--midstream", "--checksums", "ignore", "--vars"])
        .arg(corpus.join("rules/vars.yaml"))
        .arg("--rules")
        .args(rules)
        .arg("--pcap")
        .args(captures);
    let finished = Run::new(&mut command).limit(LIMIT).finish()?;
    let mut hits = BTreeSet::new();
    for line in finished.stdout.lines() {
        let event: Value = serde_json::from_str(line).context("a line that is no JSON")?;
        if event["event_type"] == "alert" {
            hits.insert(hit(&event).with_context(|| format!("an alert without ends: {line}"))?);
        }
    }
    // Some of the captures are no captures on purpose, or not whole: exit code 1.
    ensure!(
        matches!(finished.status.code(), Some(0 | 1)),
        "{folder}: {}: {}",
        finished.status,
        finished.stderr
    );
    Ok(hits)
}

/// `folder/sid` of every signature that fired where it should.
pub(crate) fn found(folder: &str, expected: &BTreeSet<Hit>, seen: &BTreeSet<Hit>) -> Vec<String> {
    let sids: BTreeSet<u64> = expected.intersection(seen).map(|hit| hit.sid).collect();
    sids.iter().map(|sid| format!("{folder}/{sid}")).collect()
}
