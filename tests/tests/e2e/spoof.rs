//! A pod speaks with its own addresses only.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Context, Result, ensure};
use pnet::util::MacAddr;
use serde_json::json;
use weir_tests::craft::{self, Ends, arp_claim};
use weir_tests::enforcer::Options;
use weir_tests::node::Main;
use weir_tests::pod::Family;
use weir_tests::poll;
use weir_tests::raw_tcp::RawPort;
use weir_tests::traffic::contains;

use crate::lab::{Lab, RULES};

/// What every frame of these tests carries.
const PAYLOAD: &[u8] = b"whose-address-is-this";

#[test]
fn frames_with_a_foreign_source_are_dropped_and_counted() -> Result<()> {
    let lab = Lab::new("spoof")?;
    for family in Family::BOTH {
        let own = own_ends(&lab, family)?;
        let foreign_ip = Ends {
            source: foreign(family),
            ..own
        };
        let foreign_mac = Ends {
            source_mac: MacAddr::new(2, 0, 0, 0, 0, 0x66),
            ..own
        };
        let neighbour = Ends {
            source: lab.b.ip(family)?,
            destination: lab.node_ip(family),
            ..own
        };
        let frames = [foreign_ip, foreign_mac, neighbour]
            .iter()
            .map(|ends| craft::udp(ends, (4000, 4001), PAYLOAD))
            .collect::<Result<Vec<_>>>()?;
        expect_spoofed(&lab, family, &frames)?;
    }
    Ok(())
}

#[test]
fn arp_for_a_foreign_address_is_dropped_and_counted() -> Result<()> {
    let lab = Lab::new("arp")?;
    let own_mac_foreign_ip = arp_claim(lab.a.mac, lab.a.mac, lab.node.gateway4());
    let foreign_mac = MacAddr::new(2, 0, 0, 0, 0, 0x66);
    let foreign_sender = arp_claim(foreign_mac, foreign_mac, lab.a.v4()?);
    expect_spoofed(&lab, Family::V4, &[own_mac_foreign_ip, foreign_sender])
}

#[test]
fn switched_off_anti_spoofing_lets_foreign_sources_pass() -> Result<()> {
    let weir = json!({"mode": "prevent", "failMode": "closed", "antiSpoof": false});
    let lab = Lab::with("nospoof", Main::Bridge, &weir, &Options::rules(RULES))?;
    let ends = Ends {
        source: foreign(Family::V4),
        ..own_ends(&lab, Family::V4)?
    };
    let mut watcher = RawPort::open(&lab.b.ns, "eth0")?;
    RawPort::open(&lab.a.ns, "eth0")?.send(&craft::udp(&ends, (4000, 4001), PAYLOAD)?)?;
    let arrived = watcher.receive(poll::PATIENCE, |frame| {
        contains(frame, PAYLOAD).then_some(())
    });
    arrived.context("the frame did not arrive")
}

/// None of `frames` arrives anywhere, each is counted, and a true frame sent after them does arrive.
fn expect_spoofed(lab: &Lab, family: Family, frames: &[Vec<u8>]) -> Result<()> {
    let before = lab.enforcer.status()?;
    let mut watcher = RawPort::open(&lab.b.ns, "eth0")?;
    let mut sender = RawPort::open(&lab.a.ns, "eth0")?;
    for frame in frames {
        sender.send(frame)?;
    }
    let ends = own_ends(lab, family)?;
    sender.send(&craft::udp(&ends, (4000, 4001), b"true-source")?)?;
    let mut arrived = Vec::new();
    let last = watcher.receive(poll::PATIENCE, |frame| {
        arrived.push(frame.to_vec());
        contains(frame, b"true-source").then_some(())
    });
    last.context("the frame with the true source did not arrive")?;
    ensure!(
        !arrived.iter().any(|frame| frames.contains(frame)),
        "a frame with a foreign source arrived"
    );
    poll::until("the anti-spoofing counter", || {
        let grown = lab.enforcer.status()?.growth(&before, "spoof");
        let packets = grown.iter().filter(|(name, _)| !name.contains("bytes"));
        let counted = packets.map(|(_, value)| *value).max().unwrap_or(0);
        Ok((counted == u64::try_from(frames.len())?).then_some(()))
    })
}

fn own_ends(lab: &Lab, family: Family) -> Result<Ends> {
    Ok(Ends {
        source_mac: lab.a.mac,
        destination_mac: lab.b.mac,
        source: lab.a.ip(family)?,
        destination: lab.b.ip(family)?,
    })
}

fn foreign(family: Family) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::new(10, 101, 0, 200).into(),
        Family::V6 => Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, 0x200).into(),
    }
}
