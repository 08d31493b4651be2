//! How long ADD takes: the chain without weir, the chain with it, on an empty node and on a full one.

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
const REPEATS: usize = 21;

/// Latencies in milliseconds: what was measured, which chain, the samples.
type Latencies = Vec<(Measure, &'static str, Vec<f64>)>;

/// Measures on a node without other pods, then with `attachments` of them.
pub(crate) fn latencies(attachments: usize) -> Result<Latencies> {
    let node = Node::numbered("add", 3)?;
    let _enforcer = Enforcer::start(&node, &Options::default())?;
    let with_weir = node.weir_network(Main::Ptp, &json!({"mode": "prevent"}));
    let without = node.network(Main::Ptp, "1.0.0", vec![]);
    let mut found = interleaved(Measure::AddEmpty, &without, &with_weir)?;
    let mut pods = Vec::with_capacity(attachments);
    for number in 0..attachments {
        pods.push(Pod::start(&with_weir, &format!("p{number}"))?);
    }
    found.extend(interleaved(Measure::AddFull, &without, &with_weir)?);
    Ok(found)
}

fn interleaved(measure: Measure, without: &Network, with_weir: &Network) -> Result<Latencies> {
    let mut samples = [Vec::new(), Vec::new()];
    for _ in 0..REPEATS {
        for (network, sample) in [without, with_weir].into_iter().zip(&mut samples) {
            sample.push(one(network)?);
        }
    }
    let [raw, weir] = samples;
    Ok(vec![(measure, "raw", raw), (measure, "weir", weir)])
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
