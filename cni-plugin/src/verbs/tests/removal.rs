//! DEL and GC: what they need, tolerate and leave alone.

use std::fs;

use weir_datapath::netns::PeerLink;
use weir_datapath::support::Missing;

use super::PREV;
use crate::environment::Command::{Add, Check, Del, Gc};
use crate::error::code;
use crate::fake_host::{FakeHost, HOST_IFNAME, RunDir, call, environment, link};

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
fn gc_removes_what_is_not_valid_of_its_own_network_only() {
    let (host, run) = (FakeHost::default(), RunDir::new());
    let add = |id: &'static str, ifname: &'static str, config: &str| {
        host.set_link(move || {
            Ok(PeerLink {
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
