//! The CNI verbs in every version, on real main plugins.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use weir_tests::cni::Attach;
use weir_tests::enforcer::{Enforcer, Options};
use weir_tests::node::{Main, Node};
use weir_tests::pod::Pod;
use weir_tests::poll;

use crate::lab::{RULES, prevent, prevent_open};

/// All versions that weir-cni speaks.
const VERSIONS: [&str; 5] = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];

/// Code of an unsupported version.
const INCOMPATIBLE: u64 = 1;

#[test]
fn add_check_del_pass_the_result_through_unchanged_in_every_version() -> Result<()> {
    for main in [Main::Bridge, Main::Ptp] {
        let node = Node::new("versions")?;
        let _enforcer = Enforcer::start(&node, &Options::rules(RULES))?;
        for version in VERSIONS {
            let network = node.network(main, version, vec![node.weir_entry(&prevent())]);
            let pod = Pod::start(&network, "a")?;
            ensure!(pod.result["cniVersion"] == json!(version), "{}", pod.result);
            passes_through(&network, &pod)?;
            if version >= "0.4.0" {
                network.check(&pod.attach)?;
            }
            network.del(&pod.attach)?;
            network.del(&pod.attach)?;
        }
    }
    Ok(())
}

/// Another ADD of the same attachment with a result that holds keys nobody knows.
fn passes_through(network: &weir_tests::cni::Network, pod: &Pod) -> Result<()> {
    let entry = network.weir_entry().expect("weir-cni is in the conflist");
    let mut result = pod.result.clone();
    result["x.example/unknown"] = json!({"kept": [1, 2.5, null, "ü"]});
    let config = network
        .config(entry, &pod.attach, Some(&result))
        .to_string();
    let finished = network.exec_raw("weir-cni", "ADD", Some(&pod.attach), config.as_bytes())?;
    let printed: Value = serde_json::from_str(&finished.stdout)?;
    ensure!(printed == result, "{printed}\nis not\n{result}");
    Ok(())
}

#[test]
fn version_names_what_is_supported_even_to_a_dummy_environment() -> Result<()> {
    let node = Node::new("version")?;
    let network = node.weir_network(Main::Bridge, &prevent());
    let dummy = Attach {
        id: String::new(),
        netns: "dummy".to_owned(),
        ifname: "dummy".to_owned(),
        args: String::new(),
        capabilities: serde_json::Map::new(),
    };
    let finished = network.exec_raw(
        "weir-cni",
        "VERSION",
        Some(&dummy),
        b"{\"cniVersion\":\"1.0.0\"}",
    )?;
    let answer: Value = serde_json::from_str(&finished.stdout)?;
    ensure!(answer["cniVersion"] == json!("1.0.0"), "{answer}");
    for version in VERSIONS {
        let supported = answer["supportedVersions"].as_array().expect("a list");
        ensure!(
            supported.contains(&json!(version)),
            "{version} is not in {answer}"
        );
    }
    Ok(())
}

#[test]
fn unsupported_versions_and_verbs_are_refused_by_code() -> Result<()> {
    let node = Node::new("refuse")?;
    let network = node.weir_network(Main::Bridge, &prevent());
    let pod = Pod::start(&network, "a")?;
    for (verb, version) in [
        ("ADD", "0.2.0"),
        ("ADD", "9.9.9"),
        ("CHECK", "0.3.1"),
        ("GC", "1.0.0"),
    ] {
        let config = json!({
            "cniVersion": version, "name": "n", "type": "weir-cni",
            "prevResult": {"cniVersion": version}, "runDir": node.run_dir(),
        });
        let attempt = network.exec_raw(
            "weir-cni",
            verb,
            Some(&pod.attach),
            config.to_string().as_bytes(),
        );
        let failure = attempt.expect_err("was taken");
        ensure!(
            failure.code == Some(INCOMPATIBLE),
            "{verb} {version}: {failure}"
        );
    }
    Ok(())
}

#[test]
fn missing_variables_are_all_named() -> Result<()> {
    let node = Node::new("variables")?;
    let network = node.weir_network(Main::Bridge, &prevent());
    let failure = network
        .exec_raw("weir-cni", "ADD", None, b"{}")
        .expect_err("was taken");
    ensure!(failure.code == Some(4), "{failure}");
    for name in ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"] {
        ensure!(failure.message.contains(name), "{failure}");
    }
    Ok(())
}

#[test]
fn status_tells_whether_pods_can_be_served() -> Result<()> {
    let node = Node::new("status")?;
    let closed = node.network(Main::Bridge, "1.1.0", vec![node.weir_entry(&prevent())]);
    let open = json!({"mode": "prevent", "failMode": "open"});
    let open = node.network(Main::Bridge, "1.1.0", vec![node.weir_entry(&open)]);
    let failure = closed.status().expect_err("no enforcer runs");
    ensure!(matches!(failure.code, Some(50 | 51)), "{failure}");
    open.status()?;
    let enforcer = Enforcer::start(&node, &Options::rules(RULES))?;
    closed.status()?;
    enforcer.crash()?;
    poll::until("STATUS to notice the crash", || Ok(closed.status().err()))?;
    Ok(())
}

#[test]
fn check_notices_rules_that_somebody_removed_and_an_enforcer_mends() -> Result<()> {
    let node = Node::new("check")?;
    // Without an enforcer, which would have mended them before CHECK looks.
    let network = node.weir_network(Main::Bridge, &prevent_open());
    let pod = Pod::start(&network, "a")?;
    network.check(&pod.attach)?;
    node.ns.nft("flush ruleset")?;
    let failure = network.check(&pod.attach).expect_err("the rules are gone");
    ensure!(failure.plugin == "weir-cni", "{failure}");
    ensure!(failure.message.contains(&pod.host_ifname), "{failure}");
    let _enforcer = Enforcer::start(&node, &Options::rules(RULES))?;
    network.check(&pod.attach)?;
    Ok(())
}
