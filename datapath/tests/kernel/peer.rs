//! Finding a pod's host interface, and probing the kernel.

use std::path::Path;

use weir_datapath::netns::{Bypass, PeerError, peer_of};
use weir_datapath::policy::FailMode;
use weir_datapath::support;

use crate::harness::{Netns, bridge, ifindex, in_node, ip, nft, pod, run};

#[test]
fn the_host_side_of_a_veth_is_found_from_inside() {
    in_node(|| {
        bridge();
        let one = pod(11, FailMode::Open);
        let peer = peer_of(&one.netns.path(), "eth0").unwrap();
        assert_eq!(peer.ifname, "vp11");
        assert_eq!(peer.ifindex, ifindex("vp11"));
        assert_eq!(peer.pod_mac, "02:66:00:00:00:0b");
        assert_eq!(peer.kind, "veth");
        assert_eq!(peer.link_local, Some("fe80::66:ff:fe00:b".parse().unwrap()));
    });
}

/// As the plugin `bandwidth` limits what a pod sends, and as an eBPF datapath hooks in.
#[test]
fn filters_that_come_before_weirs_hook_are_found() {
    in_node(|| {
        bridge();
        let one = pod(11, FailMode::Open);
        let bypass = || peer_of(&one.netns.path(), "eth0").unwrap().bypass;
        let tc = |words: &str| run("tc", &words.split_whitespace().collect::<Vec<_>>());
        assert_eq!(bypass(), None);
        tc("qdisc add dev vp11 root tbf rate 1mbit burst 32kbit latency 400ms");
        tc("qdisc add dev vp11 ingress");
        assert_eq!(
            bypass(),
            None,
            "a queue on the way out, an empty one on the way in"
        );
        ip("link add ifb11 type ifb");
        tc(
            "filter add dev vp11 parent ffff: protocol all u32 match u32 0 0 action mirred egress redirect dev ifb11",
        );
        assert_eq!(bypass(), Some(Bypass::Filter("u32".to_owned())));
        tc("qdisc del dev vp11 ingress");
        assert_eq!(bypass(), None);
        tc("qdisc add dev vp11 clsact");
        run(
            "tc",
            &[
                "filter",
                "add",
                "dev",
                "vp11",
                "ingress",
                "bpf",
                "bytecode",
                "1,6 0 0 0,",
            ],
        );
        assert_eq!(bypass(), Some(Bypass::Filter("bpf".to_owned())));
        tc("qdisc del dev vp11 clsact");
        tc("qdisc add dev vp11 clsact");
        run(
            "tc",
            &[
                "filter",
                "add",
                "dev",
                "vp11",
                "egress",
                "bpf",
                "bytecode",
                "1,6 0 0 0,",
            ],
        );
        assert_eq!(bypass(), None, "the way out comes behind weir's hook");
    });
}

#[test]
fn a_peer_in_a_third_namespace_is_not_mistaken_for_a_host_interface() {
    in_node(|| {
        bridge();
        let (pod_ns, third) = (Netns::new(), Netns::new());
        ip(&format!(
            "link add vp1 type veth peer name eth0 netns {}",
            pod_ns.path().display()
        ));
        let index = ifindex("vp1");
        ip(&format!("link set vp1 netns {}", third.path().display()));
        // Another veth of the same index in the node, whose peer has the index that eth0 has.
        ip(&format!(
            "link add name vp2 index {index} type veth peer name vp3"
        ));
        let error = peer_of(&pod_ns.path(), "eth0").unwrap_err();
        assert!(matches!(error, PeerError::PeerElsewhere { .. }), "{error}");
        // A pair within the pod's own namespace.
        pod_ns.run(|| ip("link add in0 type veth peer name in1"));
        let error = peer_of(&pod_ns.path(), "in0").unwrap_err();
        assert!(matches!(error, PeerError::PeerElsewhere { .. }), "{error}");
    });
}

#[test]
fn interfaces_that_are_no_veth_are_named_with_their_kind() {
    in_node(|| {
        bridge();
        let inside = Netns::new();
        ip(&format!(
            "link add link br0 name mv0 netns {} type macvlan mode bridge",
            inside.path().display()
        ));
        for (ifname, expected) in [("mv0", "macvlan"), ("lo", "physical")] {
            match peer_of(&inside.path(), ifname).unwrap_err() {
                PeerError::NotVeth { kind, .. } => assert_eq!(kind, expected),
                error => panic!("{error}"),
            }
        }
    });
}

#[test]
fn each_other_failure_has_its_own_error() {
    in_node(|| {
        let inside = Netns::new();
        let own = Netns::current();
        assert!(matches!(
            peer_of(&own.path(), "eth0"),
            Err(PeerError::HostNetwork { .. })
        ));
        assert!(matches!(
            peer_of(&inside.path(), "eth0"),
            Err(PeerError::NoInterface { .. })
        ));
        for path in [
            "/run/netns/weir-no-such",
            "/etc/passwd",
            "/proc/self/ns/uts",
            "/proc",
        ] {
            let error = peer_of(Path::new(path), "eth0").unwrap_err();
            assert!(
                matches!(error, PeerError::NoNetns { .. }),
                "{path}: {error}"
            );
        }
    });
}

#[test]
fn the_probe_finds_everything_here_and_leaves_no_trace() {
    in_node(|| {
        assert_eq!(support::probe(), Vec::new());
        assert_eq!(nft("list ruleset"), "");
        assert_eq!(run("ip", &["-o", "link"]).lines().count(), 1);
    });
}
