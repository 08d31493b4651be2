//! Bytes that no packet at hand brings: those beyond a hole that is given up, and at the end of a flow.

use weir_engine::event::Disposition;
use weir_engine::frame::RuleSetId;
use weir_engine::pipeline::RuleSets;
use weir_engine::verdict::{DropReason, Verdict};

use super::world::{World, client, compile, server};

const ALERT: &str = r#"alert tcp any any -> any any (msg:"a"; content:"attack"; sid:1;)"#;
const DROP: &str = r#"drop tcp any any -> any any (msg:"a"; content:"attack"; sid:1;)"#;

fn with_island(rules: &str) -> World {
    let mut world = World::prevent(rules);
    world.handshake();
    for (at, data) in [(10, b"att"), (13, b"ack")] {
        world
            .send(client().at(at).data(data))
            .passes(&[("tcp.out_of_order", 1)]);
    }
    world
}

#[test]
fn an_acknowledgement_of_what_lies_beyond_a_hole_uncovers_it() {
    let mut world = with_island(ALERT);
    world.send(server().ack(16)).passes(&[
        ("tcp.gaps", 1),
        ("stream.reassembly_seq_gap", 1),
        ("tcp.bytes", 6),
    ]);
    assert_eq!(world.output.alerts, [(1, Disposition::Allowed)]);
}

#[test]
fn an_acknowledgement_that_uncovers_an_attack_is_dropped_with_its_flow() {
    let mut world = with_island(DROP);
    world.send(server().ack(16)).drops(
        DropReason::Rule,
        &[("tcp.gaps", 1), ("stream.reassembly_seq_gap", 1)],
    );
    let sent = world.send(client().at(16).data(b"more"));
    assert_eq!(sent.verdict, Verdict::Drop(DropReason::FlowDropped));
}

#[test]
fn a_reset_shows_what_lies_beyond_holes_once() {
    let mut world = with_island(ALERT);
    world.send(server().rst()).passes(&[]);
    assert_eq!(world.output.alerts, [(1, Disposition::Allowed)]);
    world.finish();
    assert_eq!(world.output.alerts, []);
}

#[test]
fn a_flow_that_goes_on_behind_a_reset_still_has_its_hole() {
    let mut world = World::prevent(DROP);
    world.handshake();
    world
        .send(client().at(3).data(b"ack"))
        .passes(&[("tcp.out_of_order", 1)]);
    world.send(server().rst()).passes(&[]);
    world
        .send(client().at(0).data(b"att"))
        .drops(DropReason::Rule, &[]);
}

#[test]
fn the_end_of_a_flow_shows_what_lies_beyond_holes() {
    let mut world = with_island(ALERT);
    world.finish();
    assert_eq!(world.output.alerts, [(1, Disposition::Allowed)]);
}

#[test]
fn bytes_beyond_different_holes_are_not_joined() {
    let mut world = World::prevent(ALERT);
    world.handshake();
    for (at, data) in [(10, b"att"), (20, b"ack")] {
        world
            .send(client().at(at).data(data))
            .passes(&[("tcp.out_of_order", 1)]);
    }
    world.finish();
    assert_eq!(world.output.alerts, []);
}

#[test]
fn signatures_on_packets_have_no_part_in_it() {
    let rules = r#"
        alert tcp any any -> any any (msg:"any"; sid:2;)
        alert tcp-pkt any any -> any any (msg:"p"; content:"ttac"; sid:3;)
        alert tcp any any -> any any (msg:"f"; flags:A; sid:4;)
    "#;
    let mut world = with_island(rules);
    world.finish();
    assert_eq!(world.output.alerts, []);
}

#[test]
fn in_line_a_retransmission_is_inspected_as_what_it_repeats() {
    let rules = r#"alert tcp-stream any any -> any any (msg:"s"; content:"GOOD"; sid:5;)"#;
    let mut world = World::prevent(rules);
    world.handshake();
    for data in [b"GOOD", b"EVIL"] {
        let sent = world.send(client().data(data));
        assert_eq!(sent.verdict, Verdict::Pass);
        assert_eq!(world.output.alerts, [(5, Disposition::Allowed)]);
    }
    world
        .send(client().at(4).data(b"!!!!"))
        .passes(&[("tcp.bytes", 4)]);
    assert_eq!(world.output.alerts, []);
    world.send(server().ack(8)).passes(&[]);
    let _ = world.send(client().data(b"GOOD"));
    assert_eq!(world.output.alerts, []);
}

#[test]
fn in_detect_mode_a_placed_pattern_speaks_of_the_packet_and_of_the_stream() {
    let rules = r#"
        alert tcp any any -> any any (msg:"p"; content:"GET "; depth:4; sid:6;)
        alert tcp any any -> any any (msg:"s"; content:"GET "; sid:7;)
    "#;
    let mut world = World::detect(rules);
    world.handshake();
    let _ = world.send(client().data(b"GET / "));
    let sids: Vec<u32> = world.output.alerts.iter().map(|(sid, _)| *sid).collect();
    assert_eq!(sids, [6, 6, 7]);
}

#[test]
fn the_end_of_a_flow_is_not_looked_at_with_the_rules_that_took_the_place_of_its_own() {
    for (renumbered, alerts) in [(false, 1), (true, 0)] {
        let mut world = World::prevent("");
        let other = compile("");
        let own = compile(ALERT);
        let set = |sets| RuleSets::new(compile(""), sets);
        world.engine.set_rules(set(vec![own.clone()]));
        world.rules = RuleSetId(1);
        world.handshake();
        world
            .send(client().at(10).data(b"attack"))
            .passes(&[("tcp.out_of_order", 1)]);
        let sets = if renumbered {
            vec![compile(ALERT), own, other]
        } else {
            vec![own, other]
        };
        world.engine.set_rules(set(sets));
        world.finish();
        assert_eq!(world.output.alerts.len(), alerts, "{renumbered}");
    }
}

#[test]
fn the_end_of_a_flow_is_looked_at_with_the_rules_of_the_same_name_wherever_they_stand() {
    let named = |sets: &[(&str, &std::sync::Arc<_>)]| {
        let rules = sets.iter().map(|(_, rules)| std::sync::Arc::clone(rules));
        let names = sets.iter().map(|(name, _)| (*name).into());
        RuleSets::new(compile(""), rules.collect()).named(names.collect())
    };
    let (own, other) = (compile(ALERT), compile(""));
    let changed = compile(&ALERT.replace("sid:1;", "sid:9;"));
    for (sets, sids) in [
        (&[("db", &other), ("web", &changed)][..], &[9][..]),
        (&[("web", &changed)], &[9]),
        (&[("db", &changed)], &[]),
        (&[], &[]),
    ] {
        let mut world = World::prevent("");
        world
            .engine
            .set_rules(named(&[("web", &own), ("db", &other)]));
        world.rules = RuleSetId(1);
        world.handshake();
        world
            .send(client().at(10).data(b"attack"))
            .passes(&[("tcp.out_of_order", 1)]);
        // Twice: its own set is not the one that was in force last.
        world.engine.set_rules(named(&[("db", &other)]));
        world.engine.set_rules(named(sets));
        world.finish();
        let fired: Vec<u32> = world.output.alerts.iter().map(|(sid, _)| *sid).collect();
        assert_eq!(fired, sids, "{}", sets.len());
    }
}
