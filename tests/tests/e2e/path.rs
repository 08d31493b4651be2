//! One way through a node, and what must hold on it.

use std::io::Write;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use weir_tests::netns::Netns;
use weir_tests::pod::Family;
use weir_tests::status::Status;
use weir_tests::traffic::{Answer, Collector, contains, echo};

use crate::lab::{ATTACK, ATTACK_SID, Lab, seen};

/// Datagrams per direction in the exactly-once count.
const DATAGRAMS: u64 = 25;

/// How often the count is begun again because something else was said meanwhile.
const ATTEMPTS: u32 = 10;

/// Proves several paths: exactly once on each, then attacks on each.
///
/// In this order, because the sender of a dropped attack retransmits, which would be counted.
pub fn prove(lab: &Lab, paths: &[Path<'_>]) -> Result<()> {
    for path in paths {
        path.count_datagrams(lab)
            .with_context(|| path.describe("exactly once"))?;
    }
    for path in paths {
        path.block_attack(lab)
            .with_context(|| path.describe("attack"))?;
        path.block_datagram(lab)
            .with_context(|| path.describe("attack by datagram"))?;
    }
    Ok(())
}

/// One way through the node.
pub struct Path<'a> {
    pub client: &'a Netns,
    pub server: &'a Netns,
    /// Where the server's sockets are bound.
    pub bound: SocketAddr,
    /// What the client talks to.
    pub target: SocketAddr,
}

impl<'a> Path<'a> {
    /// The client talks to where the server is bound.
    pub fn direct(client: &'a Netns, server: &'a Netns, bound: SocketAddr) -> Self {
        Self::translated(client, server, (bound, bound))
    }

    /// The client talks to `target`, which is translated to where the server is bound.
    pub fn translated(
        client: &'a Netns,
        server: &'a Netns,
        (target, bound): (SocketAddr, SocketAddr),
    ) -> Self {
        Self {
            client,
            server,
            bound,
            target,
        }
    }

    /// The same path over both address families.
    pub fn in_both_families(path: impl Fn(Family) -> Result<Self>) -> Result<Vec<Self>> {
        Family::BOTH.into_iter().map(path).collect()
    }

    fn describe(&self, what: &str) -> String {
        let (client, server) = (self.client.name(), self.server.name());
        format!("{what}: {client} to {} at {server}", self.target)
    }

    /// The path carries UDP and TCP both ways, whatever inspects it.
    pub fn serve(&self) -> Result<()> {
        let (client, server) = self.datagram_sockets()?;
        for number in 0..3 {
            exchange(&client, &server, number)?;
        }
        let service = Collector::start(self.server, self.bound, Answer::Echo)?;
        echo(&mut self.client.connect(self.target)?, b"GET /benign")?;
        ensure!(service.received() == [b"GET /benign".to_vec()]);
        Ok(())
    }

    /// Each datagram and each answer is seen once: not twice, not never.
    fn count_datagrams(&self, lab: &Lab) -> Result<()> {
        let (client, server) = self.datagram_sockets()?;
        // The first exchange resolves neighbours and, where there are any, sets up translations.
        exchange(&client, &server, 0)?;
        let mut counted = Ok(());
        for _ in 0..ATTEMPTS {
            let before = lab.settle()?;
            for number in 1..=DATAGRAMS {
                exchange(&client, &server, number)?;
            }
            let after = lab.settle()?;
            // Kernels speak on their own at times (multicast reports, said more than once): then the count
            // is begun again. What is inspected twice, or not at all, is so each time.
            counted = ensure_once(&after, &before);
            if counted.is_ok() {
                break;
            }
        }
        counted
    }

    fn datagram_sockets(&self) -> Result<(UdpSocket, UdpSocket)> {
        let server = self.server.udp(self.bound)?;
        let client = self.client.udp(unspecified(self.target))?;
        client.connect(self.target)?;
        for socket in [&server, &client] {
            socket.set_read_timeout(Some(Duration::from_secs(5)))?;
        }
        Ok((client, server))
    }

    fn block_attack(&self, lab: &Lab) -> Result<()> {
        let alerts = lab.enforcer.eve.alerts(ATTACK_SID)?.len();
        let service = Collector::start(self.server, self.bound, Answer::Echo)?;
        let mut stream = self.client.connect(self.target)?;
        echo(&mut stream, b"GET /benign").context("benign request")?;
        stream.write_all(ATTACK)?;
        lab.enforcer.eve.wait_alerts(ATTACK_SID, alerts + 1)?;
        // A later exchange over the same path would overtake nothing: when it is answered, the attack had its time.
        let mut later = self.client.connect(self.target)?;
        echo(&mut later, b"GET /later").context("benign request after the attack")?;
        ensure!(
            !service.saw(b"EVIL"),
            "attack bytes arrived: {:?}",
            service.received()
        );
        let received = service.received();
        ensure!(
            received == [b"GET /benign".to_vec(), b"GET /later".to_vec()],
            "received {received:?}"
        );
        Ok(())
    }

    fn block_datagram(&self, lab: &Lab) -> Result<()> {
        let alerts = lab.enforcer.eve.alerts(ATTACK_SID)?.len();
        let server = self.server.udp(self.bound)?;
        server.set_read_timeout(Some(Duration::from_secs(5)))?;
        let client = self.client.udp(unspecified(self.target))?;
        client.send_to(ATTACK, self.target)?;
        lab.enforcer.eve.wait_alerts(ATTACK_SID, alerts + 1)?;
        // Another socket: a drop ends the flow it happened on.
        let other = self.client.udp(unspecified(self.target))?;
        other.send_to(b"benign", self.target)?;
        let mut buffer = [0; 128];
        let (count, _) = server.recv_from(&mut buffer).context("benign datagram")?;
        ensure!(!contains(&buffer[..count], b"EVIL"), "the attack arrived");
        ensure!(&buffer[..count] == b"benign");
        Ok(())
    }
}

/// Frames that the kernel diverted to the enforcer, by its own count.
fn held_by_kernel(status: &Status) -> Result<u64> {
    Ok(status.counter("held_from_pod.packets")? + status.counter("held_to_pod.packets")?)
}

fn ensure_once(after: &Status, before: &Status) -> Result<()> {
    let inspected = seen(after)? - seen(before)?;
    let diverted = held_by_kernel(after)? - held_by_kernel(before)?;
    ensure!(
        (inspected, diverted) == (2 * DATAGRAMS, 2 * DATAGRAMS),
        "{inspected} inspections, {diverted} diversions of {} frames: {:?}",
        2 * DATAGRAMS,
        after.growth(before, "")
    );
    let dropped = after.growth(before, "dropped.");
    ensure!(dropped.is_empty(), "dropped: {dropped:?}");
    Ok(())
}

fn unspecified(target: SocketAddr) -> SocketAddr {
    let family = if target.is_ipv4() {
        Family::V4
    } else {
        Family::V6
    };
    SocketAddr::new(family.any(), 0)
}

fn exchange(client: &UdpSocket, server: &UdpSocket, number: u64) -> Result<()> {
    let mut buffer = [0; 64];
    client.send(&number.to_be_bytes())?;
    let (count, peer) = server
        .recv_from(&mut buffer)
        .context("the datagram did not arrive")?;
    ensure!(buffer[..count] == number.to_be_bytes());
    server.send_to(&buffer[..count], peer)?;
    let count = client
        .recv(&mut buffer)
        .context("the answer did not arrive")?;
    ensure!(buffer[..count] == number.to_be_bytes());
    Ok(())
}
