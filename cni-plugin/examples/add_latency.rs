//! Measures what `weir-cni` adds to a pod's start: the time of one ADD process, from before it is started to
//! after it has ended, with no pod and with 250 pods attached on the node. VERSION is the same process doing
//! nothing: its time is what starting any plugin costs here.
//!
//! Run as root:
//! `cargo build --release -p weir-cni-plugin --examples --bins && target/release/examples/add_latency`.
//! Everything happens in network namespaces of its own, without an enforcer. On a busy machine put `chrt -f 10`
//! in front.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use weir_tests::netns::Netns;
use weir_tests::node::{Node, bin_dir};

/// Pods attached besides the measured one.
const CROWD: usize = 250;

/// Calls of each sort.
const ROUNDS: usize = 101;

struct Pod {
    ns: Netns,
    number: usize,
}

fn main() -> Result<()> {
    let node = Node::new("latency")?;
    let measured = Pod::new(&node, 0)?;
    println!("{:<28} {:>9} {:>9} {:>9}", "", "p50 ms", "p90 ms", "p99 ms");
    round(&node, &measured, "0 pods")?;
    let crowd: Vec<Pod> = (1..=CROWD)
        .map(|number| Pod::new(&node, number))
        .collect::<Result<_>>()?;
    for pod in &crowd {
        pod.call(&node, "ADD")?;
    }
    round(&node, &measured, "250 pods")
}

fn round(node: &Node, pod: &Pod, label: &str) -> Result<()> {
    let mut times: Vec<(&str, Vec<Duration>)> = ["VERSION", "ADD", "CHECK", "STATUS", "DEL"]
        .map(|verb| (verb, Vec::new()))
        .into();
    for _ in 0..ROUNDS {
        for (verb, times) in &mut times {
            times.push(pod.call(node, verb)?);
        }
    }
    for (verb, times) in &mut times {
        times.sort();
        let at = |percent: usize| {
            let index = (times.len() * percent / 100).min(times.len().saturating_sub(1));
            times
                .get(index)
                .map_or(0.0, |time| time.as_secs_f64() * 1e3)
        };
        let name = format!("{verb}, {label}");
        println!("{name:<28} {:>9.2} {:>9.2} {:>9.2}", at(50), at(90), at(99));
    }
    Ok(())
}

impl Pod {
    fn new(node: &Node, number: usize) -> Result<Self> {
        let name = format!("{}-{number}", node.ns.name());
        let ns = Netns::create(&name)?;
        node.ns.sh(&format!(
            "ip link add m{number} type veth peer name eth0 netns {name}"
        ))?;
        Ok(Self { ns, number })
    }

    fn config(&self, node: &Node) -> Value {
        let address = format!("10.88.{}.{}/32", self.number / 250, self.number % 250 + 1);
        json!({
            "cniVersion": "1.1.0", "name": "net", "type": "weir-cni", "runDir": node.run_dir(),
            "prevResult": {
                "cniVersion": "1.1.0",
                "interfaces": [{"name": "eth0", "sandbox": self.ns.path()}],
                "ips": [{"address": address, "interface": 0}],
            },
        })
    }

    /// Runs one verb; the time from before the start to after the end.
    fn call(&self, node: &Node, verb: &str) -> Result<Duration> {
        let config = self.config(node).to_string();
        let plugin = bin_dir().join("../weir-cni");
        let plugin = if plugin.is_file() {
            plugin
        } else {
            bin_dir().join("weir-cni")
        };
        node.ns.run(|| {
            let mut command = Command::new(&plugin);
            command
                .env_clear()
                .envs([
                    ("CNI_COMMAND", verb),
                    ("CNI_PATH", "/opt/cni/bin"),
                    ("CNI_IFNAME", "eth0"),
                ])
                .env("CNI_CONTAINERID", format!("c{}", self.number))
                .env("CNI_NETNS", self.ns.path())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            let start = Instant::now();
            let mut child = command.spawn().context("weir-cni: build it first")?;
            if let Some(mut stdin) = child.stdin.take() {
                std::io::Write::write_all(&mut stdin, config.as_bytes())?;
            }
            let output = child.wait_with_output()?;
            let time = start.elapsed();
            let said = String::from_utf8_lossy(&output.stdout);
            ensure!(output.status.success(), "{verb}: {said}");
            Ok(time)
        })
    }
}
