//! From the moment ADD returns the kernel decides, without an enforcer, by fail mode and source address.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use weir_tests::node::Node;

use crate::support::{Call, HandMade, add_config};

const HOST: &str = "10.77.255.1";

/// An address of the pod that `prevResult` does not give.
const FOREIGN: &str = "10.77.0.9";

/// How long a datagram may take; what has not come by then was dropped.
const PATIENCE: Duration = Duration::from_millis(400);

/// How often one is sent that should arrive.
const ATTEMPTS: u32 = 10;

/// Whether datagrams from the pod's address, from a foreign one, and to the pod arrive.
#[derive(Debug, PartialEq, Eq)]
struct Arrives {
    own: bool,
    foreign: bool,
    to_pod: bool,
}

#[test]
fn the_first_packet_obeys_fail_mode_and_anti_spoofing() -> Result<()> {
    let node = Node::new("first")?;
    node.ns.sh(&format!("ip addr add {HOST}/32 dev lo"))?;
    for (options, own, foreign) in [
        (json!({"mode": "off"}), true, true),
        (json!({"failMode": "open"}), true, false),
        (json!({"failMode": "open", "antiSpoof": false}), true, true),
        (json!({"failMode": "closed"}), false, false),
        (
            json!({"failMode": "closed", "antiSpoof": false}),
            false,
            false,
        ),
        (
            json!({"failMode": "closed", "mode": "detect"}),
            false,
            false,
        ),
    ] {
        let pod = talkative_pod(&node)?;
        let config = add_config(&node, &pod, &options);
        Call::about("ADD", &pod).config(&config).succeed(&node)?;
        let expected = Arrives {
            own,
            foreign,
            to_pod: own,
        };
        ensure_arrives(&node, &pod, &options, &expected)?;
        Call::about("DEL", &pod)
            .config(&config)
            .succeed_silently(&node)?;
        let all = Arrives {
            own: true,
            foreign: true,
            to_pod: true,
        };
        // DEL has set the interface down, and that took the routes; up again, there are no rules on it.
        node.ns.sh(&format!(
            "ip link set cali1 up; ip route replace {}/32 dev cali1; ip route replace {FOREIGN}/32 dev cali1",
            pod.address4()
        ))?;
        ensure_arrives(&node, &pod, &json!("after DEL"), &all)?;
        node.ns.sh("ip link del cali1")?;
    }
    Ok(())
}

/// A pod that knows the way to the host and has a second address.
fn talkative_pod(node: &Node) -> Result<HandMade> {
    let pod = HandMade::routed(node, "cali1", 1)?;
    node.ns
        .sh(&format!("ip route add {FOREIGN}/32 dev cali1"))?;
    pod.ns.sh(&format!(
        "ip addr add {FOREIGN}/32 dev eth0; ip route add {HOST} dev eth0"
    ))?;
    Ok(pod)
}

fn ensure_arrives(node: &Node, pod: &HandMade, what: &Value, expected: &Arrives) -> Result<()> {
    let host = node.ns.udp(address(HOST)?)?;
    let own = pod.ns.udp(address(&pod.address4())?)?;
    let foreign = pod.ns.udp(address(FOREIGN)?)?;
    let found = Arrives {
        own: arrives(&own, &host, expected.own)?,
        foreign: arrives(&foreign, &host, expected.foreign)?,
        to_pod: arrives(&host, &own, expected.to_pod)?,
    };
    ensure!(
        found == *expected,
        "{what}: {found:?}, expected {expected:?}"
    );
    Ok(())
}

fn address(ip: &str) -> Result<SocketAddr> {
    Ok(SocketAddr::new(ip.parse()?, 7777))
}

fn arrives(from: &UdpSocket, to: &UdpSocket, expected: bool) -> Result<bool> {
    to.set_read_timeout(Some(PATIENCE))?;
    let mut buffer = [0; 16];
    // An interface that has just come up may lose some.
    for _ in 0..if expected { ATTEMPTS } else { 1 } {
        from.send_to(b"benign", to.local_addr()?)?;
        match to.recv_from(&mut buffer) {
            Ok((_, source)) => return Ok(source == from.local_addr()?),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(false)
}
