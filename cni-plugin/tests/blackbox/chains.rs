//! Whole lives of pods behind real main plugins and a hand-made routed veth.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use weir_tests::node::{Main, Node};
use weir_tests::pod::Pod;
use weir_tests::ruleset::hooked;

use crate::kernel_state::{ensure_nothing_attached, ensure_wired, records};
use crate::support::{Call, HandMade, config};

const VERSIONS: [&str; 5] = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];

#[test]
fn routed_veth_lives_and_dies_in_every_version() -> Result<()> {
    let node = Node::new("routed")?;
    for (version, address) in VERSIONS.into_iter().zip(1..) {
        let pod = HandMade::routed(&node, "cali1", address)?;
        let mut config = config(&node, version, &json!({}));
        config["prevResult"] = pod.result(version);
        let (stdin, expected) = (config.to_string(), config["prevResult"].to_string());
        for _repeated in 0..2 {
            let printed = Call::about("ADD", &pod)
                .stdin(stdin.as_str())
                .succeed(&node)?;
            ensure!(
                printed == format!("{expected}\n"),
                "{printed}\nis not\n{expected}"
            );
            ensure_wired(&node, &["cali1"])?;
        }
        if version >= "0.4.0" {
            Call::about("CHECK", &pod)
                .stdin(stdin.as_str())
                .succeed_silently(&node)?;
        }
        for _repeated in 0..2 {
            Call::about("DEL", &pod)
                .stdin(stdin.as_str())
                .succeed_silently(&node)?;
            ensure_nothing_attached(&node)?;
        }
        node.ns.sh("ip link del cali1")?;
    }
    Ok(())
}

#[test]
fn bridge_and_ptp_pods_live_and_die_in_every_version() -> Result<()> {
    for main in [Main::Bridge, Main::Ptp] {
        let node = Node::new("mains")?;
        for version in VERSIONS {
            let entry = node.weir_entry(&json!({"failMode": "open"}));
            let alone = node.network(main, version, Vec::new());
            let network = node.network(main, version, vec![entry]);
            let (a, b) = (Pod::start(&network, "a")?, Pod::start(&network, "b")?);
            ensure!(a.result["cniVersion"] == version, "{}", a.result);
            ensure!(same_shape(&alone, &a)?, "{}", a.result);
            ensure_wired(&node, &[&a.host_ifname, &b.host_ifname])?;
            if version >= "0.4.0" {
                network.check(&a.attach)?;
                network.check(&b.attach)?;
            }
            for pod in [&a, &b] {
                network.del(&pod.attach)?;
                network.del(&pod.attach)?;
            }
            ensure_nothing_attached(&node)?;
        }
    }
    Ok(())
}

/// The chain's result has the members that the main plugin's has alone.
fn same_shape(alone: &weir_tests::cni::Network, wired: &Pod) -> Result<bool> {
    let plain = Pod::start(alone, "plain")?;
    alone.del(&plain.attach)?;
    let keys = |value: &Value| {
        value
            .as_object()
            .map(|map| map.keys().cloned().collect::<Vec<_>>())
    };
    Ok(keys(&plain.result) == keys(&wired.result))
}

#[test]
fn annotations_reach_the_record() -> Result<()> {
    let node = Node::new("annotated")?;
    let options = json!({"mode": "detect", "annotations": {"loosen": ["default"]}});
    let network = node.weir_network(Main::Ptp, &options);
    let annotations = [
        ("weir.dev/fail-mode", "closed"),
        ("weir.dev/rule-sets", "default,web"),
    ];
    let tight = Pod::start_annotated(&network, "tight", &annotations)?;
    let names = records(&node)?;
    ensure!(names.len() == 1, "{names:?}");
    let record = std::fs::read_to_string(node.run_dir().join("attachments").join(&names[0]))?;
    let record: Value = serde_json::from_str(&record)?;
    let policy = json!({"mode": "detect", "failMode": "closed", "ruleSets": ["default", "web"]});
    ensure!(record["policy"] == policy, "{record}");
    ensure!(record["pod"]["name"] == "tight" && record["pod"]["namespace"] == "default");
    ensure!(record["hostIfname"] == tight.host_ifname.as_str());
    let off = Pod::start_annotated(&network, "off", &[("weir.dev/mode", "off")])?;
    ensure!(
        !hooked(&node)?.contains(&off.host_ifname),
        "a pod with mode off was wired"
    );
    network.check(&off.attach)?;
    for pod in [&tight, &off] {
        network.del(&pod.attach)?;
    }
    ensure_nothing_attached(&node)
}

#[test]
fn check_finds_what_others_broke() -> Result<()> {
    let node = Node::new("broken")?;
    let pod = HandMade::routed(&node, "cali1", 1)?;
    let config = crate::support::add_config(&node, &pod, &json!({}));
    let add = Call::about("ADD", &pod).config(&config);
    let check = Call::about("CHECK", &pod).config(&config);
    check.refused(&node, 100, &["no attachment record"])?;
    add.succeed(&node)?;
    check.succeed_silently(&node)?;
    pod.ns
        .sh("ip link set eth0 down; ip link set eth0 address 02:00:00:00:00:99")?;
    check.refused(&node, 100, &["02:00:00:00:00:99", "antiSpoof"])?;
    pod.ns.sh(&format!(
        "ip link set eth0 address {}; ip link set eth0 up",
        pod.mac
    ))?;
    check.succeed_silently(&node)?;
    node.ns.sh("ip link del weir-cap0")?;
    check.refused(&node, 100, &["weir-cap"])?;
    add.succeed(&node)?;
    check.succeed_silently(&node)?;
    node.ns.nft("flush ruleset")?;
    check.refused(&node, 100, &["cali1", "lacks weir's rules"])?;
    add.succeed(&node)?;
    check.succeed_silently(&node)?;
    let closed = crate::support::add_config(&node, &pod, &json!({"failMode": "closed"}));
    Call::about("ADD", &pod).config(&closed).succeed(&node)?;
    let check = Call::about("CHECK", &pod).config(&closed);
    check.refused(&node, 100, &["no enforcer", "weir enforce"])?;
    let status = Call::new("STATUS");
    let closed = crate::support::config(&node, "1.1.0", &json!({"failMode": "closed"}));
    status.config(&closed).refused(&node, 51, &["no enforcer"])
}
