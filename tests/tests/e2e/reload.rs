//! Rules that are exchanged while traffic flows.

use std::io::Write as _;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use weir_tests::command::Run;
use weir_tests::node::binary;
use weir_tests::pod::Family;
use weir_tests::poll;
use weir_tests::traffic::{Answer, Collector, echo};

use crate::lab::{ATTACK, ATTACK_SID, Lab};

/// Time for the compilation of a debug build on a busy machine.
const RELOADED: Duration = Duration::from_secs(60);

/// Between two datagrams.
const PACE: Duration = Duration::from_millis(1);

/// Datagrams are numbered; fewer than these would not have been on the way during the reloads.
const FEWEST: u32 = 100;

impl Lab {
    fn loads(&self) -> Result<u64> {
        self.enforcer.status()?.counter("rules.loads")
    }

    /// `weir reload`, which ends when the rules are exchanged.
    fn reload(&self) -> Result<()> {
        let weir = binary("weir")?;
        let run_dir = self.enforcer.run_dir();
        self.node.ns.run(|| {
            let mut command = Command::new(&weir);
            command.args(["reload", "--run-dir"]).arg(run_dir);
            Run::new(&mut command).limit(RELOADED).succeed().map(drop)
        })
    }

    /// SIGHUP, and the wait for what it does.
    fn hang_up(&self) -> Result<()> {
        let before = self.loads()?;
        self.enforcer.signal(Signal::SIGHUP)?;
        poll::until_within("the reload", RELOADED, || {
            Ok((self.loads()? > before).then_some(()))
        })
    }
}

#[test]
fn an_attack_that_begins_before_a_reload_is_blocked_behind_it() -> Result<()> {
    let lab = Lab::new("halves")?;
    let service = Collector::start(&lab.b.ns, lab.b.at(Family::V4, 80)?, Answer::Echo)?;
    let (front, back) = ATTACK.split_at(ATTACK.len() / 2);
    let reloads: [fn(&Lab) -> Result<()>; 2] = [Lab::reload, Lab::hang_up];
    for (attacks, reload) in (1..).zip(reloads) {
        let mut stream = lab.a.ns.connect(lab.b.at(Family::V4, 80)?)?;
        echo(&mut stream, front)?;
        reload(&lab)?;
        stream.write_all(back)?;
        lab.enforcer.eve.wait_alerts(ATTACK_SID, attacks)?;
    }
    ensure!(!service.saw(ATTACK));
    ensure!(lab.loads()? == 3);
    Ok(())
}

#[test]
fn no_packet_is_lost_while_rules_are_exchanged() -> Result<()> {
    let lab = Lab::new("exchange")?;
    let address = lab.b.at(Family::V4, 9)?;
    let receiver = lab.b.ns.udp(address)?;
    receiver.set_read_timeout(Some(Duration::from_secs(2)))?;
    let sender = lab.a.ns.udp((Family::V4.any(), 0))?;
    sender.connect(address)?;
    let over = AtomicBool::new(false);
    let (sent, received, reloaded) = std::thread::scope(|scope| {
        let sending = scope.spawn(|| {
            let mut number = 0_u32;
            while !over.load(Ordering::Relaxed) {
                sender.send(&number.to_be_bytes())?;
                number += 1;
                std::thread::sleep(PACE);
            }
            std::io::Result::Ok(number)
        });
        let receiving = scope.spawn(|| {
            let mut numbers = Vec::new();
            let mut datagram = [0; 4];
            while receiver.recv(&mut datagram).is_ok() {
                numbers.push(u32::from_be_bytes(datagram));
            }
            numbers
        });
        let reloaded = (0..3).try_for_each(|_| lab.reload().and_then(|()| lab.hang_up()));
        over.store(true, Ordering::Relaxed);
        (sending.join(), receiving.join(), reloaded)
    });
    reloaded?;
    let sent = sent.ok().context("the sender panicked")??;
    let received = received.ok().context("the receiver panicked")?;
    ensure!(sent >= FEWEST, "{sent} datagrams in all reloads");
    ensure!(
        received.iter().copied().eq(0..sent),
        "{sent} sent, {} received, {:?}",
        received.len(),
        lab.enforcer.status()?.counters()
    );
    Ok(())
}
