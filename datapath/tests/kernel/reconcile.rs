//! Kernel and records drift apart and are brought together.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use weir_datapath::kernel::{AntiSpoof, RuleWatch};
use weir_datapath::policy::FailMode;
use weir_datapath::record::RecordStore;

use crate::harness::{datagram_arrives, datagram_stays_away, in_node, ip, nft, run, two_pods};

struct RunDir(PathBuf);

impl RunDir {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("weir-reconcile-{}-{name}", std::process::id()));
        Self(path)
    }

    fn store(&self) -> RecordStore {
        RecordStore::new(&self.0)
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_flushed_rule_set_is_wired_again_as_recorded() {
    in_node(|| {
        let run = RunDir::new("flush");
        let store = run.store();
        let (mut kernel, mut one, mut two) = two_pods(FailMode::Closed);
        one.attachment.anti_spoof = false;
        two.attachment.policy.fail_mode = FailMode::Closed;
        store.write(&one.attachment).unwrap();
        store.write(&two.attachment).unwrap();
        kernel.attach(&one.attachment, AntiSpoof::Off).unwrap();
        let before = nft("list ruleset");
        let settled = kernel.reconcile(&store, store.load_all()).unwrap();
        assert!(settled.rewired.is_empty() && settled.gone.is_empty() && !settled.swept);
        assert_eq!(nft("list ruleset"), before);

        nft("flush ruleset");
        assert!(
            datagram_arrives(&one.netns, &two.netns, two.v4),
            "unguarded"
        );
        let mended = kernel.reconcile(&store, store.load_all()).unwrap();
        assert_eq!(mended.rewired.len(), 2, "{mended:?}");
        assert!(mended.failed.is_empty(), "{mended:?}");
        assert!(datagram_stays_away(&one.netns, &two.netns, two.v4));
        assert!(!nft("list chain netdev weir from-vp11").contains("goto spoofed"));
        assert!(nft("list chain netdev weir from-vp12").contains("goto spoofed"));
        kernel.renew_lease(Duration::from_millis(100)).unwrap();
    });
}

#[test]
fn chains_without_a_record_and_records_without_a_device_are_cleared() {
    in_node(|| {
        let run = RunDir::new("stale");
        let store = run.store();
        let (mut kernel, one, two) = two_pods(FailMode::Closed);
        store.write(&two.attachment).unwrap();
        let result = kernel.reconcile(&store, store.load_all()).unwrap();
        assert!(result.swept);
        assert!(kernel.wired_interface("vp11").unwrap().is_none());
        assert!(kernel.wired_interface("vp12").unwrap().is_some());

        ip("link del vp12");
        let result = kernel.reconcile(&store, store.load_all()).unwrap();
        assert_eq!(result.gone, vec![two.attachment.clone()]);
        assert!(kernel.wired().unwrap().is_empty());
        assert!(!nft("list set netdev weir local4").contains("10.66.0.12"));
        assert!(store.read(&two.attachment.key).unwrap().is_some());
        drop(one);
    });
}

#[test]
fn an_unreadable_record_keeps_its_chains() {
    in_node(|| {
        let run = RunDir::new("unreadable");
        let store = run.store();
        let (mut kernel, one, two) = two_pods(FailMode::Closed);
        store.write(&two.attachment).unwrap();
        fs::write(store.path_of(&one.attachment.key), "{").unwrap();
        let result = kernel.reconcile(&store, store.load_all()).unwrap();
        assert_eq!(result.unreadable.len(), 1);
        assert!(!result.swept);
        assert!(kernel.wired_interface("vp11").unwrap().is_some());
    });
}

#[test]
fn chains_that_somebody_emptied_are_wired_again() {
    in_node(|| {
        let run = RunDir::new("emptied");
        let store = run.store();
        let (mut kernel, one, _) = two_pods(FailMode::Closed);
        store.write(&one.attachment).unwrap();
        kernel.attach(&one.attachment, AntiSpoof::On).unwrap();
        let before = nft("list ruleset");
        for emptied in [
            "flush chain netdev weir from-vp11",
            "flush table netdev weir",
        ] {
            nft(emptied);
            assert_ne!(nft("list ruleset"), before, "{emptied}");
            let mended = kernel.reconcile(&store, store.load_all()).unwrap();
            assert_eq!(mended.rewired.len(), 1, "{emptied}: {mended:?}");
            let rules = nft("list chain netdev weir from-vp11");
            assert!(
                rules.contains("goto spoofed") && rules.contains("goto hold_from"),
                "{rules}"
            );
        }
    });
}

#[test]
fn rules_that_somebody_removed_are_written_again() {
    in_node(|| {
        let run_dir = RunDir::new("removed");
        let store = run_dir.store();
        let (mut kernel, one, two) = two_pods(FailMode::Closed);
        for pod in [&one, &two] {
            store.write(&pod.attachment).unwrap();
            kernel.attach(&pod.attachment, AntiSpoof::On).unwrap();
        }
        for chain in [
            "hold_from",
            "hold_to",
            "to_closed",
            "spoofed",
            "capture-kernel",
        ] {
            nft(&format!("flush chain netdev weir {chain}"));
            let mended = kernel.reconcile(&store, store.load_all()).unwrap();
            assert!(mended.rewired.is_empty(), "{chain}: {mended:?}");
            let listed = nft("list table netdev weir");
            for (name, rule) in [
                ("chain hold_from", "fwd to \"weir-cap0\""),
                ("chain hold_to", "fwd to \"weir-cap0\""),
                ("chain to_closed", "drop"),
                ("chain spoofed", "drop"),
                ("chain capture-kernel", "drop"),
            ] {
                let body = listed
                    .split(name)
                    .nth(1)
                    .and_then(|rest| rest.split('}').next());
                assert!(
                    body.is_some_and(|body| body.contains(rule)),
                    "{name}: {listed}"
                );
            }
        }
        let listed = run(
            "nft",
            &["-a", "list", "chain", "netdev", "weir", "from-vp11"],
        );
        let last = listed
            .lines()
            .rfind(|line| line.contains("goto hold_from"))
            .unwrap();
        let handle = last.rsplit(' ').next().unwrap();
        nft(&format!(
            "delete rule netdev weir from-vp11 handle {handle}"
        ));
        let mended = kernel.reconcile(&store, store.load_all()).unwrap();
        assert_eq!(mended.rewired, vec![one.attachment.clone()]);
        assert!(nft("list chain netdev weir from-vp11").contains("goto hold_from"));
        assert!(datagram_stays_away(&one.netns, &two.netns, two.v4));
    });
}

#[test]
fn removals_by_others_are_noticed_and_own_ones_are_not() {
    in_node(|| {
        let (mut kernel, mut one, _) = two_pods(FailMode::Open);
        let mut watch = RuleWatch::open().unwrap();
        assert!(!watch.removed().unwrap());
        one.attachment.anti_spoof = false;
        kernel.attach(&one.attachment, AntiSpoof::On).unwrap();
        kernel.attach(&one.attachment, AntiSpoof::Off).unwrap();
        assert!(kernel.detach(&one.attachment).unwrap());
        kernel.renew_lease(Duration::from_millis(100)).unwrap();
        assert!(!watch.removed().unwrap(), "own changes");
        nft("add table netdev other; delete table netdev other");
        assert!(!watch.removed().unwrap(), "another table");
        for removal in [
            "delete chain netdev weir from-vp11",
            "flush chain netdev weir from_open",
            "flush ruleset",
        ] {
            kernel.ensure_node().unwrap();
            kernel.attach(&one.attachment, AntiSpoof::On).unwrap();
            assert!(!watch.removed().unwrap());
            nft(removal);
            assert!(watch.removed().unwrap(), "{removal}");
            assert!(!watch.removed().unwrap(), "told once");
        }
    });
}
