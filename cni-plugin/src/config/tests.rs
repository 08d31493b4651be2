use super::*;

const MINIMAL: &str = r#"{"cniVersion":"1.0.0","name":"net","type":"weir-cni"}"#;

fn with(members: &str) -> String {
    format!(r#"{{"cniVersion":"1.0.0","name":"net","type":"weir-cni",{members}}}"#)
}

#[test]
fn minimal_configuration_has_defaults() {
    let config = NetworkConfig::parse(MINIMAL.as_bytes()).unwrap();
    assert_eq!(
        (config.name(), config.version()),
        ("net", CniVersion::V1_0_0)
    );
    assert_eq!(config.options().unwrap(), Options::default());
    assert_eq!(config.pod_annotations().unwrap(), PodAnnotations::default());
    assert_eq!(config.valid_attachments().unwrap(), None);
    assert!(matches!(
        config.prev_result(),
        Err(ConfigError::NoPrevResult)
    ));
}

#[test]
fn what_runtimes_leave_in_the_configuration_is_tolerated() {
    let text = with(
        r#""capabilities":{"portMappings":true},"runtimeConfig":{"portMappings":[{"HostPort":1}],
        "io.kubernetes.cri.pod-annotations":null},"prevResult":null,"ipMasq":true,"ipam":{},"dns":{},
        "args":{"cni":{}},"disableCheck":true,"disableGC":true,"cniVersions":["1.0.0"],
        "cni.dev/valid-attachments":[],"cni.dev/attachments":[],"cni.dev/of-the-future":1"#,
    );
    let config = NetworkConfig::parse(text.as_bytes()).unwrap();
    assert_eq!(config.options().unwrap(), Options::default());
    assert_eq!(config.pod_annotations().unwrap(), PodAnnotations::default());
}

#[test]
fn a_misspelt_option_is_refused_with_its_value() {
    for member in [
        r#""failmode":"closed""#,
        r#""Mode":"detect""#,
        r#""weir.dev/mode":"off""#,
    ] {
        let text = with(member);
        let config = NetworkConfig::parse(text.as_bytes()).unwrap();
        let message = config.options().unwrap_err().to_string();
        let (key, value) = member.split_once(':').unwrap();
        assert!(
            message.contains(key) && message.contains(value),
            "{message}"
        );
        assert!(message.contains("failMode"), "{message}");
    }
}

#[test]
fn run_dir_survives_an_otherwise_broken_configuration() {
    for (members, expected) in [
        (
            r#""runDir":"/run/w2","mode":"nonsense","oops":1"#,
            "/run/w2",
        ),
        (r#""runDir":7"#, DEFAULT_RUN_DIR),
        (r#""mode":"off""#, DEFAULT_RUN_DIR),
    ] {
        let text = with(members);
        let config = NetworkConfig::parse(text.as_bytes()).unwrap();
        assert_eq!(
            config.run_dir_or_default(),
            PathBuf::from(expected),
            "{members}"
        );
    }
}

#[test]
fn version_and_name_are_checked_before_all_else() {
    for (text, part) in [
        (r#"{"name":"net"}"#, "config is \"0.1.0\""),
        (
            r#"{"cniVersion":"0.2.0","name":"net"}"#,
            "config is \"0.2.0\"",
        ),
        (
            r#"{"cniVersion":1,"name":"net"}"#,
            "cannot decode cniVersion",
        ),
        (r#"{"cniVersion":"1.0.0"}"#, "invalid network name \"\""),
        (
            r#"{"cniVersion":"1.0.0","name":"a/b"}"#,
            "invalid network name \"a/b\"",
        ),
        (
            r#"{"cniVersion":"1.0.0","name":["a"]}"#,
            "cannot decode name",
        ),
        ("", "cannot decode the network configuration"),
        (
            r#"{"cniVersion":"1.0.0","name":"n"#,
            "cannot decode the network configuration",
        ),
    ] {
        let message = NetworkConfig::parse(text.as_bytes())
            .unwrap_err()
            .to_string();
        assert!(message.contains(part), "{text}: {message}");
    }
    let long = format!(
        r#"{{"cniVersion":"1.0.0","name":"{}"}}"#,
        "n".repeat(MAX_NETWORK_NAME + 1)
    );
    assert!(matches!(
        NetworkConfig::parse(long.as_bytes()),
        Err(ConfigError::Name(_))
    ));
}

#[test]
fn gc_tells_an_absent_list_from_an_empty_one() {
    let read = |members: &str| {
        let text = with(members);
        NetworkConfig::parse(text.as_bytes())
            .unwrap()
            .valid_attachments()
    };
    assert_eq!(read(r#""cni.dev/attachments":[]"#).unwrap(), None);
    assert_eq!(
        read(r#""cni.dev/valid-attachments":[]"#).unwrap(),
        Some(Vec::new())
    );
    let one = read(r#""cni.dev/valid-attachments":[{"containerID":"c","ifname":"eth0","x":1}]"#);
    let expected = ValidAttachment {
        container_id: "c".to_owned(),
        ifname: "eth0".to_owned(),
    };
    assert_eq!(one.unwrap(), Some(vec![expected]));
    assert!(read(r#""cni.dev/valid-attachments":[{"containerID":"c"}]"#).is_err());
    assert!(read(r#""cni.dev/valid-attachments":{}"#).is_err());
}

#[test]
fn pod_annotations_of_the_wrong_type_name_the_part() {
    for (members, part) in [
        (r#""runtimeConfig":[]"#, "runtimeConfig"),
        (
            r#""runtimeConfig":{"io.kubernetes.cri.pod-annotations":"x"}"#,
            POD_ANNOTATIONS,
        ),
        (
            r#""runtimeConfig":{"io.kubernetes.cri.pod-annotations":{"weir.dev/mode":1}}"#,
            POD_ANNOTATIONS,
        ),
    ] {
        let text = with(members);
        let config = NetworkConfig::parse(text.as_bytes()).unwrap();
        let message = config.pod_annotations().unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn stated_version_is_given_back_even_when_it_is_unknown() {
    for (text, version) in [
        (r#"{"cniVersion":"1.0.0"}"#, Some("1.0.0")),
        (r#"{"cniVersion":"9.9.9"}"#, Some("9.9.9")),
        (r#"{"cniVersion":""}"#, None),
        (r#"{"cniVersion":1}"#, None),
        ("{}", None),
        ("", None),
    ] {
        assert_eq!(
            stated_version(text.as_bytes()).as_deref(),
            version,
            "{text}"
        );
    }
}
