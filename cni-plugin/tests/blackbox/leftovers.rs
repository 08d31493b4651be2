//! Attachments whose DEL is lost, late, early or many.

use std::fs;
use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use weir_tests::node::Node;

use crate::kernel_state::{ensure_nothing_attached, ensure_wired, records, table};
use crate::support::{Call, HandMade, add_config, config};

/// Pods of the parallel test, and how many threads call at once.
const PODS: u8 = 200;
const LANES: usize = 8;

#[test]
fn a_reused_interface_name_is_the_new_pods_alone() -> Result<()> {
    let node = Node::new("reuse")?;
    let old = HandMade::routed(&node, "cali1", 1)?;
    Call::about("ADD", &old)
        .config(&add_config(&node, &old, &json!({})))
        .succeed(&node)?;
    node.ns.sh("ip link del cali1")?;
    let new = HandMade::routed(&node, "cali1", 2)?;
    let config_of_new = add_config(&node, &new, &json!({}));
    Call::about("ADD", &new)
        .config(&config_of_new)
        .succeed(&node)?;
    let rules = table(&node)?;
    ensure!(
        !rules.contains(&old.id) && !rules.contains(&old.mac),
        "{rules}"
    );
    // Late DELs of the old pod: with its record, then without.
    for _repeated in 0..2 {
        let del = Call::about("DEL", &old).with("CNI_NETNS", "");
        del.config(&config(&node, "1.1.0", &json!({})))
            .succeed_silently(&node)?;
        ensure_wired(&node, &["cali1"])?;
        Call::about("CHECK", &new)
            .config(&config_of_new)
            .succeed_silently(&node)?;
    }
    let rules = table(&node)?;
    ensure!(!rules.contains(&format!("{} ", old.address4())), "{rules}");
    ensure!(rules.contains(&format!("{} ", new.address4())), "{rules}");
    Call::about("DEL", &new)
        .config(&config_of_new)
        .succeed_silently(&node)?;
    ensure_nothing_attached(&node)
}

#[test]
fn a_pod_with_mode_off_is_freed_of_an_earlier_pods_rules() -> Result<()> {
    let node = Node::new("freed")?;
    let old = HandMade::routed(&node, "cali1", 1)?;
    Call::about("ADD", &old)
        .config(&add_config(&node, &old, &json!({})))
        .succeed(&node)?;
    node.ns.sh("ip link del cali1")?;
    let new = HandMade::routed(&node, "cali1", 2)?;
    let off = add_config(&node, &new, &json!({"mode": "off"}));
    Call::about("ADD", &new).config(&off).succeed(&node)?;
    ensure!(
        !table(&node)?.contains("cali1"),
        "the old pod's rules grip the new one"
    );
    Ok(())
}

#[test]
fn del_works_without_record_netns_device_table_or_kernel_rights_to_look() -> Result<()> {
    let node = Node::new("del")?;
    let spoilers: [(&str, &str); 5] = [
        ("nothing", "true"),
        ("record", "rm -r $RUN"),
        (
            "garbled record",
            "for f in $RUN/attachments/*; do echo x > $f; done",
        ),
        ("device", "ip link del cali1"),
        ("table", "nft flush ruleset; ip link del weir-cap0"),
    ];
    let run_dir = node.run_dir().display().to_string();
    for (name, spoiler) in spoilers {
        for netns_is_gone in [false, true] {
            let pod = HandMade::routed(&node, "cali1", 1)?;
            Call::about("ADD", &pod)
                .config(&add_config(&node, &pod, &json!({})))
                .succeed(&node)?;
            node.ns.sh(&format!("RUN={run_dir}; {spoiler}"))?;
            let mut del = Call::about("DEL", &pod).config(&config(&node, "0.3.1", &json!({})));
            if netns_is_gone {
                del = del.with("CNI_NETNS", "/run/netns/weirtest-gone");
            }
            del.succeed_silently(&node)
                .with_context(|| format!("without {name}"))?;
            ensure_nothing_attached(&node).with_context(|| format!("without {name}"))?;
            node.ns.sh("ip link del cali1 2>/dev/null || true")?;
        }
    }
    let never = Call::new("DEL")
        .with("CNI_CONTAINERID", "never")
        .with("CNI_IFNAME", "eth0");
    never
        .config(&config(&node, "1.0.0", &json!({"mode": "?", "oops": 1})))
        .succeed_silently(&node)
}

#[test]
fn add_killed_at_any_moment_is_swept_by_a_del_without_prev_result() -> Result<()> {
    let node = Node::new("killed")?;
    let pod = HandMade::routed(&node, "cali1", 1)?;
    let stdin = add_config(&node, &pod, &json!({})).to_string();
    for step in 0..40 {
        let mut command = Call::about("ADD", &pod).command()?;
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = node.ns.run(|| Ok(command.spawn()?))?;
        child
            .stdin
            .take()
            .context("stdin")?
            .write_all(stdin.as_bytes())?;
        std::thread::sleep(Duration::from_micros(step * 250));
        child.kill()?;
        child.wait()?;
        let del = Call::about("DEL", &pod).config(&config(&node, "1.1.0", &json!({})));
        del.succeed_silently(&node)?;
        // A temporary file may stay; it is no record, and is swept later.
        let directory = node.run_dir().join("attachments");
        for name in records(&node)?
            .iter()
            .filter(|name| name.starts_with(".tmp-"))
        {
            fs::remove_file(directory.join(name))?;
        }
        ensure_nothing_attached(&node).with_context(|| format!("killed at step {step}"))?;
    }
    Ok(())
}

#[test]
fn gc_and_del_after_a_reboot_find_nothing_and_say_nothing() -> Result<()> {
    let node = Node::new("reboot")?;
    let pod = HandMade::routed(&node, "cali1", 1)?;
    let add = Call::about("ADD", &pod).config(&add_config(&node, &pod, &json!({})));
    add.succeed(&node)?;
    fs::remove_dir_all(node.run_dir())?;
    node.ns
        .sh("nft flush ruleset; ip link del weir-cap0; ip link del cali1")?;
    let valid = json!({"cni.dev/valid-attachments": []});
    Call::new("GC")
        .config(&config(&node, "1.1.0", &valid))
        .succeed_silently(&node)?;
    let del = Call::about("DEL", &pod).with("CNI_NETNS", "");
    del.config(&config(&node, "1.1.0", &json!({})))
        .succeed_silently(&node)?;
    ensure!(
        !node.run_dir().exists(),
        "a verb that removes made the run directory"
    );
    let again = HandMade::routed(&node, "cali1", 1)?;
    Call::about("ADD", &again)
        .config(&add_config(&node, &again, &json!({})))
        .succeed(&node)?;
    ensure_wired(&node, &["cali1"])
}

#[test]
fn gc_keeps_what_is_valid_and_what_is_not_its_own() -> Result<()> {
    let node = Node::new("gc")?;
    let pods: Vec<_> = ["cali1", "cali2", "cali3", "cali4"]
        .into_iter()
        .zip(1..)
        .map(|(ifname, address)| HandMade::routed(&node, ifname, address))
        .collect::<Result<_>>()?;
    for pod in &pods {
        let mut config = add_config(&node, pod, &json!({}));
        if pod.host_ifname == "cali4" {
            config["name"] = json!("other");
        }
        Call::about("ADD", pod).config(&config).succeed(&node)?;
    }
    // The record of one stale attachment is lost; the kernel knows it still.
    let lost = records(&node)?
        .into_iter()
        .find(|name| name.contains(&pods[2].id));
    fs::remove_file(
        node.run_dir()
            .join("attachments")
            .join(lost.context("record of cali3")?),
    )?;
    Call::new("GC")
        .config(&config(&node, "1.1.0", &json!({})))
        .succeed_silently(&node)?;
    ensure!(
        table(&node)?.contains("cali3"),
        "GC without a list removed something"
    );
    let valid = json!([{"containerID": pods[0].id, "ifname": "eth0"}]);
    let valid = json!({"cni.dev/valid-attachments": valid, "cni.dev/attachments": valid});
    Call::new("GC")
        .config(&config(&node, "1.1.0", &valid))
        .succeed_silently(&node)?;
    ensure_wired(&node, &["cali1", "cali4"])
}

#[test]
fn two_hundred_adds_and_dels_in_parallel_leave_nothing() -> Result<()> {
    let node = Node::new("parallel")?;
    let pods: Vec<_> = (1..=PODS)
        .map(|address| HandMade::routed(&node, &format!("cali{address}"), address))
        .collect::<Result<_>>()?;
    let devices = node.ns.devices()?;
    let call_all = |verb: &str| {
        in_lanes(&pods, |pod| {
            let call = Call::about(verb, pod).config(&add_config(&node, pod, &json!({})));
            call.succeed(&node).map(drop)
        })
    };
    call_all("ADD")?;
    let names: Vec<_> = pods.iter().map(|pod| pod.host_ifname.as_str()).collect();
    ensure_wired(&node, &names)?;
    call_all("CHECK")?;
    call_all("DEL")?;
    ensure_nothing_attached(&node)?;
    let mut expected = devices;
    expected.extend(["weir-cap0".to_owned(), "weir-cap1".to_owned()]);
    expected.sort();
    ensure!(node.ns.devices()? == expected);
    Ok(())
}

fn in_lanes(pods: &[HandMade], call: impl Fn(&HandMade) -> Result<()> + Sync) -> Result<()> {
    let call = &call;
    std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES)
            .map(|lane| {
                scope.spawn(move || pods.iter().skip(lane).step_by(LANES).try_for_each(call))
            })
            .collect();
        lanes.into_iter().try_for_each(|lane| match lane.join() {
            Ok(outcome) => outcome,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}
