//! The harness itself, on pods that weir does not touch: what it sends arrives, and nothing is left.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use serde_json::json;
use weir_tests::craft::SMALLEST_FIRST_FRAGMENT;
use weir_tests::netns::Netns;
use weir_tests::node::{Main, Node};
use weir_tests::pod::{Family, Pod};
use weir_tests::raw_tcp::RawTcp;
use weir_tests::ruleset::{Masqueraded, masquerade, stop_translating, translate};
use weir_tests::scratch::unique;
use weir_tests::traffic::{Answer, Collector, echo, transfer};

use crate::lab::{Beyond, Remote, vip};
use crate::path::Path;

#[test]
fn unwired_pods_reach_each_other_over_bridge_and_ptp() -> Result<()> {
    for main in [Main::Bridge, Main::Ptp] {
        let node = Node::new("raw")?;
        let network = node.network(main, "1.0.0", vec![]);
        let (client, server) = (Pod::start(&network, "a")?, Pod::start(&network, "b")?);
        for family in Family::BOTH {
            let service = Collector::start(&server.ns, server.at(family, 80)?, Answer::Echo)?;
            echo(&mut client.ns.connect(server.at(family, 80)?)?, b"hello")?;
            assert_eq!(service.received(), [b"hello".to_vec()]);
            let listener = server.ns.listen(server.at(family, 81)?)?;
            let stream = client.ns.connect(server.at(family, 81)?)?;
            transfer(stream, listener.accept()?.0, 4)?;
        }
        network.check(&client.attach)?;
        network.del(&client.attach)?;
        network.del(&client.attach)?;
    }
    Ok(())
}

#[test]
fn crafted_segments_out_of_order_and_fragmented_reach_the_socket() -> Result<()> {
    let node = Node::new("craft")?;
    let network = node.network(Main::Bridge, "1.0.0", vec![]);
    let (client, server) = (Pod::start(&network, "a")?, Pod::start(&network, "b")?);
    for family in Family::BOTH {
        let service = Collector::start(&server.ns, server.at(family, 80)?, Answer::Nothing)?;
        let mut raw = RawTcp::connect(&client, 40_000, server.at(family, 80)?, server.mac)?;
        raw.send(&raw.segment(6, b"world")?)?;
        raw.send(&raw.segment(0, b"hello ")?)?;
        raw.wait_acknowledged(11)?;
        let rest = vec![b'x'; 1300];
        for fragment in raw.fragmented(11, &rest, SMALLEST_FIRST_FRAGMENT)? {
            raw.send(&fragment)?;
        }
        raw.wait_acknowledged(1311)?;
        service.wait_count(0, 1311)?;
        let expected = [b"hello world".as_slice(), &rest].concat();
        assert_eq!(service.received(), [expected]);
        client.ns.nft("delete table inet rawtcp")?;
    }
    Ok(())
}

#[test]
fn translated_and_routed_paths_carry_traffic_without_weir() -> Result<()> {
    for family in Family::BOTH {
        let node = Node::new("plain")?;
        let network = node.network(Main::Bridge, "1.0.0", vec![]);
        let (a, b) = (Pod::start(&network, "a")?, Pod::start(&network, "b")?);
        let outside = Beyond::outside(&node)?;
        let remote = Remote::beside(&node)?;
        let service = SocketAddr::new(vip(family), 80);
        translate(&node, service, b.at(family, 8080)?)?;
        masquerade(&node, family, Masqueraded::LeavingBy("uplink"))?;
        let paths = [
            ("service", &a.ns, &b.ns, b.at(family, 8080)?, service),
            same("host", &node.ns, &b.ns, b.at(family, 8081)?),
            same("remote", &remote.pod.ns, &b.ns, b.at(family, 8082)?),
            same(
                "to remote",
                &a.ns,
                &remote.pod.ns,
                remote.pod.at(family, 8083)?,
            ),
            same(
                "snat",
                &a.ns,
                &outside.ns,
                SocketAddr::new(outside.ip(family), 8084),
            ),
        ];
        for (name, client, server, bound, target) in paths {
            let path = Path::translated(client, server, (target, bound));
            path.serve().with_context(|| format!("{name} {family:?}"))?;
        }
    }
    Ok(())
}

type Way<'a> = (&'static str, &'a Netns, &'a Netns, SocketAddr, SocketAddr);

fn same<'a>(name: &'static str, client: &'a Netns, server: &'a Netns, at: SocketAddr) -> Way<'a> {
    (name, client, server, at, at)
}

#[test]
fn hairpin_and_node_port_carry_traffic_without_weir() -> Result<()> {
    for family in Family::BOTH {
        let node = Node::new("plain")?;
        let network = node.network(Main::Bridge, "1.0.0", vec![]);
        let a = Pod::start(&network, "a")?;
        let outside = Beyond::outside(&node)?;
        let service = SocketAddr::new(vip(family), 80);
        translate(&node, service, a.at(family, 8080)?)?;
        masquerade(&node, family, Masqueraded::Translated)?;
        let bound = a.at(family, 8080)?;
        let path = Path::translated(&a.ns, &a.ns, (service, bound));
        path.serve()
            .with_context(|| format!("hairpin {family:?}"))?;
        stop_translating(&node, family)?;
        let port = SocketAddr::new(outside.node_ip(family), 30_080);
        let bound = a.at(family, 8081)?;
        translate(&node, port, bound)?;
        let path = Path::translated(&outside.ns, &a.ns, (port, bound));
        path.serve()
            .with_context(|| format!("node port {family:?}"))?;
    }
    Ok(())
}

#[test]
fn dropped_guards_leave_no_namespace_directory_or_device() -> Result<()> {
    let before = root_devices()?;
    let node = Node::new("guard")?;
    let pod = Pod::start(&node.network(Main::Ptp, "1.0.0", vec![]), "a")?;
    let paths = [
        node.ns.path().to_owned(),
        pod.ns.path().to_owned(),
        node.scratch().path().to_owned(),
    ];
    assert!(paths.iter().all(|path| path.exists()));
    drop((pod, node));
    assert!(paths.iter().all(|path| !path.exists()));
    assert_eq!(root_devices()?, before, "the machine's own devices changed");
    Ok(())
}

#[test]
fn guards_clean_up_when_the_test_panics() -> Result<()> {
    let name = unique("panic");
    let path = std::path::Path::new("/run/netns").join(&name);
    let outcome = std::panic::catch_unwind(|| {
        let _namespace = Netns::create(&name).unwrap();
        assert!(path.exists());
        panic!("on purpose");
    });
    assert!(outcome.is_err());
    assert!(!path.exists());
    Ok(())
}

#[test]
fn a_plugin_that_is_not_installed_is_named() -> Result<()> {
    let node = Node::new("absent")?;
    let network = node.network(
        Main::Bridge,
        "1.0.0",
        vec![json!({"type": "no-such-plugin"})],
    );
    let error = Pod::start(&network, "a").unwrap_err().to_string();
    assert!(
        error.contains("no-such-plugin") && error.contains("not found"),
        "{error}"
    );
    Ok(())
}

fn root_devices() -> Result<String> {
    weir_tests::command::sh("ls /sys/class/net")
}
