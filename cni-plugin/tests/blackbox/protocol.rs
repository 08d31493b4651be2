//! The protocol apart from any pod: commands, variables, versions, stdin.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use weir_tests::node::Node;

use crate::support::{Call, config};

const VERBS: [&str; 5] = ["ADD", "DEL", "CHECK", "GC", "STATUS"];

fn complete(verb: &str) -> Call {
    Call::new(verb)
        .with("CNI_CONTAINERID", "c1")
        .with("CNI_NETNS", "/run/netns/weirtest-none")
        .with("CNI_IFNAME", "eth0")
}

#[test]
fn without_a_command_it_says_what_it_is() -> Result<()> {
    let node = Node::new("about")?;
    for call in [Call::new("").without("CNI_COMMAND"), Call::new("")] {
        let finished = call.run(&node)?;
        ensure!(
            finished.status.success() && finished.stdout.is_empty(),
            "{finished}"
        );
        ensure!(finished.stderr.contains("CNI_COMMAND"), "{finished}");
    }
    Call::new("add").refused(&node, 4, &["unknown CNI_COMMAND", "\"add\"", "ADD, DEL"])
}

#[test]
fn each_verb_names_the_variables_it_misses() -> Result<()> {
    let node = Node::new("variables")?;
    for (verb, names) in [
        ("ADD", "CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH"),
        ("CHECK", "CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME,CNI_PATH"),
        ("DEL", "CNI_CONTAINERID,CNI_IFNAME,CNI_PATH"),
        ("GC", "CNI_PATH"),
        ("STATUS", "CNI_PATH"),
    ] {
        let message = format!("required env variables [{names}] missing");
        let bare = Call::new(verb).without("CNI_PATH").stdin("not even JSON");
        bare.refused(&node, 4, &[&message])?;
    }
    Ok(())
}

#[test]
fn names_that_are_not_safe_are_refused() -> Result<()> {
    let node = Node::new("names")?;
    let good = config(&node, "1.0.0", &json!({"prevResult": {}}));
    for verb in ["ADD", "DEL", "CHECK"] {
        for (variable, value) in [
            ("CNI_CONTAINERID", "../../etc/passwd"),
            ("CNI_CONTAINERID", "a b"),
            ("CNI_CONTAINERID", "-a"),
            ("CNI_IFNAME", "eth0/.."),
            ("CNI_IFNAME", "an-interface-too-long"),
            ("CNI_IFNAME", ".."),
        ] {
            complete(verb)
                .with(variable, value)
                .config(&good)
                .refused(&node, 4, &[variable])?;
        }
    }
    for name in [json!("a/b"), json!(""), json!(null)] {
        let mut bad = good.clone();
        bad["name"] = name;
        complete("DEL")
            .config(&bad)
            .refused(&node, 7, &["network name"])?;
    }
    Ok(())
}

#[test]
fn version_answers_whatever_surrounds_it() -> Result<()> {
    let node = Node::new("version")?;
    for (stdin, stated) in [
        (r#"{"cniVersion":"0.4.0"}"#, "0.4.0"),
        (r#"{"cniVersion":"1.1.0","name":""}"#, "1.1.0"),
        ("", "1.1.0"),
        ("[", "1.1.0"),
    ] {
        for call in [
            Call::new("VERSION").without("CNI_PATH"),
            Call::new("VERSION")
                .with("CNI_IFNAME", "dummy")
                .with("CNI_CONTAINERID", ""),
        ] {
            let answer: Value = serde_json::from_str(&call.stdin(stdin).succeed(&node)?)?;
            let supported = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];
            ensure!(answer == json!({"cniVersion": stated, "supportedVersions": supported}));
        }
    }
    Ok(())
}

#[test]
fn versions_and_verbs_that_do_not_go_together_are_refused() -> Result<()> {
    let node = Node::new("versions")?;
    for verb in VERBS {
        for version in ["0.1.0", "0.2.0", "1.2.0", "one"] {
            let call = complete(verb).config(&config(&node, version, &json!({})));
            call.refused(&node, 1, &["incompatible CNI versions", version])?;
        }
        complete(verb)
            .stdin(r#"{"name":"net"}"#)
            .refused(&node, 1, &["0.1.0"])?;
    }
    for (verb, version) in [("CHECK", "0.3.1"), ("GC", "1.0.0"), ("STATUS", "0.4.0")] {
        let refusal = complete(verb)
            .config(&config(&node, version, &json!({})))
            .fail(&node)?;
        ensure!(
            refusal.code == 1 && refusal.version == version,
            "{refusal:?}"
        );
        ensure!(
            refusal.message.contains(&format!("does not allow {verb}")),
            "{refusal:?}"
        );
    }
    Ok(())
}

#[test]
fn hostile_stdin_is_refused_by_every_verb() -> Result<()> {
    let node = Node::new("stdin")?;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep =
        format!(r#"{{"cniVersion":"1.1.0","name":"net","mode":{deep},"prevResult":{deep}}}"#);
    let huge = format!(
        r#"{{"cniVersion":"1.1.0","name":"{}"}}"#,
        "x".repeat(10 << 20)
    );
    let inputs: [(&[u8], u64); 8] = [
        (b"", 6),
        (b" \n", 6),
        (br#"{"cniVersion":"1.1.0","name":"net","prevRes"#, 6),
        (b"[]", 6),
        (b"\xff\xfe\x00", 6),
        (br#"{"cniVersion":1,"name":"net"}"#, 6),
        (
            br#"{"cniVersion":"1.1.0","cniVersion":"1.1.0","name":"net"}"#,
            6,
        ),
        (huge.as_bytes(), 6),
    ];
    for verb in VERBS {
        for (stdin, code) in inputs {
            complete(verb).stdin(stdin).refused(&node, code, &[])?;
        }
    }
    for verb in ["ADD", "CHECK"] {
        complete(verb)
            .stdin(deep.as_bytes())
            .refused(&node, 7, &["mode"])?;
    }
    ensure!(
        !node.run_dir().exists(),
        "a refused call made the run directory"
    );
    Ok(())
}

#[test]
fn error_objects_speak_the_callers_version_and_name_the_container() -> Result<()> {
    let node = Node::new("errors")?;
    let call = complete("ADD").with("CNI_ARGS", "K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web");
    let refusal = call
        .config(&config(&node, "0.4.0", &json!({})))
        .fail(&node)?;
    ensure!(
        refusal.version == "0.4.0" && refusal.code == 7,
        "{refusal:?}"
    );
    ensure!(
        refusal.message.contains("prevResult is missing"),
        "{refusal:?}"
    );
    for part in ["ADD", "shop/web", "container c1", "eth0"] {
        ensure!(refusal.details.contains(part), "{refusal:?}");
    }
    Ok(())
}
