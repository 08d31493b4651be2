//! Pods that come and go: in parallel, over lost DELs, over a reboot. Nothing of theirs may stay.

use std::fs;
use std::sync::Mutex;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use weir_tests::cni::{Attach, Network};
use weir_tests::enforcer::{Enforcer, Options};
use weir_tests::netns::Netns;
use weir_tests::node::{Main, Node};
use weir_tests::pod::{Family, Pod};
use weir_tests::scratch::unique;
use weir_tests::traffic::{Answer, Collector, echo};

use crate::lab::{ATTACK, ATTACK_SID, Lab, RULES, prevent, prevent_open};

/// Pods of the parallel test.
const MANY: usize = 200;

/// How many are added and deleted at the same time.
const AT_ONCE: usize = 8;

#[test]
fn two_hundred_parallel_adds_and_dels_leave_nothing_behind() -> Result<()> {
    let node = Node::new("many")?;
    let network = node.weir_network(Main::Ptp, &prevent());
    let _enforcer = Enforcer::start(&node, &Options::rules(RULES))?;
    // The node's own parts (table, capture pair) appear with the first pod and stay.
    network.del(&Pod::start(&network, "first")?.attach)?;
    let before = node_state(&node)?;
    let pods: Mutex<Vec<Pod>> = Mutex::default();
    in_parallel(|number| {
        let pod = Pod::start(&network, &format!("p{number}"))?;
        pods.lock().expect("another thread failed").push(pod);
        Ok(())
    })?;
    ensure!(
        records(&node)?.len() == MANY,
        "{} records",
        records(&node)?.len()
    );
    let pods = pods.into_inner().expect("another thread failed");
    network.check(&pods[MANY / 2].attach)?;
    let queue = Mutex::new(pods);
    in_parallel(|_| {
        let next = queue.lock().expect("another thread failed").pop();
        next.map_or(Ok(()), |pod| Ok(network.del(&pod.attach)?))
    })?;
    let after = node_state(&node)?;
    ensure!(after == before, "left behind:\n{after}\nbefore:\n{before}");
    Ok(())
}

fn in_parallel(work: impl Fn(usize) -> Result<()> + Sync) -> Result<()> {
    let work = &work;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE)
            .map(|lane| scope.spawn(move || (lane..MANY).step_by(AT_ONCE).try_for_each(work)))
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().expect("a thread panicked"))
    })
}

#[test]
fn del_succeeds_again_and_again_and_without_anything_to_go_by() -> Result<()> {
    let node = Node::new("del")?;
    let network = node.weir_network(Main::Bridge, &prevent());
    let before = rules(&node)?;
    let pod = Pod::start(&network, "gone")?;
    ensure!(rules(&node)?.contains(&pod.host_ifname));
    let nowhere = Attach {
        netns: String::new(),
        ..pod.attach.clone()
    };
    network
        .del_with(&nowhere, None)
        .context("no netns, no prevResult")?;
    ensure!(!rules(&node)?.contains(&pod.host_ifname), "chains are left");
    ensure!(records(&node)?.is_empty());
    network
        .del(&pod.attach)
        .context("once more, with everything")?;
    let never = Attach {
        id: unique("never"),
        ..nowhere
    };
    network
        .del_with(&never, None)
        .context("an id that was never added")?;
    ensure!(!before.contains(&pod.host_ifname));
    Ok(())
}

/// weir-cni's DEL comes before the main plugin's: the interface is still there, and the dead pod's sockets send again
/// what was dropped.
#[test]
fn nothing_passes_between_the_rules_and_the_interface_going_away() -> Result<()> {
    let lab = Lab::new("teardown")?;
    let at = lab.b.at(Family::V4, 80)?;
    let service = Collector::start(&lab.b.ns, at, Answer::Echo)?;
    let mut stream = lab.a.ns.connect(at)?;
    echo(&mut stream, b"benign")?;
    std::io::Write::write_all(&mut stream, ATTACK)?;
    lab.enforcer.eve.wait_alerts(ATTACK_SID, 1)?;
    for pod in [&lab.a, &lab.b] {
        let entry = lab
            .network
            .weir_entry()
            .context("weir-cni in the conflist")?;
        let config = lab
            .network
            .config(entry, &pod.attach, Some(&pod.result))
            .to_string();
        lab.network
            .exec_raw("weir-cni", "DEL", Some(&pod.attach), config.as_bytes())?;
    }
    // Long enough for several retransmissions: after 0.2, 0.4 and 0.8 s.
    std::thread::sleep(std::time::Duration::from_millis(2000));
    ensure!(!service.saw(b"EVIL"), "the attack arrived after DEL");
    Ok(())
}

#[test]
fn del_and_gc_after_a_reboot_find_an_empty_run_directory() -> Result<()> {
    let node = Node::new("reboot")?;
    let network = node.network(Main::Bridge, "1.1.0", vec![node.weir_entry(&prevent())]);
    let (a, b) = (Pod::start(&network, "a")?, Pod::start(&network, "b")?);
    // A reboot empties /run and the kernel; what the runtime remembers stays.
    fs::remove_dir_all(node.run_dir())?;
    node.ns.nft("flush ruleset")?;
    node.ns.sh("ip link del weir-cap0 || true")?;
    network.gc(&[&a.attach])?;
    network.del(&a.attach)?;
    network.del_with(
        &Attach {
            netns: String::new(),
            ..b.attach.clone()
        },
        None,
    )?;
    // The node serves on from there.
    let lab = wired_lab(node, &prevent())?;
    blocked_and_served(&lab)
}

#[test]
fn lost_records_do_not_keep_chains_alive() -> Result<()> {
    let node = Node::new("norecord")?;
    let network = node.weir_network(Main::Bridge, &prevent());
    let pod = Pod::start(&network, "a")?;
    for record in records(&node)? {
        fs::remove_file(record)?;
    }
    network.del(&pod.attach)?;
    ensure!(
        !rules(&node)?.contains(&pod.host_ifname),
        "chains are left: {}",
        rules(&node)?
    );
    Ok(())
}

#[test]
fn gc_removes_what_is_not_named_and_nothing_else() -> Result<()> {
    let node = Node::new("gc")?;
    let network = node.network(
        Main::Bridge,
        "1.1.0",
        vec![node.weir_entry(&prevent_open())],
    );
    let mut other_list = network.conflist().clone();
    other_list["name"] = json!("other-network");
    other_list["plugins"][0]["bridge"] = json!("br1");
    let other = node.network_from(other_list);
    let (kept, stale) = (
        Pod::start(&network, "kept")?,
        Pod::start(&network, "stale")?,
    );
    let foreign = Pod::start(&other, "foreign")?;
    network.gc(&[&kept.attach])?;
    let rules = rules(&node)?;
    ensure!(
        rules.contains(&kept.host_ifname),
        "GC removed an attachment that is valid"
    );
    ensure!(
        rules.contains(&foreign.host_ifname),
        "GC removed another network's attachment"
    );
    ensure!(
        !rules.contains(&stale.host_ifname),
        "GC left a stale attachment"
    );
    ensure!(records(&node)?.len() == 2);
    network.check(&kept.attach)?;
    Ok(())
}

/// Base chains outlive their device and grip the next one of that name: with deterministic names (Calico's)
/// a lost DEL would put the old pod's rules on the new pod.
#[test]
fn host_interface_name_reused_after_a_lost_del_obeys_the_new_pod_only() -> Result<()> {
    let node = Node::new("reuse")?;
    let enforcer = Enforcer::start(&node, &Options::rules(RULES))?;
    node.ns.sh("ip addr add 10.101.0.1/32 dev lo")?;
    let network = routed_network(&node);
    let old = routed_pod(&node, &network, "10.101.9.1")?;
    // The pod vanishes, device and all; no DEL comes.
    let old_attach = old.attach.clone();
    node.ns.sh("ip link del cali0")?;
    drop(old);
    let new = routed_pod(&node, &network, "10.101.9.2")?;
    let service = Collector::start(&new.ns, new.at(Family::V4, 80)?, Answer::Echo)?;
    // The old pod's anti-spoofing rules would drop every frame of the new one's address.
    let mut stream = node.ns.connect(new.at(Family::V4, 80)?)?;
    echo(&mut stream, b"benign")?;
    std::io::Write::write_all(&mut stream, ATTACK)?;
    enforcer.eve.wait_alerts(ATTACK_SID, 1)?;
    // The late DEL of the old pod must not unwire the new one.
    network.del_with(
        &Attach {
            netns: String::new(),
            ..old_attach
        },
        None,
    )?;
    network.check(&new.attach)?;
    echo(
        &mut node.ns.connect(new.at(Family::V4, 80)?)?,
        b"benign again",
    )?;
    ensure!(!service.saw(b"EVIL"));
    Ok(())
}

#[test]
fn add_repeated_for_the_same_pod_replaces_its_wiring() -> Result<()> {
    let node = Node::new("again")?;
    let _enforcer = Enforcer::start(&node, &Options::rules(RULES))?;
    let network = routed_network(&node);
    let pod = routed_pod(&node, &network, "10.101.9.1")?;
    let first = rules(&node)?;
    let again = weir_add(&network, &pod.attach, &pod.result)?;
    ensure!(again == pod.result, "{again} is not {}", pod.result);
    ensure!(
        rules(&node)? == first,
        "rules were doubled: {}",
        rules(&node)?
    );
    ensure!(records(&node)?.len() == 1);
    Ok(())
}

/// What a node holds of weir and of pods, to compare before and after.
fn node_state(node: &Node) -> Result<String> {
    let devices = node.ns.devices()?.join(" ");
    Ok(format!("{devices}\n{}\n{:?}", rules(node)?, records(node)?))
}

/// Weir's table without counters and lease.
fn rules(node: &Node) -> Result<String> {
    let listing = node.ns.sh("nft -s list ruleset")?;
    Ok(listing
        .lines()
        .filter(|line| !line.contains("counter") && !line.contains("elements"))
        .filter(|line| !line.contains("expires"))
        .collect::<Vec<_>>()
        .join("\n"))
}

fn records(node: &Node) -> Result<Vec<std::path::PathBuf>> {
    let directory = node.run_dir().join("attachments");
    if !directory.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(directory)?;
    Ok(entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect())
}

fn wired_lab(node: Node, weir: &serde_json::Value) -> Result<Lab> {
    let network = node.weir_network(Main::Ptp, weir);
    let enforcer = Enforcer::start(&node, &Options::rules(RULES))?;
    let (a, b) = (
        Pod::start(&network, "client")?,
        Pod::start(&network, "server")?,
    );
    Ok(Lab {
        enforcer,
        a,
        b,
        network,
        node,
    })
}

fn blocked_and_served(lab: &Lab) -> Result<()> {
    let at = lab.b.at(Family::V4, 80)?;
    let service = Collector::start(&lab.b.ns, at, Answer::Echo)?;
    let mut stream = lab.a.ns.connect(at)?;
    echo(&mut stream, b"benign")?;
    std::io::Write::write_all(&mut stream, ATTACK)?;
    lab.enforcer.eve.wait_alerts(ATTACK_SID, 1)?;
    echo(&mut lab.a.ns.connect(at)?, b"benign again")?;
    ensure!(!service.saw(b"EVIL"));
    Ok(())
}

/// A network of `weir-cni` alone: the main plugin's part is played by [`routed_pod`].
fn routed_network(node: &Node) -> Network {
    node.network_from(json!({
        "cniVersion": "1.0.0", "name": "routed", "plugins": [node.weir_entry(&prevent())],
    }))
}

/// A pod as Calico wires it: a veth of a fixed name, a /32 address, a link-local next hop.
fn routed_pod(node: &Node, network: &Network, address: &str) -> Result<Pod> {
    let id = unique("routed");
    let ns = Netns::create(&id)?;
    node.ns.sh(&format!(
        "ip link add cali0 type veth peer name eth0 netns {id}
         ip link set cali0 up; ip route add {address}/32 dev cali0"
    ))?;
    let mac = node
        .ns
        .sh("ip -o link show cali0 | sed 's/.*ether \\([^ ]*\\).*/\\1/'")?;
    ns.sh(&format!(
        "ip addr add {address}/32 dev eth0; ip link set eth0 up
         ip route add 169.254.1.1 dev eth0; ip route add default via 169.254.1.1
         ip neigh add 169.254.1.1 lladdr {} dev eth0",
        mac.trim()
    ))?;
    let links: serde_json::Value = serde_json::from_str(&ns.sh("ip -j link show eth0")?)?;
    let attach = Attach::pod(&id, ns.path(), "routed", "default");
    let result = json!({
        "cniVersion": "1.0.0",
        "interfaces": [
            {"name": "cali0"},
            {"name": "eth0", "mac": links[0]["address"], "sandbox": ns.path()},
        ],
        "ips": [{"address": format!("{address}/32"), "interface": 1}],
        "routes": [{"dst": "0.0.0.0/0", "gw": "169.254.1.1"}],
    });
    let result = weir_add(network, &attach, &result)?;
    network.remember(&attach, &result);
    Pod::wired(ns, attach, result)
}

fn weir_add(
    network: &Network,
    attach: &Attach,
    previous: &serde_json::Value,
) -> Result<serde_json::Value> {
    let entry = network.weir_entry().context("weir-cni in the conflist")?;
    let config = network.config(entry, attach, Some(previous)).to_string();
    let finished = network.exec_raw("weir-cni", "ADD", Some(attach), config.as_bytes())?;
    Ok(serde_json::from_str(&finished.stdout)?)
}
