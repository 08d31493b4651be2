//! What an attacker does to slip a pattern past an inspector: split, reorder, overlap, fragment, bad checksums.
//!
//! Each test watches the receiving socket: no attack byte sequence may ever be readable there.

use std::io::Write;

use anyhow::{Context, Result, ensure};
use weir_tests::craft::{self, Ends, SMALLEST_FIRST_FRAGMENT};
use weir_tests::pod::{Family, Pod};
use weir_tests::raw_tcp::{RawPort, RawTcp};
use weir_tests::traffic::{Answer, Collector, echo};

use crate::lab::{ATTACK, ATTACK_SID, Lab};

/// Bytes of [`ATTACK`] that must not be read together: its first half already tells it.
const TELLTALE: &[u8] = b"EVIL-BYTES-0123456789";

/// First source port of crafted connections; each test adds to it.
const PORTS: u16 = 40_000;

#[test]
fn attack_split_at_every_byte_boundary_is_dropped() -> Result<()> {
    let lab = Lab::new("split")?;
    for family in Family::BOTH {
        let service = Collector::start(&lab.b.ns, lab.b.at(family, 80)?, Answer::Nothing)?;
        let known = lab.enforcer.eve.alerts(ATTACK_SID)?.len();
        let boundaries = 1..ATTACK.len();
        for (index, boundary) in boundaries.clone().enumerate() {
            let (head, tail) = ATTACK.split_at(boundary);
            let mut stream = lab.a.ns.connect(lab.b.at(family, 80)?)?;
            stream.write_all(head)?;
            // The first part must have been delivered: so the second is a segment of its own.
            service.wait_count(index, head.len())?;
            stream.write_all(tail)?;
            let alerted = lab.enforcer.eve.wait_alerts(ATTACK_SID, known + index + 1);
            alerted.with_context(|| format!("{family:?}, split after {boundary} bytes"))?;
        }
        barrier(&lab, family)?;
        for (boundary, bytes) in boundaries.zip(service.received()) {
            ensure!(
                bytes == ATTACK[..boundary],
                "split after {boundary}: arrived {bytes:?}"
            );
        }
    }
    Ok(())
}

#[test]
fn attack_in_one_byte_segments_in_reverse_order_is_dropped() -> Result<()> {
    let lab = Lab::new("reverse")?;
    for (family, port) in [(Family::V4, PORTS), (Family::V6, PORTS + 1)] {
        let service = Collector::start(&lab.b.ns, lab.b.at(family, 80)?, Answer::Nothing)?;
        let known = lab.enforcer.eve.alerts(ATTACK_SID)?.len();
        let mut raw = raw(&lab.a, port, &lab.b, family, 80)?;
        for (offset, byte) in ATTACK.iter().enumerate().rev() {
            raw.send(&raw.segment(u32::try_from(offset)?, &[*byte])?)?;
        }
        lab.enforcer.eve.wait_alerts(ATTACK_SID, known + 1)?;
        barrier(&lab, family)?;
        unread(&service)?;
    }
    Ok(())
}

#[test]
fn benign_bytes_in_reverse_order_are_delivered_whole() -> Result<()> {
    let lab = Lab::new("benign")?;
    let text = b"nothing to see here";
    for (family, port) in [(Family::V4, PORTS), (Family::V6, PORTS + 1)] {
        let service = Collector::start(&lab.b.ns, lab.b.at(family, 80)?, Answer::Nothing)?;
        let mut raw = raw(&lab.a, port, &lab.b, family, 80)?;
        for (offset, byte) in text.iter().enumerate().rev() {
            raw.send(&raw.segment(u32::try_from(offset)?, &[*byte])?)?;
        }
        raw.wait_acknowledged(u32::try_from(text.len())?)?;
        service.wait_count(0, text.len())?;
        ensure!(service.received() == [text.to_vec()]);
    }
    Ok(())
}

/// An inspector that keeps the last copy, before a receiver that keeps the first (or the reverse), would see
/// another text than the receiver. The first copy counts here, and is what the receiver gets.
#[test]
fn overlapping_copies_are_made_one_before_the_receiver_chooses() -> Result<()> {
    let lab = Lab::new("overlap")?;
    for (family, port) in [(Family::V4, PORTS), (Family::V6, PORTS + 1)] {
        let service = Collector::start(&lab.b.ns, lab.b.at(family, 80)?, Answer::Nothing)?;
        let mut raw = raw(&lab.a, port, &lab.b, family, 80)?;
        let decoy: Vec<u8> = ATTACK.iter().map(|_| b'.').collect();
        // Out of order, so that both copies wait: first the decoy, then the attack in its place, then the gap.
        raw.send(&raw.segment(1, &decoy)?)?;
        raw.send(&raw.segment(1, ATTACK)?)?;
        raw.send(&raw.segment(0, b"!")?)?;
        raw.wait_acknowledged(u32::try_from(1 + ATTACK.len())?)?;
        service.wait_count(0, 1 + ATTACK.len())?;
        let expected = [b"!".as_slice(), &decoy].concat();
        ensure!(
            service.received() == [expected],
            "arrived: {:?}",
            service.received()
        );
    }
    Ok(())
}

#[test]
fn attack_hidden_behind_a_later_decoy_copy_is_dropped() -> Result<()> {
    let lab = Lab::new("decoy")?;
    for (family, port) in [(Family::V4, PORTS), (Family::V6, PORTS + 1)] {
        let service = Collector::start(&lab.b.ns, lab.b.at(family, 80)?, Answer::Nothing)?;
        let known = lab.enforcer.eve.alerts(ATTACK_SID)?.len();
        let mut raw = raw(&lab.a, port, &lab.b, family, 80)?;
        let decoy: Vec<u8> = ATTACK.iter().map(|_| b'.').collect();
        raw.send(&raw.segment(1, ATTACK)?)?;
        raw.send(&raw.segment(1, &decoy)?)?;
        raw.send(&raw.segment(0, b"!")?)?;
        lab.enforcer.eve.wait_alerts(ATTACK_SID, known + 1)?;
        barrier(&lab, family)?;
        unread(&service)?;
    }
    Ok(())
}

#[test]
fn attack_across_ip_fragments_is_dropped_in_any_order() -> Result<()> {
    let lab = Lab::new("fragment")?;
    let mut port = PORTS;
    for family in Family::BOTH {
        for reversed in [false, true] {
            port += 1;
            let service = Collector::start(&lab.b.ns, lab.b.at(family, port)?, Answer::Nothing)?;
            let known = lab.enforcer.eve.alerts(ATTACK_SID)?.len();
            let mut raw = raw(&lab.a, port, &lab.b, family, port)?;
            // The pattern straddles the first boundary: 20 bytes of TCP header come before the payload.
            let mut payload = vec![b'x'; SMALLEST_FIRST_FRAGMENT - 20 - ATTACK.len() / 2];
            payload.extend(ATTACK);
            let mut fragments = raw.fragmented(0, &payload, SMALLEST_FIRST_FRAGMENT)?;
            ensure!(fragments.len() == 2);
            if reversed {
                fragments.reverse();
            }
            for fragment in &fragments {
                raw.send(fragment)?;
            }
            let alerted = lab.enforcer.eve.wait_alerts(ATTACK_SID, known + 1);
            alerted.with_context(|| format!("{family:?}, reversed: {reversed}"))?;
            barrier(&lab, family)?;
            unread(&service)?;
        }
    }
    Ok(())
}

#[test]
fn attack_in_tiny_ipv4_fragments_of_a_datagram_is_dropped_and_benign_ones_arrive() -> Result<()> {
    let lab = Lab::new("tiny")?;
    let server = lab.b.ns.udp(lab.b.at(Family::V4, 53)?)?;
    server.set_read_timeout(Some(std::time::Duration::from_secs(10)))?;
    let ends = ends(&lab, Family::V4)?;
    let mut port = RawPort::open(&lab.a.ns, "eth0")?;
    for (identifier, source, payload) in
        [(1, 5001, ATTACK), (2, 5002, b"benign datagram".as_slice())]
    {
        let body = craft::udp_datagram(&ends, (source, 53), payload)?;
        for fragment in craft::fragments(&ends, craft::protocol::UDP, &body, identifier, 8)? {
            port.send(&fragment)?;
        }
        if payload == ATTACK {
            lab.enforcer.eve.wait_alerts(ATTACK_SID, 1)?;
        }
    }
    let mut buffer = [0; 256];
    let (count, _) = server.recv_from(&mut buffer).context("benign fragments")?;
    ensure!(
        &buffer[..count] == b"benign datagram",
        "arrived: {:?}",
        &buffer[..count]
    );
    Ok(())
}

/// A receiver ignores a segment with a wrong checksum; an inspector that does not would be out of step with it.
#[test]
fn segment_with_a_wrong_checksum_does_not_hide_the_attack_that_follows() -> Result<()> {
    let lab = Lab::new("checksum")?;
    for (family, port) in [(Family::V4, PORTS), (Family::V6, PORTS + 1)] {
        let service = Collector::start(&lab.b.ns, lab.b.at(family, 80)?, Answer::Nothing)?;
        let known = lab.enforcer.eve.alerts(ATTACK_SID)?.len();
        let mut raw = raw(&lab.a, port, &lab.b, family, 80)?;
        let decoy: Vec<u8> = ATTACK.iter().map(|_| b'.').collect();
        let mut broken = raw.segment(0, &decoy)?;
        if let Some(last) = broken.last_mut() {
            *last ^= 0x55;
        }
        raw.send(&broken)?;
        raw.send(&raw.segment(0, ATTACK)?)?;
        lab.enforcer.eve.wait_alerts(ATTACK_SID, known + 1)?;
        barrier(&lab, family)?;
        unread(&service)?;
    }
    Ok(())
}

/// A reset that the receiver ignores (out of its window) must not make the inspector forget the stream.
#[test]
fn reset_outside_the_window_does_not_end_the_inspection() -> Result<()> {
    let lab = Lab::new("reset")?;
    for (family, port) in [(Family::V4, PORTS), (Family::V6, PORTS + 1)] {
        let service = Collector::start(&lab.b.ns, lab.b.at(family, 80)?, Answer::Nothing)?;
        let known = lab.enforcer.eve.alerts(ATTACK_SID)?.len();
        let mut raw = raw(&lab.a, port, &lab.b, family, 80)?;
        let (head, tail) = ATTACK.split_at(10);
        raw.send(&raw.segment(0, head)?)?;
        raw.wait_acknowledged(10)?;
        raw.send(&raw.flagged(0x4000_0000, craft::flags::RST, &[])?)?;
        raw.send(&raw.segment(10, tail)?)?;
        lab.enforcer.eve.wait_alerts(ATTACK_SID, known + 1)?;
        barrier(&lab, family)?;
        unread(&service)?;
    }
    Ok(())
}

/// The depth limits of other engines are a hole: here the attack comes after 8 MiB on the same connection.
#[test]
fn attack_late_in_a_long_connection_is_dropped() -> Result<()> {
    let lab = Lab::new("late")?;
    let service = Collector::start(&lab.b.ns, lab.b.at(Family::V4, 80)?, Answer::Nothing)?;
    let mut stream = lab.a.ns.connect(lab.b.at(Family::V4, 80)?)?;
    let block = vec![b'x'; 1 << 20];
    for _ in 0..8 {
        stream.write_all(&block)?;
    }
    service.wait_count(0, 8 << 20)?;
    stream.write_all(ATTACK)?;
    lab.enforcer.eve.wait_alerts(ATTACK_SID, 1)?;
    barrier(&lab, Family::V4)?;
    ensure!(!service.saw(TELLTALE), "the attack arrived");
    Ok(())
}

/// When this is answered, whatever was sent before it over the same interfaces has had its time.
fn barrier(lab: &Lab, family: Family) -> Result<()> {
    let at = lab.b.at(family, 0)?;
    let service = Collector::start(&lab.b.ns, at, Answer::Echo)?;
    let mut stream = lab.a.ns.connect(lab.b.at(family, service.port())?)?;
    echo(&mut stream, b"barrier").context("benign exchange after the attack")
}

fn unread(service: &Collector) -> Result<()> {
    ensure!(
        !service.saw(TELLTALE),
        "the attack arrived: {:?}",
        service.received()
    );
    Ok(())
}

fn raw(client: &Pod, port: u16, server: &Pod, family: Family, to: u16) -> Result<RawTcp> {
    RawTcp::connect(client, port, server.at(family, to)?, server.mac)
}

fn ends(lab: &Lab, family: Family) -> Result<Ends> {
    Ok(Ends {
        source_mac: lab.a.mac,
        destination_mac: lab.b.mac,
        source: lab.a.ip(family)?,
        destination: lab.b.ip(family)?,
    })
}
