//! The verbs on a node without a kernel: order, rollback, tolerance.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use weir_datapath::kernel::AntiSpoof;
use weir_datapath::netns::PeerError;
use weir_datapath::policy::{FailMode, Mode};
use weir_datapath::support::Missing;

use crate::environment::Command::{Add, Check, Del, Gc, Status};
use crate::error::code;
use crate::fake_host::{FakeHost, HOST_IFNAME, RunDir, call, environment, link};

const PREV: &str = r#""prevResult":{"cniVersion":"1.1.0","ips":[{"address":"10.0.0.2/24"}]}"#;

fn annotated(annotations: &str) -> String {
    format!(r#"{PREV},"runtimeConfig":{{"io.kubernetes.cri.pod-annotations":{annotations}}}"#)
}

fn not_veth() -> PeerError {
    PeerError::NotVeth {
        ifname: "eth0".to_owned(),
        kind: "macvlan".to_owned(),
    }
}

#[test]
fn add_records_wires_and_prints_then_del_leaves_nothing() {
    let (host, run) = (FakeHost::default(), RunDir::new());
    let env = environment("c1", "K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web");
    let config = run.config(&format!(r#"{PREV},"failMode":"closed""#));
    let printed = call(&host, Add, &env, &config).unwrap();
    assert_eq!(
        printed,
        "{\"cniVersion\":\"1.1.0\",\"ips\":[{\"address\":\"10.0.0.2/24\"}]}\n"
    );
    let records = run.records();
    let [record] = records.as_slice() else {
        panic!("{records:?}")
    };
    assert_eq!(record.key.container_id, "c1");
    assert_eq!(
        record.ips,
        ["10.0.0.2".parse::<std::net::IpAddr>().unwrap()]
    );
    assert_eq!(record.pod.namespace.as_deref(), Some("shop"));
    assert_eq!(
        (record.policy.mode, record.policy.fail_mode),
        (Mode::Prevent, FailMode::Closed)
    );
    assert_eq!(host.wired.borrow()[HOST_IFNAME].1, AntiSpoof::On);
    call(&host, Check, &env, &config).unwrap();
    for _ in 0..3 {
        assert_eq!(call(&host, Del, &env, &run.config("")).unwrap(), "");
    }
    assert!(run.records().is_empty() && host.wired_names().is_empty());
}

#[test]
fn failed_add_leaves_neither_record_nor_rules() {
    let (host, run) = (FakeHost::default(), RunDir::new());
    let env = environment("c1", "");
    let config = run.config(PREV);
    host.kernel_fails.set(true);
    assert_eq!(
        call(&host, Add, &env, &config).unwrap_err().0,
        code::TRY_AGAIN
    );
    assert!(run.records().is_empty());
    *host.missing.borrow_mut() = vec![Missing::EgressHook];
    let (code, message) = call(&host, Add, &env, &config).unwrap_err();
    assert_eq!(code, code::NODE_LACKS);
    assert!(message.contains("5.16"), "{message}");
    assert!(run.records().is_empty());
}

#[test]
fn panicking_add_leaves_no_record() {
    let (host, run) = (FakeHost::default(), RunDir::new());
    host.attach_panics.set(true);
    let env = environment("c1", "");
    let config = run.config(PREV);
    let outcome = catch_unwind(AssertUnwindSafe(|| call(&host, Add, &env, &config)));
    assert!(outcome.is_err());
    assert!(run.records().is_empty());
}

#[test]
fn add_whose_result_is_not_printed_is_undone() {
    let (host, run) = (FakeHost::default(), RunDir::new());
    let env = environment("c1", "");
    let (config, mut buffer) = (run.config(PREV), Vec::new());
    let reply = crate::run(Add, &env, config.as_bytes(), &mut buffer, &host).map_err(|e| e.error);
    assert_eq!(host.wired_names(), [HOST_IFNAME]);
    drop(reply.unwrap());
    assert!(run.records().is_empty() && host.wired_names().is_empty());
}

#[test]
fn failed_repeat_of_add_keeps_the_pod_wired_as_it_was() {
    let (host, run) = (FakeHost::default(), RunDir::new());
    let env = environment("c1", "");
    call(&host, Add, &env, &run.config(PREV)).unwrap();
    host.kernel_fails.set(true);
    let changed = run.config(&format!(r#"{PREV},"mode":"detect""#));
    call(&host, Add, &env, &changed).unwrap_err();
    assert_eq!(host.wired_names(), [HOST_IFNAME]);
    assert_eq!(run.records()[0].policy.mode, Mode::Prevent);
    host.kernel_fails.set(false);
    call(&host, Add, &env, &changed).unwrap();
    assert_eq!(run.records()[0].policy.mode, Mode::Detect);
}

#[test]
fn repeat_of_add_on_another_host_interface_moves_the_rules() {
    let (host, run) = (FakeHost::default(), RunDir::new());
    let env = environment("c1", "");
    call(&host, Add, &env, &run.config(PREV)).unwrap();
    host.set_link(|| {
        Ok(weir_datapath::netns::PeerLink {
            ifname: "veth8".to_owned(),
            ..link()
        })
    });
    call(&host, Add, &env, &run.config(PREV)).unwrap();
    assert_eq!(host.wired_names(), ["veth8"]);
    assert_eq!(run.records().len(), 1);
}

#[test]
fn add_that_is_refused_has_touched_nothing() {
    let (host, run) = (FakeHost::default(), RunDir::new());
    let env = environment("c1", "K8S_POD_NAMESPACE=shop");
    let many: Vec<_> = (0..65)
        .map(|n| format!(r#"{{"address":"10.0.0.{n}/24"}}"#))
        .collect();
    for (members, code) in [
        (String::new(), code::INVALID_CONFIG),
        (r#""prevResult":7"#.to_owned(), code::DECODE),
        (format!(r#"{PREV},"mode":"on""#), code::INVALID_CONFIG),
        (format!(r#"{PREV},"moed":"off""#), code::UNSUPPORTED_FIELD),
        (
            annotated(r#"{"weir.dev/mode":"off"}"#),
            code::MAY_NOT_LOOSEN,
        ),
        (
            annotated(r#"{"weir.dev/mode":"on"}"#),
            code::UNSUPPORTED_FIELD,
        ),
        (annotated(r#"{"weir.dev/mode":1}"#), code::DECODE),
        (
            format!(r#""prevResult":{{"ips":[{}]}}"#, many.join(",")),
            code::INVALID_CONFIG,
        ),
    ] {
        let error = call(&host, Add, &env, &run.config(&members)).unwrap_err();
        assert_eq!(error.0, code, "{members}: {}", error.1);
        assert!(
            !run.0.exists() && host.wired_names().is_empty(),
            "{members}"
        );
    }
}

#[test]
fn annotation_loosens_where_the_configuration_lets_it() {
    let (host, run) = (FakeHost::default(), RunDir::new());
    let env = environment("c1", "K8S_POD_NAMESPACE=shop-1;K8S_POD_NAME=web");
    let members = annotated(r#"{"weir.dev/mode":"detect","weir.dev/anti-spoof":"false"}"#);
    let members = format!(r#"{members},"annotations":{{"loosen":["shop-*"]}}"#);
    call(&host, Add, &env, &run.config(&members)).unwrap();
    assert_eq!(run.records()[0].policy.mode, Mode::Detect);
    assert_eq!(host.wired.borrow()[HOST_IFNAME].1, AntiSpoof::Off);
    // What the configuration says later is not held against a pod that runs.
    let strict = annotated(r#"{"weir.dev/mode":"detect","weir.dev/anti-spoof":"false"}"#);
    call(&host, Check, &env, &run.config(&strict)).unwrap();
}

#[test]
fn mode_off_passes_through_and_frees_the_pod_of_what_is_left() {
    let (host, run) = (FakeHost::default(), RunDir::new());
    let off = run.config(&format!(r#"{PREV},"mode":"off""#));
    // An earlier pod of the same interface name, whose DEL never came, and whose record is gone.
    call(&host, Add, &environment("old", ""), &run.config(PREV)).unwrap();
    fs::remove_dir_all(&run.0).unwrap();
    let env = environment("c1", "");
    assert!(
        call(&host, Add, &env, &off)
            .unwrap()
            .contains("10.0.0.2/24")
    );
    assert!(host.wired_names().is_empty() && run.records().is_empty());
    // The same attachment, inspected before.
    call(&host, Add, &env, &run.config(PREV)).unwrap();
    call(&host, Add, &env, &off).unwrap();
    assert!(host.wired_names().is_empty() && run.records().is_empty());
    call(&host, Check, &env, &off).unwrap();
    // A node that cannot run weir does not keep such pods from starting.
    host.kernel_fails.set(true);
    host.set_link(|| Err(not_veth()));
    call(&host, Add, &env, &off).unwrap();
}

#[test]
fn unsupported_networks_are_errors_unless_skipped() {
    let run = RunDir::new();
    let env = environment("c1", "");
    let host_network = || PeerError::HostNetwork {
        path: "/run/netns/p".into(),
    };
    let elsewhere = || PeerError::PeerElsewhere {
        ifname: "eth0".to_owned(),
        peer: 3,
    };
    type Unsupported = (fn() -> PeerError, u32, &'static str);
    let cases: [Unsupported; 3] = [
        (not_veth, code::NO_HOST_INTERFACE, "macvlan"),
        (host_network, code::INVALID_NETNS, "host"),
        (elsewhere, code::NO_HOST_INTERFACE, "peer"),
    ];
    for (error, code, part) in cases {
        let host = FakeHost::default();
        host.set_link(move || Err(error()));
        let refused = call(&host, Add, &env, &run.config(PREV)).unwrap_err();
        assert_eq!(refused.0, code, "{}", refused.1);
        assert!(refused.1.contains(part), "{}", refused.1);
        let skip = run.config(&format!(r#"{PREV},"onUnsupported":"skip""#));
        assert!(call(&host, Add, &env, &skip).unwrap().contains("10.0.0.2"));
        call(&host, Check, &env, &skip).unwrap();
        call(&host, Del, &env, &skip).unwrap();
        assert!(run.records().is_empty());
    }
}

#[test]
fn broken_networks_are_errors_even_when_unsupported_ones_are_skipped() {
    let (host, run) = (FakeHost::default(), RunDir::new());
    let skip = run.config(&format!(r#"{PREV},"onUnsupported":"skip""#));
    host.set_link(|| {
        let source = io::Error::from(io::ErrorKind::NotFound);
        Err(PeerError::NoNetns {
            path: "/run/netns/p".into(),
            source,
        })
    });
    let env = environment("c1", "");
    assert_eq!(
        call(&host, Add, &env, &skip).unwrap_err().0,
        code::INVALID_NETNS
    );
    host.set_link(|| {
        Err(PeerError::NoInterface {
            path: "/run/netns/p".into(),
            ifname: "eth0".to_owned(),
        })
    });
    assert_eq!(
        call(&host, Add, &env, &skip).unwrap_err().0,
        code::NO_HOST_INTERFACE
    );
}

#[test]
fn a_datapath_that_goes_past_the_host_interface_is_refused() {
    let (host, run) = (FakeHost::default(), RunDir::new());
    host.set_link(|| {
        Ok(weir_datapath::netns::PeerLink {
            ifname: "lxc12ab".to_owned(),
            ..link()
        })
    });
    let env = environment("c1", "");
    call(&host, Add, &env, &run.config(PREV)).unwrap();
    host.devices.borrow_mut().push("cilium_host".to_owned());
    let (code, message) = call(&host, Add, &env, &run.config(PREV)).unwrap_err();
    assert_eq!(code, code::NO_HOST_INTERFACE);
    assert!(
        message.contains("Cilium") && message.contains("onUnsupported"),
        "{message}"
    );
}

#[test]
fn del_needs_nothing_but_the_key() {
    let run = RunDir::new();
    let env = environment("c1", "");
    let wired = || {
        let host = FakeHost::default();
        call(&host, Add, &env, &run.config(PREV)).unwrap();
        host
    };
    let forget = || fs::remove_dir_all(&run.0).unwrap();
    let garble = || {
        let path = run.store().path_of(&run.records()[0].key);
        fs::write(path, "{").unwrap();
    };
    let cases: [(&str, &dyn Fn()); 3] = [
        ("record there", &|| ()),
        ("record lost", &forget),
        ("record garbled", &garble),
    ];
    for (name, spoil) in cases {
        for members in ["", r#""prevResult":7"#, r#""mode":"nonsense","oops":1"#] {
            let host = wired();
            spoil();
            call(&host, Del, &env, &run.config(members)).unwrap();
            assert!(host.wired_names().is_empty(), "{name} {members}");
            assert!(run.records().is_empty(), "{name} {members}");
        }
    }
}

#[test]
fn del_leaves_a_newer_attachment_of_the_same_interface_alone() {
    let (host, run) = (FakeHost::default(), RunDir::new());
    let (old, new) = (environment("old", ""), environment("new", ""));
    call(&host, Add, &old, &run.config(PREV)).unwrap();
    call(&host, Add, &new, &run.config(PREV)).unwrap();
    call(&host, Del, &old, &run.config("")).unwrap();
    assert_eq!(host.wired_names(), [HOST_IFNAME]);
    call(&host, Check, &new, &run.config(PREV)).unwrap();
}

#[test]
fn del_on_a_kernel_without_nftables_succeeds_and_one_that_refuses_is_to_be_retried() {
    let (host, run) = (FakeHost::default(), RunDir::new());
    let env = environment("c1", "");
    call(&host, Add, &env, &run.config(PREV)).unwrap();
    host.kernel_fails.set(true);
    assert_eq!(
        call(&host, Del, &env, &run.config("")).unwrap_err().0,
        code::TRY_AGAIN
    );
    assert_eq!(
        run.records().len(),
        1,
        "the record is kept for the next try"
    );
    *host.missing.borrow_mut() = vec![Missing::NfTables];
    call(&host, Del, &env, &run.config("")).unwrap();
    assert!(run.records().is_empty());
}

#[test]
fn check_tells_what_is_amiss() {
    let (host, run) = (FakeHost::default(), RunDir::new());
    let env = environment("c1", "");
    let config = run.config(&format!(r#"{PREV},"failMode":"closed""#));
    let amiss = |part: &str| {
        let (code, message) = call(&host, Check, &env, &config).unwrap_err();
        assert_eq!(code, code::NOT_AS_ADDED, "{message}");
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    };
    amiss("no attachment record");
    call(&host, Add, &env, &config).unwrap();
    call(&host, Check, &env, &config).unwrap();
    host.lease.set(false);
    amiss("weir enforce");
    call(&host, Add, &env, &run.config(PREV)).unwrap();
    call(&host, Check, &env, &run.config(PREV)).expect("a fail-open pod needs no enforcer");
    host.lease.set(true);
    host.devices.borrow_mut().pop();
    amiss("weir-cap1");
    host.wired.borrow_mut().clear();
    amiss("lacks weir's rules");
    host.set_link(|| {
        Ok(weir_datapath::netns::PeerLink {
            pod_mac: "02::1".to_owned(),
            ..link()
        })
    });
    amiss("MAC address is 02::1");
    host.set_link(|| {
        Ok(weir_datapath::netns::PeerLink {
            ifindex: 9,
            ..link()
        })
    });
    amiss("veth7 (index 9)");
}

#[test]
fn check_without_the_annotations_of_add_is_accepted_where_they_may_loosen() {
    let (host, run) = (FakeHost::default(), RunDir::new());
    let env = environment("c1", "K8S_POD_NAMESPACE=shop");
    let loosen = r#""annotations":{"loosen":["shop"]}"#;
    let off = format!("{},{loosen}", annotated(r#"{"weir.dev/mode":"off"}"#));
    call(&host, Add, &env, &run.config(&off)).unwrap();
    call(&host, Check, &env, &run.config(&off)).unwrap();
    call(
        &host,
        Check,
        &environment("c1", ""),
        &run.config(&format!("{PREV},{loosen}")),
    )
    .unwrap();
}

#[test]
fn gc_removes_what_is_not_valid_of_its_own_network_only() {
    let (host, run) = (FakeHost::default(), RunDir::new());
    let add = |id: &'static str, ifname: &'static str, config: &str| {
        host.set_link(move || {
            Ok(weir_datapath::netns::PeerLink {
                ifname: ifname.to_owned(),
                ..link()
            })
        });
        call(&host, Add, &environment(id, ""), config).unwrap();
    };
    add("valid", "v1", &run.config(PREV));
    add("stale", "v2", &run.config(PREV));
    add("lost", "v3", &run.config(PREV));
    add(
        "other",
        "v4",
        &run.config(PREV).replace("\"net\"", "\"net2\""),
    );
    let lost = run
        .records()
        .into_iter()
        .find(|record| record.key.container_id == "lost");
    run.store().remove(&lost.unwrap().key).unwrap();
    let env = environment("", "");
    call(&host, Gc, &env, &run.config("")).unwrap();
    assert_eq!(
        host.wired_names(),
        ["v1", "v2", "v3", "v4"],
        "no list: nothing is removed"
    );
    let valid = r#""cni.dev/valid-attachments":[{"containerID":"valid","ifname":"eth0"}]"#;
    call(&host, Gc, &env, &run.config(valid)).unwrap();
    assert_eq!(host.wired_names(), ["v1", "v4"]);
    assert_eq!(run.records().len(), 2);
    call(
        &host,
        Gc,
        &env,
        &run.config(r#""cni.dev/valid-attachments":[]"#),
    )
    .unwrap();
    assert_eq!(host.wired_names(), ["v4"]);
    assert_eq!(run.records()[0].key.network, "net2");
}

#[test]
fn status_tells_the_truth() {
    let (host, run) = (FakeHost::default(), RunDir::new());
    let env = environment("", "");
    let status = |members: &str| {
        call(&host, Status, &env, &run.config(members))
            .map(drop)
            .map_err(|(code, _)| code)
    };
    let closed = r#""failMode":"closed""#;
    assert_eq!(status(closed), Ok(()));
    host.lease.set(false);
    assert_eq!(status(""), Ok(()), "a fail-open network needs no enforcer");
    assert_eq!(status(closed), Err(code::NOT_AVAILABLE));
    call(
        &host,
        Add,
        &environment("c1", ""),
        &run.config(&format!("{PREV},{closed}")),
    )
    .unwrap();
    assert_eq!(status(closed), Err(code::LIMITED_CONNECTIVITY));
    *host.missing.borrow_mut() = vec![Missing::NfTables];
    assert_eq!(status(""), Err(code::NOT_AVAILABLE));
    assert_eq!(
        status(r#""mode":"off""#),
        Ok(()),
        "nothing is wired, nothing is needed"
    );
    assert_eq!(status(r#""mode":"on""#), Err(code::INVALID_CONFIG));
    let file = run.0.with_extension("file");
    fs::write(&file, "").unwrap();
    let config = run
        .config("")
        .replace(&*run.0.to_string_lossy(), &file.to_string_lossy());
    let refused = call(&host, Status, &env, &config).unwrap_err();
    fs::remove_file(&file).unwrap();
    assert_eq!(refused.0, code::NOT_AVAILABLE, "{}", refused.1);
    assert!(refused.1.contains("not a directory"), "{}", refused.1);
}

#[test]
fn verbs_are_refused_before_their_version() {
    let (host, run) = (FakeHost::default(), RunDir::new());
    let env = environment("c1", "");
    for (version, command, allowed) in [
        ("0.3.1", Check, false),
        ("0.4.0", Check, true),
        ("1.0.0", Gc, false),
        ("1.0.0", Status, false),
        ("1.1.0", Gc, true),
        ("1.1.0", Status, true),
    ] {
        call(&host, Add, &env, &run.config(PREV)).unwrap();
        let config = run.config(PREV).replace("1.1.0", version);
        let answer = call(&host, command, &env, &config);
        assert_eq!(answer.is_ok(), allowed, "{version} {command}");
        if let Err((code, message)) = answer {
            assert_eq!(code, code::INCOMPATIBLE_VERSION);
            assert!(message.contains("does not allow"), "{message}");
        }
    }
}
