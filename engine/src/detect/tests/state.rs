//! flowbits, flowint, xbits, hostbits, thresholds, change of rules.

use super::lab::{CLIENT, Lab, SERVER, compile, datagram, request, rules, tcp};
use crate::detect::{FlowState, Limits};
use crate::event::FlowDirection;
use crate::frame::Timestamp;

#[test]
fn a_flowbit_set_by_one_rule_is_seen_by_the_next_in_the_same_packet() {
    let text = "alert tcp any any -> any any (content:\"b\"; flowbits:isset,seen; sid:2;)\n\
        alert tcp any any -> any any (content:\"a\"; flowbits:set,seen; flowbits:noalert; sid:1;)";
    let mut lab = Lab::new(text);
    assert!(lab.packet(&request(b"b")).is_empty());
    assert_eq!(lab.packet(&request(b"ab")), [2]);
    lab.direction(FlowDirection::ToClient);
    assert_eq!(
        lab.packet(&tcp((SERVER, 80), (CLIENT, 1024), 0x18, b"b")),
        [2]
    );
}

#[test]
fn flowbits_commands_do_what_they_say() {
    let text = "alert udp any any -> any any (content:\"set\"; flowbits:set,x; sid:1;)\n\
        alert udp any any -> any any (content:\"unset\"; flowbits:unset,x; sid:2;)\n\
        alert udp any any -> any any (content:\"toggle\"; flowbits:toggle,x; sid:3;)\n\
        alert udp any any -> any any (content:\"?\"; flowbits:isset,x; sid:4;)\n\
        alert udp any any -> any any (content:\"?\"; flowbits:isnotset,x; sid:5;)\n\
        alert udp any any -> any any (content:\"?\"; flowbits:isset,x|y; sid:6;)";
    let mut lab = Lab::new(text);
    let mut ask = |payload: &[u8]| lab.packet(&datagram(payload));
    assert_eq!(ask(b"?"), [5]);
    ask(b"toggle");
    assert_eq!(ask(b"?"), [4, 6]);
    ask(b"toggle");
    assert_eq!(ask(b"?"), [5]);
    ask(b"set");
    assert_eq!(ask(b"?"), [4, 6]);
}

#[test]
fn flow_variables_are_bounded_and_counted() {
    let text = "alert udp any any -> any any (flowbits:set,a; content:\"x\"; sid:1;)\n\
        alert udp any any -> any any (flowbits:set,b; content:\"x\"; sid:2;)";
    let limits = Limits {
        flow_variables: 1,
        ..Limits::default()
    };
    let mut lab = Lab::with_limits(text, limits);
    lab.packet(&datagram(b"x"));
    assert_eq!(lab.detector.counters().flow_variables_full, 1);
}

#[test]
fn flowints_count_and_compare() {
    let text = "alert udp any any -> any any (content:\"n\"; flowint:c,+,1; noalert; sid:1;)\n\
        alert udp any any -> any any (content:\"?\"; flowint:c,>=,2; sid:2;)\n\
        alert udp any any -> any any (content:\"?\"; flowint:c,notset; sid:3;)\n\
        alert udp any any -> any any (content:\"?\"; flowint:c,isset; flowint:c,<,2; sid:4;)";
    let mut lab = Lab::new(text);
    let mut ask = |payload: &[u8]| lab.packet(&datagram(payload));
    assert_eq!(ask(b"?"), [3]);
    ask(b"n");
    assert_eq!(ask(b"?"), [4]);
    ask(b"n");
    assert_eq!(ask(b"?"), [2]);
}

#[test]
fn bits_on_hosts_outlive_the_flow() {
    let text = "alert udp any any -> any any (content:\"s\"; xbits:set,x,track ip_src,expire 10; sid:1;)\n\
        alert udp any any -> any any (content:\"?\"; xbits:isset,x,track ip_src; sid:2;)\n\
        alert udp any any -> any any (content:\"h\"; hostbits:set,y,dst; sid:3;)\n\
        alert udp any any -> any any (content:\"?\"; hostbits:isset,y,dst; sid:4;)";
    let mut lab = Lab::new(text);
    assert_eq!(lab.packet(&datagram(b"sh")), [1, 3]);
    lab.flow = FlowState::default();
    assert_eq!(lab.packet(&datagram(b"?")), [2, 4]);
    lab.now = Timestamp(12_000_000_000);
    assert_eq!(lab.packet(&datagram(b"?")), [4]);
}

#[test]
fn a_threshold_holds_alerts_back_not_what_the_rule_does_to_state() {
    let text = "alert udp any any -> any any (content:\"x\"; flowbits:set,x; \
        threshold:type threshold,track by_src,count 3,seconds 60; sid:1;)\n\
        alert udp any any -> any any (content:\"?\"; flowbits:isset,x; sid:2;)";
    let mut lab = Lab::new(text);
    assert!(lab.packet(&datagram(b"x")).is_empty());
    assert_eq!(lab.packet(&datagram(b"?")), [2]);
    assert!(lab.packet(&datagram(b"x")).is_empty());
    assert_eq!(lab.packet(&datagram(b"x")), [1]);
}

#[test]
fn a_limit_on_a_drop_rule_holds_its_alerts_back_only() {
    let text = "drop tcp any any -> any any (flags:PA; \
        threshold:type limit,track by_src,count 1,seconds 60; sid:1;)";
    let mut lab = Lab::new(text);
    assert_eq!(lab.packet(&request(b"x")), [1]);
    assert!(lab.packet(&request(b"x")).is_empty());
    assert!(matches!(lab.effect, crate::detect::Effect::Drop { .. }));
    let text = "drop tcp any any -> any any (flags:PA; \
        detection_filter:track by_src,count 1,seconds 60; sid:1;)";
    let mut lab = Lab::new(text);
    assert!(lab.packet(&request(b"x")).is_empty());
    assert_eq!(lab.effect, crate::detect::Effect::None);
    assert_eq!(lab.packet(&request(b"x")), [1]);
}

#[test]
fn thresholds_by_flow_are_the_flows() {
    let text = "alert udp any any -> any any (content:\"x\"; \
        threshold:type limit,track by_flow,count 1,seconds 60; sid:1;)";
    let mut lab = Lab::new(text);
    assert_eq!(lab.packet(&datagram(b"x")), [1]);
    assert!(lab.packet(&datagram(b"x")).is_empty());
    lab.flow.clear();
    assert_eq!(lab.packet(&datagram(b"x")), [1]);
}

#[test]
fn new_rules_keep_flowbits_thresholds_and_find_what_the_old_ones_were_waiting_for() {
    let text = "alert tcp any any -> any any (content:\"first\"; flowbits:set,b; sid:1;)\n\
        alert tcp any any -> any any (content:\"first\"; content:\"second\"; flowbits:isset,b; \
        threshold:type limit,track by_src,count 2,seconds 600; sid:2;)";
    let mut lab = Lab::new(text);
    assert_eq!(lab.stream(b"first", 0, 0), [1]);
    lab.detector
        .set_rules(rules(&text.replace("alert", "drop")));
    assert_eq!(lab.stream(b"firstsecond", 5, 0), [2]);
}

#[test]
fn integers_are_compared_with_each_other() {
    let mut lab = Lab::new(
        r#"alert udp any any -> any any (content:"a"; flowint:a,+,1; noalert; sid:1;)
        alert udp any any -> any any (content:"b"; flowint:b,+,1; noalert; sid:2;)
        alert udp any any -> any any (content:"c"; flowint:c,=,a; flowint:c,+,b; noalert; sid:3;)
        alert udp any any -> any any (content:"?"; flowint:a,>,b; sid:4;)
        alert udp any any -> any any (content:"?"; flowint:a,==,b; sid:5;)
        alert udp any any -> any any (content:"?"; flowint:c,==,3; sid:6;)
        alert udp any any -> any any (content:"?"; flowint:a,!=,unset; sid:7;)"#,
    );
    let mut ask = |payload: &str| lab.packet(&datagram(payload.as_bytes()));
    ask("a");
    assert_eq!(ask("?"), [] as [u32; 0], "b is not set");
    ask("b");
    assert_eq!(ask("?"), [5]);
    ask("a");
    ask("c");
    assert_eq!(ask("?"), [4, 6]);
    let wrong = compile("alert udp any any -> any any (flowint:a,~,b; sid:1;)");
    assert_eq!(wrong.refused.len(), 1);
}

#[test]
fn what_is_captured_is_seen_by_rules_of_the_same_packet_or_flow() {
    let mut lab = Lab::new(
        r#"alert udp any any -> any any (content:"?"; flowvar:user,"oo"; sid:1;)
        alert udp any any -> any any (content:"?"; flowvar:user,"f|6f 6f|"; flowvar:user,"foo"; sid:2;)
        alert udp any any -> any any (content:"?"; pktvar:word,"x"; sid:3;)
        alert udp any any -> any any (content:"?"; flowvar:nobody,"o"; sid:4;)
        alert udp any any -> any any (pcre:"/user=(\w+) (\w+)/, flow:user, pkt:word"; sid:5;)
        alert udp any any -> any any (pcre:"/user=(\w+)/, flow:user"; content:"never"; sid:6;)"#,
    );
    let none: [u32; 0] = [];
    assert_eq!(lab.packet(&datagram(b"?")), none);
    assert_eq!(lab.packet(&datagram(b"user=foo x ?")), [5, 1, 2, 3]);
    assert_eq!(lab.packet(&datagram(b"?")), [1, 2], "the packet's are gone");
    lab.packet(&datagram(b"user=boo y"));
    assert_eq!(lab.packet(&datagram(b"?")), [1]);
    lab.flow.clear();
    assert_eq!(lab.packet(&datagram(b"?")), none);
    for wrong in ["flowvar:a;", "flowvar:,\"x\";", "pktvar:a,\"\";"] {
        let text = format!("alert udp any any -> any any ({wrong} sid:1;)");
        assert_eq!(compile(&text).refused.len(), 1, "{wrong}");
    }
}

#[test]
fn a_bit_on_a_host_expires_where_a_time_is_given() {
    let text = "alert udp any any -> any any (content:\"s\"; hostbits:set,y,src,10; sid:1;)\n\
        alert udp any any -> any any (content:\"?\"; hostbits:isset,y,src; sid:2;)\n\
        alert udp any any -> any any (content:\"p\"; xbits:set,z,track ip_pair,expire 5; sid:3;)\n\
        alert udp any any -> any any (content:\"?\"; xbits:isset,z,track ip_pair; sid:4;)\n\
        alert udp any any -> any any (content:\"q\"; xbits:set,d,track ip_src; sid:5;)\n\
        alert udp any any -> any any (content:\"?\"; xbits:isset,d,track ip_src; sid:6;)";
    let mut lab = Lab::new(text);
    let start = lab.now.0;
    assert_eq!(lab.packet(&datagram(b"spq")), [1, 3, 5]);
    for (second, sids) in [
        (4, &[2, 4, 6][..]),
        (5, &[2, 6]),
        (9, &[2, 6]),
        (10, &[6]),
        (29, &[6]),
        (30, &[]),
    ] {
        lab.now = Timestamp(start + second * 1_000_000_000);
        assert_eq!(lab.packet(&datagram(b"?")), sids, "{second}");
    }
    for wrong in ["set,y,both", "set,y,left", "set,y,src,x", "set,y,src,1,2"] {
        let text = format!("alert udp any any -> any any (hostbits:{wrong}; sid:1;)");
        assert_eq!(compile(&text).refused.len(), 1, "{wrong}");
    }
}

/// Seconds at which a match raises an alert, of one match a second from 0 to 19.
fn alerts(threshold: &str) -> Vec<u64> {
    let rule = format!("alert udp any any -> any any (content:\"x\"; {threshold} sid:1;)");
    let mut lab = Lab::new(&rule);
    let start = lab.now.0;
    (0..20)
        .filter(|second| {
            lab.now = Timestamp(start + second * 1_000_000_000);
            !lab.packet(&datagram(b"x")).is_empty()
        })
        .collect()
}

#[test]
fn thresholds_alert_as_often_as_is_documented() {
    for (threshold, seconds) in [
        (
            "threshold:type threshold, track by_src, count 5, seconds 60;",
            &[4, 9, 14, 19][..],
        ),
        (
            "threshold:type limit, track by_dst, count 2, seconds 10;",
            &[0, 1, 10, 11],
        ),
        (
            "threshold:type both, track by_src, count 3, seconds 10;",
            &[2, 12],
        ),
        (
            "threshold:type both, track by_rule, count 1, seconds 60;",
            &[0],
        ),
        (
            "threshold:type backoff, track by_flow, count 1, multiplier 2;",
            &[0, 1, 3, 7, 15],
        ),
        (
            "threshold:type backoff, track by_flow, count 5, multiplier 3;",
            &[4, 14],
        ),
        (
            "detection_filter:track by_both, count 15, seconds 60;",
            &[15, 16, 17, 18, 19],
        ),
    ] {
        assert_eq!(alerts(threshold), seconds, "{threshold}");
    }
    let by_protocol = |protocol: &str| {
        let text = format!(
            "alert {protocol} any any -> any any (detection_filter:track by_dst, count 2, seconds 9, unique_on dst_port; sid:1;)"
        );
        compile(&text).refused.len()
    };
    assert_eq!(["tcp", "udp", "sctp"].map(by_protocol), [0; 3]);
    assert_eq!(["ip", "icmp"].map(by_protocol), [1; 2]);
}
