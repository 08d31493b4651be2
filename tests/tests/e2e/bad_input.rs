//! Bad input: a clear error, and never a half-wired pod.

use std::os::unix::fs::PermissionsExt;

use anyhow::{Result, ensure};
use serde_json::json;
use weir_tests::cni::{Attach, Failure};
use weir_tests::enforcer::{Enforcer, Options};
use weir_tests::node::{Main, Node};
use weir_tests::pod::{Family, Pod};
use weir_tests::ruleset::hooked;
use weir_tests::traffic::{Answer, Collector, echo};

use crate::lab::{Lab, RULES, prevent, prevent_open};

/// Error codes of the CNI specification that these inputs deserve.
const DECODE: u64 = 6;

#[test]
fn unreadable_configurations_are_refused_by_every_verb_that_reads_them() -> Result<()> {
    let node = Node::new("config")?;
    let network = node.weir_network(Main::Bridge, &prevent_open());
    let pod = Pod::start(&network, "bystander")?;
    let before = node.ns.sh("nft -s list ruleset")?;
    let huge = format!(
        "{{\"cniVersion\":\"1.0.0\",\"name\":\"{}\"}}",
        "x".repeat(10 << 20)
    );
    let inputs: [(&str, &[u8]); 6] = [
        ("empty", b""),
        (
            "truncated",
            b"{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"ty",
        ),
        ("no object", b"[1,2,3]"),
        ("wrong type", b"{\"cniVersion\":17,\"name\":[],\"type\":{}}"),
        ("not text", b"\xff\xfe\x00\x01"),
        ("10 MB", huge.as_bytes()),
    ];
    for (name, stdin) in inputs {
        for verb in ["ADD", "CHECK"] {
            let failure = refused(network.exec_raw("weir-cni", verb, Some(&pod.attach), stdin));
            ensure!(
                failure.code.is_some(),
                "{verb} {name}: no error object: {failure}"
            );
            ensure!(
                failure.code == Some(DECODE) || name == "wrong type",
                "{verb} {name}: {failure}"
            );
        }
    }
    ensure!(
        node.ns.sh("nft -s list ruleset")? == before,
        "a refused call changed the rules"
    );
    network.check(&pod.attach)?;
    Ok(())
}

#[test]
fn unknown_option_values_list_the_allowed_ones() -> Result<()> {
    let node = Node::new("options")?;
    for (options, words) in [
        (
            json!({"mode": "paranoid"}),
            ["mode", "paranoid", "off", "detect", "prevent"].as_slice(),
        ),
        (
            json!({"failMode": "ajar"}),
            ["failMode", "ajar", "open", "closed"].as_slice(),
        ),
        (
            json!({"onUnsupported": "panic"}),
            ["onUnsupported", "error", "skip"].as_slice(),
        ),
        (json!({"ruleSets": 7}), ["ruleSets"].as_slice()),
        (json!({"modus": "prevent"}), ["modus"].as_slice()),
    ] {
        let network = node.weir_network(Main::Bridge, &options);
        let error = format!("{:#}", Pod::start(&network, "a").unwrap_err());
        for word in words {
            ensure!(error.contains(word), "{word} is not in: {error}");
        }
        unwired(&node)?;
    }
    Ok(())
}

#[test]
fn missing_network_namespace_is_named() -> Result<()> {
    let node = Node::new("netns")?;
    let network = node.weir_network(Main::Bridge, &prevent());
    let pod = Pod::start(&network, "a")?;
    let entry = network.weir_entry().expect("weir-cni is in the conflist");
    let config = network
        .config(entry, &pod.attach, Some(&pod.result))
        .to_string();
    network.del(&pod.attach)?;
    let gone = Attach {
        netns: "/run/netns/weirtest-no-such".to_owned(),
        ..pod.attach.clone()
    };
    let failure = refused(network.exec_raw("weir-cni", "ADD", Some(&gone), config.as_bytes()));
    ensure!(
        failure.to_string().contains("weirtest-no-such"),
        "{failure}"
    );
    ensure!(failure.code.is_some(), "{failure}");
    unwired(&node)
}

#[test]
fn add_without_a_plugin_before_it_says_so() -> Result<()> {
    let node = Node::new("alone")?;
    let network = node.network_from(json!({
        "cniVersion": "1.0.0", "name": "alone", "plugins": [node.weir_entry(&prevent())],
    }));
    let error = format!("{:#}", Pod::start(&network, "a").unwrap_err());
    ensure!(error.contains("prevResult"), "{error}");
    unwired(&node)
}

#[test]
fn interface_that_is_no_veth_is_refused_or_skipped_as_configured() -> Result<()> {
    let node = Node::new("macvlan")?;
    node.ns
        .sh("ip link add up0 type veth peer name up1; ip link set up0 up; ip link set up1 up")?;
    for (choice, starts) in [("error", false), ("skip", true)] {
        let mut network = node.weir_network(
            Main::Bridge,
            &json!({"mode": "prevent", "onUnsupported": choice}),
        );
        let ipam = network.conflist()["plugins"][0]["ipam"].clone();
        network.conflist_mut()["plugins"][0] =
            json!({"type": "macvlan", "master": "up0", "mode": "bridge", "ipam": ipam});
        let attempt = Pod::start(&network, "a");
        ensure!(attempt.is_ok() == starts, "{choice}: {attempt:?}");
        if let Err(error) = attempt {
            let error = format!("{error:#}");
            ensure!(
                error.contains("macvlan") && error.contains("onUnsupported"),
                "{error}"
            );
        }
        unwired(&node)?;
    }
    Ok(())
}

#[test]
fn run_directory_that_cannot_be_written_fails_add_and_wires_nothing() -> Result<()> {
    let node = Node::new("rundir")?;
    // A file where the directory should be: root ignores permissions.
    node.scratch().write("blocked", "")?;
    let weir = json!({"mode": "prevent", "runDir": node.scratch().path().join("blocked")});
    let network = node.weir_network(Main::Bridge, &weir);
    let error = format!("{:#}", Pod::start(&network, "a").unwrap_err());
    ensure!(
        error.contains("blocked"),
        "the message does not name the directory: {error}"
    );
    unwired(&node)
}

#[test]
fn add_works_without_the_nft_program_or_says_that_it_is_missing() -> Result<()> {
    let node = Node::new("nonft")?;
    let empty = node.scratch().path().join("empty");
    std::fs::create_dir(&empty)?;
    let network = node.weir_network(Main::Ptp, &prevent_open());
    let network = network.with_path_variable(&empty.display().to_string());
    match Pod::start(&network, "a") {
        Ok(pod) => network.check(&pod.attach)?,
        Err(error) => {
            let error = format!("{error:#}");
            ensure!(error.contains("nft"), "{error}");
            unwired(&node)?;
        }
    }
    Ok(())
}

#[test]
fn rule_file_with_errors_loads_the_good_rules_and_names_the_bad_ones() -> Result<()> {
    let rules = format!(
        "{RULES}drop tcp any any -> any any (msg:\"bad\"; contnt:\"x\"; sid:7;)\nnonsense\n"
    );
    let lab = Lab::with("badrule", Main::Bridge, &prevent(), &Options::rules(&rules))?;
    let log = lab.enforcer.log();
    for word in ["test.rules:3:", "contnt", "test.rules:4:"] {
        ensure!(log.contains(word), "{word} is not in the log: {log}");
    }
    let service = Collector::start(&lab.b.ns, lab.b.at(Family::V4, 80)?, Answer::Echo)?;
    echo(&mut lab.a.ns.connect(lab.b.at(Family::V4, 80)?)?, b"benign")?;
    ensure!(service.saw(b"benign"));
    let mut stream = lab.a.ns.connect(lab.b.at(Family::V4, 80)?)?;
    std::io::Write::write_all(&mut stream, crate::lab::ATTACK)?;
    lab.enforcer.eve.wait_alerts(crate::lab::ATTACK_SID, 1)?;
    Ok(())
}

#[test]
fn settings_with_errors_stop_the_start_and_name_the_line() -> Result<()> {
    let node = Node::new("settings")?;
    for (yaml, words) in [
        ("workers: 0\n", ["workers"].as_slice()),
        ("wrokers: 2\n", ["wrokers", "weir.yaml:1:"].as_slice()),
        ("vars: [\n", ["weir.yaml:"].as_slice()),
    ] {
        let mut enforcer = Enforcer::spawn(&node, &Options::rules(RULES).settings(yaml))?;
        let status = enforcer.wait()?;
        ensure!(!status.success(), "{yaml} was taken");
        for word in words {
            ensure!(
                enforcer.log().contains(word),
                "{word} is not in: {}",
                enforcer.log()
            );
        }
    }
    Ok(())
}

#[test]
fn second_enforcer_on_a_node_is_refused() -> Result<()> {
    let lab = Lab::new("second")?;
    let mut second = Enforcer::spawn(&lab.node, &Options::rules(RULES))?;
    ensure!(!second.wait()?.success(), "two enforcers run on one node");
    let service = Collector::start(&lab.b.ns, lab.b.at(Family::V4, 80)?, Answer::Echo)?;
    echo(
        &mut lab.a.ns.connect(lab.b.at(Family::V4, 80)?)?,
        b"still served",
    )?;
    ensure!(service.saw(b"still served"));
    Ok(())
}

#[test]
fn plugin_that_is_not_executable_leaves_no_half_wired_pod() -> Result<()> {
    let node = Node::new("noexec")?;
    let fake = node.scratch().write("weir-broken", "")?;
    std::fs::set_permissions(&fake, std::fs::Permissions::from_mode(0o644))?;
    let network = node.network(Main::Bridge, "1.0.0", vec![json!({"type": "weir-broken"})]);
    ensure!(Pod::start(&network, "a").is_err());
    unwired(&node)
}

fn refused<T: std::fmt::Debug>(outcome: Result<T, Failure>) -> Failure {
    outcome.expect_err("bad input was taken")
}

/// No chain on any interface, no record.
fn unwired(node: &Node) -> Result<()> {
    let hooked = hooked(node)?;
    ensure!(hooked.is_empty(), "half-wired: {hooked:?}");
    let records = node.run_dir().join("attachments");
    let left = std::fs::read_dir(records).map_or(0, Iterator::count);
    ensure!(left == 0, "{left} record(s) are left");
    Ok(())
}
