//! The flow table as traffic sees it: identity, time, bounds.

use std::net::IpAddr;

use weir_engine::flow::{FlowExceptionPolicy, FlowLimits};
use weir_engine::frame::{Mode, Timestamp};
use weir_engine::pipeline::EngineConfig;
use weir_engine::verdict::DropReason;

use super::wire;
use super::world::{FLOW_BEGINS, Recorder, Side, World, client, server};

fn small_table(flows: usize, when_full: FlowExceptionPolicy) -> World {
    let config = EngineConfig {
        flow: FlowLimits {
            flows,
            when_full,
            ..FlowLimits::default()
        },
        ..EngineConfig::inline()
    };
    World::with(config, "", Mode::Prevent)
}

fn udp(world: &World, side: Side, payload: &[u8]) -> Vec<u8> {
    let ends = world.ends(side);
    let (client_port, server_port) = world.ports;
    let ports = match side {
        Side::Client => (client_port, server_port),
        Side::Server => (server_port, client_port),
    };
    wire::frame(ends, 17, &wire::udp(ends, ports, payload))
}

#[test]
fn both_directions_of_udp_are_one_flow() {
    let rule = "drop udp any any -> any any (msg:\"u\"; flow:established,to_client; content:\"reply\"; sid:1;)";
    let mut world = World::prevent(rule);
    let ask = udp(&world, Side::Client, b"reply");
    let answer = udp(&world, Side::Server, b"reply");
    world.send_frame(ask, false).passes(&FLOW_BEGINS);
    world
        .send_frame(answer.clone(), false)
        .drops(DropReason::Rule, &[]);
    world
        .send_frame(answer, false)
        .drops(DropReason::FlowDropped, &[]);
}

#[test]
fn an_echo_and_its_reply_are_one_flow() {
    let mut world = World::prevent("");
    let ask = wire::frame(
        world.ends(Side::Client),
        1,
        &wire::icmp(8, 0, &[0, 9, 0, 1]),
    );
    let reply = wire::frame(
        world.ends(Side::Server),
        1,
        &wire::icmp(0, 0, &[0, 9, 0, 1]),
    );
    let other = wire::frame(
        world.ends(Side::Client),
        1,
        &wire::icmp(8, 0, &[0, 10, 0, 1]),
    );
    world.send_frame(ask, false).passes(&FLOW_BEGINS);
    world.send_frame(reply, false).passes(&[]);
    world.send_frame(other, false).passes(&FLOW_BEGINS);
}

#[test]
fn an_icmp_error_belongs_to_the_flow_it_is_about() {
    let mut world = World::prevent("");
    world.handshake();
    let quoted = world.frame(&client().data(b"abc"));
    let mut rest = vec![0; 4];
    rest.extend(&quoted[wire::LINK..wire::LINK + 28]);
    let router = IpAddr::from([10, 0, 0, 99]);
    let error = wire::frame((router, world.client), 1, &wire::icmp(3, 1, &rest));
    world
        .send_frame(error, false)
        .passes(&[("flow.icmp_related", 1)]);
}

#[test]
fn silence_ends_flows_by_their_state() {
    let mut world = World::prevent("");
    world.handshake();
    let ask = udp(&world, Side::Client, b"x");
    world.send_frame(ask, false).passes(&FLOW_BEGINS);
    let mut output = Recorder::default();
    world
        .engine
        .advance(Timestamp(world.now.0 + 40_000_000_000), &mut output);
    assert_eq!(output.flows.len(), 1, "UDP, one side seen: 30 s");
    assert_eq!(output.flows[0].1, "new");
    world
        .engine
        .advance(Timestamp(world.now.0 + 500_000_000_000), &mut output);
    assert_eq!(output.flows.len(), 1);
    world
        .engine
        .advance(Timestamp(world.now.0 + 700_000_000_000), &mut output);
    assert_eq!(output.flows.len(), 2, "TCP established: 600 s");
    assert_eq!(output.flows[1].1, "established");
    assert_eq!(output.flows[1].2, "timeout");
    let counters = world.engine.counters();
    assert_eq!((counters.flows.active, counters.flows.timed_out), (0, 2));
    assert_eq!(counters.streams.memory, 0);
}

#[test]
fn a_packet_never_meets_a_flow_that_has_timed_out() {
    let mut world = World::prevent("");
    let ask = udp(&world, Side::Client, b"x");
    world.send_frame(ask.clone(), false).passes(&FLOW_BEGINS);
    world.now = Timestamp(world.now.0 + 31_000_000_000);
    world
        .send_frame(ask, false)
        .passes(&[("flow.created", 1), ("flow.timed_out", 1)]);
    assert_eq!(world.output.flows.len(), 1);
}

#[test]
fn a_clock_that_steps_back_ends_no_flow() {
    let mut world = World::prevent("");
    world.handshake();
    world.now = Timestamp(5);
    world
        .send(client().data(b"abc"))
        .passes(&[("tcp.bytes", 3)]);
}

#[test]
fn a_full_table_gives_up_the_oldest_flow_that_is_not_established() {
    let mut world = small_table(3, FlowExceptionPolicy::EvictIdlest);
    world.handshake();
    for port in [1, 2] {
        world.ports.0 = port;
        world.send(client().syn()).passes(&FLOW_BEGINS);
        world.pass_seconds(1);
    }
    world.ports.0 = 3;
    world.send(client().syn()).passes(&[
        ("flow.created", 1),
        ("flow.evicted_new", 1),
        ("flow.emergencies", 1),
    ]);
    assert_eq!(world.output.flows[0].2, "forced");
    world.ports.0 = 4;
    world
        .send(client().syn())
        .passes(&[("flow.created", 1), ("flow.evicted_new", 1)]);
    // The established one is still there.
    world.ports.0 = super::world::CLIENT_PORT;
    world
        .send(client().data(b"abc"))
        .passes(&[("tcp.bytes", 3)]);
}

#[test]
fn a_table_of_established_flows_answers_by_its_policy() {
    let mut world = small_table(1, FlowExceptionPolicy::DropNew);
    world.handshake();
    world.ports.0 = 7;
    world.send(client().syn()).drops(
        DropReason::FlowMemcap,
        &[
            ("flow.refused", 1),
            ("flow.emergencies", 1),
            ("tcp.segments", u64::MAX),
        ],
    );
    let mut world = small_table(1, FlowExceptionPolicy::EvictIdlest);
    world.handshake();
    world.ports.0 = 7;
    world.send(client().syn()).passes(&[
        ("flow.created", 1),
        ("flow.evicted_established", 1),
        ("flow.emergencies", 1),
    ]);
}

#[test]
fn flow_ids_are_unique_and_small_enough_for_json() {
    let mut world = small_table(1, FlowExceptionPolicy::EvictIdlest);
    let mut ids = Vec::new();
    for port in 1..500 {
        world.ports.0 = port;
        drop(world.send(client().syn()));
        ids.extend(world.output.flows.iter().map(|flow| flow.0));
    }
    assert_eq!(ids.len(), 498);
    assert!(ids.iter().all(|id| *id < 1 << 53));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 498);
}

#[test]
fn the_end_of_the_engine_ends_every_flow_and_gives_all_memory_back() {
    let mut world = World::prevent("");
    world.handshake();
    world
        .send(client().data(b"abc"))
        .passes(&[("tcp.bytes", 3)]);
    world
        .send(server().at(10).ack(3).data(b"later"))
        .passes(&[("tcp.out_of_order", 1)]);
    let mut output = Recorder::default();
    world.engine.finish(world.now, &mut output);
    assert_eq!(output.flows.len(), 1);
    assert_eq!(output.flows[0].2, "shutdown");
    assert_eq!(world.engine.counters().flows.active, 0);
}
