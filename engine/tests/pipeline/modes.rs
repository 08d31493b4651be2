//! Prevent and detect, drop, reject and pass.

use weir_engine::event::Disposition;
use weir_engine::verdict::{DropReason, RejectSides, Verdict};

use super::wire;
use super::world::{FLOW_BEGINS, World, client, server};

const DROP: &str =
    "drop tcp any any -> any any (msg:\"a\"; flow:established; content:\"attack\"; sid:1;)";

#[test]
fn detect_mode_delivers_everything_and_says_what_prevent_would_have_done() {
    let mut world = World::detect(DROP);
    world.handshake();
    world
        .send(client().data(b"attack"))
        .would_drop(DropReason::Rule, &[("tcp.bytes", 6)]);
    assert_eq!(world.output.alerts, [(1, Disposition::WouldDrop)]);
    world
        .send(client().at(6).data(b" and more"))
        .passes(&[("tcp.bytes", 9)]);
    world
        .send(client().at(15).ack(99_999).data(b"odd"))
        .would_drop(
            DropReason::StreamInvalid,
            &[("stream.est_invalid_ack", 1), ("stream.pkt_invalid_ack", 1)],
        );
}

#[test]
fn detect_mode_rewrites_nothing() {
    let mut world = World::detect(DROP);
    world.handshake();
    world
        .send(client().data(b"first"))
        .passes(&[("tcp.bytes", 5)]);
    world.send(client().data(b"other")).passes(&[
        ("tcp.retransmitted", 1),
        ("tcp.conflicts", 1),
        ("stream.pkt_retransmission", 1),
        ("stream.reassembly_overlap_different_data", 1),
    ]);
    world
        .send(client().at(5).urgent(1).data(b"x"))
        .passes(&[("tcp.bytes", 1)]);
}

#[test]
fn a_dropped_flow_stays_dropped_in_both_directions_and_says_so_once_per_frame() {
    let mut world = World::prevent(DROP);
    world.handshake();
    world
        .send(client().data(b"attack"))
        .drops(DropReason::Rule, &[]);
    assert_eq!(world.output.alerts, [(1, Disposition::Blocked)]);
    for _ in 0..3 {
        world
            .send(client().data(b"attack"))
            .drops(DropReason::FlowDropped, &[]);
        assert!(world.output.alerts.is_empty());
    }
    let refused = world.send(server().fin());
    assert_eq!(refused.verdict, Verdict::Drop(DropReason::FlowDropped));
}

#[test]
fn an_alert_on_a_delivered_packet_says_allowed() {
    let rule = "alert tcp any any -> any any (msg:\"a\"; content:\"hello\"; sid:5;)";
    let mut world = World::prevent(rule);
    world.handshake();
    world
        .send(client().data(b"hello"))
        .passes(&[("tcp.bytes", 5)]);
    assert_eq!(world.output.alerts, [(5, Disposition::Allowed)]);
}

#[test]
fn a_reject_tells_the_sides_that_its_rule_names() {
    for (action, source, destination) in [
        ("reject", true, true),
        ("rejectsrc", true, false),
        ("rejectdst", false, true),
        ("rejectboth", true, true),
    ] {
        let rule =
            format!("{action} tcp any any -> any any (msg:\"a\"; content:\"attack\"; sid:1;)");
        let mut world = World::prevent(&rule);
        world.handshake();
        let sent = world.send(client().data(b"attack"));
        let sides = RejectSides {
            source,
            destination,
        };
        assert_eq!(sent.verdict, Verdict::Reject(sides));
        assert_eq!(world.engine.counters().frames.rejected, 1);
        let later = world.send(client().data(b"attack"));
        assert_eq!(later.verdict, Verdict::Drop(DropReason::FlowDropped));
    }
}

#[test]
fn a_passed_flow_is_let_through_whatever_follows() {
    let rules = "pass tcp any any -> any any (msg:\"p\"; flow:established; content:\"friend\"; sid:9;)\n\
                 drop tcp any any -> any any (msg:\"a\"; flow:established; content:\"attack\"; sid:1;)";
    let mut world = World::prevent(rules);
    world.handshake();
    world
        .send(client().data(b"friend"))
        .passes(&[("tcp.bytes", 6)]);
    world
        .send(client().at(6).data(b"attack"))
        .passes(&[("tcp.bytes", 6)]);
}

#[test]
fn stream_events_reach_the_rules() {
    let rule = "alert tcp any any -> any any (msg:\"e\"; stream-event:pkt_invalid_ack; sid:3;)";
    let mut world = World::prevent(rule);
    world.handshake();
    world
        .send(client().ack(99_999).data(b"x"))
        .refused("stream.est_invalid_ack", &[("stream.pkt_invalid_ack", 1)]);
    assert_eq!(world.output.alerts, [(3, Disposition::Blocked)]);
}

#[test]
fn frames_that_are_not_ip_pass_and_are_counted() {
    let mut world = World::prevent(DROP);
    let mut arp = vec![0xff; 12];
    arp.extend([0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1]);
    arp.extend([0; 20]);
    world.send_frame(arp, false).passes(&[("frames.not_ip", 1)]);
}

#[test]
fn a_frame_that_cannot_be_decoded_is_dropped_with_its_event() {
    let mut world = World::prevent(DROP);
    let mut frame = world.frame(&client().syn());
    frame.truncate(wire::LINK + 12);
    world
        .send_frame(frame, false)
        .drops(DropReason::Decode, &[("decoder.ipv4.pkt_too_small", 1)]);
    assert_eq!(world.output.drops[0].1, Some("decoder.ipv4.pkt_too_small"));
}

#[test]
fn new_rules_apply_to_flows_that_are_known() {
    let mut world = World::prevent(DROP);
    world.send(client().syn()).passes(&FLOW_BEGINS);
    world.send(server().syn_ack()).passes(&[]);
    world.send(client()).passes(&[("tcp.handshakes", 1)]);
    let rules = super::world::compile(
        "drop tcp any any -> any any (msg:\"n\"; flow:established; content:\"novel\"; sid:2;)",
    );
    world
        .engine
        .set_rules(weir_engine::pipeline::RuleSets::new(rules, Vec::new()));
    world
        .send(client().data(b"attack"))
        .passes(&[("tcp.bytes", 6)]);
    world
        .send(client().at(6).data(b"novel"))
        .drops(DropReason::Rule, &[]);
}

#[test]
fn the_frames_behind_an_alert_are_recorded_as_long_as_a_tag_lasts() {
    let mut world = World::prevent(
        "alert tcp any any -> any any (flow:established; content:\"attack\"; tag:session,2,packets; sid:1;)",
    );
    world.handshake();
    world
        .send(client().data(b"attack"))
        .passes(&[("tcp.bytes", 6)]);
    assert!(world.output.tagged.is_empty());
    let replies = [server().ack(6), client().at(6), client().at(6)];
    let first = replies[..2].iter().map(|segment| world.frame(segment));
    let expected: Vec<Vec<u8>> = first.collect();
    let mut recorded = Vec::new();
    for segment in replies {
        world.send(segment).passes(&[]);
        recorded.append(&mut world.output.tagged);
    }
    assert_eq!(recorded, expected);
}
