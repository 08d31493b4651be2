//! ADD that fails leaves nothing, and says what to do.

use std::io::Write;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use weir_tests::command::wait_within;
use weir_tests::node::Node;

use crate::kernel_state::{ensure_nothing_attached, ensure_wired, table};
use crate::support::{Call, HandMade, add_config, config};

/// Starts the plugin with a run directory that is mounted read-only, for it alone.
const READ_ONLY: &str =
    "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\" && exec \"$1\"";

#[test]
fn options_and_annotations_that_are_wrong_wire_nothing() -> Result<()> {
    let node = Node::new("options")?;
    let pod = HandMade::routed(&node, "cali1", 1)?;
    let annotations =
        |value: Value| json!({"runtimeConfig": {"io.kubernetes.cri.pod-annotations": value}});
    for (members, code, parts) in [
        (
            json!({"mode": "block"}),
            7,
            ["mode", "off, detect, prevent"],
        ),
        (json!({"failMode": true}), 7, ["failMode", "a string"]),
        (
            json!({"onUnsupported": "x"}),
            7,
            ["onUnsupported", "error, skip"],
        ),
        (json!({"runDir": "run/weir"}), 7, ["runDir", "absolute"]),
        (json!({"ruleSets": ["A"]}), 7, ["ruleSets", "a-z"]),
        (json!({"antispoof": false}), 2, ["antispoof", "false"]),
        (
            json!({"annotations": {"loosen": ["a?"]}}),
            7,
            ["annotations.loosen", "a?"],
        ),
        (
            annotations(json!({"weir.dev/mode": "on"})),
            2,
            ["weir.dev/mode", "off, detect, prevent"],
        ),
        (
            annotations(json!({"weir.dev/fail": "x"})),
            2,
            ["weir.dev/fail", "weir.dev/fail-mode"],
        ),
        (
            annotations(json!({"weir.dev/mode": "off"})),
            103,
            ["\"shop\"", "loosen"],
        ),
    ] {
        Call::about("ADD", &pod)
            .with(
                "CNI_ARGS",
                "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web",
            )
            .config(&add_config(&node, &pod, &members))
            .refused(&node, code, &parts)?;
    }
    ensure!(table(&node)?.is_empty() && !node.run_dir().exists());
    Ok(())
}

#[test]
fn networks_without_a_host_veth_are_refused_or_skipped() -> Result<()> {
    let node = Node::new("noveth")?;
    node.ns
        .sh("ip link add up0 type veth peer name up1; ip link set up0 up")?;
    let pod = HandMade::routed(&node, "cali1", 1)?;
    pod.ns.sh("ip link del eth0")?;
    let id = pod.ns.name();
    node.ns.sh(&format!(
        "ip link add link up0 name mv1 type macvlan mode bridge; ip link set mv1 netns {id} name eth0"
    ))?;
    let own = node.ns.path().display().to_string();
    for (call, code, part) in [
        (Call::about("ADD", &pod), 101, "macvlan"),
        (Call::about("ADD", &pod).with("CNI_NETNS", &own), 8, "host"),
    ] {
        let call = call.config(&add_config(&node, &pod, &json!({})));
        call.refused(&node, code, &[part, "onUnsupported"])?;
        let skip = add_config(&node, &pod, &json!({"onUnsupported": "skip"}));
        let finished = call.config(&skip).run(&node)?;
        ensure!(finished.status.success(), "{finished}");
        ensure!(serde_json::from_str::<Value>(&finished.stdout)? == skip["prevResult"]);
        ensure!(finished.stderr.contains("WITHOUT inspection"), "{finished}");
        Call::about("CHECK", &pod)
            .config(&skip)
            .succeed_silently(&node)?;
        Call::about("DEL", &pod)
            .config(&skip)
            .succeed_silently(&node)?;
    }
    ensure_nothing_attached(&node)
}

#[test]
fn a_veth_whose_peer_is_in_a_third_namespace_is_refused() -> Result<()> {
    let node = Node::new("third")?;
    let other = Node::companion("third-other", 2)?;
    let pod = HandMade::routed(&other, "cali1", 1)?;
    // An interface of the same index here must not be taken for the peer.
    node.ns
        .sh("for n in 1 2 3 4 5 6 7 8; do ip link add d$n type veth peer name e$n; done")?;
    let call = Call::about("ADD", &pod).config(&add_config(&node, &pod, &json!({})));
    call.refused(&node, 101, &["peer"])?;
    ensure_nothing_attached(&node)
}

#[test]
fn a_missing_netns_or_interface_is_named() -> Result<()> {
    let node = Node::new("missing")?;
    let pod = HandMade::routed(&node, "cali1", 1)?;
    let call = || Call::about("ADD", &pod).config(&add_config(&node, &pod, &json!({})));
    call()
        .with("CNI_NETNS", "/run/netns/weirtest-no")
        .refused(&node, 8, &["weirtest-no"])?;
    call()
        .with("CNI_NETNS", "/etc/hostname")
        .refused(&node, 8, &["/etc/hostname"])?;
    call()
        .with("CNI_IFNAME", "net1")
        .refused(&node, 101, &["net1", "main plugin"])?;
    ensure_nothing_attached(&node)
}

#[test]
fn a_read_only_run_directory_fails_add_and_status_but_not_del() -> Result<()> {
    let node = Node::new("readonly")?;
    let pod = HandMade::routed(&node, "cali1", 1)?;
    std::fs::create_dir_all(node.run_dir().join("attachments"))?;
    let run_dir = node.run_dir().display().to_string();
    let read_only = ["unshare", "-m", "sh", "-ec", READ_ONLY, &run_dir];
    let add = Call::about("ADD", &pod).config(&add_config(&node, &pod, &json!({})));
    let status = Call::new("STATUS").config(&config(&node, "1.1.0", &json!({})));
    status.succeed_silently(&node)?;
    let add_read_only = Call::about("ADD", &pod)
        .config(&add_config(&node, &pod, &json!({})))
        .through(&read_only);
    add_read_only.refused(&node, 104, &[&run_dir, "writable"])?;
    status
        .through(&read_only)
        .refused(&node, 50, &[&run_dir, "not writable"])?;
    ensure_nothing_attached(&node)?;
    add.succeed(&node)?;
    ensure_wired(&node, &["cali1"])?;
    let del = Call::about("DEL", &pod).config(&config(&node, "1.1.0", &json!({})));
    let del = del.through(&read_only);
    del.succeed_silently(&node)?;
    ensure!(!table(&node)?.contains("cali1"), "the rules stayed");
    Ok(())
}

#[test]
fn a_process_that_may_not_change_the_kernel_is_told_so() -> Result<()> {
    let node = Node::new("capability")?;
    let pod = HandMade::routed(&node, "cali1", 1)?;
    let powerless = ["setpriv", "--bounding-set=-net_admin"];
    let add = Call::about("ADD", &pod).config(&add_config(&node, &pod, &json!({})));
    add.through(&powerless)
        .refused(&node, 102, &["CAP_NET_ADMIN"])?;
    ensure_nothing_attached(&node)?;
    let status = Call::new("STATUS").config(&config(&node, "1.1.0", &json!({})));
    status
        .through(&powerless)
        .refused(&node, 50, &["CAP_NET_ADMIN"])
}

#[test]
fn add_whose_result_nobody_reads_is_undone() -> Result<()> {
    let node = Node::new("epipe")?;
    let pod = HandMade::routed(&node, "cali1", 1)?;
    let call = Call::about("ADD", &pod);
    let stdin = add_config(&node, &pod, &json!({})).to_string();
    let mut command = call.command()?;
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = node.ns.run(|| Ok(command.spawn()?))?;
    drop(child.stdout.take());
    child
        .stdin
        .take()
        .context("stdin")?
        .write_all(stdin.as_bytes())?;
    let status = wait_within(&mut child, std::time::Duration::from_secs(30))?;
    ensure!(!status.success());
    ensure!(
        table(&node)?.contains("weir"),
        "ADD did not come as far as the kernel"
    );
    ensure_nothing_attached(&node)
}
