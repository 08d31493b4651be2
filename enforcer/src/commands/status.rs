//! `weir status`.
//!
//! Exit code 0 when an enforcer answers and holds the lease, 3 when not: then the kernel says what
//! happens to the pods' frames.

use std::fmt::Write as _;
use std::process::ExitCode;

use serde_json::{Value, json};
use weir_datapath::kernel::Kernel;
use weir_datapath::record::RecordStore;

use crate::cli::StatusArgs;
use crate::control::Command;
use crate::control::client::{self, ClientError};
use crate::settings::Settings;

/// Exit code where pods are under their fail modes.
const NOT_ENFORCING: u8 = 3;

/// Shows the state of this node.
///
/// # Errors
///
/// When the enforcer answers nonsense.
pub fn run(args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let settings = args.settings.load()?;
    let status = match client::ask(&settings.run_dir, Command::Status) {
        Ok(status) => status,
        Err(absent @ (ClientError::Absent { .. } | ClientError::Broken { .. })) => {
            without_enforcer(&settings, &absent)
        }
        Err(error) => return Err(error.into()),
    };
    if args.json {
        println!("{status}");
    } else {
        print!("{}", table(&status));
    }
    let enforcing = status.get("lease_held").and_then(Value::as_bool) == Some(true);
    Ok(if enforcing {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NOT_ENFORCING)
    })
}

/// What records and kernel say on their own.
fn without_enforcer(settings: &Settings, absent: &ClientError) -> Value {
    let (records, errors) = RecordStore::new(&settings.run_dir).load_all();
    let mut problems = vec![absent.to_string()];
    problems.extend(errors.iter().map(ToString::to_string));
    let wired = Kernel::open().and_then(|mut kernel| kernel.wired());
    let wired = wired.unwrap_or_else(|error| {
        problems.push(error.to_string());
        Vec::new()
    });
    let attachments: Vec<Value> = records
        .iter()
        .map(|record| {
            json!({
                "network": record.key.network,
                "container_id": record.key.container_id,
                "ifname": record.key.ifname,
                "namespace": record.pod.namespace,
                "pod": record.pod.name,
                "host_interface": record.host_ifname,
                "ips": record.ips,
                "mode": record.policy.mode,
                "fail_mode": record.policy.fail_mode,
                "wired": wired.iter().any(|interface| interface.serves(&record.key)),
            })
        })
        .collect();
    json!({
        "ok": false,
        "lease_held": false,
        "run_dir": settings.run_dir,
        "problems": problems,
        "attachments": attachments,
    })
}

fn table(status: &Value) -> String {
    let mut out = String::new();
    head(status, &mut out);
    attachments(status, &mut out);
    counters(status, &mut out);
    out
}

fn text(value: &Value, key: &str) -> String {
    match value.get(key) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => {
            let texts = items.iter().map(|item| match item {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            });
            texts.collect::<Vec<_>>().join(",")
        }
        Some(other) => other.to_string(),
    }
}

// Writing to a String does not fail, here and below.
fn head(status: &Value, out: &mut String) {
    let held = status.get("lease_held").and_then(Value::as_bool) == Some(true);
    if held {
        let _ = writeln!(
            out,
            "enforcing on {}: {} workers, up {} s, process {}",
            text(status, "node"),
            text(status, "workers"),
            text(status, "uptime_seconds"),
            text(status, "pid")
        );
    } else {
        let _ = writeln!(out, "NOT ENFORCING: every pod is under its fail mode");
    }
    if let Some(rules) = status.get("rules") {
        let _ = writeln!(
            out,
            "rules: {} loaded, {} refused, {} disabled",
            text(rules, "loaded"),
            text(rules, "refused"),
            text(rules, "disabled")
        );
    }
    for problem in status
        .get("problems")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let _ = writeln!(out, "problem: {}", problem.as_str().unwrap_or_default());
    }
}

fn attachments(status: &Value, out: &mut String) {
    const HEADINGS: [&str; 7] = [
        "NAMESPACE",
        "POD",
        "INTERFACE",
        "IPS",
        "MODE",
        "FAIL",
        "WIRED",
    ];
    const KEYS: [&str; 7] = [
        "namespace",
        "pod",
        "host_interface",
        "ips",
        "mode",
        "fail_mode",
        "wired",
    ];
    let list = status.get("attachments").and_then(Value::as_array);
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    rows.extend(
        list.into_iter()
            .flatten()
            .map(|entry| KEYS.map(|key| text(entry, key))),
    );
    let _ = writeln!(out, "\n{} attachments", rows.len() - 1);
    if rows.len() == 1 {
        return;
    }
    let mut widths = [0; 7];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in &rows {
        let cells = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

/// Counters that are not 0.
fn counters(status: &Value, out: &mut String) {
    let mut lines = Vec::new();
    for group in ["counters", "kernel"] {
        for (name, value) in status
            .get(group)
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let packets = value.get("packets").unwrap_or(value);
            if let Some(count @ 1..) = packets.as_u64() {
                let prefix = if group == "kernel" { "kernel." } else { "" };
                lines.push((format!("{prefix}{name}"), count));
            }
        }
    }
    if lines.is_empty() {
        return;
    }
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let _ = writeln!(out, "\ncounters (those that are not 0)");
    for (name, count) in lines {
        let _ = writeln!(out, "{name:width$}  {count}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_shows_state_pods_and_counters() {
        let status = json!({
            "ok": true, "lease_held": true, "node": "n1", "workers": 2, "uptime_seconds": 5, "pid": 7,
            "rules": {"loaded": 3, "refused": 1, "disabled": 0},
            "problems": ["a record is corrupt"],
            "counters": {"frames.seen": 9, "dropped.rule": 0},
            "kernel": {"fail_open": {"packets": 4, "bytes": 400}},
            "attachments": [{
                "namespace": "shop", "pod": "web", "host_interface": "veth1", "ips": ["10.0.0.1", "fd00::1"],
                "mode": "prevent", "fail_mode": "open", "wired": true
            }],
        });
        let table = table(&status);
        for part in [
            "enforcing on n1: 2 workers",
            "rules: 3 loaded, 1 refused",
            "problem: a record is corrupt",
            "shop       web  veth1      10.0.0.1,fd00::1  prevent  open  true",
            "frames.seen       9",
            "kernel.fail_open  4",
        ] {
            assert!(table.contains(part), "{part:?} not in:\n{table}");
        }
        assert!(!table.contains("dropped.rule"));
    }

    #[test]
    fn missing_lease_is_said_first() {
        let table = table(&json!({"ok": false, "lease_held": false, "attachments": []}));
        assert!(table.starts_with("NOT ENFORCING"), "{table}");
    }
}
