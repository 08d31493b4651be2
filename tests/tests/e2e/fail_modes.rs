//! What the kernel decides alone while no enforcer answers: killed, stopped, restarted, never started.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use weir_tests::enforcer::{Enforcer, Options};
use weir_tests::node::{Main, Node};
use weir_tests::pod::{Family, Pod};
use weir_tests::poll;
use weir_tests::traffic::{Answer, Collector, echo};

use crate::lab::{ATTACK, ATTACK_SID, Lab, RULES};

/// How long a closed pod is watched to pass nothing.
const WATCH: Duration = Duration::from_millis(1500);

#[test]
fn open_pods_keep_their_connections_when_the_enforcer_is_killed_and_restarted() -> Result<()> {
    let lab = lab("open-kill", "open")?;
    let flood = Flood::start(&lab)?;
    flood.wait_progress().context("with the enforcer")?;
    let lab = crash_and_restart(lab, || flood.wait_progress().context("after the kill"))?;
    flood.wait_progress().context("after the restart")?;
    flood.finish()?;
    inspected_again(&lab)
}

/// The same lab with another enforcer; `between` runs while there is none.
fn crash_and_restart(lab: Lab, between: impl FnOnce() -> Result<()>) -> Result<Lab> {
    lab.enforcer.crash()?;
    between()?;
    let enforcer = Enforcer::start(&lab.node, &Options::rules(RULES))?;
    Ok(Lab { enforcer, ..lab })
}

#[test]
fn open_pods_keep_their_connections_when_the_enforcer_hangs() -> Result<()> {
    let lab = lab("open-stop", "open")?;
    let flood = Flood::start(&lab)?;
    flood.wait_progress()?;
    lab.enforcer.signal(Signal::SIGSTOP)?;
    flood.wait_progress().context("while it is stopped")?;
    lab.enforcer.signal(Signal::SIGCONT)?;
    flood.wait_progress().context("after it goes on")?;
    flood.finish()?;
    inspected_again(&lab)
}

#[test]
fn closed_pods_pass_nothing_while_the_enforcer_is_killed_and_go_on_after_the_restart() -> Result<()>
{
    let lab = lab("closed-kill", "closed")?;
    let flood = Flood::start(&lab)?;
    flood.wait_progress()?;
    let lab = crash_and_restart(lab, || flood.wait_standstill())?;
    flood
        .wait_progress()
        .context("the same connection after the restart")?;
    flood.finish()?;
    inspected_again(&lab)
}

#[test]
fn closed_pods_pass_nothing_while_the_enforcer_hangs() -> Result<()> {
    let lab = lab("closed-stop", "closed")?;
    let flood = Flood::start(&lab)?;
    flood.wait_progress()?;
    lab.enforcer.signal(Signal::SIGSTOP)?;
    flood.wait_standstill()?;
    lab.enforcer.signal(Signal::SIGCONT)?;
    flood.wait_progress().context("after it goes on")?;
    flood.finish()?;
    inspected_again(&lab)
}

/// The enforcer compares kernel and records every five seconds anyway: so long is too long.
#[test]
fn rules_that_somebody_flushes_are_back_at_once() -> Result<()> {
    const SOON: Duration = Duration::from_secs(1);
    let lab = lab("flush", "closed")?;
    let service = Collector::start(&lab.b.ns, lab.b.at(Family::V4, 80)?, Answer::Echo)?;
    for flush in [
        "flush ruleset",
        "delete table netdev weir",
        "flush table netdev weir",
    ] {
        let before = table(&lab.node)?;
        lab.node.ns.nft(flush)?;
        poll::until_within(&format!("the rules after {flush}"), SOON, || {
            Ok((table(&lab.node)? == before).then_some(()))
        })?;
        // Closed: without a lease nothing passes, so this is inspected.
        let mut stream = poll::until_within("the lease", SOON, || {
            Ok(lab.a.ns.connect(lab.b.at(Family::V4, 80)?).ok())
        })?;
        echo(&mut stream, b"benign")?;
        stream.write_all(ATTACK)?;
        lab.enforcer.eve.wait_alerts(ATTACK_SID, 1)?;
        ensure!(!service.saw(ATTACK), "after {flush}");
    }
    let mended = lab.enforcer.status()?.counter("attachments.rewired")?;
    ensure!(mended >= 6, "{mended} attachments were wired again");
    inspected_again(&lab)
}

/// weir's table without what changes by itself, line by line in any order.
fn table(node: &Node) -> Result<Vec<String>> {
    let listing = node.ns.sh("nft -s list table netdev weir || true")?;
    let lasting = |line: &&str| !line.contains("elements") && !line.contains("expires");
    let mut lines: Vec<String> = listing.lines().filter(lasting).map(str::to_owned).collect();
    lines.sort();
    Ok(lines)
}

#[test]
fn pods_wired_before_any_enforcer_obey_their_fail_mode_from_the_first_packet() -> Result<()> {
    for (mode, passes) in [("open", true), ("closed", false)] {
        let node = Node::new("early")?;
        let network = node.weir_network(Main::Bridge, &options(mode));
        let (a, b) = (
            Pod::start(&network, "client")?,
            Pod::start(&network, "server")?,
        );
        for family in Family::BOTH {
            let _service = Collector::start(&b.ns, b.at(family, 80)?, Answer::Echo)?;
            let attempt = a.ns.connect_within(b.at(family, 80)?, WATCH);
            ensure!(attempt.is_ok() == passes, "{mode} {family:?}: {attempt:?}");
        }
        let enforcer = Enforcer::start(&node, &Options::rules(RULES))?;
        let lab = Lab {
            enforcer,
            a,
            b,
            network,
            node,
        };
        inspected_again(&lab).with_context(|| format!("{mode}: pods wired before the enforcer"))?;
    }
    Ok(())
}

#[test]
fn an_orderly_stop_hands_over_to_the_fail_mode() -> Result<()> {
    for (mode, passes) in [("open", true), ("closed", false)] {
        let lab = lab("stop", mode)?;
        let _service = Collector::start(&lab.b.ns, lab.b.at(Family::V4, 80)?, Answer::Echo)?;
        echo(&mut lab.a.ns.connect(lab.b.at(Family::V4, 80)?)?, b"before")?;
        let Lab {
            enforcer,
            a,
            b,
            network: _network,
            node: _node,
        } = lab;
        let status = enforcer.stop()?;
        ensure!(status.success(), "ended with {status}");
        let attempt = a.ns.connect_within(b.at(Family::V4, 80)?, WATCH);
        ensure!(attempt.is_ok() == passes, "{mode}: {attempt:?}");
    }
    Ok(())
}

/// Frames that were held when it was told to end are settled, not lost: each datagram is answered.
#[test]
fn an_orderly_stop_drains_what_is_held() -> Result<()> {
    let lab = lab("drain", "open")?;
    let server = lab.b.ns.udp(lab.b.at(Family::V4, 53)?)?;
    server.set_read_timeout(Some(Duration::from_secs(3)))?;
    let client = lab.a.ns.udp(lab.a.at(Family::V4, 0)?)?;
    client.connect(lab.b.at(Family::V4, 53)?)?;
    let stop = Arc::new(AtomicBool::new(false));
    let halt = Arc::clone(&stop);
    let sender = std::thread::spawn(move || -> Result<u64> {
        let mut sent = 0_u64;
        while !halt.load(Ordering::Relaxed) {
            client.send(&sent.to_be_bytes())?;
            sent += 1;
            std::thread::sleep(Duration::from_micros(500));
        }
        Ok(sent)
    });
    let receiver = std::thread::spawn(move || {
        let mut buffer = [0; 16];
        let mut count = 0_u64;
        while server.recv(&mut buffer).is_ok() {
            count += 1;
        }
        count
    });
    std::thread::sleep(Duration::from_millis(200));
    let Lab {
        enforcer,
        a: _a,
        b: _b,
        network: _network,
        node: _node,
    } = lab;
    ensure!(enforcer.stop()?.success());
    stop.store(true, Ordering::Relaxed);
    let sent = sender.join().expect("sender panicked")?;
    let received = receiver.join().expect("receiver panicked");
    ensure!(
        sent == received,
        "{received} of {sent} datagrams arrived over an orderly stop"
    );
    Ok(())
}

fn options(fail_mode: &str) -> Value {
    json!({"mode": "prevent", "failMode": fail_mode})
}

fn lab(label: &str, fail_mode: &str) -> Result<Lab> {
    Lab::with(
        label,
        Main::Bridge,
        &options(fail_mode),
        &Options::rules(RULES),
    )
}

/// New connections are inspected: an attack is dropped, a benign request served.
fn inspected_again(lab: &Lab) -> Result<()> {
    // An enforcer that goes on after a pause needs a moment until the kernel diverts to it again.
    poll::until("the kernel's lease", || {
        let lease = lab.node.ns.sh("nft list set netdev weir lease")?;
        Ok(lease.contains("expires").then_some(()))
    })?;
    let known = lab.enforcer.eve.alerts(ATTACK_SID)?.len();
    let at = lab.b.at(Family::V4, 0)?;
    let service = Collector::start(&lab.b.ns, at, Answer::Echo)?;
    let at = lab.b.at(Family::V4, service.port())?;
    let mut stream = lab.a.ns.connect(at)?;
    echo(&mut stream, b"benign")?;
    stream.write_all(ATTACK)?;
    lab.enforcer.eve.wait_alerts(ATTACK_SID, known + 1)?;
    echo(&mut lab.a.ns.connect(at)?, b"benign again")?;
    ensure!(!service.saw(b"EVIL"), "the attack arrived");
    Ok(())
}

/// A connection that sends all the time, and the count of bytes that arrive.
struct Flood {
    arrived: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Result<()>>>,
}

impl Flood {
    fn start(lab: &Lab) -> Result<Self> {
        let listener: TcpListener = lab.b.ns.listen(lab.b.at(Family::V4, 9000)?)?;
        let client = lab.a.ns.connect(lab.b.at(Family::V4, 9000)?)?;
        let server = listener.accept()?.0;
        let arrived = Arc::new(AtomicU64::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let (halt, count) = (Arc::clone(&stop), Arc::clone(&arrived));
        let threads = vec![
            std::thread::spawn(move || send_until(client, &halt)),
            std::thread::spawn(move || verify(server, &count)),
        ];
        Ok(Self {
            arrived,
            stop,
            threads,
        })
    }

    /// More bytes arrive.
    fn wait_progress(&self) -> Result<()> {
        let target = self.arrived.load(Ordering::Relaxed) + (1 << 20);
        poll::until_within("bytes to arrive", Duration::from_secs(40), || {
            Ok((self.arrived.load(Ordering::Relaxed) >= target).then_some(()))
        })
    }

    /// Bytes stop arriving, and none arrives for the time watched.
    fn wait_standstill(&self) -> Result<()> {
        let mut last = self.arrived.load(Ordering::Relaxed);
        let mut since = Instant::now();
        poll::until("bytes to stop arriving", || {
            let now = self.arrived.load(Ordering::Relaxed);
            if now != last {
                (last, since) = (now, Instant::now());
            }
            Ok((since.elapsed() >= WATCH).then_some(()))
        })
    }

    /// Ends it; every byte that was sent has arrived in order.
    fn finish(self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("flood panicked")?;
        }
        Ok(())
    }
}

/// Period of the flood's content: prime, so that no shift of a segment goes unnoticed.
const PERIOD: usize = 251;

fn send_until(mut stream: TcpStream, stop: &AtomicBool) -> Result<()> {
    let block: Vec<u8> = (0..PERIOD * 256)
        .map(|at| u8::try_from(at % PERIOD).unwrap_or(0))
        .collect();
    while !stop.load(Ordering::Relaxed) {
        stream
            .write_all(&block)
            .context("the sender's connection broke")?;
        // Bounded load: other tests share the machine.
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

fn verify(mut stream: TcpStream, count: &AtomicU64) -> Result<()> {
    use std::io::Read;
    let mut block = vec![0; 1 << 16];
    let mut at = 0_usize;
    loop {
        let read = stream
            .read(&mut block)
            .context("the receiver's connection broke")?;
        if read == 0 {
            return Ok(());
        }
        for byte in &block[..read] {
            if usize::from(*byte) != at % PERIOD {
                bail!("byte {at} of the stream is {byte}");
            }
            at += 1;
        }
        count.store(u64::try_from(at)?, Ordering::Relaxed);
    }
}
