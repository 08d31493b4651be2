//! How long ADD takes: the chain of the main plugin alone on a node that weir never touched, and the chain with
//! `weir-cni` behind the same main plugin on a node with the enforcer; both with no other pod and with as many
//! others on each.
//!
//! The time is that of the whole chain, from before the first plugin is started to after the last one has ended,
//! by a driver that does what libcni does. The main plugin is `ptp` with `host-local`, because a bridge holds
//! fewer ports than there are attachments; `host-local` reads the file of every address it gave, which is why the
//! full node is slow without weir too. Both sides include some 50 ms in which the main plugin waits for
//! IPv6 addresses to be usable.

use std::time::Instant;

use anyhow::Result;
use serde_json::json;
use weir_tests::cni::{Attach, Network};
use weir_tests::enforcer::{Enforcer, Options};
use weir_tests::netns::Netns;
use weir_tests::node::{Main, Node};
use weir_tests::pod::Pod;
use weir_tests::scratch::unique;

use crate::table::Measure;

/// ADDs per median.
const REPEATS: usize = 41;

/// Latencies in milliseconds: what was measured, which chain, the samples.
type Latencies = Vec<(Measure, &'static str, Vec<f64>)>;

/// A node whose chain is measured. Fields are dropped in this order.
struct Side {
    name: &'static str,
    pods: Vec<Pod>,
    network: Network,
    _enforcer: Option<Enforcer>,
    _node: Node,
}

impl Side {
    fn raw() -> Result<Self> {
        let node = Node::numbered("add-raw", 3)?;
        let network = node.network(Main::Ptp, "1.0.0", vec![]);
        Ok(Self::with("raw", node, network, None))
    }

    fn weir() -> Result<Self> {
        let node = Node::companion("add-weir", 4)?;
        let enforcer = Enforcer::start(&node, &Options::default())?;
        let network = node.weir_network(Main::Ptp, &json!({"mode": "prevent"}));
        Ok(Self::with("weir", node, network, Some(enforcer)))
    }

    fn with(name: &'static str, node: Node, network: Network, enforcer: Option<Enforcer>) -> Self {
        Self {
            name,
            pods: Vec::new(),
            network,
            _enforcer: enforcer,
            _node: node,
        }
    }

    /// Attaches pods until there are `count`.
    fn fill(&mut self, count: usize) -> Result<()> {
        while self.pods.len() < count {
            let name = format!("p{}", self.pods.len());
            self.pods.push(Pod::start(&self.network, &name)?);
        }
        Ok(())
    }
}

/// Measures on nodes without other pods, then with `attachments` of them.
pub(crate) fn latencies(attachments: usize) -> Result<Latencies> {
    let mut sides = [Side::raw()?, Side::weir()?];
    let mut found = interleaved(Measure::AddEmpty, &sides)?;
    for side in &mut sides {
        side.fill(attachments)?;
    }
    found.extend(interleaved(Measure::AddFull, &sides)?);
    Ok(found)
}

fn interleaved(measure: Measure, sides: &[Side; 2]) -> Result<Latencies> {
    let mut samples = [Vec::new(), Vec::new()];
    for _ in 0..REPEATS {
        for (side, sample) in sides.iter().zip(&mut samples) {
            sample.push(one(&side.network)?);
        }
    }
    let named = sides.iter().zip(samples);
    Ok(named
        .map(|(side, sample)| (measure, side.name, sample))
        .collect())
}

fn one(network: &Network) -> Result<f64> {
    let id = unique("add");
    let ns = Netns::create(&id)?;
    let attach = Attach::pod(&id, ns.path(), "add", "default");
    let start = Instant::now();
    network.add(&attach)?;
    let took = start.elapsed().as_secs_f64() * 1e3;
    network.del(&attach)?;
    Ok(took)
}
