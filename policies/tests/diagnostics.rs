//! What is said of rules that cannot be taken: place, keyword, message. The others load.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use weir_policies::rule::ast::Position;
use weir_policies::{Diagnostic, parse, parse_bytes};

/// The only diagnostic of a text.
fn only(text: &str) -> Diagnostic {
    let mut parsed = parse(text);
    assert_eq!(parsed.diagnostics.len(), 1, "{text}: {parsed:?}");
    assert_eq!(parsed.rules, [], "{text}");
    parsed.diagnostics.pop().unwrap()
}

/// The diagnostic of a rule with these options, without sid.
fn option(options: &str) -> Diagnostic {
    only(&format!("alert tcp any any -> any any ({options} sid:7;)"))
}

#[test]
fn a_diagnostic_names_line_column_keyword_and_sid() {
    let text =
        "# a comment\n\nalert tcp any any -> any any (msg:\"x\"; \\\n    nosuch:1; sid:9;)\n";
    let diagnostic = only(text);
    assert_eq!(diagnostic.position, Position { line: 4, column: 5 });
    assert_eq!(diagnostic.keyword.as_deref(), Some("nosuch"));
    assert_eq!(diagnostic.sid, Some(9));
    assert!(diagnostic.enabled);
    assert_eq!(
        diagnostic.to_string(),
        "4:5: sid 9: nosuch: unknown keyword"
    );
}

#[test]
fn one_bad_rule_does_not_cost_the_others() {
    let parsed = parse(
        "alert tcp any any -> any any (sid:1;)\nalert tcp any any -> any any (nosuch; sid:2;)\n\
         #alert tcp any any -> any any (sid:3;)\nalert nosuch any any -> any any (sid:4;)\n\
         alert udp any any -> any any (sid:5;)\n",
    );
    let sids: Vec<_> = parsed
        .rules
        .iter()
        .map(|rule| (rule.meta.sid, rule.enabled))
        .collect();
    assert_eq!(sids, [(1, true), (3, false), (5, true)]);
    let refused: Vec<_> = parsed.diagnostics.iter().map(|d| d.sid).collect();
    assert_eq!(refused, [Some(2), Some(4)]);
}

#[test]
fn prose_behind_a_hash_is_a_comment_and_a_broken_disabled_rule_is_not() {
    let parsed = parse(
        "# alert operators about tcp (see below)\n# drop this\n#pass\n\
         #alert tcp any any -> any any (nosuch; sid:3;)\n",
    );
    assert_eq!(parsed.rules, []);
    assert_eq!(parsed.diagnostics.len(), 1);
    assert!(!parsed.diagnostics[0].enabled);
}

#[test]
fn the_header_is_diagnosed_at_its_field() {
    for (rule, column, needle) in [
        ("alert tcp any any -> any any", 29, "expected `(`"),
        ("alert tcp any any -> any (sid:7;)", 26, "destination ports"),
        (
            "alert tcp any any - any any (sid:7;)",
            19,
            "`->`, `<>` or `=>`",
        ),
        (
            "alert tcp any any <- any any (sid:7;)",
            19,
            "swap the two sides",
        ),
        (
            "alert tpc any any -> any any (sid:7;)",
            7,
            "expected a protocol",
        ),
        (
            "alert tcp:!x any any -> any any (sid:7;)",
            11,
            "name of a hook",
        ),
        (
            "alert tcp any 99999 -> any any (sid:7;)",
            15,
            "expected a port",
        ),
        (
            "alert tcp any any -> [1.2.3.4,,] any (sid:7;)",
            31,
            "item of the list",
        ),
        (
            "alert tcp any any -> [1.2.3.4,1.2.3] any (sid:7;)",
            31,
            "expected an address",
        ),
        (
            "alert tcp any any -> [1.2.3.4 any (sid:7;)",
            22,
            "to close the list",
        ),
        ("alert tcp any any -> any any (sid:7;", 37, "expected `)`"),
        (
            "accept:hook tcp:all any any -> any any (sid:7;)",
            1,
            "firewall rules",
        ),
    ] {
        let diagnostic = only(rule);
        assert_eq!(diagnostic.position, Position { line: 1, column }, "{rule}");
        assert!(diagnostic.message.contains(needle), "{rule}: {diagnostic}");
    }
    let diagnostic = only("allow tcp any any -> any any (sid:7;)");
    assert!(diagnostic.message.contains("expected an action"));
}

/// Options of a rule, the keyword at fault, a part of the message.
type Fault = (&'static str, &'static str, &'static str);

/// Contents, their modifiers, expressions.
const CONTENT: &[Fault] = &[
    (
        "fastpattern;",
        "fastpattern",
        "did you mean `fast_pattern`?",
    ),
    ("within:5;", "within", "expected a content before it"),
    ("content:\"a;b\";", "content", "written `\\;` or `|3b|`"),
    ("content:abc;", "content", "double quotes"),
    ("content:\"\";", "content", "at least one byte"),
    ("content:\"|0|\";", "content", "two digits"),
    ("content:\"|0d\";", "content", "to end the hex"),
    ("content:\"|0x|\";", "content", "hex digits"),
    ("content:\"a\\n\";", "content", "after `\\`"),
    ("content:\"abc\"; depth:2;", "depth", "could never match"),
    ("content:\"abc\"; within:2;", "within", "could never match"),
    ("content:\"abc\"; depth:-3;", "depth", "from 0 to"),
    (
        "content:\"abc\"; offset:1; offset:2;",
        "offset",
        "given twice",
    ),
    (
        "content:\"a\"; offset:1; distance:1;",
        "distance",
        "cannot be mixed",
    ),
    (
        "content:\"a\"; offset:1; startswith;",
        "startswith",
        "cannot be mixed",
    ),
    (
        "content:\"a\"; fast_pattern:0,2;",
        "fast_pattern",
        "not inside",
    ),
    ("content:\"a\"; nocase:1;", "nocase", "takes no value"),
    ("content;", "content", "expected a value"),
    ("pcre:\"abc\";", "pcre", "`/` at the start"),
    ("pcre:\"/abc\";", "pcre", "`/` at the end"),
    ("pcre:\"/abc/q\";", "pcre", "unknown flag `q`"),
    ("pcre:\"/abc/UH\";", "pcre", "two buffers"),
];

/// Buffers, old and new.
const BUFFERS: &[Fault] = &[
    ("http_uri;", "http_uri", "expected a content before it"),
    (
        "http.uri; pcre:\"/abc/H\";",
        "pcre",
        "another sticky buffer",
    ),
    (
        "http.uri; content:\"a\"; http_header;",
        "http_header",
        "in a buffer already",
    ),
    ("content:\"a\"; rawbytes; http_uri;", "http_uri", "rawbytes"),
    ("bsize:3;", "bsize", "sticky buffer before it"),
    ("to_md5;", "to_md5", "sticky buffer before the transform"),
    (
        "http.uri; http.host; content:\"a\";",
        "http.host",
        "http.uri is followed by nothing",
    ),
];

/// Flow, state, numbers, thresholds.
const STATE: &[Fault] = &[
    ("flow:sideways;", "flow", "expected to_server"),
    (
        "flow:to_server,to_client;",
        "flow",
        "repeats or contradicts",
    ),
    (
        "flow:established,not_established;",
        "flow",
        "repeats or contradicts",
    ),
    ("flowbits:put,a;", "flowbits", "expected set"),
    ("flowbits:set;", "flowbits", "name of a bit"),
    ("flowbits:set,a|b;", "flowbits", "only isset and isnotset"),
    ("flowbits:set,a b;", "flowbits", "without blanks"),
    ("dsize:a;", "dsize", "expected a number"),
    ("dsize:5<>5;", "dsize", "nothing lies between"),
    ("flags:X;", "flags", "FSRPAUEC"),
    (
        "threshold:type limit, track by_src, count 1;",
        "threshold",
        "`seconds` is missing",
    ),
    (
        "threshold:type limit, track by_src, count 0, seconds 1;",
        "threshold",
        "at least 1",
    ),
    (
        "threshold:type limit, track by_me, count 1, seconds 1;",
        "threshold",
        "expected track",
    ),
    (
        "threshold:type backoff, track by_src, count 1, multiplier 2;",
        "threshold",
        "by_flow",
    ),
    (
        "detection_filter:type limit, track by_src, count 1, seconds 1;",
        "detection_filter",
        "no type",
    ),
];

/// Identity and documentation.
const IDENTITY: &[Fault] = &[
    ("msg:hello;", "msg", "double quotes"),
    ("rev:x;", "rev", "expected a number"),
    ("priority:0;", "priority", "from 1 to 255"),
    ("reference:url;", "reference", "`scheme,id`"),
    ("sid:8;", "sid", "given twice"),
    ("requires:version 8;", "requires", "expected `<`"),
];

fn assert_diagnosed(faults: &[Fault]) {
    for (options, keyword, needle) in faults {
        let diagnostic = option(options);
        assert_eq!(diagnostic.keyword.as_deref(), Some(*keyword), "{options}");
        assert!(
            diagnostic.message.contains(needle),
            "{options}: {diagnostic}"
        );
        if *keyword != "sid" {
            assert_eq!(diagnostic.sid, Some(7), "{options}");
        }
    }
}

#[test]
fn contents_are_diagnosed() {
    assert_diagnosed(CONTENT);
}

#[test]
fn buffers_are_diagnosed() {
    assert_diagnosed(BUFFERS);
}

#[test]
fn state_and_numbers_are_diagnosed() {
    assert_diagnosed(STATE);
}

#[test]
fn identity_is_diagnosed() {
    assert_diagnosed(IDENTITY);
}

#[test]
fn a_rule_needs_a_sid() {
    for options in ["msg:\"x\";", "sid:0;", "sid:x;", "sid:4294967296;"] {
        let diagnostic = only(&format!("alert tcp any any -> any any ({options})"));
        let found = (diagnostic.keyword.as_deref(), diagnostic.sid);
        match options {
            "sid:0;" => assert_eq!(found, (Some("sid"), Some(0))),
            _ => assert_eq!(found, (Some("sid"), None)),
        }
    }
}

#[test]
fn a_sticky_buffer_at_the_end_is_diagnosed() {
    let diagnostic = only("alert tcp any any -> any any (sid:7; http.uri;)");
    assert!(diagnostic.message.contains("followed by nothing"));
    assert_eq!(diagnostic.sid, Some(7));
}

#[test]
fn an_option_without_semicolon_is_named() {
    let diagnostic = only("alert tcp any any -> any any (sid:7; rev:1)");
    assert_eq!(diagnostic.keyword.as_deref(), Some("rev"));
    assert_eq!(diagnostic.position.column, 43);
}

#[test]
fn of_two_rules_with_one_sid_the_higher_revision_stays() {
    let parsed = parse(
        "alert tcp any any -> any 1 (sid:1; rev:2;)\nalert tcp any any -> any 2 (sid:1; rev:3;)\n\
         alert tcp any any -> any 3 (sid:1; rev:3;)\n#alert tcp any any -> any 4 (sid:1; rev:9;)\n\
         alert tcp any any -> any 5 (gid:2; sid:1; rev:3;)\n",
    );
    let kept: Vec<_> = parsed.rules.iter().map(|rule| rule.position.line).collect();
    assert_eq!(kept, [2, 4, 5]);
    let refused: Vec<_> = parsed
        .diagnostics
        .iter()
        .map(|diagnostic| diagnostic.position.line)
        .collect();
    assert_eq!(refused, [1, 3]);
    assert!(parsed.diagnostics[0].message.contains("line 2"));
}

#[test]
fn rules_for_another_version_are_set_aside_unread() {
    let parsed = parse(
        "alert tcp any any -> any any (nosuch:1; requires:version >= 99; sid:1;)\n\
         alert nosuch any any => any any (requires: keyword nosuch; sid:2;)\n\
         alert tcp any any -> any any (requires: version >= 7.0.3; sid:3;)\n",
    );
    assert_eq!(parsed.diagnostics, []);
    let skipped: Vec<_> = parsed
        .skipped
        .iter()
        .map(|skipped| (skipped.sid, skipped.requirement.as_str()))
        .collect();
    assert_eq!(
        skipped,
        [(Some(1), "version >= 99"), (Some(2), "keyword nosuch")]
    );
    assert_eq!(parsed.rules.len(), 1);
}

#[test]
fn bytes_that_are_not_utf8_cost_their_line_only() {
    let parsed = parse_bytes(
        b"alert tcp any any -> any any (msg:\"\xff\"; sid:1;)\nalert tcp any any -> any any (sid:2;)\n",
    );
    assert_eq!(parsed.rules.len(), 1);
    assert_eq!(parsed.rules[0].position.line, 2);
    assert_eq!(
        parsed.diagnostics[0].position,
        Position {
            line: 1,
            column: 36
        }
    );
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_do_not_matter() {
    let parsed = parse("\u{feff}alert tcp any any -> any any (sid:1;)\r\n\r\n# note\r\n");
    assert_eq!(parsed.diagnostics, []);
    assert_eq!(parsed.rules.len(), 1);
}

#[test]
fn monstrous_input_is_refused_at_once() {
    let long = format!(
        "alert tcp any any -> any any (msg:\"{}\"; sid:1;)",
        "a".repeat(300_000)
    );
    assert!(only(&long).message.contains("at most"));
    let nested = format!(
        "alert tcp {}1.2.3.4{} any -> any any (sid:1;)",
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    assert!(only(&nested).message.contains("deep"));
    let many = format!(
        "alert tcp any any -> any any ({}sid:1;)",
        "noalert;".repeat(10_000)
    );
    assert!(only(&many).message.contains("at most"));
}
