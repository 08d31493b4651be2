//! What `weir status` shows, as JSON.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tokio::time::sleep;
use weir_datapath::kernel::{Counter, NodeCounters, WiredInterface};

use super::Service;
use crate::attachments::snapshot::{Entry, Snapshot};
use crate::worker::counters::Published;

/// How long to wait for the workers' counters before older ones are shown.
const PATIENCE: Duration = Duration::from_millis(300);

impl Service {
    /// The node's state and counters.
    pub(super) async fn status(&mut self) -> Value {
        let published = self.published().await;
        let view = self.view.load();
        let wired = self.kernel.wired();
        let (wired, mut problems) = match wired {
            Ok(wired) => (wired, Vec::new()),
            Err(error) => (Vec::new(), vec![error.to_string()]),
        };
        let kernel = match self.kernel.counters() {
            Ok(counters) => node_counters(&counters),
            Err(error) => {
                problems.push(error.to_string());
                Value::Null
            }
        };
        problems.extend(self.record_problems.iter().cloned());
        problems.extend(self.reconciler.problems());
        problems.extend(self.over_limit(&view.attachments));
        let entries = view.attachments.entries();
        let attachments: Vec<Value> = entries.iter().map(|e| attachment(e, &wired)).collect();
        json!({
            "ok": true,
            "version": env!("CARGO_PKG_VERSION"),
            "node": self.node_name,
            "pid": std::process::id(),
            "uptime_seconds": self.started.elapsed().as_secs(),
            "run_dir": self.settings.run_dir,
            "lease_held": self.lease.state().held(),
            "workers": self.pool.pulses().len(),
            "mode": self.settings.mode,
            "rules": {
                "loaded": self.report.loaded,
                "refused": self.report.refused,
                "disabled": self.report.disabled,
                "skipped": self.report.skipped,
                "loads": self.loads,
                "combinations": view.attachments.combinations().len(),
                "without_own_rules": view.attachments.without_own_rules(),
            },
            "problems": problems,
            "counters": self.counters(&published),
            "kernel": kernel,
            "attachments": attachments,
        })
    }

    /// What to say where there are too many combinations of rule sets.
    pub(super) fn over_limit(&self, attachments: &Snapshot) -> Option<String> {
        let limit = self.settings.limits.rule_combinations;
        attachments.is_over_limit().then(|| {
            format!(
                "the attachments need more than the {limit} combinations of rule sets that limits.ruleCombinations allows: \
                 frames of the others are judged by all rule sets; raise it, or give pods fewer different ruleSets"
            )
        })
    }

    /// Fresh copies of all workers' counters.
    async fn published(&self) -> Vec<Published> {
        let pulses = self.pool.pulses();
        let requests: Vec<u64> = pulses.iter().map(|pulse| pulse.request()).collect();
        let end = Instant::now() + PATIENCE;
        loop {
            let all: Vec<Published> = pulses.iter().map(|pulse| pulse.published()).collect();
            let fresh = all.iter().zip(&requests).all(|(p, r)| p.request >= *r);
            if fresh || Instant::now() >= end {
                return all;
            }
            sleep(Duration::from_millis(1)).await;
        }
    }

    fn counters(&self, published: &[Published]) -> Map<String, Value> {
        let mut sums: BTreeMap<String, u64> = BTreeMap::new();
        let mut order: Vec<String> = Vec::new();
        let mut add = |name: &str, value: u64| {
            if let Some(sum) = sums.get_mut(name) {
                *sum = sum.wrapping_add(value);
            } else {
                order.push(name.to_owned());
                sums.insert(name.to_owned(), value);
            }
        };
        for one in published {
            one.worker.for_each(&mut add);
            one.engine.for_each(&mut add);
            add("events.queued", one.events.queued);
            add("events.lost_queue_full", one.events.lost);
        }
        add("files.stored", self.file_store.state.stored());
        add("files.lost", self.file_store.state.lost());
        add("events.written", self.writer_state.written());
        add("events.lost_target", self.writer_state.lost());
        for (name, value) in self.lease.state().counters() {
            add(name, value);
        }
        for (name, value) in self.reconciler.counters() {
            add(name, value);
        }
        let value = |name: &String| sums.get(name).copied().unwrap_or_default();
        order
            .iter()
            .map(|name| (name.clone(), json!(value(name))))
            .collect()
    }
}

fn counter(counter: Counter) -> Value {
    json!({"packets": counter.packets, "bytes": counter.bytes})
}

fn node_counters(counters: &NodeCounters) -> Value {
    json!({
        "fail_open": counter(counters.fail_open),
        "fail_closed": counter(counters.fail_closed),
        "spoofed": counter(counters.spoofed),
        "held_from_pod": counter(counters.held_from_pod),
        "held_to_pod": counter(counters.held_to_pod),
        "past_sockets": counter(counters.past_sockets),
        "not_redirected": counter(counters.not_redirected),
    })
}

fn attachment(entry: &Entry, wired: &[WiredInterface]) -> Value {
    let record = &entry.attachment;
    let interface = wired.iter().find(|w| w.host_ifname == record.host_ifname);
    let serves = interface.is_some_and(|interface| interface.serves(&record.key));
    json!({
        "network": record.key.network,
        "container_id": record.key.container_id,
        "ifname": record.key.ifname,
        "namespace": record.pod.namespace,
        "pod": record.pod.name,
        "uid": record.pod.uid,
        "host_interface": record.host_ifname,
        "host_ifindex": record.host_ifindex,
        "ips": record.ips,
        "mode": entry.policy.mode,
        "fail_mode": record.policy.fail_mode,
        "rule_sets": entry.policy.rule_sets,
        "unknown_rule_sets": entry.policy.unknown,
        "wired": serves,
        "counters": interface.map(|interface| {
            let c = &interface.counters;
            json!({
                "spoofed": counter(c.spoofed),
                "local": counter(c.local),
                "neighbour": counter(c.neighbour),
                "from_pod": counter(c.from_pod),
                "to_pod": counter(c.to_pod),
                "settled": counter(c.settled),
            })
        }),
    })
}
