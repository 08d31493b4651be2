//! The fate of real packets between two pods on a bridge, and between pod and host.

use std::time::Duration;

use weir_datapath::kernel::Kernel;
use weir_datapath::policy::FailMode;

use crate::harness::{accept_all, datagram_arrives, datagram_stays_away, in_node, seen, two_pods};

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
        let node = crate::harness::Netns::current();
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
