//! Actions, their order and reach, alert limits.

use proptest::prelude::*;

use super::lab::{CLIENT, Lab, SERVER, datagram, request, tcp};
use crate::detect::{Effect, HitSource, Limits, Scope};
use crate::event::FlowDirection;
use crate::frame::Mode;

fn drops(effect: Effect) -> Option<Scope> {
    match effect {
        Effect::Drop { scope, .. } => Some(scope),
        _ => None,
    }
}

#[test]
fn pass_goes_before_drop_before_reject_before_alert() {
    let text = "alert tcp any any -> any any (content:\"x\"; priority:1; sid:1;)\n\
        reject tcp any any -> any any (content:\"x\"; sid:2;)\n\
        drop tcp any any -> any any (content:\"x\"; sid:3;)";
    let mut lab = Lab::new(text);
    assert_eq!(lab.packet(&request(b"x")), [3, 2, 1]);
    match lab.effect {
        Effect::Drop {
            reject: None,
            signature,
            ..
        } => {
            assert_eq!(lab.detector.rules().signature(signature).meta.sid, 3);
        }
        other => panic!("{other:?}"),
    }
    let mut lab = Lab::new(&format!(
        "{text}\npass tcp any any -> any any (content:\"x\"; sid:4;)"
    ));
    assert!(lab.packet(&request(b"x")).is_empty());
    assert_eq!(
        lab.effect,
        Effect::Pass {
            scope: Scope::Packet
        }
    );
    assert!(!lab.flow.passed());
}

#[test]
fn a_pass_that_alerts_is_the_only_alert() {
    let text = "alert tcp any any -> any any (content:\"x\"; sid:1;)\n\
        pass tcp any any -> any any (content:\"x\"; alert; sid:2;)";
    assert_eq!(Lab::new(text).packet(&request(b"x")), [2]);
}

#[test]
fn a_pass_in_the_stream_passes_the_flow() {
    let text = "pass tcp any any -> any any (content:\"x\"; sid:1;)\n\
        drop tcp any any -> any any (content:\"evil\"; sid:2;)";
    let mut lab = Lab::new(text);
    lab.stream(b"x", 0, 0);
    assert_eq!(lab.effect, Effect::Pass { scope: Scope::Flow });
    assert!(lab.flow.passed());
    assert!(lab.stream(b"xevil", 1, 0).is_empty());
    assert_eq!(lab.effect, Effect::Pass { scope: Scope::Flow });
}

#[test]
fn hits_are_sorted_by_action_then_priority_whatever_the_evaluation_order() {
    let text = "alert tcp any any -> any any (content:\"x\"; priority:3; flowbits:set,a; sid:1;)\n\
        alert tcp any any -> any any (content:\"x\"; priority:1; sid:2;)\n\
        alert tcp any any -> any any (content:\"x\"; priority:2; flowbits:isset,a; sid:3;)\n\
        drop tcp any any -> any any (content:\"x\"; priority:9; sid:4;)";
    assert_eq!(Lab::new(text).packet(&request(b"x")), [4, 2, 3, 1]);
}

#[test]
fn a_drop_ends_its_flow_where_it_matched_in_the_flow() {
    let content = "drop tcp any any -> any any (content:\"x\"; sid:1;)";
    let mut lab = Lab::new(content);
    assert_eq!(lab.stream(b"x", 0, 0), [1]);
    assert_eq!(drops(lab.effect), Some(Scope::Flow));
    assert_eq!(lab.flow.dropped_by().unwrap().meta.sid, 1);
    assert!(lab.stream(b"xy", 1, 0).is_empty());
    assert_eq!(drops(lab.effect), Some(Scope::Flow));

    let mut lab = Lab::new(content);
    lab.packet(&request(b"x"));
    assert_eq!(
        drops(lab.effect),
        Some(Scope::Packet),
        "not part of the stream"
    );
    assert!(lab.flow.dropped_by().is_none());

    let mut lab = Lab::new("drop udp any any -> any any (content:\"x\"; sid:1;)");
    lab.packet(&datagram(b"x"));
    assert_eq!(drops(lab.effect), Some(Scope::Flow));

    let mut lab = Lab::new("drop tcp any any -> any any (flags:PA; sid:1;)");
    lab.packet(&request(b"x"));
    assert_eq!(
        drops(lab.effect),
        Some(Scope::Packet),
        "a header is the packet's"
    );
}

#[test]
fn in_detect_mode_a_flow_is_not_remembered_as_dropped() {
    let mut lab = Lab::new("drop tcp any any -> any any (content:\"x\"; sid:1;)");
    lab.mode = Mode::Detect;
    assert_eq!(lab.stream(b"x", 0, 0), [1]);
    assert_eq!(drops(lab.effect), Some(Scope::Flow));
    assert!(lab.flow.dropped_by().is_none());
    assert_eq!(lab.stream(b"xx", 1, 0), [1]);
}

#[test]
fn reject_says_whom_to_tell() {
    for (action, source, destination) in [
        // Not TCP: nothing to reset at the receiver.
        ("reject", true, false),
        ("rejectsrc", true, false),
        ("rejectdst", false, true),
        ("rejectboth", true, true),
    ] {
        let mut lab = Lab::new(&format!(
            "{action} udp any any -> any any (content:\"x\"; sid:1;)"
        ));
        assert_eq!(lab.packet(&datagram(b"x")), [1]);
        match lab.effect {
            Effect::Drop {
                reject: Some(sides),
                ..
            } => {
                assert_eq!((sides.source, sides.destination), (source, destination));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn noalert_acts_in_silence() {
    let mut lab = Lab::new("drop tcp any any -> any any (content:\"x\"; noalert; sid:1;)");
    assert!(lab.stream(b"x", 0, 0).is_empty());
    assert_eq!(drops(lab.effect), Some(Scope::Flow));
    assert_eq!(lab.detector.counters().matched, 1);
}

#[test]
fn addresses_alone_are_looked_at_once_for_each_direction() {
    let text = "alert tcp 10.0.0.1 any -> any any (sid:1;)\n\
        alert tcp 10.0.0.2 any -> any any (sid:2;)\n\
        alert ip any any -> any any (sid:3;)\n\
        alert tcp !10.0.0.9 any -> any any (sid:4;)";
    let mut lab = Lab::new(text);
    let reply = tcp((SERVER, 80), (CLIENT, 1024), 0x10, b"");
    assert_eq!(lab.packet(&request(b"")), [1, 3, 4]);
    assert_eq!(
        lab.packet(&request(b"")),
        [4],
        "a negated address is looked at in every packet"
    );
    lab.direction(FlowDirection::ToClient);
    assert_eq!(lab.packet(&reply), [2, 3, 4]);
    assert_eq!(lab.packet(&reply), [4]);
    lab.view = None;
    assert_eq!(
        lab.packet(&reply),
        [2, 3, 4],
        "without a flow, every packet"
    );
}

#[test]
fn a_drop_by_address_ends_the_flow() {
    let mut lab = Lab::new("drop ip 10.0.0.1 any -> any any (sid:1;)");
    assert_eq!(lab.packet(&request(b"")), [1]);
    assert_eq!(drops(lab.effect), Some(Scope::Flow));
    assert!(lab.packet(&request(b"")).is_empty());
    assert_eq!(drops(lab.effect), Some(Scope::Flow));
}

#[test]
fn the_weightiest_alerts_are_kept() {
    let mut text = String::new();
    for sid in 1..=9 {
        let priority = 10 - sid;
        text.push_str(&format!(
            "alert udp any any -> any any (content:\"x\"; priority:{priority}; sid:{sid};)\n"
        ));
    }
    let limits = Limits {
        alerts: 3,
        ..Limits::default()
    };
    let mut lab = Lab::with_limits(&text, limits);
    assert_eq!(lab.packet(&datagram(b"x")), [9, 8, 7]);
    assert_eq!(lab.detector.counters().alerts_suppressed, 6);
    assert_eq!(lab.detector.counters().matched, 9);
}

#[test]
fn bypass_takes_the_flow_out_of_inspection_behind_the_match() {
    let mut lab = Lab::new("alert udp any any -> any any (content:\"x\"; bypass; sid:1;)");
    assert_eq!(lab.packet(&datagram(b"x")), [1]);
    assert!(lab.packet(&datagram(b"x")).is_empty());
    assert!(lab.flow.passed());
}

#[test]
fn a_hit_says_where_it_matched() {
    let mut lab = Lab::new("alert tcp any any -> any any (content:\"x\"; sid:1;)");
    lab.stream(b"oldx", 1, 0);
    assert_eq!(lab.hits[0].source, HitSource::Stream { offset: 3 });
    lab.packet(&request(b"..x"));
    assert_eq!(lab.hits[0].source, HitSource::Packet { offset: 2 });
}

/// An action, a priority, and whether it acts in silence.
type Asked = (&'static str, u8, bool);

fn asked() -> impl Strategy<Value = Asked> {
    let action = prop_oneof![
        1 => Just("pass"),
        6 => Just("drop"),
        6 => Just("reject"),
        20 => Just("alert"),
    ];
    (action, 1u8..5, proptest::bool::weighted(0.2))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What a packet that matches all of some rules comes to, whatever their order: a pass is all there is; else
    /// alerts come by action, then priority, then place, the first fifteen of them, and the first rule that drops
    /// names the verdict.
    #[test]
    fn rules_on_one_packet_add_up_as_documented(rules in proptest::collection::vec(asked(), 1..24)) {
        let rank = |action: &str| ["pass", "drop", "reject", "alert"].iter().position(|known| *known == action);
        let mut text = String::new();
        for (sid, (action, priority, silent)) in (1..).zip(&rules) {
            let silent = if *silent { "noalert; " } else { "" };
            text.push_str(&format!(
                "{action} udp any any -> any any (content:\"x\"; {silent}priority:{priority}; sid:{sid};)\n"
            ));
        }
        let mut ordered: Vec<(u32, &Asked)> = (1..).zip(&rules).collect();
        ordered.sort_by_key(|(sid, (action, priority, _))| (rank(action), *priority, *sid));
        let mut lab = Lab::new(&text);
        let fired = lab.packet(&datagram(b"x"));
        if ordered[0].1.0 == "pass" {
            prop_assert!(fired.is_empty());
            let passes = matches!(lab.effect, Effect::Pass { .. });
            prop_assert!(passes);
            return Ok(());
        }
        let told: Vec<u32> = ordered.iter().filter(|(_, asked)| !asked.2).map(|(sid, _)| *sid).collect();
        prop_assert_eq!(&fired[..], &told[..told.len().min(15)], "{}", text);
        let left_out = told.len().saturating_sub(15) as u64;
        prop_assert_eq!(lab.detector.counters().alerts_suppressed, left_out);
        prop_assert_eq!(lab.detector.counters().matched, rules.len() as u64);
        let culprit = match lab.effect {
            Effect::Drop { signature, reject, .. } => {
                let sid = lab.detector.rules().signature(signature).meta.sid;
                Some((sid, reject.is_some()))
            }
            _ => None,
        };
        let first = ordered.iter().find(|(_, asked)| asked.0 != "alert");
        prop_assert_eq!(culprit, first.map(|(sid, asked)| (*sid, asked.0 == "reject")));
    }
}
