//! ADD: what it wires, refuses, skips and undoes.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use weir_datapath::kernel::AntiSpoof;
use weir_datapath::netns::{Bypass, PeerError, PeerLink};
use weir_datapath::policy::{FailMode, Mode};
use weir_datapath::support::Missing;

use super::{PREV, annotated, not_veth};
use crate::environment::Command::{Add, Check, Del};
use crate::error::code;
use crate::fake_host::{FakeHost, HOST_IFNAME, RunDir, call, environment, link};

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
        Ok(PeerLink {
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
        Ok(PeerLink {
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
fn what_comes_before_weirs_hook_is_refused_or_skipped_as_configured() {
    for (bypass, name) in [
        (Bypass::Xdp, "XDP"),
        (Bypass::Tcx, "tcx"),
        (Bypass::Filter("u32".to_owned()), "`u32`"),
    ] {
        let (host, run) = (FakeHost::default(), RunDir::new());
        host.set_link(move || {
            Ok(PeerLink {
                bypass: Some(bypass.clone()),
                ..link()
            })
        });
        let env = environment("c1", "");
        let (code, message) = call(&host, Add, &env, &run.config(PREV)).unwrap_err();
        assert_eq!(code, code::NO_HOST_INTERFACE);
        for part in [name, "bandwidth", "onUnsupported"] {
            assert!(message.contains(part), "{part}: {message}");
        }
        let skip = run.config(&format!("{PREV},\"onUnsupported\":\"skip\""));
        call(&host, Add, &env, &skip).unwrap();
        assert_eq!(run.store().load_all().0, []);
    }
}
