//! What is not evaluated is refused, by keyword.

use super::lab::compile;

/// A rule, and the keyword it is refused for.
const ROWS: &[(&str, &str)] = &[
    (
        "alert smb any any -> any any (content:\"a\"; sid:1;)",
        "smb",
    ),
    (
        "alert tcp any any -> any any (smb.share; content:\"a\"; sid:1;)",
        "smb.share",
    ),
    (
        "alert tcp any any -> any any (geoip:src,CN; sid:1;)",
        "geoip",
    ),
    (
        "alert tcp $NOWHERE any -> any any (sid:1;)",
        "source address",
    ),
    (
        "alert tcp any any -> any $NOWHERE (sid:1;)",
        "destination port",
    ),
    (
        "alert tcp [10.0.0.1,!10.0.0.0/8] any -> any any (sid:1;)",
        "source address",
    ),
    ("alert tcp any any => any any (sid:1;)", "=>"),
    (
        "alert udp any any -> any any (content:\"abc\"; depth:2; sid:1;)",
        "content",
    ),
    (
        "alert udp any any -> any any (content:\"a\"; distance:nowhere; sid:1;)",
        "content",
    ),
    (
        "alert udp any any -> any any (byte_test:1,~,1,0; sid:1;)",
        "byte_test",
    ),
    (
        "alert udp any any -> any any (byte_test:9,=,1,0; sid:1;)",
        "byte_test",
    ),
    (
        "alert udp any any -> any any (pcre:\"/(/\"; sid:1;)",
        "pcre",
    ),
    ("alert udp any any -> any any (ttl:300; sid:1;)", "ttl"),
    (
        "alert udp any any -> any any (content:\"a\"; replace:\"b\"; sid:1;)",
        "replace",
    ),
    ("alert udp any any -> any any (lua:a.lua; sid:1;)", "lua"),
    (
        "alert udp any any -> any any (entropy:value 9; sid:1;)",
        "entropy",
    ),
    (
        "alert udp any any -> any any (asn1:absolute_offset 0; sid:1;)",
        "asn1",
    ),
    ("alert udp any any -> any any (rpc:x; sid:1;)", "rpc"),
];

#[test]
fn names_the_keyword_in_the_way() {
    for &(rule, keyword) in ROWS {
        let parsed = weir_policies::parse(rule);
        if let Some(diagnostic) = parsed.diagnostics.first() {
            // The parser may refuse it first: then it must not be silent either.
            assert!(!diagnostic.message.is_empty(), "{rule}");
            continue;
        }
        let compiled = compile(rule);
        assert_eq!(compiled.counts.loaded, 0, "{rule}");
        let refusal = compiled.refused.first().expect(rule);
        assert_eq!(refusal.keyword, keyword, "{rule}: {}", refusal.reason);
        assert!(!refusal.reason.is_empty());
        assert_eq!(refusal.sid, 1);
        assert_eq!(refusal.file, "test.rules");
    }
}

#[test]
fn the_other_rules_load_and_disabled_ones_are_counted() {
    let compiled = compile(
        "alert smb any any -> any any (sid:1;)\n\
         alert tcp any any -> any any (sid:2;)\n\
         # alert tcp any any -> any any (sid:3;)",
    );
    assert_eq!(compiled.counts.loaded, 1);
    assert_eq!(compiled.counts.refused, 1);
    assert_eq!(compiled.counts.disabled, 1);
}
