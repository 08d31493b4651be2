//! The fate of real packets between two pods on a bridge, and between pod and host.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use weir_datapath::kernel::Kernel;
use weir_datapath::policy::FailMode;

use crate::frames::{ethernet, send, udp4};
use crate::harness::{
    Netns, accept_all, datagram_arrives, datagram_stays_away, in_node, nft, seen, two_pods,
};

#[test]
fn without_lease_open_pods_talk_and_it_is_counted() {
    in_node(|| {
        let (mut kernel, one, two) = two_pods(FailMode::Open);
        for address in [two.v4, two.v6] {
            assert!(datagram_arrives(&one.netns, &two.netns, address));
        }
        let counters = kernel.counters().unwrap();
        assert_eq!(counters.fail_open.packets, 2, "{counters:?}");
        assert_eq!(counters.fail_closed.packets, 0);
        assert_eq!(counters.held_to_pod.packets, 0);
    });
}

#[test]
fn without_lease_closed_pods_are_silent_and_it_is_counted() {
    in_node(|| {
        let (mut kernel, one, two) = two_pods(FailMode::Closed);
        for address in [two.v4, two.v6] {
            assert!(datagram_stays_away(&one.netns, &two.netns, address));
        }
        let counters = kernel.counters().unwrap();
        assert_eq!(counters.fail_closed.packets, 2, "{counters:?}");
        assert_eq!(counters.fail_open.packets, 0);
    });
}

#[test]
fn with_lease_and_nobody_listening_nothing_arrives_in_either_mode() {
    for fail_mode in [FailMode::Open, FailMode::Closed] {
        in_node(|| {
            let (mut kernel, one, two) = two_pods(fail_mode);
            kernel.renew_lease(Duration::from_secs(60)).unwrap();
            assert!(datagram_stays_away(&one.netns, &two.netns, two.v4));
            let counters = kernel.counters().unwrap();
            assert_eq!(counters.held_to_pod.packets, 1, "{counters:?}");
            assert_eq!(counters.held_from_pod.packets, 0);
            assert_eq!(counters.past_sockets.packets, 1);
            assert_eq!(counters.fail_open.packets + counters.fail_closed.packets, 0);
        });
    }
}

#[test]
fn between_pods_each_packet_is_held_once_at_the_receiver() {
    in_node(|| {
        let (mut kernel, one, two) = two_pods(FailMode::Closed);
        accept_all(&[&one, &two]);
        kernel.renew_lease(Duration::from_secs(60)).unwrap();
        for address in [two.v4, two.v6] {
            assert!(datagram_arrives(&one.netns, &two.netns, address));
        }
        assert_eq!(seen(), (0, 2, 0));
        let counters = kernel.counters().unwrap();
        assert_eq!(counters.held_to_pod.packets, 2, "{counters:?}");
        assert_eq!(counters.held_from_pod.packets, 0);
        let wired = kernel.wired().unwrap();
        let of = |ifname: &str| {
            wired
                .iter()
                .find(|wired| wired.host_ifname == ifname)
                .unwrap()
        };
        assert_eq!(of("vp11").counters.local.packets, 2);
        assert_eq!(of("vp12").counters.settled.packets, 2);
        assert_eq!(of("vp12").counters.to_pod.packets, 2);
        assert!(of("vp12").serves(&two.attachment.key));
    });
}

#[test]
fn from_pod_to_host_each_packet_is_held_once_at_the_sender() {
    in_node(|| {
        let (mut kernel, one, two) = two_pods(FailMode::Closed);
        accept_all(&[&one, &two]);
        kernel.renew_lease(Duration::from_secs(60)).unwrap();
        // In the node's own namespace: this thread's.
        let node = Netns::current();
        assert!(datagram_arrives(
            &one.netns,
            &node,
            "10.66.0.1".parse().unwrap()
        ));
        assert!(datagram_arrives(
            &one.netns,
            &node,
            "fd66::1".parse().unwrap()
        ));
        assert_eq!(seen(), (2, 0, 0));
        let counters = kernel.counters().unwrap();
        assert_eq!(counters.held_from_pod.packets, 2, "{counters:?}");
        assert_eq!(counters.not_redirected.packets, 0);
        let wired = kernel.wired_interface("vp11").unwrap().unwrap();
        assert_eq!(wired.counters.settled.packets, 2);
        assert_eq!(wired.counters.from_pod.packets, 2);

        assert!(datagram_arrives(&node, &two.netns, two.v4));
        assert_eq!(seen(), (2, 1, 0));
    });
}

#[test]
fn detached_pods_are_free() {
    in_node(|| {
        let (mut kernel, one, two) = two_pods(FailMode::Closed);
        for pod in [&one, &two] {
            assert!(kernel.detach(&pod.attachment).unwrap());
            assert!(!kernel.detach(&pod.attachment).unwrap());
        }
        assert!(datagram_arrives(&one.netns, &two.netns, two.v4));
        assert!(Kernel::open().unwrap().wired().unwrap().is_empty());
    });
}

/// A UDP datagram to the node's own address, as the enforcer would send it back.
fn to_host(port: u16) -> Vec<u8> {
    let link = crate::harness::run("ip", &["-o", "link", "show", "br0"]);
    let words: Vec<_> = link.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "link/ether").unwrap();
    let mut mac = [0; 6];
    for (byte, text) in mac.iter_mut().zip(words[at + 1].split(':')) {
        *byte = u8::from_str_radix(text, 16).unwrap();
    }
    let packet = udp4(
        Ipv4Addr::new(10, 66, 0, 11),
        Ipv4Addr::new(10, 66, 0, 1),
        (1000, port),
        b"attack",
    );
    ethernet(mac, [2, 0x66, 0, 0, 0, 11], 0x0800, &packet)
}

#[test]
fn only_marked_frames_enter_the_host_by_the_capture_pair() {
    in_node(|| {
        let (mut kernel, one, _two) = two_pods(FailMode::Closed);
        let receiver = UdpSocket::bind("10.66.0.1:0").unwrap();
        receiver
            .set_read_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        let frame = to_host(receiver.local_addr().unwrap().port());
        let arrives = || {
            send("weir-cap1", &frame);
            receiver.recv(&mut [0; 16]).is_ok()
        };

        assert!(!arrives(), "no mark");
        assert_eq!(kernel.counters().unwrap().not_redirected.packets, 0);

        nft("table netdev injector {
                chain marked { type filter hook egress device weir-cap1 priority 0; }
            }");
        let index = one.attachment.host_ifindex;
        nft(&format!(
            "add rule netdev injector marked meta mark set {index}"
        ));
        assert!(arrives(), "marked with the pod's interface");
        let wired = kernel.wired_interface("vp11").unwrap().unwrap();
        assert_eq!(wired.counters.settled.packets, 1);
        assert_eq!(wired.counters.from_pod.packets, 0);

        crate::harness::run("tc", &["qdisc", "del", "dev", "weir-cap0", "clsact"]);
        assert!(!arrives(), "no redirect program");
        assert_eq!(kernel.counters().unwrap().not_redirected.packets, 1);
        kernel.ensure_node().unwrap();
        assert!(arrives(), "repaired");
    });
}

#[test]
fn streams_pass_whole_as_super_packets() {
    in_node(|| {
        let (mut kernel, one, two) = two_pods(FailMode::Closed);
        accept_all(&[&one, &two]);
        kernel.renew_lease(Duration::from_secs(60)).unwrap();
        let node = Netns::current();
        let host = ["10.66.0.1", "fd66::1"].map(|address| address.parse().unwrap());
        for (receiver, address) in [
            (&two.netns, two.v4),
            (&two.netns, two.v6),
            (&node, host[0]),
            (&node, host[1]),
        ] {
            let before = held(&mut kernel);
            let received = stream(&one.netns, receiver, address);
            assert!(received == pattern(), "{address}: content differs");
            let after = held(&mut kernel);
            let (packets, bytes) = (after.0 - before.0, after.1 - before.1);
            assert!(bytes >= 2_000_000, "{address}: {bytes} bytes were held");
            assert!(
                bytes / packets > 5000,
                "{address}: {packets} packets for {bytes} bytes are no super-packets"
            );
        }
        assert_eq!(seen().2, 0, "frames without a pod's mark");
    });
}

/// Packets and bytes held so far.
fn held(kernel: &mut Kernel) -> (u64, u64) {
    let counters = kernel.counters().unwrap();
    let (from, to) = (counters.held_from_pod, counters.held_to_pod);
    (from.packets + to.packets, from.bytes + to.bytes)
}

/// Sends [`pattern`] over TCP; what the receiver read.
fn stream(from: &Netns, to: &Netns, address: IpAddr) -> Vec<u8> {
    let listener = to.run(|| TcpListener::bind((address, 0)).unwrap());
    let target = listener.local_addr().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            from.run(|| {
                let mut stream = TcpStream::connect(target).unwrap();
                stream.write_all(&pattern()).unwrap();
            });
        });
        let mut received = Vec::new();
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_to_end(&mut received).unwrap();
        received
    })
}

/// 2 MB that repeat nowhere within a frame.
fn pattern() -> Vec<u8> {
    (0..500_000u32)
        .flat_map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes())
        .collect()
}

#[test]
fn a_lease_that_runs_out_lets_open_pods_talk_again() {
    in_node(|| {
        let (mut kernel, one, two) = two_pods(FailMode::Open);
        kernel.renew_lease(Duration::from_millis(400)).unwrap();
        assert!(datagram_stays_away(&one.netns, &two.netns, two.v4));
        thread::sleep(Duration::from_millis(300));
        assert!(datagram_arrives(&one.netns, &two.netns, two.v4));
        assert_eq!(kernel.counters().unwrap().fail_open.packets, 1);
    });
}

#[test]
fn a_pod_cannot_forge_the_settled_mark() {
    in_node(|| {
        let (mut kernel, one, two) = two_pods(FailMode::Closed);
        kernel.renew_lease(Duration::from_secs(60)).unwrap();
        one.netns.run(|| {
            nft("table netdev forge {
                    chain leaving {
                        type filter hook egress device eth0 priority 1;
                        meta mark set 0x1000
                    }
                }");
        });
        assert!(datagram_stays_away(&one.netns, &two.netns, two.v4));
        let wired = kernel.wired().unwrap();
        assert!(
            wired
                .iter()
                .all(|wired| wired.counters.settled.packets == 0)
        );
        assert_eq!(kernel.counters().unwrap().held_to_pod.packets, 1);
    });
}

#[test]
fn a_frame_flooded_to_many_is_held_once() {
    in_node(|| {
        let (mut kernel, one, two) = two_pods(FailMode::Closed);
        accept_all(&[&one, &two]);
        kernel.renew_lease(Duration::from_secs(60)).unwrap();
        let group = Ipv4Addr::new(239, 1, 2, 3);
        let receiver = two.netns.run(|| {
            let socket = UdpSocket::bind((group, 4000)).unwrap();
            socket
                .join_multicast_v4(&group, &Ipv4Addr::new(10, 66, 0, 12))
                .unwrap();
            socket
                .set_read_timeout(Some(Duration::from_secs(2)))
                .unwrap();
            socket
        });
        one.netns.run(|| {
            let sender = UdpSocket::bind("10.66.0.11:0").unwrap();
            sender.send_to(b"attack", (group, 4000)).unwrap();
        });
        assert!(receiver.recv(&mut [0; 16]).is_ok());
        assert_eq!(seen(), (1, 0, 0));
        let counters = kernel.counters().unwrap();
        assert_eq!(counters.held_from_pod.packets, 1, "{counters:?}");
        assert_eq!(counters.held_to_pod.packets, 0, "{counters:?}");
    });
}
