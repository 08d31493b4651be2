//! Decode events against what the corpus expects of rules on them, case by case.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use weir_engine::decode::{self, DecodeError, Events, decode};
use weir_engine::defrag::{Accepted, Defrag, DefragLimits};
use weir_engine::packet::Packet;

use super::corpus_tests::{corpus, meta};
use super::*;

/// Events by name, and on how many packets they were seen.
type Counts = BTreeMap<&'static str, u64>;

/// The rules that ask for nothing but an event: event name to sid.
fn event_rules(text: &str) -> BTreeMap<String, u64> {
    let option = |rule: &str, name: &str| {
        let from = rule.find(name)? + name.len();
        Some(rule.get(from..)?.split(';').next()?.trim().to_owned())
    };
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter(|line| !line.contains("threshold"))
        .filter_map(|line| {
            let event = option(line, "decode-event:")?;
            let sid = option(line, "sid:")?.parse().ok()?;
            Some((format!("decoder.{event}"), sid))
        })
        .collect()
}

fn count(events: Events, into: &mut Counts) {
    for event in events.iter() {
        *into.entry(event.name()).or_default() += 1;
    }
}

fn walk(decoded: Result<Packet<'_>, DecodeError<'_>>, counts: &mut Counts) {
    let mut packet = match decoded {
        Ok(packet) => packet,
        Err(error) => return count(error.packet.events, counts),
    };
    let inner = decode::inner(&mut packet);
    count(packet.events, counts);
    if let Some(inner) = inner {
        walk(inner, counts);
    }
}

fn events_of(path: &Path) -> Counts {
    let mut counts = Counts::new();
    let mut file = CaptureFile::open(path).expect("a case's capture");
    let mut defrag = Defrag::new(DefragLimits::default(), SEED);
    let mut bytes = Vec::new();
    let mut number = 0;
    while let Some(record) = file.next(&mut bytes).expect("a case's capture") {
        number += 1;
        let Ok(link) = record.link else { continue };
        let meta = meta(record.at, link, Mode::Detect, number);
        let mut decoded = decode(&bytes, link);
        let accepted = match &mut decoded {
            Ok(packet) => defrag.accept(packet, &meta, &mut |_| {}),
            Err(_) => Accepted::Whole,
        };
        walk(decoded, &mut counts);
        if let Accepted::Complete(datagram) = accepted {
            walk(datagram.decode(), &mut counts);
            defrag.recycle(datagram);
        }
    }
    counts
}

/// Cases whose every expected alert is a rule on a decode event alone.
fn cases(corpus: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(corpus.join("verify/cases.jsonl")).expect("cases");
    text.lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a case"))
        .filter(|case| case["keywords"] == serde_json::json!(["decode-event"]))
        .filter(|case| case["mode"] == "ids")
        .collect()
}

#[test]
fn decode_events_are_seen_as_often_as_the_corpus_expects() {
    let Some(corpus) = corpus() else { return };
    let data = corpus.join("verify/data");
    let cases = cases(&corpus);
    assert!(cases.len() > 20, "{} cases", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let name = case["name"].as_str().unwrap_or_default();
        let capture = data.join(case["pcap"].as_str().unwrap_or_default());
        let counts = events_of(&capture);
        for file in case["rules"].as_array().into_iter().flatten() {
            let rules = data.join(file.as_str().unwrap_or_default());
            let rules = std::fs::read_to_string(rules).expect("a case's rules");
            for (event, sid) in event_rules(&rules) {
                let expected = case["alerts"][sid.to_string()].as_u64().unwrap_or(0);
                let seen = counts.get(event.as_str()).copied().unwrap_or(0);
                if seen != expected {
                    wrong.push(format!("{name}: {event} ({sid}): {seen}, not {expected}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
