//! Every way a frame can take to or from a pod: inspected exactly once, attack dropped, benign served.
//!
//! For each path and both address families: UDP echoes whose number is known must raise the engines' frame
//! counter by exactly that number; a benign TCP exchange is answered; an attack over TCP, and one over UDP, never
//! reaches the receiving socket, and after it the path still serves.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result, ensure};
use weir_tests::eve::text;
use weir_tests::node::Main;
use weir_tests::pod::{Family, Pod};
use weir_tests::poll;
use weir_tests::ruleset::{Masqueraded, masquerade, translate};
use weir_tests::traffic::contains;

use crate::lab::{ATTACK, ATTACK_SID, Beyond, Lab, RULES, Remote, prevent, seen, vip};
use crate::path::{Path, prove};

#[test]
fn pod_to_pod_on_a_bridge() -> Result<()> {
    pod_to_pod(Main::Bridge)
}

#[test]
fn pod_to_pod_over_routed_interfaces() -> Result<()> {
    pod_to_pod(Main::Ptp)
}

fn pod_to_pod(main: Main) -> Result<()> {
    let options = weir_tests::enforcer::Options::rules(RULES);
    let lab = Lab::with("podpod", main, &prevent(), &options)?;
    let paths = Path::in_both_families(|family| {
        Ok(Path::direct(&lab.a.ns, &lab.b.ns, lab.b.at(family, 8080)?))
    })?;
    prove(&lab, &paths)?;
    let alerts = lab.enforcer.eve.alerts(ATTACK_SID)?;
    for alert in &alerts {
        ensure!(text(alert, "/src_pod/name") == "client", "{alert}");
        ensure!(text(alert, "/dest_pod/name") == "server", "{alert}");
        ensure!(text(alert, "/src_pod/namespace") == "default", "{alert}");
        ensure!(text(alert, "/alert/action") == "blocked", "{alert}");
    }
    ensure!(
        lab.enforcer
            .log()
            .lines()
            .all(|line| !line.contains("panicked"))
    );
    Ok(())
}

#[test]
fn pod_to_service_address() -> Result<()> {
    let lab = Lab::new("service")?;
    prove(&lab, &to_service(&lab, &lab.b, Source::Kept)?)
}

#[test]
fn service_address_with_snat_splits_the_flow_and_is_inspected_all_the_same() -> Result<()> {
    let lab = Lab::new("split")?;
    prove(&lab, &to_service(&lab, &lab.b, Source::Masqueraded)?)
}

#[test]
fn hairpin_of_a_pod_to_itself_through_its_service() -> Result<()> {
    let lab = Lab::new("hairpin")?;
    prove(&lab, &to_service(&lab, &lab.a, Source::Masqueraded)?)
}

/// What becomes of the client's address on the way to a Service.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Kept,
    Masqueraded,
}

/// From pod a to `server` by a Service's address, which is translated.
fn to_service<'a>(lab: &'a Lab, server: &'a Pod, source: Source) -> Result<Vec<Path<'a>>> {
    Path::in_both_families(|family| {
        let bound = server.at(family, 8080)?;
        let target = SocketAddr::new(vip(family), 80);
        translate(&lab.node, target, bound)?;
        if source == Source::Masqueraded {
            masquerade(&lab.node, family, Masqueraded::Translated)?;
        }
        Ok(Path::translated(&lab.a.ns, &server.ns, (target, bound)))
    })
}

#[test]
fn host_to_pod() -> Result<()> {
    let lab = Lab::new("host")?;
    let paths = Path::in_both_families(|family| {
        Ok(Path::direct(
            &lab.node.ns,
            &lab.b.ns,
            lab.b.at(family, 8080)?,
        ))
    })?;
    prove(&lab, &paths)
}

#[test]
fn pod_to_host() -> Result<()> {
    let lab = Lab::new("tohost")?;
    let paths = Path::in_both_families(|family| {
        let bound = SocketAddr::new(lab.node_ip(family), 8080);
        Ok(Path::direct(&lab.a.ns, &lab.node.ns, bound))
    })?;
    prove(&lab, &paths)
}

#[test]
fn remote_pod_to_pod_and_back_over_a_second_node() -> Result<()> {
    let lab = Lab::new("remote")?;
    let remote = Remote::beside(&lab.node)?;
    let mut paths = Vec::new();
    for family in Family::BOTH {
        for (client, server) in [(&remote.pod, &lab.b), (&lab.a, &remote.pod)] {
            let bound = server.at(family, 8080)?;
            paths.push(Path::direct(&client.ns, &server.ns, bound));
        }
    }
    prove(&lab, &paths)
}

#[test]
fn outside_to_pod_through_a_node_port() -> Result<()> {
    let lab = Lab::new("nodeport")?;
    let outside = Beyond::outside(&lab.node)?;
    let paths = Path::in_both_families(|family| {
        let bound = lab.b.at(family, 8080)?;
        let target = SocketAddr::new(outside.node_ip(family), 30_080);
        translate(&lab.node, target, bound)?;
        Ok(Path::translated(&outside.ns, &lab.b.ns, (target, bound)))
    })?;
    prove(&lab, &paths)
}

#[test]
fn pod_to_outside_with_snat() -> Result<()> {
    let lab = Lab::new("snat")?;
    let outside = Beyond::outside(&lab.node)?;
    let paths = Path::in_both_families(|family| {
        masquerade(&lab.node, family, Masqueraded::LeavingBy("uplink"))?;
        let bound = SocketAddr::new(outside.ip(family), 8080);
        Ok(Path::direct(&lab.a.ns, &outside.ns, bound))
    })?;
    prove(&lab, &paths)
}

#[test]
fn echo_requests_are_inspected_and_those_with_an_attack_dropped() -> Result<()> {
    let lab = Lab::new("icmp")?;
    for family in Family::BOTH {
        let target = lab.b.ip(family)?;
        let before = lab.settle()?;
        lab.a.ns.sh(&format!("busybox ping -c 3 -W 5 {target}"))?;
        let after = lab.settle()?;
        // Three requests, three answers, and whatever group reports the pods' kernels send meanwhile.
        let grown = after.growth(&before, "");
        let held = |name: &str| grown.get(name).copied().unwrap_or(0);
        let held = held("kernel.held_to_pod.packets") + held("kernel.held_from_pod.packets");
        let inspected = seen(&after)? - seen(&before)?;
        ensure!(inspected >= 6 && inspected == held, "{grown:?}");
        ping_attack(&lab, target)?;
    }
    Ok(())
}

fn ping_attack(lab: &Lab, target: IpAddr) -> Result<()> {
    use weir_tests::craft::{Ends, echo_request};
    use weir_tests::raw_tcp::RawPort;
    let family = if target.is_ipv4() {
        Family::V4
    } else {
        Family::V6
    };
    let ends = Ends {
        source_mac: lab.a.mac,
        destination_mac: lab.b.mac,
        source: lab.a.ip(family)?,
        destination: target,
    };
    let alerts = lab.enforcer.eve.alerts(ATTACK_SID)?.len();
    let mut watcher = RawPort::open(&lab.b.ns, "eth0")?;
    let mut sender = RawPort::open(&lab.a.ns, "eth0")?;
    sender.send(&echo_request(&ends, 7, 1, ATTACK)?)?;
    lab.enforcer.eve.wait_alerts(ATTACK_SID, alerts + 1)?;
    sender.send(&echo_request(&ends, 8, 1, b"benign-echo")?)?;
    let first = watcher.receive(poll::PATIENCE, |frame| {
        let kept = contains(frame, b"EVIL") || contains(frame, b"benign-echo");
        kept.then(|| frame.to_vec())
    });
    let first = first.context("no echo request arrived")?;
    ensure!(!contains(&first, b"EVIL"), "the attack arrived");
    Ok(())
}
