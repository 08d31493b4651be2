//! Signatures on transactions of the application layer.

use super::lab::{Lab, compile};
use crate::detect::{Effect, Scope};
use crate::event::FlowDirection::{ToClient, ToServer};
use crate::frame::Mode;

/// A question for `name`, whose labels are given.
pub(super) fn question(labels: &[&str]) -> Vec<u8> {
    let mut message = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0".to_vec();
    for label in labels {
        message.push(u8::try_from(label.len()).unwrap());
        message.extend(label.bytes());
    }
    message.extend([0, 0, 1, 0, 1]);
    message
}

/// The answer to it, without a record.
pub(super) fn answer(labels: &[&str]) -> Vec<u8> {
    let mut message = question(labels);
    message[2] = 0x81;
    message[3] = 0x83;
    message
}

#[test]
fn a_buffer_is_matched_in_its_own_direction_once_a_transaction() {
    let mut lab = Lab::new(
        r#"alert dns any any -> any any (dns.query; content:"evil"; sid:1;)
        alert dns any any -> any any (dns.query.name; content:"evil"; sid:2;)
        alert dns any any -> any any (dns.query.name; content:"evil"; flow:to_client; sid:3;)
        alert dns any any -> any any (dns.query; content:!"good"; sid:4;)
        alert dns any any -> any any (dns.query; content:"EVIL"; sid:5;)"#,
    );
    let name = ["www", "evil", "example"];
    assert_eq!(lab.datagram(ToServer, &question(&name)), [1, 2, 4]);
    assert_eq!(lab.datagram(ToClient, &answer(&name)), [2, 3]);
    assert_eq!(
        lab.datagram(ToServer, &question(&["good", "example"])),
        [] as [u32; 0]
    );
    assert_eq!(lab.datagram(ToServer, &question(&name)), [1, 2, 4]);
}

#[test]
fn transforms_come_before_tests_and_fast_patterns() {
    let mut lab = Lab::new(
        r#"alert dns any any -> any any (dns.query; dotprefix; content:".evil.example"; nocase; endswith; sid:1;)
        alert dns any any -> any any (dns.query; to_lowercase; content:"evil"; bsize:12; sid:2;)
        alert dns any any -> any any (dns.query; to_md5; content:"|00|"; bsize:16; content:!"|00 00 00|"; sid:3;)"#,
    );
    assert_eq!(
        lab.datagram(ToServer, &question(&["EVIL", "example"])),
        [1, 2]
    );
    assert_eq!(
        lab.datagram(ToServer, &question(&["notevil", "example"])),
        [] as [u32; 0]
    );
}

#[test]
fn numbers_and_anomalies_are_matched() {
    let mut lab = Lab::new(
        r#"alert dns any any -> any any (dns.rcode:3; flow:to_client; sid:1;)
        alert dns any any -> any any (dns.rcode:NXDOMAIN; sid:2;)
        alert dns any any -> any any (dns.rrtype:!1; sid:3;)
        alert dns any any -> any any (dns.rrtype:A; dns.query; content:"a"; sid:4;)
        alert dns any any -> any any (app-layer-event:dns.malformed_data; sid:5;)"#,
    );
    assert_eq!(lab.datagram(ToServer, &question(&["a"])), [4]);
    assert_eq!(lab.datagram(ToClient, &answer(&["a"])), [1, 2]);
    let mut cut = question(&["a"]);
    cut[5] = 2;
    assert_eq!(lab.datagram(ToServer, &cut), [4, 5]);
}

#[test]
fn of_several_numbers_those_that_are_named_must_pass() {
    // Types 1, 28, 1.
    let mut message = question(&["a"]);
    message[5] = 3;
    for kind in [28, 1] {
        message.extend([1, b'b', 0, 0, kind, 0, 1]);
    }
    let values = [
        ("A", true),
        ("A,any", true),
        ("A,all", false),
        ("!0,all", true),
        ("A,all_or_absent", false),
        ("2,or_absent", false),
        ("A,nb2", true),
        ("A,nb>2", false),
        ("count 3", true),
        ("count >3", false),
        ("28,1", true),
        ("28,-2", true),
        ("28,-1", false),
        ("28,3", false),
        ("28,oob_or 3", true),
        ("28,all,1:2", true),
        ("28,all,-2:-1", true),
        ("28,all,1:9", false),
        ("28,all_or_absent,1:9", true),
    ];
    let rules: Vec<String> = (1..)
        .zip(values)
        .map(|(sid, (value, _))| {
            format!("alert dns any any -> any any (dns.rrtype:{value}; sid:{sid};)")
        })
        .collect();
    let expected: Vec<u32> = (1..)
        .zip(values)
        .filter_map(|(sid, (_, fires))| fires.then_some(sid))
        .collect();
    let mut lab = Lab::new(&rules.join("\n"));
    assert_eq!(lab.datagram(ToServer, &message), expected);
}

#[test]
fn protocols_are_matched_by_what_they_are() {
    let mut lab = Lab::new(
        r#"alert dns any any -> any any (content:"evil"; sid:1;)
        alert udp any any -> any any (app-layer-protocol:dns; sid:2;)
        alert udp any any -> any any (app-layer-protocol:!dns; sid:3;)
        alert tls any any -> any any (content:"evil"; sid:4;)"#,
    );
    assert_eq!(lab.datagram(ToServer, b"no dns evil"), [] as [u32; 0]);
    assert_eq!(lab.datagram(ToServer, &question(&["evil"])), [1, 2]);
}

#[test]
fn a_drop_on_a_transaction_ends_the_flow_and_a_pass_goes_before_it() {
    let mut lab = Lab::new(r#"drop dns any any -> any any (dns.query; content:"evil"; sid:1;)"#);
    assert_eq!(lab.datagram(ToServer, &question(&["evil"])), [1]);
    assert!(matches!(
        lab.effect,
        Effect::Drop {
            scope: Scope::Flow,
            ..
        }
    ));

    let mut lab = Lab::new(
        r#"pass dns any any -> any any (dns.query; content:"evil"; alert; sid:1;)
        drop ip any any -> any any (dsize:>0; sid:2;)"#,
    );
    assert_eq!(lab.datagram(ToServer, &question(&["evil"])), [1]);
    assert!(matches!(lab.effect, Effect::Pass { scope: Scope::Flow }));
}

#[test]
fn what_comes_in_pieces_matches_when_its_last_buffer_is_there() {
    let mut lab = Lab::new(
        r#"alert ssh any any -> any any (ssh.software; content:"OpenSSH"; ssh.hassh.string; content:"kex"; sid:1;)
        alert ssh any any -> any any (ssh.proto; content:"2.0"; flow:to_server; sid:2;)
        alert ssh any any => any any (ssh.software; content:"OpenSSH"; ssh.hassh.server.string; content:"kex"; sid:3;)"#,
    );
    assert_eq!(lab.send(ToServer, b"SSH-2.0-Open"), [] as [u32; 0]);
    assert_eq!(lab.send(ToServer, b"SSH_9\r\n"), [2]);
    let mut payload = vec![20];
    payload.extend([0; 16]);
    for list in ["kex", "key", "e", "e", "m", "m", "c", "c", "", ""] {
        payload.extend(u32::try_from(list.len()).unwrap().to_be_bytes());
        payload.extend(list.bytes());
    }
    let mut packet = u32::try_from(payload.len() + 5)
        .unwrap()
        .to_be_bytes()
        .to_vec();
    packet.push(4);
    packet.extend(&payload);
    packet.extend([0; 4]);
    assert_eq!(lab.send(ToServer, &packet[..20]), [] as [u32; 0]);
    assert_eq!(lab.send(ToServer, &packet[20..]), [1]);
    let server = [&b"SSH-2.0-dropbear\r\n"[..], &packet].concat();
    assert_eq!(lab.send(ToClient, &server), [3]);
}

#[test]
fn what_can_never_match_is_refused() {
    let refused = |rule: &str| {
        let compiled = compile(rule);
        assert_eq!(compiled.refused.len(), 1, "{rule}");
        compiled.refused[0].reason.clone()
    };
    let rule = r#"alert tls any any -> any any (dns.query; content:"a"; sid:1;)"#;
    assert!(refused(rule).contains("no protocol"));
    let rule = r#"alert ssh any any -> any any (ssh.hassh; content:"a"; ssh.hassh.server; content:"b"; sid:1;)"#;
    assert!(refused(rule).contains("different directions"));
    let rule = "alert dns any any -> any any (app-layer-event:dns.never_raised; sid:1;)";
    assert!(refused(rule).contains("not raised"));
    let rule = r#"alert dns any any => any any (content:"a"; sid:1;)"#;
    assert!(refused(rule).contains("=>"));
}

#[test]
fn absent_asks_for_a_buffer_that_is_not_there() {
    let text = r#"alert dns any any -> any any (flow:to_server; dns.answers.rrname; absent; sid:1;)
        alert dns any any -> any any (flow:to_server; dns.query; absent; sid:2;)
        alert dns any any -> any any (flow:to_server; dns.query; absent:or_else; content:!"evil"; sid:3;)
        alert udp any any -> any any (tcp.hdr; absent; sid:4;)
        alert udp any any -> any any (udp.hdr; absent:or_else; content:"|00 35|"; sid:5;)"#;
    assert_eq!(
        Lab::new(text).datagram(ToServer, &question(&["good"])),
        [1, 3, 4, 5]
    );
    assert_eq!(
        Lab::new(text).datagram(ToServer, &question(&["evil"])),
        [1, 4, 5]
    );
}

#[test]
fn the_application_protocol_alone_is_reported_once_a_flow() {
    let text = "alert tcp any any -> any any (app-layer-protocol:ssh; sid:1;)\n\
        alert tcp any any -> any any (app-layer-protocol:!ssh; sid:2;)\n\
        alert tcp any any -> any any (app-layer-protocol:!tls|ssh; sid:3;)\n\
        alert tcp any any -> any any (app-layer-protocol:unknown; flow:to_server; sid:4;)\n\
        drop ssh any any -> any any (flow:to_server; sid:5;)";
    let mut lab = Lab::new(text);
    assert_eq!(lab.send(ToServer, b"SS"), [4]);
    assert_eq!(lab.send(ToServer, b"H-2.0-x\r\n"), [5, 1]);
    assert!(
        matches!(
            lab.effect,
            Effect::Drop {
                scope: Scope::Flow,
                ..
            }
        ),
        "the header's protocol is the flow's"
    );
    let mut lab = Lab::new(&text.replace("drop", "alert"));
    lab.send(ToServer, b"SSH-2.0-x\r\n");
    assert_eq!(lab.send(ToServer, b"\x00"), [5]);
}

#[test]
fn a_mode_says_whose_recognition_counts() {
    let mut text = String::new();
    for (sid, test) in [
        "ssh",
        "ssh,to_server",
        "ssh,to_client",
        "ssh,either",
        "ssh,final",
        "ssh,original",
        "!tls,to_client",
        "tls|ssh,exact,to_client",
        "!ssh,to_client",
    ]
    .iter()
    .enumerate()
    {
        let sid = sid + 1;
        text += &format!("alert tcp any any -> any any (app-layer-protocol:{test}; sid:{sid};)\n");
    }
    let mut lab = Lab::new(&text);
    assert_eq!(lab.send(ToServer, b"SSH-2.0-x\r\n"), [1, 2, 4, 5, 6]);
    assert_eq!(lab.send(ToServer, b"\0"), [] as [u32; 0]);
    assert_eq!(lab.send(ToClient, b"SSH-2.0-y\r\n"), [3, 7, 8]);
    assert_eq!(lab.send(ToClient, b"\0"), [] as [u32; 0]);

    let mut lab = Lab::new(
        "alert tcp any any -> any any (app-layer-protocol:unknown,to_client; sid:1;)\n\
         alert tcp any any -> any any (app-layer-protocol:unknown|tls; sid:2;)",
    );
    assert_eq!(lab.send(ToServer, b"SSH-2.0-x\r\n"), [1]);
    assert_eq!(lab.send(ToServer, b"\0"), [1]);
    assert_eq!(lab.send(ToClient, b"SSH-2.0-y\r\n"), [] as [u32; 0]);
    for wrong in ["!unknown", "ssh,sideways", "ssh,final,either", "unheard_of"] {
        let rule = format!("alert tcp any any -> any any (app-layer-protocol:{wrong}; sid:1;)");
        assert_eq!(compile(&rule).refused.len(), 1, "{wrong}");
    }
}

/// A client hello for `name` in one record.
fn client_hello(name: &str) -> Vec<u8> {
    let prefixed = |bytes: &[u8]| {
        let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
        [&length[..], bytes].concat()
    };
    let entry = [&[0][..], &prefixed(name.as_bytes())].concat();
    let extension = [&[0, 0][..], &prefixed(&prefixed(&entry))].concat();
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0, 0x2f, 1, 0]);
    body.extend(prefixed(&extension));
    let mut message = vec![1, 0];
    message.extend(prefixed(&body));
    [&[22, 3, 1][..], &prefixed(&message)].concat()
}

#[test]
fn a_hook_is_reached_with_its_message_whatever_the_cut() {
    let text = r#"pass tls:client_hello_done any any -> any any (tls.sni; content:"good.example"; alert; sid:1;)
        drop tls:client_hello_done any any -> any any (sid:2;)
        alert tls any any -> any any (app-layer-state:<client_hello_done; sid:3;)
        alert tls any any -> any any (app-layer-state:client_hello_done; sid:4;)
        alert tls any any -> any any (app-layer-state:>client_hello_done; sid:5;)"#;
    let hello = client_hello("evil.example");
    let mut lab = Lab::new(text);
    assert_eq!(lab.send(ToServer, &hello[..30]), [3]);
    assert_eq!(lab.send(ToServer, &hello[30..]), [2, 4]);
    assert!(matches!(
        lab.effect,
        Effect::Drop {
            scope: Scope::Flow,
            ..
        }
    ));
    let mut lab = Lab::new(text);
    assert_eq!(lab.send(ToServer, &client_hello("good.example")), [1]);
    let unknown = compile("alert tls:request_line any any -> any any (sid:1;)");
    assert!(unknown.refused[0].reason.contains("request_line"));
}

#[test]
fn a_rule_on_states_alone_is_asked_again_in_each_state() {
    let text = "alert tls any any -> any any (app-layer-state:client_hello_done; sid:1;)
        alert tls:client_hello_done any any -> any any (sid:2;)
        alert tls any any -> any any (app-layer-state:client_hello_done; tls.sni; content:\"a\"; sid:3;)";
    let mut lab = Lab::new(text);
    assert_eq!(lab.send(ToServer, &client_hello("a.example")), [1, 2, 3]);
    assert_eq!(lab.send(ToServer, b"\x14\x03\x03"), [] as [u32; 0]);
    assert_eq!(lab.send(ToServer, b"\0\x01\x01"), [1]);
}

#[test]
fn in_detect_mode_a_pass_on_a_transaction_comes_behind_what_speaks_of_its_packet() {
    let text = "pass tls any any -> any any (tls.sni; content:\"a\"; sid:1;)
        alert tls any any -> any any (sid:2;)
        alert tcp any any -> any any (dsize:>1; sid:3;)
        alert tcp any any -> any any (content:\"a.example\"; sid:4;)";
    let hello = client_hello("a.example");
    for (mode, expected) in [(Mode::Prevent, &[][..]), (Mode::Detect, &[3])] {
        let mut lab = Lab::new(text);
        lab.mode = mode;
        assert_eq!(lab.send(ToServer, &hello), expected);
        assert_eq!(lab.effect, Effect::Pass { scope: Scope::Flow });
        assert!(lab.send(ToServer, b"more").is_empty());
    }
}

#[test]
fn older_keywords_look_into_the_same_buffers() {
    let mut lab = Lab::new(
        r#"alert tls any any -> any any (ssl_version:sslv2,tls1.2; sid:1;)
        alert tls any any -> any any (ssl_version:!tls1.2; sid:2;)
        alert tls any any -> any any (ssl_state:server_hello|client_hello; sid:3;)
        alert tls any any -> any any (ssl_state:server_hello; sid:4;)
        alert ssh any any -> any any (ssh.softwareversion:"OpenSSH"; sid:5;)
        alert ssh any any -> any any (ssh.protoversion:!"1."; sid:6;)"#,
    );
    assert_eq!(lab.send(ToServer, &client_hello("a.example")), [1, 3]);
    let mut lab = Lab::new(
        r#"alert ssh any any -> any any (ssh.softwareversion:"OpenSSH"; sid:5;)
        alert ssh any any -> any any (ssh.protoversion:!"1."; sid:6;)
        alert ssh any any -> any any (ssh.protoversion:2_compat; sid:7;)
        alert ssh any any -> any any (ssh.protoversion:!2_compat; sid:8;)
        alert ssh:request_kex any any -> any any (ssh.software; content:"9"; sid:9;)"#,
    );
    assert_eq!(lab.send(ToServer, b"SSH-2.0-OpenSSH_9\r\n"), [5, 6, 7, 9]);
    assert_eq!(lab.send(ToClient, b"SSH-1.5-OpenSSH\r\n"), [5, 8]);
}

#[test]
fn a_number_that_is_read_from_one_buffer_is_used_in_another() {
    let rule = r#"alert http any any -> any any (http.request_body; content:"c2f="; http.cookie; content:"auth="; byte_extract:4,0,c2f,relative; http.request_body; byte_test:4,=,c2f,0,relative; sid:1;)"#;
    let request = |cookie: &str, body: &str| {
        let length = body.len();
        format!(
            "POST / HTTP/1.1\r\nHost: a\r\nCookie: {cookie}\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    };
    for (cookie, body, expected) in [
        ("auth=wxyz", "c2f=wxyz", &[1][..]),
        ("auth=wxyz", "c2f=wxyZ", &[]),
        ("a=wxyz", "c2f=wxyz", &[]),
        ("auth=wxyz", "c2f=wx", &[]),
    ] {
        let mut lab = Lab::new(rule);
        let text = request(cookie, body);
        assert_eq!(lab.send(ToServer, text.as_bytes()), expected, "{text}");
        // The body comes later than the cookie.
        let mut lab = Lab::new(rule);
        let (head, body) = text.as_bytes().split_at(text.len() - body.len());
        assert!(lab.send(ToServer, head).is_empty());
        assert_eq!(lab.send(ToServer, body), expected, "{text}");
    }
}

#[test]
fn a_number_that_may_not_have_been_read_yet_is_not_used() {
    for tests in [
        r#"http.cookie; byte_extract:1,0,n; pkt_data; byte_test:1,=,n,0;"#,
        r#"byte_extract:1,0,n; http.cookie; byte_test:1,=,n,0;"#,
        r#"http.uri; byte_extract:1,0,a; http.cookie; byte_extract:1,0,b; byte_test:1,=,a,0; http.uri; byte_test:1,=,b,0;"#,
        r#"http.cookie; byte_test:1,=,n,0; http.uri; byte_extract:1,0,n;"#,
    ] {
        let text = format!("alert http any any -> any any ({tests} sid:1;)");
        assert_eq!(compile(&text).refused.len(), 1, "{tests}");
    }
}

#[test]
fn config_is_for_transactions_and_needs_no_action_of_its_own() {
    let rule = |action: &str, config: &str| {
        format!(r#"{action} dns any any -> any any (dns.query; content:"a"; {config} sid:1;)"#)
    };
    let tx = "config:logging disable, type tx, scope tx;";
    for (action, config, alerts) in [
        ("config", tx, &[][..]),
        ("config", "", &[]),
        ("alert", tx, &[1]),
        ("drop", "config:type tx,scope tx , logging  disable;", &[1]),
    ] {
        let mut lab = Lab::new(&rule(action, config));
        assert_eq!(lab.datagram(ToServer, &question(&["a"])), alerts);
        assert_eq!(
            lab.flow.is_silent(0),
            !config.is_empty(),
            "{action} {config}"
        );
    }
    for (config, part) in [
        ("config:logging disable;", "it is not"),
        ("config:logging enable, type tx, scope tx;", "it is not"),
        (
            "config:logging disable, type flow, scope flow;",
            "it is not",
        ),
        (
            "config:tracking disable, type flow, scope packet;",
            "tracked before",
        ),
        ("config:logging disable, type tx, type tx;", "twice"),
        ("config:alerts disable, type tx, scope tx;", "`alerts`"),
    ] {
        let refused = compile(&rule("config", config)).refused;
        assert!(
            refused[0].reason.contains(part),
            "{config}: {}",
            refused[0].reason
        );
    }
    let bare = "config tcp any any -> any any (content:\"a\"; config:logging disable, type tx, scope tx; sid:1;)";
    assert_eq!(compile(bare).refused[0].keyword, "config");
}
