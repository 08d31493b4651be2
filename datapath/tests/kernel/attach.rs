//! Attach and detach: what replaces what, what is left behind, and how long it takes.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use weir_datapath::attachment::{Attachment, Pod, RECORD_VERSION, WiredPolicy};
use weir_datapath::kernel::{AntiSpoof, Kernel, KernelError};
use weir_datapath::policy::{FailMode, Mode};
use weir_datapath::tag::KeyTag;

use crate::harness::{bridge, ifindex, in_node, ip, key, nft, pod, two_pods};

/// Creates `pairs` veth pairs in the node: 2 x `pairs` interfaces `h0`, `h1`...
fn interfaces(pairs: usize) {
    let mut child = Command::new("ip")
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    for pair in 0..pairs {
        let (one, two) = (2 * pair, 2 * pair + 1);
        writeln!(input, "link add h{one} type veth peer name h{two}").unwrap();
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}

/// An attachment of interface `h<number>` with two addresses.
fn attachment(number: usize) -> Attachment {
    let host_ifname = format!("h{number}");
    Attachment {
        version: RECORD_VERSION,
        key: key(&format!("{:064x}", number)),
        netns: "/run/netns/none".into(),
        host_ifindex: ifindex(&host_ifname),
        host_ifname,
        pod_mac: "02:00:00:00:00:01".to_owned(),
        link_local: None,
        anti_spoof: true,
        ips: vec![
            format!("10.1.{}.{}", number / 250, number % 250 + 1)
                .parse()
                .unwrap(),
            format!("fd00::{number:x}").parse().unwrap(),
        ],
        pod: Pod::default(),
        policy: WiredPolicy {
            mode: Mode::Prevent,
            fail_mode: FailMode::Closed,
            rule_sets: Vec::new(),
        },
    }
}

fn local_addresses() -> String {
    nft("list set netdev weir local4") + &nft("list set netdev weir local6")
}

#[test]
fn what_raw_netlink_wrote_is_what_nft_reads() {
    in_node(|| {
        let (_kernel, one, _two) = two_pods(FailMode::Closed);
        let chain = nft("list chain netdev weir from-vp11");
        for line in [
            "comment \"net+pod11+eth0\"",
            "type filter hook ingress device \"vp11\" priority -2147483647; policy accept;",
            "@ll,48,48 != 0x2660000000b",
            "ip saddr != 10.66.0.11 ip saddr != 0.0.0.0",
            "goto spoofed comment \"spoofed\"",
            "ip daddr @local4 counter",
            "jump from_closed comment \"from_pod\"",
            &format!(
                "meta mark set 0x{:08x} goto hold_from",
                one.attachment.host_ifindex
            ),
        ] {
            assert!(chain.contains(line), "{line} is missing in\n{chain}");
        }
        let chain = nft("list chain netdev weir to-vp11");
        for line in [
            "type filter hook egress device \"vp11\"",
            "jump to_closed comment \"to_pod\"",
            &format!(
                "meta mark set 0x8{:07x} goto hold_to",
                one.attachment.host_ifindex
            ),
        ] {
            assert!(chain.contains(line), "{line} is missing in\n{chain}");
        }
        let sets = local_addresses();
        assert!(
            sets.contains("10.66.0.11 comment \"net+pod11+eth0\""),
            "{sets}"
        );
        assert!(
            sets.contains("fd66::c comment \"net+pod12+eth0\""),
            "{sets}"
        );
    });
}

#[test]
fn attach_again_replaces_itself() {
    in_node(|| {
        let (mut kernel, mut one, _two) = two_pods(FailMode::Closed);
        one.attachment.policy.fail_mode = FailMode::Open;
        kernel.attach(&one.attachment, AntiSpoof::Off).unwrap();
        let chain = nft("list chain netdev weir from-vp11");
        assert!(
            chain.contains("from_open") && !chain.contains("from_closed"),
            "{chain}"
        );
        assert!(!chain.contains("spoofed"), "{chain}");
        assert_eq!(kernel.wired().unwrap().len(), 2);
    });
}

#[test]
fn a_reused_interface_name_belongs_to_the_newer_attachment() {
    in_node(|| {
        bridge();
        let mut kernel = Kernel::open().unwrap();
        kernel.ensure_node().unwrap();
        let lost = pod(11, FailMode::Open);
        kernel.attach(&lost.attachment, AntiSpoof::On).unwrap();
        ip("link del vp11");

        let mut newer = pod(11, FailMode::Closed);
        newer.attachment.key = key("newer");
        newer.attachment.ips = vec!["10.66.0.77".parse().unwrap()];
        kernel.attach(&newer.attachment, AntiSpoof::On).unwrap();
        let wired = kernel.wired().unwrap();
        assert_eq!(wired.len(), 1);
        assert!(wired[0].serves(&newer.attachment.key), "{wired:?}");
        assert!(
            !local_addresses().contains("10.66.0.11"),
            "{}",
            local_addresses()
        );

        assert!(!kernel.detach(&lost.attachment).unwrap());
        assert!(!kernel.detach_key(&lost.attachment.key).unwrap());
        assert!(kernel.wired().unwrap()[0].serves(&newer.attachment.key));
        assert!(kernel.detach(&newer.attachment).unwrap());
        assert!(kernel.wired().unwrap().is_empty());
    });
}

#[test]
fn a_reused_address_belongs_to_the_newer_attachment() {
    in_node(|| {
        bridge();
        let mut kernel = Kernel::open().unwrap();
        kernel.ensure_node().unwrap();
        let lost = pod(11, FailMode::Open);
        kernel.attach(&lost.attachment, AntiSpoof::On).unwrap();
        let mut newer = pod(12, FailMode::Open);
        newer.attachment.ips = lost.attachment.ips.clone();
        kernel.attach(&newer.attachment, AntiSpoof::On).unwrap();
        assert!(kernel.detach(&lost.attachment).unwrap());
        let sets = local_addresses();
        assert!(
            sets.contains("10.66.0.11 comment \"net+pod12+eth0\""),
            "{sets}"
        );
    });
}

#[test]
fn an_interface_that_is_another_device_by_now_is_refused() {
    in_node(|| {
        let (mut kernel, mut one, _two) = two_pods(FailMode::Open);
        one.attachment.host_ifindex += 1000;
        let before = nft("list ruleset");
        let error = kernel.attach(&one.attachment, AntiSpoof::On).unwrap_err();
        assert!(
            matches!(error, KernelError::InterfaceChanged { .. }),
            "{error}"
        );
        assert_eq!(nft("list ruleset"), before);
    });
}

#[test]
fn without_table_attach_says_so_and_detach_finds_nothing() {
    in_node(|| {
        interfaces(1);
        let mut kernel = Kernel::open().unwrap();
        let one = attachment(0);
        let error = kernel.attach(&one, AntiSpoof::On).unwrap_err();
        assert!(matches!(error, KernelError::NoTable), "{error}");
        assert!(!kernel.detach(&one).unwrap());
        assert!(!kernel.detach_key(&one.key).unwrap());
        assert!(kernel.wired_interface("h0").unwrap().is_none());
    });
}

#[test]
fn detach_without_record_and_sweep_find_their_attachments() {
    in_node(|| {
        interfaces(2);
        let mut kernel = Kernel::open().unwrap();
        kernel.ensure_node().unwrap();
        let all: Vec<_> = (0..4).map(attachment).collect();
        for one in &all {
            kernel.attach(one, AntiSpoof::On).unwrap();
        }
        assert!(kernel.detach_key(&all[0].key).unwrap());
        assert!(!kernel.detach_key(&all[0].key).unwrap());
        let kept = KeyTag::of(&all[3].key);
        assert!(kernel.sweep(|tag| *tag == kept).unwrap());
        assert!(!kernel.sweep(|tag| *tag == kept).unwrap());
        let wired = kernel.wired().unwrap();
        assert_eq!(wired.len(), 1);
        assert!(wired[0].serves(&all[3].key));
        assert_eq!(local_addresses().matches("comment").count(), 2);
    });
}

#[test]
fn two_hundred_at_once_leave_nothing_behind() {
    in_node(|| {
        interfaces(100);
        Kernel::open().unwrap().ensure_node().unwrap();
        let empty = nft("list ruleset");
        let done = AtomicBool::new(false);
        let node = crate::harness::Netns::current();
        thread::scope(|scope| {
            // An enforcer that renews its lease meanwhile.
            scope.spawn(|| {
                let mut kernel = Kernel::open().unwrap();
                while !done.load(Ordering::Relaxed) {
                    kernel.renew_lease(Duration::from_millis(500)).unwrap();
                    thread::sleep(Duration::from_millis(5));
                }
                kernel.drop_lease().unwrap();
            });
            let threads: Vec<_> = (0..200)
                .map(|number| {
                    scope.spawn(move || {
                        let mut kernel = Kernel::open().unwrap();
                        kernel.ensure_node().unwrap();
                        let attachment = attachment(number);
                        kernel.attach(&attachment, AntiSpoof::On).unwrap();
                        let wired = kernel.wired_interface(&attachment.host_ifname).unwrap();
                        assert!(wired.unwrap().serves(&attachment.key));
                        assert!(kernel.detach(&attachment).unwrap());
                    })
                })
                .collect();
            for thread in threads {
                thread.join().unwrap();
            }
            done.store(true, Ordering::Relaxed);
        });
        node.run(|| assert_eq!(nft("list ruleset"), empty));
    });
}

#[test]
fn attach_stays_quick_with_250_pods() {
    in_node(|| {
        interfaces(180);
        let mut kernel = Kernel::open().unwrap();
        kernel.ensure_node().unwrap();
        for number in 0..250 {
            kernel.attach(&attachment(number), AntiSpoof::On).unwrap();
        }
        let (mut attach, mut whole) = (Vec::new(), Vec::new());
        for number in 250..300 {
            let one = attachment(number);
            attach.push(time(|| kernel.attach(&one, AntiSpoof::On).unwrap()));
        }
        for number in 300..350 {
            // As a plugin does it, from the first socket to the last close, while an enforcer is alive.
            kernel.renew_lease(Duration::from_secs(1)).unwrap();
            let one = attachment(number);
            whole.push(time(|| {
                let mut kernel = Kernel::open().unwrap();
                kernel.ensure_node().unwrap();
                kernel.attach(&one, AntiSpoof::On).unwrap();
            }));
        }
        let wired = (0..5)
            .map(|_| time(|| _ = kernel.wired().unwrap()))
            .collect();
        let counters = (0..100)
            .map(|_| time(|| _ = kernel.counters().unwrap()))
            .collect();
        let detach = (250..350).map(|number| {
            let one = attachment(number);
            time(|| assert!(kernel.detach(&one).unwrap()))
        });
        let detach = detach.collect();
        let lease = (0..1000).map(|_| time(|| kernel.renew_lease(Duration::from_secs(1)).unwrap()));
        let lease = lease.collect();
        let (attach, _) = report("attach", attach);
        let (whole, _) = report("open + ensure_node + attach + close", whole);
        report("detach", detach);
        report("renew_lease", lease);
        report("wired", wired);
        report("counters", counters);
        assert!(
            attach < Duration::from_millis(10),
            "attach takes {attach:?}"
        );
        assert!(
            whole < Duration::from_millis(20),
            "the plugin's part takes {whole:?}"
        );
        assert_eq!(chains(), 250 * 2 + 10, "two per pod, ten shared");
    });
}

fn time(body: impl FnOnce()) -> Duration {
    let start = Instant::now();
    body();
    start.elapsed()
}

/// Prints and returns median and 99th percentile.
fn report(name: &str, mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort();
    let median = times[times.len() / 2];
    let high = times[times.len() * 99 / 100];
    println!("with 250 pods: {name}: p50 {median:?}, p99 {high:?}");
    (median, high)
}

/// Chains of the table, by nft's count.
fn chains() -> usize {
    nft("list table netdev weir").matches("\tchain ").count()
}
