//! The enforcer on the real kernel: two pods on a bridge, wired by the datapath, the binary in between.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a failed assumption is a failed test"
)]

mod lab;

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use lab::{Lab, PATIENCE, addresses, file_will_hold, growth};
use nix::sys::signal::Signal;
use weir_datapath::policy::FailMode;

const RULES: &str =
    "drop ip any any -> any any (msg:\"evil\"; content:\"EVILEVIL\"; sid:7; rev:1;)\n";
const BULK: usize = 24 << 20;

/// Bytes that do not repeat and hold no pattern.
fn noise(seed: u64) -> impl FnMut(&mut [u8]) {
    let mut state = seed | 1;
    move |buffer| {
        for chunk in buffer.chunks_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let bytes = state.to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}

fn send_noise(mut stream: TcpStream, bytes: usize) {
    let mut fill = noise(42);
    let mut buffer = vec![0; 64 << 10];
    for _ in 0..bytes / buffer.len() {
        fill(&mut buffer);
        stream.write_all(&buffer).unwrap();
    }
}

fn expect_noise(mut stream: TcpStream, bytes: usize) {
    let mut fill = noise(42);
    let (mut buffer, mut expected) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    for at in 0..bytes / buffer.len() {
        stream.read_exact(&mut buffer).unwrap();
        fill(&mut expected);
        assert!(buffer == expected, "block {at} differs");
    }
}

#[test]
fn bulk_arrives_unchanged_and_keeps_its_super_packets() {
    let lab = Lab::new("bulk", FailMode::Closed);
    let _enforcer = lab.enforce(RULES, &["--workers", "2"]);
    for (_, server) in addresses() {
        let before = lab.calm_counters();
        let listener = lab.b.run(|| TcpListener::bind((server, 7000)).unwrap());
        let client = lab.a.run(|| TcpStream::connect((server, 7000)).unwrap());
        let (accepted, _) = listener.accept().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| send_noise(client, BULK));
            expect_noise(accepted, BULK);
        });
        let grown = growth(&before, &lab.calm_counters());
        let frames = grown["kernel.held_to_pod"];
        assert_eq!(grown["capture.frames"], frames, "{grown:?}");
        assert_eq!(grown["frames.seen"], frames, "{grown:?}");
        assert_eq!(grown["inject.to_pod"], frames, "{grown:?}");
        let average = grown["capture.bytes"] / frames;
        assert!(average > 8 << 10, "frames have {average} bytes: {grown:?}");
        let bad = |name: &String| name.starts_with("dropped.") || name.starts_with("inject.failed");
        assert!(!grown.keys().any(bad), "{grown:?}");
    }
}

struct Datagrams {
    client: UdpSocket,
    server: UdpSocket,
}

impl Datagrams {
    fn new(lab: &Lab, (a, b): (IpAddr, IpAddr)) -> Self {
        let client = lab.a.run(|| UdpSocket::bind((a, 0)).unwrap());
        let server = lab.b.run(|| UdpSocket::bind((b, 0)).unwrap());
        client.connect(server.local_addr().unwrap()).unwrap();
        server.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { client, server }
    }

    /// Sends a datagram and says whether it arrives within `patience`.
    fn arrives(&self, payload: &[u8], patience: Duration) -> bool {
        self.server.set_read_timeout(Some(patience)).unwrap();
        // A reject or a missing neighbour may be reported here; what counts is what arrives.
        let _ = self.client.send(payload);
        let mut buffer = vec![0; 65536];
        let end = Instant::now() + patience;
        while Instant::now() < end {
            match self.server.recv(&mut buffer) {
                Ok(length) if buffer[..length] == *payload => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
        false
    }
}

#[test]
fn each_datagram_is_captured_judged_and_sent_on_once() {
    let lab = Lab::new("once", FailMode::Closed);
    let _enforcer = lab.enforce(RULES, &["--workers", "2"]);
    for ends in addresses() {
        let datagrams = Datagrams::new(&lab, ends);
        assert!(datagrams.arrives(b"first", PATIENCE));
        let before = lab.calm_counters();
        for number in 0..20u8 {
            assert!(datagrams.arrives(&[number; 100], PATIENCE));
        }
        let grown = growth(&before, &lab.calm_counters());
        for name in [
            "kernel.held_to_pod",
            "kernel.past_sockets",
            "capture.frames",
            "frames.seen",
            "frames.passed",
            "inject.to_pod",
        ] {
            assert_eq!(grown.get(name), Some(&20), "{name}: {grown:?}");
        }
        assert_eq!(grown.get("inject.to_host"), None, "{grown:?}");
        assert!(!datagrams.arrives(b"an EVILEVIL one", Duration::from_millis(500)));
        let alert = "\"signature_id\":7";
        assert!(file_will_hold(&lab.dir.join("eve.json"), alert));
    }
}

#[test]
fn fragments_are_judged_by_the_worker_of_their_flow() {
    let lab = Lab::new("fragments", FailMode::Closed);
    let _enforcer = lab.enforce(RULES, &["--workers", "2"]);
    let before = lab.calm_counters();
    for ends in addresses() {
        for number in 0..8u8 {
            // Each from another port, so that about every second one belongs to the other worker.
            let datagrams = Datagrams::new(&lab, ends);
            let mut payload = vec![number; 4000];
            assert!(datagrams.arrives(&payload, PATIENCE), "{ends:?} {number}");
            // Across the bound of the first two fragments of 1480 and 1448 bytes.
            payload[1400..1500].copy_from_slice(&b"EVIL".repeat(25));
            assert!(!datagrams.arrives(&payload, Duration::from_millis(300)));
        }
    }
    let grown = growth(&before, &lab.calm_counters());
    assert!(grown.contains_key("workers.handed_over"), "{grown:?}");
    assert_eq!(grown["workers.taken_over"], grown["workers.handed_over"]);
    // Of the three fragments of a datagram that passes two were held, and all three where it was handed over.
    let handed_over = grown["workers.handed_over"];
    let released = 2 * 8 * 2 + handed_over / 2;
    assert_eq!(grown["inject.released"], released, "{grown:?}");
}

/// Whether datagrams get through, seen from the start of `within`.
fn gets_through(datagrams: &Datagrams, within: Duration) -> bool {
    let end = Instant::now() + within;
    while Instant::now() < end {
        if datagrams.arrives(b"ping", Duration::from_millis(100)) {
            return true;
        }
    }
    false
}

/// Long enough for the lease to lapse on a busy machine.
const LAPSE: Duration = Duration::from_millis(1500);

#[test]
fn fail_mode_decides_while_it_is_killed_or_hangs() {
    for (name, fail_mode) in [("open", FailMode::Open), ("closed", FailMode::Closed)] {
        let lab = Lab::new(&format!("fail-{name}"), fail_mode);
        let open = fail_mode == FailMode::Open;
        let datagrams = Datagrams::new(&lab, addresses()[0]);
        assert_eq!(gets_through(&datagrams, LAPSE), open, "{name}, not started");

        let enforcer = lab.enforce(RULES, &[]);
        assert!(gets_through(&datagrams, PATIENCE), "{name}, started");
        enforcer.signal(Signal::SIGSTOP);
        std::thread::sleep(LAPSE);
        assert_eq!(gets_through(&datagrams, LAPSE), open, "{name}, hanging");
        enforcer.signal(Signal::SIGCONT);
        assert!(gets_through(&datagrams, PATIENCE), "{name}, going on");
        let evil = Datagrams::new(&lab, addresses()[0]);
        std::thread::sleep(Duration::from_millis(500));
        assert!(
            !evil.arrives(b"EVILEVIL", Duration::from_millis(300)),
            "{name}"
        );

        assert_eq!(enforcer.end(Signal::SIGKILL), None);
        std::thread::sleep(LAPSE);
        assert_eq!(gets_through(&datagrams, LAPSE), open, "{name}, killed");
        let again = lab.enforce(RULES, &[]);
        assert!(gets_through(&datagrams, PATIENCE), "{name}, started again");
        assert_eq!(again.end(Signal::SIGTERM), Some(0));
        assert_eq!(gets_through(&datagrams, LAPSE), open, "{name}, ended");
    }
}

#[test]
fn second_one_is_refused_and_the_first_reloads() {
    let lab = Lab::new("second", FailMode::Open);
    let enforcer = lab.enforce(RULES, &[]);
    let second = lab.weir(&["enforce"]);
    assert_eq!(second.status.code(), Some(1));
    let text = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(text.contains("another enforcer"), "{text}");

    let datagrams = Datagrams::new(&lab, addresses()[1]);
    assert!(datagrams.arrives(b"benign", PATIENCE));
    lab.file("test.rules", &RULES.replace("EVILEVIL", "benign"));
    assert!(lab.weir(&["reload"]).status.success());
    let other = Datagrams::new(&lab, addresses()[1]);
    assert!(!other.arrives(b"benign", Duration::from_millis(300)));
    assert!(
        other
            .client
            .peer_addr()
            .is_ok_and(|peer: SocketAddr| peer.is_ipv6())
    );

    lab.file(
        "test.rules",
        "drop ip any any -> any any (nonsense; sid:8;)\n",
    );
    let refused = lab.weir(&["reload"]);
    assert_eq!(refused.status.code(), Some(1));
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(text.contains("stay"), "{text}");
    let third = Datagrams::new(&lab, addresses()[1]);
    assert!(!third.arrives(b"benign", Duration::from_millis(300)));
    assert_eq!(enforcer.end(Signal::SIGINT), Some(0));
    assert_eq!(lab.weir(&["status"]).status.code(), Some(3));
}
