//! Whatever comes in, a call answers in JSON and does not panic.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use proptest::prelude::*;
use serde_json::Value;

use crate::environment::{Command, Environment};
use crate::fake_host::FakeHost;
use crate::{Failure, run};

/// Runs a call; checks what must hold of every answer. No run directory of a real node is named.
fn check(command: Command, environment: &Environment, stdin: &[u8]) -> Result<(), TestCaseError> {
    let host = FakeHost::default();
    // No link: an ADD that gets this far must not write into the default run directory.
    host.set_link(|| {
        Err(weir_datapath::netns::PeerError::HostNetwork {
            path: "/proc/self/ns/net".into(),
        })
    });
    let mut buffer = Vec::new();
    match run(command, environment, stdin, &mut buffer, &host) {
        Ok(reply) => {
            let silent = matches!(
                command,
                Command::Del | Command::Check | Command::Gc | Command::Status
            );
            prop_assert_eq!(reply.stdout.is_empty(), silent);
            prop_assert!(silent || serde_json::from_slice::<Value>(&reply.stdout).is_ok());
        }
        Err(failure) => check_error_object(&failure)?,
    }
    Ok(())
}

fn check_error_object(failure: &Failure) -> Result<(), TestCaseError> {
    let object: Value = serde_json::from_slice(&failure.stdout())
        .map_err(|error| TestCaseError::fail(error.to_string()))?;
    let code = object.get("code").and_then(Value::as_u64);
    prop_assert!(code.is_some_and(|code| code != 0), "{object}");
    let message = object.get("msg").and_then(Value::as_str);
    prop_assert!(
        message.is_some_and(|message| !message.is_empty()),
        "{object}"
    );
    prop_assert!(
        object.get("cniVersion").is_some_and(Value::is_string),
        "{object}"
    );
    Ok(())
}

fn command() -> impl Strategy<Value = Command> {
    proptest::sample::select(Command::ALL.to_vec())
}

fn os_string() -> impl Strategy<Value = OsString> {
    proptest::collection::vec(any::<u8>(), 0..24).prop_map(OsString::from_vec)
}

fn environment() -> impl Strategy<Value = Environment> {
    let names = [
        "CNI_CONTAINERID",
        "CNI_NETNS",
        "CNI_IFNAME",
        "CNI_PATH",
        "CNI_ARGS",
    ];
    proptest::collection::vec(os_string(), names.len())
        .prop_map(move |values| names.into_iter().zip(values).collect())
}

fn good_environment() -> Environment {
    crate::fake_host::environment("c1", "K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web")
}

/// A value for any key: right and wrong words, numbers, nesting.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        proptest::sample::select(vec![
            "off",
            "detect",
            "open",
            "closed",
            "skip",
            "10.0.0.1/8"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((key(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    let known = [
        "mode",
        "failMode",
        "ruleSets",
        "onUnsupported",
        "antiSpoof",
        "annotations",
        "loosen",
        "prevResult",
        "interfaces",
        "ips",
        "address",
        "interface",
        "runtimeConfig",
        "io.kubernetes.cri.pod-annotations",
        "weir.dev/mode",
        "weir.dev/rule-sets",
        "cni.dev/valid-attachments",
        "containerID",
        "ifname",
        "capabilities",
    ];
    prop_oneof![
        8 => proptest::sample::select(known.to_vec()).prop_map(str::to_owned),
        1 => "[a-z/]{0,6}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes_on_stdin_are_answered(
        command in command(),
        stdin in proptest::collection::vec(any::<u8>(), 0..256),
    ) {
        check(command, &good_environment(), &stdin)?;
    }

    #[test]
    fn any_environment_is_answered(command in command(), environment in environment()) {
        let stdin = br#"{"cniVersion":"1.1.0","name":"net","runDir":"/proc/no-weir-here","prevResult":{}}"#;
        check(command, &environment, stdin)?;
    }

    #[test]
    fn any_members_are_answered(
        command in command(),
        version in proptest::sample::select(vec!["0.3.0", "0.4.0", "1.0.0", "1.1.0", "2.0.0"]),
        members in proptest::collection::vec((key(), value()), 0..6),
    ) {
        let mut config: serde_json::Map<String, Value> = members.into_iter().collect();
        config.insert("cniVersion".to_owned(), version.into());
        config.insert("name".to_owned(), "net".into());
        config.insert("runDir".to_owned(), "/proc/no-weir-here".into());
        check(command, &good_environment(), Value::Object(config).to_string().as_bytes())?;
    }

    #[test]
    fn a_truncated_configuration_is_answered(command in command(), cut in 0_usize..230) {
        let whole = br#"{"cniVersion":"1.1.0","name":"net","runDir":"/proc/no-weir-here","mode":"prevent","prevResult":{"interfaces":[{"name":"eth0","sandbox":"/x"}],"ips":[{"address":"10.0.0.2/24","interface":0}]},"runtimeConfig":{}}"#;
        check(command, &good_environment(), whole.get(..cut).unwrap_or(whole))?;
    }
}
