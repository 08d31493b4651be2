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
