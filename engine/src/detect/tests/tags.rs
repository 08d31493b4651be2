//! `tag`: which packets behind an alert are recorded.

use super::lab::{CLIENT, Lab, SERVER, compile, datagram, request, tcp};
use crate::event::FlowDirection;
use crate::frame::Timestamp;

fn rule(tag: &str) -> String {
    format!("alert udp any any -> any any (content:\"x\"; {tag} sid:1;)")
}

/// How many of ten packets behind an alert, one a second, are recorded.
fn recorded(tag: &str) -> usize {
    let mut lab = Lab::new(&rule(tag));
    assert_eq!(lab.packet(&datagram(b"x")), [1]);
    assert!(!lab.tagged, "the packet itself is in the alert");
    let start = lab.now;
    (1..=10)
        .filter(|second| {
            lab.now = Timestamp(start.0 + second * 1_000_000_000);
            lab.packet(&datagram(b"12345678"));
            lab.tagged
        })
        .count()
}

#[test]
fn each_form_of_a_tag_records_as_many_packets_as_it_says() {
    // A datagram here is 36 bytes.
    for (tag, count) in [
        ("tag:session;", 10),
        ("tag:host;", 10),
        ("tag:session,4,packets;", 4),
        ("tag: session, 73, bytes;", 3),
        ("tag:session,3,seconds;", 2),
        ("tag:host,4,packets;", 4),
        ("tag:host,2,packets,src;", 2),
        ("tag:host,2,packets,dst;", 2),
        ("tag:session,2,packets; tag:host,5,packets,src;", 5),
    ] {
        assert_eq!(recorded(tag), count, "{tag}");
    }
}

#[test]
fn a_match_without_an_alert_tags_too() {
    let mut lab = Lab::new(&rule("noalert; tag:session,1,packets;"));
    assert!(lab.packet(&datagram(b"x")).is_empty());
    lab.packet(&datagram(b"y"));
    assert!(lab.tagged);
}

#[test]
fn a_tag_without_a_count_ends_after_256_packets() {
    for tag in ["tag:session;", "tag:host;"] {
        let mut lab = Lab::new(&rule(tag));
        lab.packet(&datagram(b"x"));
        for count in 1..=256 {
            lab.packet(&datagram(b"y"));
            assert!(lab.tagged, "{tag} {count}");
        }
        lab.packet(&datagram(b"y"));
        assert!(!lab.tagged, "{tag}");
    }
}

#[test]
fn a_session_is_tagged_in_both_directions_and_a_host_in_all_its_flows() {
    let text = "alert tcp any any -> any any (content:\"x\"; tag:session; sid:1;)\n\
        alert tcp any any -> any any (content:\"y\"; tag:host,9,packets,src; sid:2;)";
    let reply = tcp((SERVER, 80), (CLIENT, 1024), 0x18, b"");
    let stranger = tcp((SERVER, 80), ([10, 0, 0, 9], 1024), 0x18, b"");
    let mut lab = Lab::new(text);
    assert_eq!(lab.packet(&request(b"x")), [1]);
    lab.direction(FlowDirection::ToClient);
    lab.packet(&reply);
    assert!(lab.tagged);
    lab.view = None;
    lab.packet(&reply);
    assert!(!lab.tagged, "of no flow");

    let mut lab = Lab::new(text);
    assert_eq!(lab.packet(&request(b"y")), [2]);
    lab.view = None;
    lab.packet(&reply);
    assert!(lab.tagged, "the host is an end of it");
    lab.packet(&stranger);
    assert!(!lab.tagged);
}

#[test]
fn what_a_flow_that_is_passed_or_dropped_sends_is_recorded_too() {
    for action in ["drop", "pass"] {
        let text = format!(
            "{action} udp any any -> any any (content:\"x\"; tag:session,1,packets; sid:1;)"
        );
        let mut lab = Lab::new(&text);
        lab.packet(&datagram(b"x"));
        lab.packet(&datagram(b"y"));
        assert!(lab.tagged, "{action}");
    }
}

#[test]
fn a_tag_that_makes_no_sense_is_refused() {
    for (value, part) in [
        ("flow", "neither session nor host"),
        ("session,5", "it is not"),
        ("session,5,hours", "packets, bytes or seconds"),
        ("session,0,packets", "tags nothing"),
        ("session,5,packets,src", "for `host` only"),
        ("host,5,packets,both", "neither src nor dst"),
        ("session,x,packets", "`x`"),
    ] {
        let text = rule(&format!("tag:{value};"));
        let refused = compile(&text).refused;
        let refusal = refused.first().unwrap_or_else(|| panic!("{value}"));
        assert_eq!(refusal.keyword, "tag");
        assert!(refusal.reason.contains(part), "{value}: {}", refusal.reason);
    }
}
