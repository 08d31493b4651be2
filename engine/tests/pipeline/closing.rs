//! What a segment that its receiver would not take is called, by the state that the receiver is in.

use super::world::{Segment, World, client, server};

/// Both sides have sent 10 bytes, all acknowledged.
fn spoken() -> World {
    let mut world =
        World::prevent(r#"alert tcp any any -> any any (msg:"a"; content:"attack"; sid:1;)"#);
    world.handshake();
    let _ = world.send(client().data(&[b'c'; 10]));
    let _ = world.send(server().ack(10).data(&[b's'; 10]));
    let _ = world.send(client().at(10).ack(10));
    world
}

/// Brings a connection to a state.
type Approach = fn(&mut World);
/// Makes a segment.
type Make = fn() -> Segment;

fn established(_: &mut World) {}

/// The client has closed, and nobody has acknowledged it.
fn closed(world: &mut World) {
    let _ = world.send(client().at(10).ack(10).fin());
}

/// It has, and the server acknowledged it.
fn half_closed(world: &mut World) {
    closed(world);
    let _ = world.send(server().at(10).ack(11));
}

/// Both have, at once.
fn closed_at_once(world: &mut World) {
    closed(world);
    let _ = world.send(server().at(10).ack(10).fin());
}

/// Both have, one behind the other.
fn closed_in_turn(world: &mut World) {
    half_closed(world);
    let _ = world.send(server().at(10).ack(11).fin());
}

fn over(world: &mut World) {
    closed_in_turn(world);
    let _ = world.send(client().at(11).ack(11));
}

const FAR: i64 = 200_000;

fn far_client() -> Segment {
    client().at(FAR).ack(10).data(b"x")
}

fn far_server() -> Segment {
    server().at(FAR).ack(10).data(b"x")
}

fn lying_client() -> Segment {
    client().at(10).ack(FAR)
}

fn lying_server() -> Segment {
    server().at(10).ack(FAR)
}

#[test]
fn out_of_place_is_called_by_the_state_of_the_receiver() {
    let cases: &[(Approach, Make, &'static str)] = &[
        (established, far_client, "stream.est_packet_out_of_window"),
        (
            established,
            || far_client().fin(),
            "stream.fin_out_of_window",
        ),
        (closed, far_client, "stream.closewait_ack_out_of_window"),
        (
            closed,
            || far_client().fin(),
            "stream.closewait_fin_out_of_window",
        ),
        (closed, far_server, "stream.fin1_ack_wrong_seq"),
        (closed, || far_server().fin(), "stream.fin1_fin_wrong_seq"),
        (half_closed, far_server, "stream.fin2_ack_wrong_seq"),
        (
            half_closed,
            || far_server().fin(),
            "stream.fin2_fin_wrong_seq",
        ),
        (closed_at_once, far_server, "stream.closing_ack_wrong_seq"),
        (closed_in_turn, far_client, "stream.lastack_ack_wrong_seq"),
        (over, far_client, "stream.timewait_ack_wrong_seq"),
    ];
    for (approach, segment, event) in cases {
        let mut world = spoken();
        approach(&mut world);
        world.send(segment()).refused(event, &[]);
    }
}

#[test]
fn an_invalid_acknowledgement_is_called_by_the_state_of_the_receiver() {
    let cases: &[(Approach, Make, &'static str)] = &[
        (established, lying_client, "stream.est_invalid_ack"),
        (
            established,
            || lying_client().fin(),
            "stream.fin_invalid_ack",
        ),
        (
            closed,
            || lying_client().at(11),
            "stream.closewait_invalid_ack",
        ),
        (closed, lying_server, "stream.fin1_invalid_ack"),
        (half_closed, lying_server, "stream.fin2_invalid_ack"),
        (
            closed_at_once,
            || lying_server().at(11),
            "stream.closing_invalid_ack",
        ),
        (
            closed_in_turn,
            || lying_client().at(11),
            "stream.lastack_invalid_ack",
        ),
        (
            over,
            || lying_client().at(11),
            "stream.timewait_invalid_ack",
        ),
    ];
    for (approach, segment, event) in cases {
        let mut world = spoken();
        approach(&mut world);
        world
            .send(segment())
            .refused(event, &[("stream.pkt_invalid_ack", 1)]);
    }
}

#[test]
fn acknowledged_bytes_sent_again_are_called_by_the_state_too() {
    let cases: &[(Approach, &'static str)] = &[
        (established, "stream.est_pkt_before_last_ack"),
        (half_closed, "stream.closewait_pkt_before_last_ack"),
    ];
    for (approach, event) in cases {
        let mut world = spoken();
        approach(&mut world);
        world.send(client().ack(10).data(&[b'c'; 10])).passes(&[
            ("tcp.retransmitted", 1),
            (event, 1),
            ("stream.pkt_spurious_retransmission", 1),
        ]);
    }
}

#[test]
fn a_syn_ack_of_the_client_behind_the_servers_has_no_effect() {
    let mut world =
        World::prevent(r#"alert tcp any any -> any any (msg:"a"; content:"x"; sid:1;)"#);
    let _ = world.send(client().syn());
    let _ = world.send(server().syn_ack());
    world
        .send(client().syn_ack())
        .passes(&[("stream.3whs_synack_toserver_on_syn_recv", 1)]);
    world.send(client()).passes(&[("tcp.handshakes", 1)]);
}

#[test]
fn the_end_of_a_split_handshake_has_its_own_events() {
    let split = || {
        let mut world =
            World::prevent(r#"alert tcp any any -> any any (msg:"a"; content:"x"; sid:1;)"#);
        let _ = world.send(client().syn());
        let _ = world.send(server().syn());
        world
    };
    split()
        .send(client().ack(500))
        .refused("stream.4whs_invalid_ack", &[]);
    split()
        .send(client().at(FAR))
        .refused("stream.4whs_wrong_seq", &[]);
}
