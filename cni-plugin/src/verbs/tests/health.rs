//! CHECK and STATUS: what they notice; which verb exists in which version.

use std::fs;

use weir_datapath::netns::PeerLink;
use weir_datapath::support::Missing;

use super::{PREV, annotated};
use crate::environment::Command::{Add, Check, Gc, Status};
use crate::error::code;
use crate::fake_host::{FakeHost, RunDir, call, environment, link};

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
        Ok(PeerLink {
            pod_mac: "02::1".to_owned(),
            ..link()
        })
    });
    amiss("MAC address is 02::1");
    host.set_link(|| {
        Ok(PeerLink {
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
