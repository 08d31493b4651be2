//! Capture and injection against the real kernel, in network namespaces of their own. Need root.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::os::fd::AsFd as _;
use weir_engine::verdict::Verdict;

use super::batch::{Destination, FrameBatch, Held};
use super::socket::{CaptureSocket, InjectSocket, Receive, Wait};
use super::steering;
use super::vnet::VnetHeader;
use crate::settle::{Decision, Permit, decide};
use crate::testing::{in_own_netns, ip};

const WORKERS: u16 = 3;

fn permit() -> Permit {
    match decide(Verdict::Pass) {
        Decision::Deliver(permit) => permit,
        other => panic!("{other:?}"),
    }
}

/// A veth pair in this thread's namespace; the ends' indexes.
fn pair() -> (u32, u32) {
    ip("link add c0 mtu 65535 type veth peer name c1 mtu 65535");
    for end in ["c0", "c1"] {
        std::fs::write(format!("/proc/sys/net/ipv6/conf/{end}/disable_ipv6"), "1").unwrap();
        ip(&format!("link set {end} up"));
    }
    crate::testing::wait_until_running(&["c0", "c1"]);
    let index = |name| nix::net::if_::if_nametoindex(name).unwrap();
    (index("c0"), index("c1"))
}

struct Rig {
    sockets: Vec<CaptureSocket>,
    inject: InjectSocket,
    batch: FrameBatch,
    near: u32,
}

impl Rig {
    fn new(workers: u16) -> Self {
        let (near, far) = pair();
        Self {
            sockets: CaptureSocket::open_group(far, workers, 8, 8 << 20).unwrap(),
            inject: InjectSocket::open(far, 8).unwrap(),
            batch: FrameBatch::new(8),
            near,
        }
    }

    fn send(&mut self, vnet: VnetHeader, frame: &[u8]) {
        let to = Destination::Pod { ifindex: self.near };
        self.inject.send(permit(), vnet, frame, to).unwrap();
    }

    /// Which socket the next frame came to; it is in the batch then.
    fn arrival(&mut self) -> usize {
        let wait = self
            .sockets
            .iter()
            .map(|s| PollFd::new(s.as_fd(), PollFlags::POLLIN));
        let mut wait: Vec<PollFd<'_>> = wait.collect();
        assert!(
            poll(&mut wait, PollTimeout::from(2000u16)).unwrap() > 0,
            "no frame came"
        );
        let ready = wait.iter().position(|p| p.any() == Some(true)).unwrap();
        drop(wait);
        let got = self.sockets[ready]
            .receive(&mut self.batch, Wait::No)
            .unwrap();
        assert_eq!(got, Receive::Frames(1));
        ready
    }
}

/// A frame of the shapes that steering tells apart.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let tags = prop::collection::vec(
        (prop::sample::select(vec![0x8100u16, 0x88a8]), 1u16..4095),
        0..3,
    );
    let protocol = prop::sample::select(vec![6u8, 17, 132, 1, 58, 44, 0, 50]);
    let fragment = prop::sample::select(vec![0u16, 0x4000, 0x2000, 0x2010, 0x0010]);
    let words = (
        any::<[u8; 32]>(),
        any::<[u8; 4]>(),
        5u8..8,
        any::<bool>(),
        any::<bool>(),
    );
    (tags, protocol, fragment, words).prop_map(|(tags, protocol, fragment, words)| {
        let (addresses, ports, ihl, v6, arp) = words;
        let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
        for (tpid, vid) in tags {
            frame.extend(tpid.to_be_bytes());
            frame.extend(vid.to_be_bytes());
        }
        if arp && protocol == 50 {
            frame.extend([0x08, 0x06]);
        } else if v6 {
            frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 24, protocol, 64]);
            frame.extend(addresses);
        } else {
            let fragment = fragment.to_be_bytes();
            frame.extend([0x08, 0x00, 0x40 | ihl, 0, 0, 60, 0, 1]);
            frame.extend([fragment[0], fragment[1], 64, protocol, 0, 0]);
            frame.extend(&addresses[..8]);
            frame.resize(frame.len() + usize::from(ihl - 5) * 4, 1);
        }
        frame.extend(ports);
        frame.resize(frame.len() + 40, 0x5a);
        frame
    })
}

#[test]
fn kernel_steers_as_the_mirror_says() {
    in_own_netns(|| {
        let mut rig = Rig::new(WORKERS);
        let mut runner = TestRunner::new(Config::with_cases(400));
        let mut seen = [0; WORKERS as usize];
        let rig = std::cell::RefCell::new(&mut rig);
        let seen_cell = std::cell::RefCell::new(&mut seen);
        runner
            .run(&frames(), |frame| {
                let mut rig = rig.borrow_mut();
                rig.send(VnetHeader::PLAIN, &frame);
                let got = rig.arrival();
                seen_cell.borrow_mut()[got] += 1;
                let expected = steering::worker_of(&frame, usize::from(WORKERS));
                prop_assert_eq!(got, expected, "frame {:02x?}", frame);
                let held = rig.batch.frames().next().unwrap();
                prop_assert_eq!(held.bytes(), &frame[..], "not the frame that was sent");
                held.discard();
                Ok(())
            })
            .unwrap();
        assert!(
            seen.iter().all(|&n| n > 20),
            "steering does not spread: {seen:?}"
        );
    });
}

#[test]
fn mark_gso_and_partial_checksum_come_with_the_frame() {
    in_own_netns(|| {
        let mut rig = Rig::new(1);
        let frame = tcp_super_frame(60_000);
        // NEEDS_CSUM, TCPv4, header 54, 1448 per segment, checksum of the TCP header at 34.
        let vnet = [1u16.to_ne_bytes()[0], 1, 54, 0, 0xa8, 0x05, 34, 0, 16, 0];
        let vnet = VnetHeader::from_bytes(vnet);
        rig.send(vnet, &frame);
        rig.arrival();
        let held = rig.batch.frames().next().unwrap();
        assert_eq!(held.bytes(), frame);
        assert_eq!(held.vnet().gso_size(), Some(1448));
        assert!(held.vnet().needs_checksum());
        assert!(!held.truncated());
        assert_eq!(held.mark().unwrap().raw(), weir_datapath::mark::SETTLED);
        held.discard();
    });
}

fn tcp_super_frame(payload: usize) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    let total = u16::try_from(40 + payload).unwrap().to_be_bytes();
    frame.extend([
        0x45, 0, total[0], total[1], 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
    ]);
    frame.extend([
        0x9c, 0x40, 0, 80, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0,
    ]);
    frame.resize(frame.len() + payload, 0x41);
    frame
}

#[test]
fn frames_that_no_one_takes_are_counted_as_kernel_drops() {
    in_own_netns(|| {
        let (near, far) = pair();
        let mut sockets = CaptureSocket::open_group(far, 1, 8, 1 << 20).unwrap();
        let mut inject = InjectSocket::open(far, 8).unwrap();
        let frame = tcp_super_frame(60_000);
        let vnet = VnetHeader::from_bytes([1, 1, 54, 0, 0xa8, 0x05, 34, 0, 16, 0]);
        let sent = 100;
        for _ in 0..sent {
            let to = Destination::Pod { ifindex: near };
            inject.send(permit(), vnet, &frame, to).unwrap();
        }
        let mut batch = FrameBatch::new(8);
        let mut received = 0;
        while let Receive::Frames(frames) = sockets[0].receive(&mut batch, Wait::No).unwrap() {
            received += frames as u64;
            batch.frames().for_each(Held::discard);
        }
        let drops = sockets[0].take_drops().unwrap();
        assert!(drops > 0);
        assert_eq!(received + drops, sent);
    });
}

#[test]
fn what_is_injected_on_the_capture_pair_is_not_captured() {
    for workers in [1, WORKERS] {
        in_own_netns(move || {
            let mut rig = Rig::new(workers);
            let frame = tcp_super_frame(100);
            for _ in 0..20 {
                let to = Destination::Host { ifindex: 77 };
                rig.inject
                    .send(permit(), VnetHeader::PLAIN, &frame, to)
                    .unwrap();
            }
            // Comes the other way, so whatever the sockets took before it is there when it is.
            rig.send(VnetHeader::PLAIN, &frame);
            rig.arrival();
            let held = rig.batch.frames().next().unwrap();
            assert_eq!(held.mark().unwrap().raw(), weir_datapath::mark::SETTLED);
            held.discard();
            for socket in &mut rig.sockets {
                assert_eq!(
                    socket.receive(&mut rig.batch, Wait::No).unwrap(),
                    Receive::Empty
                );
            }
        });
    }
}
