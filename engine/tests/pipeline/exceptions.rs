//! Exception policies: what befalls traffic that cannot be followed.

use weir_engine::event::Disposition;
use weir_engine::frame::Mode;
use weir_engine::pipeline::{EngineConfig, ExceptionPolicies, ExceptionPolicy};
use weir_engine::stream::StreamLimits;
use weir_engine::verdict::{DropReason, RejectSides, Verdict};

use super::world::{FLOW_BEGINS, World, client, server};

const ALERT: &str = r#"alert tcp any any -> any any (msg:"a"; content:"attack"; sid:1;)"#;

fn world(config: EngineConfig, mode: Mode) -> World {
    World::with(config, ALERT, mode)
}

fn midstream(policy: ExceptionPolicy) -> EngineConfig {
    EngineConfig {
        exceptions: ExceptionPolicies {
            midstream: policy,
            ..ExceptionPolicies::default()
        },
        ..EngineConfig::default()
    }
}

fn small(policy: ExceptionPolicy) -> EngineConfig {
    EngineConfig {
        stream: StreamLimits {
            per_direction: 1000,
            window: 100,
            ..StreamLimits::default()
        },
        exceptions: ExceptionPolicies {
            reassembly_memcap: policy,
            ..ExceptionPolicies::default()
        },
        ..EngineConfig::default()
    }
}

#[test]
fn by_default_prevent_mode_drops_a_flow_that_is_not_picked_up() {
    let mut world = world(EngineConfig::default(), Mode::Prevent);
    world
        .send(client().data(b"attack"))
        .drops(DropReason::StreamMidstream, &FLOW_BEGINS);
    let sent = world.send(server().ack(6));
    assert_eq!(sent.verdict, Verdict::Drop(DropReason::FlowDropped));
    assert_eq!(world.output.drops[0].1, Some("stream_midstream"));
    assert_eq!(world.output.alerts, []);
}

#[test]
fn a_syn_ack_without_its_syn_begins_such_a_flow() {
    let mut world = world(EngineConfig::default(), Mode::Prevent);
    world
        .send(server().syn_ack())
        .drops(DropReason::StreamMidstream, &FLOW_BEGINS);
}

#[test]
fn detect_mode_drops_nothing_and_inspects_on() {
    for policy in [ExceptionPolicy::Auto, ExceptionPolicy::DropFlow] {
        let mut world = world(midstream(policy), Mode::Detect);
        for _ in 0..2 {
            let sent = world.send(client().data(b"attack"));
            assert_eq!(sent.verdict, Verdict::Pass, "{policy:?}");
            assert_eq!(world.output.alerts.len(), 1, "{policy:?}");
        }
    }
}

#[test]
fn a_reject_policy_tells_the_sender() {
    let mut world = world(midstream(ExceptionPolicy::Reject), Mode::Prevent);
    let sides = RejectSides {
        source: true,
        destination: false,
    };
    let sent = world.send(client().data(b"x"));
    assert_eq!(sent.verdict, Verdict::Reject(sides));
    let sent = world.send(client().at(1).data(b"x"));
    assert_eq!(sent.verdict, Verdict::Drop(DropReason::FlowDropped));
}

#[test]
fn a_flow_that_is_let_through_is_not_inspected() {
    for policy in [ExceptionPolicy::Bypass, ExceptionPolicy::PassFlow] {
        let mut world = world(midstream(policy), Mode::Prevent);
        for at in [0, 6] {
            let sent = world.send(client().at(at).data(b"attack"));
            assert_eq!(sent.verdict, Verdict::Pass, "{policy:?}");
            assert_eq!(world.output.alerts, [], "{policy:?}");
        }
    }
}

#[test]
fn an_ignored_flow_is_inspected_packet_by_packet() {
    let mut world = world(midstream(ExceptionPolicy::Ignore), Mode::Prevent);
    world.send(client().data(b"attack")).passes(&FLOW_BEGINS);
    assert_eq!(world.output.alerts, [(1, Disposition::Allowed)]);
}

#[test]
fn a_packet_that_its_parser_cannot_read_is_inspected_unless_it_is_let_through() {
    for (policy, alerts) in [
        (ExceptionPolicy::Ignore, 1),
        (ExceptionPolicy::PassPacket, 0),
    ] {
        let mut config = EngineConfig::inline();
        config.app_layer.field = 64;
        config.app_layer.head = 64;
        config.exceptions.app_layer_error = policy;
        let mut world = world(config, Mode::Prevent);
        world.handshake();
        let start = b"GET / HTTP/1.1\r\n";
        world
            .send(client().data(start))
            .passes(&[("tcp.bytes", start.len() as u64)]);
        let long = [&b"X: attack"[..], &[b'a'; 500]].concat();
        let at = i64::try_from(start.len()).unwrap();
        world
            .send(client().at(at).data(&long))
            .passes(&[("tcp.bytes", long.len() as u64)]);
        assert_eq!(world.output.alerts.len(), alerts, "{policy:?}");
        let at = at + i64::try_from(long.len()).unwrap();
        world
            .send(client().at(at).data(b" attack"))
            .passes(&[("tcp.bytes", 7)]);
        assert_eq!(world.output.alerts.len(), 1, "{policy:?}");
    }
}

#[test]
fn a_segment_that_cannot_be_kept_meets_the_policy_for_it() {
    let far = || client().at(5000).data(b"attack");
    let mut auto = world(small(ExceptionPolicy::Auto), Mode::Prevent);
    auto.handshake();
    auto.send(far()).drops(DropReason::StreamMemcap, &[]);
    let sent = auto.send(client().data(b"x"));
    assert_eq!(sent.verdict, Verdict::Drop(DropReason::FlowDropped));

    let mut packet = world(small(ExceptionPolicy::DropPacket), Mode::Prevent);
    packet.handshake();
    packet.send(far()).drops(DropReason::StreamMemcap, &[]);
    packet.send(client().data(b"x")).passes(&[("tcp.bytes", 1)]);

    for policy in [ExceptionPolicy::Ignore, ExceptionPolicy::PassPacket] {
        let mut open = world(small(policy), Mode::Prevent);
        open.handshake();
        assert_eq!(open.send(far()).verdict, Verdict::Pass, "{policy:?}");
        let inspected = policy == ExceptionPolicy::Ignore;
        assert_eq!(
            open.output.alerts.len(),
            usize::from(inspected),
            "{policy:?}"
        );
    }
}
