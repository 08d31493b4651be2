//! Rules to the tree: older modifiers, sticky buffers, transforms, instances.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use weir_policies::parse;
use weir_policies::rule::ast::{
    Action, AddressExpr, Buffer, Content, DirectionOp, FastPattern, FlagsModifier, FlowDirection,
    FlowState, Match, Operand, PayloadTest, PortExpr, RejectSide, Rule, Setting,
};

fn rule(text: &str) -> Rule {
    let mut parsed = parse(text);
    assert_eq!(parsed.diagnostics, [], "{text}");
    parsed.rules.pop().unwrap()
}

fn options(text: &str) -> Rule {
    rule(&format!("alert tcp any any -> any any ({text} sid:1;)"))
}

/// Buffer, transforms and instance of every payload test: `http.uri`, `dns.query#1+dotprefix`, `-`.
fn buffers(rule: &Rule) -> Vec<String> {
    rule.matches
        .iter()
        .filter_map(|condition| match &condition.value {
            Match::Payload { buffer, .. } => Some(match buffer {
                Buffer::Payload => "-".to_owned(),
                Buffer::Base64 => "base64".to_owned(),
                Buffer::Sticky {
                    keyword,
                    argument,
                    instance,
                    transforms,
                } => {
                    let mut name = keyword.clone();
                    if let Some(argument) = argument {
                        name.push_str(&format!(":{argument}"));
                    }
                    if *instance > 0 {
                        name.push_str(&format!("#{instance}"));
                    }
                    for transform in transforms {
                        name.push_str(&format!("+{transform}"));
                    }
                    name
                }
            }),
            _ => None,
        })
        .collect()
}

fn content(rule: &Rule, index: usize) -> Content {
    match &rule.matches[index].value {
        Match::Payload {
            test: PayloadTest::Content(content),
            ..
        } => content.clone(),
        other => panic!("no content: {other:?}"),
    }
}

#[test]
fn the_header_is_read_in_full() {
    let rule = rule(
        "rejectboth http1:request_line [$HOME_NET, !10.0.0.0/8] ![80,8080:8090] <> any $PORTS (sid:1;)",
    );
    assert_eq!(rule.action, Action::Reject(RejectSide::Both));
    assert_eq!(rule.header.protocol.name, "http1");
    assert_eq!(rule.header.protocol.hook.as_deref(), Some("request_line"));
    assert_eq!(rule.header.direction, DirectionOp::Both);
    assert_eq!(
        rule.header.source,
        AddressExpr::List(vec![
            AddressExpr::Variable("HOME_NET".to_owned()),
            AddressExpr::Not(Box::new(AddressExpr::Net("10.0.0.0".parse().unwrap(), 8))),
        ])
    );
    assert_eq!(
        rule.header.source_port,
        PortExpr::Not(Box::new(PortExpr::List(vec![
            PortExpr::Range(80, 80),
            PortExpr::Range(8080, 8090)
        ])))
    );
    assert_eq!(
        rule.header.destination_port,
        PortExpr::Variable("PORTS".to_owned())
    );
}

#[test]
fn older_modifiers_become_sticky_buffers() {
    for (modifier, canonical) in [
        ("http_uri", "http.uri"),
        ("http_raw_uri", "http.uri.raw"),
        ("http_header", "http.header"),
        ("http_raw_header", "http.header.raw"),
        ("http_cookie", "http.cookie"),
        ("http_method", "http.method"),
        ("http_client_body", "http.request_body"),
        ("http_server_body", "http.response_body"),
        ("http_stat_code", "http.stat_code"),
        ("http_stat_msg", "http.stat_msg"),
        ("http_user_agent", "http.user_agent"),
        ("http_host", "http.host"),
        ("http_raw_host", "http.host.raw"),
    ] {
        let rule = options(&format!(
            "content:\"a\"; {modifier}; nocase; content:\"b\";"
        ));
        assert_eq!(buffers(&rule), [canonical, "-"], "{modifier}");
        assert!(content(&rule, 0).nocase);
    }
    assert_eq!(buffers(&options("uricontent:\"a\";")), ["http.uri"]);
}

#[test]
fn letters_of_a_pcre_become_buffers() {
    for (letter, canonical) in [
        ("U", "http.uri"),
        ("I", "http.uri.raw"),
        ("P", "http.request_body"),
        ("Q", "http.response_body"),
        ("H", "http.header"),
        ("D", "http.header.raw"),
        ("M", "http.method"),
        ("C", "http.cookie"),
        ("S", "http.stat_code"),
        ("Y", "http.stat_msg"),
        ("V", "http.user_agent"),
        ("W", "http.host"),
        ("Z", "http.host.raw"),
    ] {
        let rule = options(&format!("pcre:\"/a\\/b/i{letter}R\";"));
        assert_eq!(buffers(&rule), [canonical], "{letter}");
        let Match::Payload {
            test: PayloadTest::Pcre(pcre),
            ..
        } = &rule.matches[0].value
        else {
            panic!("no pcre");
        };
        assert_eq!(pcre.pattern, "a\\/b");
        assert_eq!(pcre.flags, "iR");
    }
    let rule = options("pcre:!\"/a(.)/smi, flow:x, pkt:y\";");
    assert_eq!(buffers(&rule), ["-"]);
}

#[test]
fn sticky_buffers_last_until_the_next() {
    let rule = options(
        "content:\"a\"; http.uri; content:\"b\"; bsize:>3; dns_query; content:\"c\"; flow:established; \
         isdataat:!1,relative; pkt_data; content:\"d\"; base64_decode:relative; base64_data; content:\"e\";",
    );
    assert_eq!(
        buffers(&rule),
        [
            "-",
            "http.uri",
            "http.uri",
            "dns.query",
            "dns.query",
            "-",
            "-",
            "base64"
        ]
    );
}

#[test]
fn a_repeated_buffer_starts_an_instance_only_where_there_can_be_several() {
    let rule = options(
        "dns.query; content:\"a\"; dns.query; content:\"b\"; content:\"c\"; http.uri; content:\"d\"; \
         http.host; content:\"e\"; http.uri; content:\"f\"; dns.query; content:\"g\";",
    );
    assert_eq!(
        buffers(&rule),
        [
            "dns.query",
            "dns.query#1",
            "dns.query#1",
            "http.uri",
            "http.host",
            "http.uri",
            "dns.query#2"
        ]
    );
}

#[test]
fn transforms_hold_for_what_follows_them() {
    let rule = options(
        "http.uri; content:\"a\"; url_decode; to_lowercase; content:\"b\"; xor:\"0d0a\"; content:\"c\"; \
         frame:mqtt.pdu; content:\"d\";",
    );
    assert_eq!(
        buffers(&rule),
        [
            "http.uri",
            "http.uri+url_decode+to_lowercase",
            "http.uri+url_decode+to_lowercase+xor:\"0d0a\"",
            "frame:mqtt.pdu"
        ]
    );
}

#[test]
fn content_is_unescaped() {
    let rule =
        options(r#"content:!"a|0d 0A|\"\;\\\:|00|b"; offset:3; depth:20; fast_pattern:0,4;"#);
    let content = content(&rule, 0);
    assert!(content.negated);
    assert_eq!(content.pattern, b"a\r\n\";\\:\0b");
    assert_eq!(content.offset, Some(Operand::Number(3)));
    assert_eq!(
        content.fast_pattern,
        Some(FastPattern::Chop {
            offset: 0,
            length: 4
        })
    );
}

#[test]
fn places_may_be_variables_and_distances_negative() {
    let rule = options(
        "content:\"a\"; content:\"b\"; distance:-4; within:len; content:\"c\"; startswith; endswith; rawbytes;",
    );
    assert_eq!(content(&rule, 1).distance, Some(Operand::Number(-4)));
    assert_eq!(
        content(&rule, 1).within,
        Some(Operand::Variable("len".to_owned()))
    );
    let third = content(&rule, 2);
    assert!(third.startswith && third.endswith && third.rawbytes);
}

#[test]
fn identity_is_read_in_full() {
    let rule = options(
        "msg:\"a \\\"b\\\"\\; c\"; gid:3; rev:4; classtype:misc-attack; priority:2; \
         reference:url,example.org/x; reference:cve,2021-44228; metadata:a b c, d, e f;",
    );
    assert_eq!(rule.meta.msg, "a \"b\"; c");
    assert_eq!((rule.meta.gid, rule.meta.sid, rule.meta.rev), (3, 1, 4));
    assert_eq!(rule.meta.classtype.as_deref(), Some("misc-attack"));
    assert_eq!(rule.meta.priority, Some(2));
    assert_eq!(rule.meta.references.len(), 2);
    assert_eq!(
        rule.meta.metadata,
        [("a", "b c"), ("d", ""), ("e", "f")].map(|(k, v)| (k.to_owned(), v.to_owned()))
    );
}

#[test]
fn flow_flags_and_settings_are_typed() {
    let rule = options(
        "flow:from_client, established; flags:+SA,12; flowbits:isset,a|b; flowbits:noalert; ttl:<5; tag:session;",
    );
    let Match::Flow(flow) = &rule.matches[0].value else {
        panic!("no flow");
    };
    assert_eq!(flow.direction, Some(FlowDirection::ToServer));
    assert_eq!(flow.state, Some(FlowState::Established));
    let Match::TcpFlags(flags) = &rule.matches[1].value else {
        panic!("no flags");
    };
    assert_eq!(
        (flags.modifier, flags.flags, flags.ignore),
        (FlagsModifier::All, 0x12, 0xc0)
    );
    assert!(matches!(&rule.matches[2].value, Match::FlowBits(bits) if bits.names == ["a", "b"]));
    assert!(matches!(&rule.matches[3].value, Match::Other(other) if other.keyword == "ttl"));
    assert!(matches!(
        rule.settings[..],
        [ref a, ref b] if a.value == Setting::NoAlert && matches!(&b.value, Setting::Other(w) if w.keyword == "tag")
    ));
}

#[test]
fn a_relative_test_follows_what_a_modifier_moved() {
    for (text, expected) in [
        (
            "content:\"a\"; http_uri; byte_extract:1,0,n,relative; byte_test:1,=,n,0;",
            &["http.uri", "http.uri", "-"][..],
        ),
        (
            "uricontent:\"a\"; isdataat:3,relative; isdataat:3;",
            &["http.uri", "http.uri", "-"],
        ),
        (
            "pcre:\"/a/U\"; byte_jump:1,0,relative; byte_test:1,=,1,0,relative;",
            &["http.uri", "http.uri", "http.uri"],
        ),
        (
            "content:\"a\"; http_uri; base64_decode:relative; base64_data; content:\"b\";",
            &["http.uri", "http.uri", "base64"],
        ),
        (
            "content:\"a\"; http_uri; content:\"b\"; isdataat:3,relative;",
            &["http.uri", "-", "-"],
        ),
        (
            "http.uri; content:\"a\"; pkt_data; isdataat:3,relative;",
            &["http.uri", "-"],
        ),
    ] {
        assert_eq!(buffers(&options(text)), expected, "{text}");
    }
}
