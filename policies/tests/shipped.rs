//! The shipped rules: they read clean, follow their own conventions, and an obviously correct
//! evaluation of their payload tests agrees with the cases. The engine's own test drives the same
//! cases through the whole engine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use weir_policies::classification::Classes;
use weir_policies::parse;
use weir_policies::rule::ast::{
    Action, Buffer, Content, Match, Operand, PayloadTest, Pcre, Rule, ThresholdKind,
};
use weir_policies::shipped::{CASES, RULE_FILES, SIDS};

/// Keywords the rules may use.
const KEYWORDS: [&str; 39] = [
    "app-layer-event",
    "bsize",
    "classtype",
    "content",
    "depth",
    "distance",
    "dns.query",
    "dns.rrtype",
    "dsize",
    "endswith",
    "fast_pattern",
    "file.data",
    "file.magic",
    "file.name",
    "flags",
    "flow",
    "flowbits",
    "http.uri",
    "http.uri.raw",
    "http.user_agent",
    "icode",
    "itype",
    "metadata",
    "msg",
    "nocase",
    "offset",
    "pcre",
    "reference",
    "rev",
    "sid",
    "ssh.proto",
    "ssh.software",
    "ssl_version",
    "startswith",
    "threshold",
    "tls.cert_serial",
    "tls.cert_subject",
    "tls.sni",
    "within",
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    sid: u32,
    fires: Vec<Traffic>,
    silent: Vec<Traffic>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the engine's test reads the other fields")]
struct Traffic {
    protocol: Option<String>,
    address: Option<String>,
    port: Option<u16>,
    direction: Option<String>,
    #[serde(default)]
    before: Vec<Traffic>,
    flags: Option<String>,
    answer: Option<String>,
    icmp: Option<(u8, u8)>,
    repeat: Option<u32>,
    text: Option<String>,
    hex: Option<String>,
}

impl Traffic {
    fn payload(&self) -> Option<Vec<u8>> {
        if let Some(text) = &self.text {
            return Some(text.clone().into_bytes());
        }
        let digits: String = self.hex.as_ref()?.split_whitespace().collect();
        let bytes = (0..digits.len()).step_by(2);
        Some(
            bytes
                .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
                .collect(),
        )
    }
}

fn rules() -> Vec<(&'static str, Rule)> {
    let mut rules = Vec::new();
    for (name, text) in RULE_FILES {
        let parsed = parse(text);
        assert_eq!(parsed.diagnostics, [], "{name}");
        rules.extend(parsed.rules.into_iter().map(|rule| (*name, rule)));
    }
    rules
}

fn cases() -> BTreeMap<u32, Case> {
    let list: Vec<Case> = serde_saphyr::from_str(CASES).unwrap();
    let count = list.len();
    let cases: BTreeMap<u32, Case> = list.into_iter().map(|case| (case.sid, case)).collect();
    assert_eq!(cases.len(), count, "a sid has two entries");
    cases
}

/// Application protocols whose rules look into what is read of them, which only the engine does.
const PROTOCOLS: [&str; 4] = ["dns", "http", "ssh", "tls"];

fn of_a_protocol(rule: &Rule) -> bool {
    PROTOCOLS.contains(&rule.header.protocol.name.as_str())
}

/// The payload tests of a rule; none of one that looks into a protocol.
fn payload_tests(rule: &Rule) -> Vec<&PayloadTest> {
    rule.matches
        .iter()
        .filter_map(|condition| match &condition.value {
            Match::Payload { buffer, test } => {
                let payload = *buffer == Buffer::Payload;
                assert_ne!(payload, of_a_protocol(rule), "sid {}", rule.meta.sid);
                payload.then_some(test)
            }
            _ => None,
        })
        .collect()
}

/// Whether the tests from `tests` on hold, the last one having ended at `end`: tries every place.
fn holds(tests: &[&PayloadTest], payload: &[u8], end: usize) -> bool {
    let Some((test, rest)) = tests.split_first() else {
        return true;
    };
    match test {
        PayloadTest::Content(content) => {
            let mut places = places(content, payload, end);
            if content.negated {
                return places.next().is_none() && holds(rest, payload, end);
            }
            places.any(|at| holds(rest, payload, at + content.pattern.len()))
        }
        PayloadTest::Pcre(pcre) => {
            assert!(!pcre.negated && !pcre.flags.contains('R'));
            regex(pcre).is_match(payload) && holds(rest, payload, end)
        }
        PayloadTest::Other(other) => panic!("not evaluated: {other}"),
    }
}

fn places<'p>(
    content: &'p Content,
    payload: &'p [u8],
    end: usize,
) -> Box<dyn Iterator<Item = usize> + 'p> {
    let number = |operand: &Option<Operand>| match operand {
        Some(Operand::Number(number)) => Some(usize::try_from(*number).unwrap()),
        Some(Operand::Variable(name)) => panic!("variable {name}"),
        None => None,
    };
    let relative = content.distance.is_some() || content.within.is_some();
    let base = if relative { end } else { 0 };
    let from = base
        + number(&content.distance)
            .or(number(&content.offset))
            .unwrap_or(0);
    let length = content.pattern.len();
    let last = number(&content.within)
        .or(number(&content.depth))
        .map_or(payload.len(), |reach| (from + reach).min(payload.len()));
    Box::new((from..last.saturating_sub(length - 1)).filter(move |&at| {
        let found = &payload[at..at + length];
        if content.nocase {
            found.eq_ignore_ascii_case(&content.pattern)
        } else {
            found == content.pattern
        }
    }))
}

fn regex(pcre: &Pcre) -> regex::bytes::Regex {
    regex::bytes::RegexBuilder::new(&pcre.pattern)
        .unicode(false)
        .case_insensitive(pcre.flags.contains('i'))
        .multi_line(pcre.flags.contains('m'))
        .dot_matches_new_line(pcre.flags.contains('s'))
        .build()
        .unwrap_or_else(|error| panic!("{}: {error}", pcre.pattern))
}

#[test]
fn there_are_enough_rules_and_every_one_keeps_to_the_conventions() {
    let rules = rules();
    assert!(rules.len() >= 100, "{}", rules.len());
    let classes = Classes::shipped();
    let mut sids = BTreeSet::new();
    for (file, rule) in &rules {
        let sid = rule.meta.sid;
        assert!(rule.enabled, "{sid}");
        assert!(SIDS.contains(&sid) && sids.insert(sid), "{file}: {sid}");
        assert!(rule.meta.rev >= 1, "{sid}");
        assert!(rule.meta.msg.starts_with("WEIR "), "{sid}");
        let class = rule.meta.classtype.as_deref().unwrap_or_default();
        assert!(classes.get(class).is_some(), "{sid}: class {class}");
        for key in ["signature_severity", "created_at", "mitre_technique_id"] {
            let found = rule.meta.metadata.iter().any(|(known, _)| known == key);
            assert!(found, "{sid}: metadata {key}");
        }
        for (keyword, _) in rule.written() {
            assert!(KEYWORDS.contains(&keyword), "{sid}: {keyword}");
        }
    }
}

#[test]
fn payload_rules_have_a_flow_and_one_fast_pattern_of_three_bytes_or_more() {
    for (_, rule) in rules() {
        let sid = rule.meta.sid;
        let tests = payload_tests(&rule);
        if tests.is_empty() {
            continue;
        }
        let fast: Vec<_> = tests
            .iter()
            .filter_map(|test| match test {
                PayloadTest::Content(content) if content.fast_pattern.is_some() => Some(content),
                _ => None,
            })
            .collect();
        assert_eq!(fast.len(), 1, "{sid}");
        assert!(!fast[0].negated, "{sid}");
        assert!(fast[0].pattern.len() >= 3, "{sid}");
        let flow = rule
            .matches
            .iter()
            .any(|condition| matches!(condition.value, Match::Flow(_)));
        assert!(flow, "{sid}");
    }
}

#[test]
fn rules_that_drop_are_not_thresholded_and_noisy_ones_are() {
    for (_, rule) in rules() {
        if rule.action == Action::Drop {
            assert_eq!(rule.threshold, None, "{}", rule.meta.sid);
        }
        let empty = payload_tests(&rule).is_empty() && !of_a_protocol(&rule);
        let bare = empty && rule.action == Action::Alert;
        let kind = rule.threshold.map(|threshold| threshold.kind);
        if bare {
            assert!(
                matches!(kind, Some(ThresholdKind::Limit | ThresholdKind::Both)),
                "{}",
                rule.meta.sid
            );
        }
    }
}

#[test]
fn every_signature_has_cases_and_every_case_a_signature() {
    let sids: BTreeSet<u32> = rules().iter().map(|(_, rule)| rule.meta.sid).collect();
    let cases = cases();
    assert_eq!(cases.keys().copied().collect::<BTreeSet<_>>(), sids);
    for case in cases.values() {
        assert!(
            !case.fires.is_empty() && !case.silent.is_empty(),
            "{}",
            case.sid
        );
    }
}

#[test]
fn a_naive_evaluation_of_the_payload_agrees_with_the_cases() {
    let cases = cases();
    let mut wrong = Vec::new();
    for (_, rule) in rules() {
        let tests = payload_tests(&rule);
        if tests.is_empty() {
            continue;
        }
        let case = &cases[&rule.meta.sid];
        // Where header or state decide, a silent payload may match.
        let payload_decides = !rule
            .matches
            .iter()
            .any(|c| matches!(c.value, Match::FlowBits(_)));
        for (traffic, expected) in case
            .fires
            .iter()
            .map(|traffic| (traffic, true))
            .chain(case.silent.iter().map(|traffic| (traffic, false)))
        {
            let Some(payload) = traffic.payload() else {
                continue;
            };
            let by_header = !expected && traffic.address != case.fires[0].address;
            if (expected || payload_decides && !by_header) && holds(&tests, &payload, 0) != expected
            {
                wrong.push((
                    rule.meta.sid,
                    expected,
                    String::from_utf8_lossy(&payload).into_owned(),
                ));
            }
        }
    }
    assert_eq!(wrong, []);
}
