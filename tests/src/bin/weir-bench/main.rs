//! Raw bridge against weir, side by side in one run.
//!
//! usage: weir-bench [--rounds N] [--seconds N] [--attachments N]
//!
//! `--rounds 0` measures ADD alone.
//!
//! Two nodes, each a network namespace with two pods on a bridge: one without weir, one with `weir-cni` in the chain
//! and `weir enforce` with its shipped rules. Rounds alternate between them and the table shows medians, because
//! what else a machine does drifts. Client, server and enforcer share the machine's cores.

mod add;
mod load;
mod table;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;
use weir_tests::cni::Network;
use weir_tests::enforcer::{Enforcer, Options};
use weir_tests::node::{Main, Node};
use weir_tests::pod::Pod;

use crate::table::{Measure, Samples};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Rounds; the median of them is shown.
    pub(crate) rounds: usize,
    /// Length of one measurement.
    length: Duration,
    /// Attachments on the node when ADD is measured the second time; 0: ADD is not measured.
    pub(crate) attachments: usize,
}

/// A node with two pods, measured.
struct Subject {
    a: Pod,
    b: Pod,
    _network: Network,
    enforcer: Option<Enforcer>,
    _node: Node,
}

impl Subject {
    fn raw() -> Result<Self> {
        let node = Node::new("raw")?;
        let network = node.network(Main::Bridge, "1.0.0", vec![]);
        Self::with(node, network, None)
    }

    fn weir() -> Result<Self> {
        let node = Node::companion("weir", 2)?;
        // No --rules: the shipped ones.
        let enforcer = Enforcer::start(&node, &Options::default())?;
        let network = node.weir_network(Main::Bridge, &json!({"mode": "prevent"}));
        Self::with(node, network, Some(enforcer))
    }

    fn with(node: Node, network: Network, enforcer: Option<Enforcer>) -> Result<Self> {
        let a = Pod::start(&network, "client")?;
        let b = Pod::start(&network, "server")?;
        Ok(Self {
            a,
            b,
            _network: network,
            enforcer,
            _node: node,
        })
    }
}

impl Subject {
    /// Processor time of the enforcer so far.
    fn cpu_time(&self) -> Result<Duration> {
        let time = self.enforcer.as_ref().map(Enforcer::cpu_time);
        Ok(time.transpose()?.unwrap_or_default())
    }
}

fn main() -> Result<()> {
    let plan = parse(std::env::args().skip(1))?;
    let subjects = [("raw", Subject::raw()?), ("weir", Subject::weir()?)];
    let mut samples: BTreeMap<Measure, Samples> = BTreeMap::new();
    for round in 1..=plan.rounds {
        eprintln!("round {round} of {}", plan.rounds);
        for (name, subject) in &subjects {
            let result =
                measure(subject, plan.length).with_context(|| format!("measuring {name}"))?;
            for (measure, value) in result {
                samples.entry(measure).or_default().push(name, value);
            }
        }
    }
    drop(subjects);
    if plan.attachments == 0 {
        table::print(&samples, plan);
        return Ok(());
    }
    eprintln!("ADD latency");
    for (measure, name, values) in add::latencies(plan.attachments)? {
        for value in values {
            samples.entry(measure).or_default().push(name, value);
        }
    }
    table::print(&samples, plan);
    Ok(())
}

fn measure(subject: &Subject, length: Duration) -> Result<Vec<(Measure, f64)>> {
    let (p50, p99) = load::round_trips(subject, length)?;
    let before = subject.cpu_time()?;
    let rate = load::tcp(subject, 1, length)?;
    let took = (subject.cpu_time()? - before).as_secs_f64();
    Ok(vec![
        (Measure::TcpOne, rate),
        (Measure::CpuTime, took / (rate * length.as_secs_f64() / 8.0)),
        (Measure::TcpFour, load::tcp(subject, 4, length)?),
        (Measure::RoundTripMedian, p50),
        (Measure::RoundTripTail, p99),
        (Measure::SmallPackets, load::small_packets(subject, length)?),
    ])
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Plan> {
    let mut plan = Plan {
        rounds: 3,
        length: Duration::from_secs(3),
        attachments: 250,
    };
    while let Some(flag) = arguments.next() {
        let value = arguments
            .next()
            .with_context(|| format!("{flag} needs a number"))?;
        let number: usize = value.parse().with_context(|| format!("{flag} {value}"))?;
        match flag.as_str() {
            "--rounds" if (0..=20).contains(&number) => plan.rounds = number,
            "--seconds" if (1..=60).contains(&number) => {
                plan.length = Duration::from_secs(u64::try_from(number)?);
            }
            "--attachments" if number <= 1000 => plan.attachments = number,
            _ => bail!(
                "{flag} {value}: usage: weir-bench [--rounds 0..20] [--seconds 1..60] [--attachments 0..1000]"
            ),
        }
    }
    Ok(plan)
}
