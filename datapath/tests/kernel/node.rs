//! The node's part: table, devices, redirect program.

use std::thread;
use std::time::Duration;

use weir_datapath::kernel::{Kernel, KernelError};

use crate::harness::{ifindex, in_node, ip, nft, run};

#[test]
fn ensure_node_makes_everything_and_again_changes_nothing() {
    in_node(|| {
        let mut kernel = Kernel::open().unwrap();
        let devices = kernel.ensure_node().unwrap();
        assert_eq!(devices.capture_kernel_end, ifindex("weir-cap0"));
        assert_eq!(devices.capture_enforcer_end, ifindex("weir-cap1"));
        let before = nft("list ruleset");
        assert_eq!(kernel.ensure_node().unwrap(), devices);
        assert_eq!(nft("list ruleset"), before);
        println!("{before}");
        for end in ["weir-cap0", "weir-cap1"] {
            let link = run("ip", &["-d", "link", "show", end]);
            assert!(
                link.contains("mtu 65535") && link.contains("NOARP"),
                "{link}"
            );
            assert!(
                link.contains("addrgenmode none") && !link.contains("MULTICAST"),
                "{link}"
            );
            assert!(link.contains(",UP"), "{link}");
            let features = run("ethtool", &["-k", end]);
            for feature in [
                "tx-sctp-segmentation",
                "tx-gre-segmentation",
                "tx-checksum-sctp",
            ] {
                assert!(features.contains(&format!("{feature}: off")), "{features}");
            }
            assert!(features.contains("tx-tcp-segmentation: on"), "{features}");
            assert_eq!(
                run("ip", &["addr", "show", "dev", end])
                    .matches("inet")
                    .count(),
                0
            );
        }
    });
}

#[test]
fn ensure_node_from_many_threads_leaves_one_good_state() {
    in_node(|| {
        thread::scope(|scope| {
            let threads: Vec<_> = (0..16)
                .map(|_| scope.spawn(|| Kernel::open().unwrap().ensure_node().unwrap()))
                .collect();
            for thread in threads {
                thread.join().unwrap();
            }
        });
        let mut kernel = Kernel::open().unwrap();
        let devices = kernel.ensure_node().unwrap();
        assert_eq!(devices.capture_kernel_end, ifindex("weir-cap0"));
        let listing = nft("list chain netdev weir hold_from");
        assert_eq!(
            listing.matches("fwd to \"weir-cap0\"").count(),
            1,
            "{listing}"
        );
    });
}

#[test]
fn a_recreated_capture_pair_is_wired_anew() {
    in_node(|| {
        let mut kernel = Kernel::open().unwrap();
        let old = kernel.ensure_node().unwrap();
        ip("link del weir-cap0");
        let new = kernel.ensure_node().unwrap();
        assert_ne!(old.capture_kernel_end, new.capture_kernel_end);
        let listing = nft("list chain netdev weir hold_to");
        assert!(listing.contains("fwd to \"weir-cap0\""), "{listing}");
    });
}

#[test]
fn damage_by_others_is_repaired() {
    in_node(|| {
        let mut kernel = Kernel::open().unwrap();
        let devices = kernel.ensure_node().unwrap();
        for damage in [
            "tc qdisc del dev weir-cap0 clsact",
            "ip link set weir-cap1 down",
            "ip link set weir-cap0 mtu 1500",
            "nft flush ruleset",
            "nft delete table netdev weir",
        ] {
            let words: Vec<_> = damage.split_whitespace().collect();
            run(words[0], &words[1..]);
            assert_eq!(kernel.ensure_node().unwrap(), devices, "{damage}");
            kernel.renew_lease(Duration::from_secs(1)).unwrap();
            assert!(
                run("tc", &["filter", "show", "dev", "weir-cap0", "ingress"])
                    .contains("weir_redirect")
            );
            assert!(run("ip", &["link", "show", "weir-cap1"]).contains(",UP"));
        }
    });
}

#[test]
fn a_table_of_another_format_is_refused_untouched() {
    in_node(|| {
        nft("table netdev weir { comment \"weir format 99\" ; }");
        let mut kernel = Kernel::open().unwrap();
        let error = kernel.ensure_node().unwrap_err();
        assert!(matches!(error, KernelError::Format { .. }), "{error}");
        assert!(error.to_string().contains("weir format 99"), "{error}");
    });
}

#[test]
fn someone_elses_device_of_our_name_is_named() {
    in_node(|| {
        ip("link add weir-cap0 type bridge");
        let error = Kernel::open().unwrap().ensure_node().unwrap_err();
        assert!(
            error
                .to_string()
                .contains("`weir-cap0` exists and is of kind `bridge`"),
            "{error}"
        );
    });
}

#[test]
fn lease_dies_by_itself_unless_renewed() {
    in_node(|| {
        let mut kernel = Kernel::open().unwrap();
        assert!(!kernel.lease_alive().unwrap());
        assert!(matches!(
            kernel.renew_lease(Duration::from_millis(50)),
            Err(KernelError::NoTable)
        ));
        kernel.drop_lease().unwrap();
        kernel.ensure_node().unwrap();
        assert!(!kernel.lease_alive().unwrap());
        for _ in 0..10 {
            kernel.renew_lease(Duration::from_millis(100)).unwrap();
            thread::sleep(Duration::from_millis(30));
            assert!(kernel.lease_alive().unwrap());
        }
        thread::sleep(Duration::from_millis(130));
        assert!(!kernel.lease_alive().unwrap());
        kernel.renew_lease(Duration::from_secs(60)).unwrap();
        kernel.drop_lease().unwrap();
        assert!(!kernel.lease_alive().unwrap());
    });
}

#[test]
fn remove_node_leaves_nothing_and_may_be_repeated() {
    in_node(|| {
        let mut kernel = Kernel::open().unwrap();
        kernel.remove_node().unwrap();
        kernel.ensure_node().unwrap();
        kernel.renew_lease(Duration::from_secs(60)).unwrap();
        kernel.remove_node().unwrap();
        kernel.remove_node().unwrap();
        assert_eq!(nft("list ruleset"), "");
        assert_eq!(
            run("ip", &["-o", "link"]).lines().count(),
            1,
            "only lo is left"
        );
        assert!(kernel.wired().unwrap().is_empty());
        assert_eq!(kernel.counters().unwrap(), Default::default());
    });
}
