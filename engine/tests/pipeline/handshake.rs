//! The beginning of connections, honest and otherwise.

use weir_engine::verdict::DropReason;

use super::world::{FLOW_BEGINS, World, client, server};

const RULE: &str = "drop tcp any any -> any any (msg:\"a\"; flow:established,to_server; content:\"attack\"; sid:1;)";

#[test]
fn a_handshake_establishes_the_flow_and_data_is_inspected() {
    let mut world = World::prevent(RULE);
    world.handshake();
    world
        .send(client().data(b"harmless"))
        .passes(&[("tcp.bytes", 8)]);
    world
        .send(server().ack(8).data(b"fine"))
        .passes(&[("tcp.bytes", 4)]);
    world
        .send(client().at(8).ack(4).data(b"attack"))
        .drops(DropReason::Rule, &[]);
    world
        .send(server().at(4).ack(8).data(b"more"))
        .drops(DropReason::FlowDropped, &[("tcp.bytes", 0)]);
}

#[test]
fn a_syn_again_is_the_same_syn() {
    let mut world = World::prevent(RULE);
    world.send(client().syn()).passes(&FLOW_BEGINS);
    world.send(client().syn()).passes(&[]);
    world.send(server().syn_ack()).passes(&[]);
    world.send(server().syn_ack()).passes(&[]);
    world.send(client()).passes(&[("tcp.handshakes", 1)]);
    world
        .send(server().syn_ack())
        .passes(&[("stream.est_synack_resend", 1)]);
}

#[test]
fn the_syn_that_the_server_answers_is_the_one_that_counts() {
    let mut world = World::prevent(RULE);
    world.send(client().syn().isn(77)).passes(&FLOW_BEGINS);
    world
        .send(client().syn())
        .passes(&[("stream.3whs_syn_resend_diff_seq_on_syn_recv", 1)]);
    world.send(server().syn_ack()).passes(&[]);
    world.send(client()).passes(&[("tcp.handshakes", 1)]);
    world
        .send(client().data(b"attack"))
        .drops(DropReason::Rule, &[]);
}

#[test]
fn a_syn_ack_of_no_syn_is_refused() {
    let mut world = World::prevent(RULE);
    world.send(client().syn()).passes(&FLOW_BEGINS);
    world
        .send(server().syn_ack().ack(500))
        .refused("stream.3whs_synack_with_wrong_ack", &[]);
    world.send(server().syn_ack()).passes(&[]);
    world.send(client()).passes(&[("tcp.handshakes", 1)]);
}

#[test]
fn of_two_syn_acks_the_one_that_the_client_acknowledges_counts() {
    let mut world = World::prevent(RULE);
    world.send(client().syn()).passes(&FLOW_BEGINS);
    world.send(server().syn_ack().isn(99)).passes(&[]);
    world
        .send(server().syn_ack())
        .passes(&[("stream.3whs_synack_resend_with_diff_seq", 1)]);
    world.send(client()).passes(&[("tcp.handshakes", 1)]);
    world
        .send(server().data(b"hello"))
        .passes(&[("tcp.bytes", 5)]);
}

#[test]
fn a_last_ack_of_something_else_is_refused_with_its_data() {
    let mut world = World::prevent(RULE);
    world.send(client().syn()).passes(&FLOW_BEGINS);
    world.send(server().syn_ack()).passes(&[]);
    world
        .send(client().ack(700).data(b"decoy!"))
        .refused("stream.3whs_right_seq_wrong_ack_evasion", &[]);
    world
        .send(client().at(9).ack(700))
        .refused("stream.3whs_wrong_seq_wrong_ack", &[]);
    world
        .send(client().data(b"attack"))
        .drops(DropReason::Rule, &[("tcp.handshakes", 1)]);
}

#[test]
fn data_of_the_server_before_the_client_answered_is_refused() {
    let mut world = World::prevent(RULE);
    world.send(client().syn()).passes(&FLOW_BEGINS);
    world.send(server().syn_ack()).passes(&[]);
    world
        .send(server().data(b"injected"))
        .refused("stream.3whs_ack_data_inject", &[]);
    world.send(client()).passes(&[("tcp.handshakes", 1)]);
}

#[test]
fn a_split_handshake_keeps_the_directions_and_is_inspected() {
    let mut world = World::prevent(RULE);
    world.send(client().syn()).passes(&FLOW_BEGINS);
    world
        .send(server().syn())
        .passes(&[("stream.3whs_syn_toclient_on_syn_recv", 1)]);
    world.send(client().syn_ack()).passes(&[]);
    world.send(server()).passes(&[("tcp.handshakes", 1)]);
    world
        .send(client().data(b"attack"))
        .drops(DropReason::Rule, &[]);
}

#[test]
fn a_split_handshake_with_other_numbers_is_refused() {
    let mut world = World::prevent(RULE);
    world.send(client().syn()).passes(&FLOW_BEGINS);
    world
        .send(server().syn())
        .passes(&[("stream.3whs_syn_toclient_on_syn_recv", 1)]);
    world
        .send(client().syn_ack().ack(44))
        .refused("stream.4whs_synack_with_wrong_ack", &[]);
    world
        .send(client().syn_ack().isn(123))
        .refused("stream.4whs_synack_with_wrong_syn", &[]);
}

#[test]
fn both_sides_may_open_at_once() {
    let mut world = World::prevent(RULE);
    world.send(client().syn()).passes(&FLOW_BEGINS);
    world
        .send(server().syn())
        .passes(&[("stream.3whs_syn_toclient_on_syn_recv", 1)]);
    world.send(client().syn_ack()).passes(&[]);
    world
        .send(server().syn_ack())
        .passes(&[("tcp.handshakes", 1)]);
    world
        .send(client().data(b"attack"))
        .drops(DropReason::Rule, &[]);
}

#[test]
fn data_in_the_syn_is_part_of_the_stream() {
    let rule = "drop tcp any any -> any any (msg:\"a\"; content:\"attack\"; sid:1;)";
    let mut world = World::prevent(rule);
    let mut counts = FLOW_BEGINS.to_vec();
    counts.push(("tcp.bytes", 3));
    world
        .send(client().syn().fast_open().data(b"att"))
        .passes(&counts);
    world.send(server().syn_ack().ack(3)).passes(&[]);
    world.send(client().at(3)).passes(&[("tcp.handshakes", 1)]);
    world
        .send(client().at(3).data(b"ack"))
        .drops(DropReason::Rule, &[]);
}

#[test]
fn data_in_a_syn_without_fast_open_is_not_part_of_the_stream() {
    let mut world = World::prevent(RULE);
    world
        .send(client().syn().data(b"hello"))
        .passes(&FLOW_BEGINS);
    world
        .send(server().syn_ack().ack(5))
        .refused("stream.3whs_synack_with_wrong_ack", &[]);
    world.send(server().syn_ack()).passes(&[]);
    world
        .send(client().data(b"attack"))
        .drops(DropReason::Rule, &[("tcp.handshakes", 1)]);
}

#[test]
fn an_answer_that_echoes_no_timestamp_of_the_syn_is_refused() {
    let echo = |value: u32| {
        let mut option = vec![8, 10, 0, 0, 0, 100];
        option.extend(value.to_be_bytes());
        option
    };
    let mut world = World::prevent(RULE);
    world
        .send(client().syn().timestamp(700))
        .passes(&FLOW_BEGINS);
    world.send(client().syn().timestamp(900)).passes(&[]);
    for forged in [
        server().rst().options(&echo(100)),
        server().fin().options(&echo(100)),
        server().syn_ack().options(&echo(901)),
    ] {
        world
            .send(forged)
            .refused("stream.pkt_invalid_timestamp", &[]);
    }
    world
        .send(server().syn_ack().options(&echo(900)))
        .passes(&[]);
    world
        .send(client().timestamp(950))
        .passes(&[("tcp.handshakes", 1)]);
}

#[test]
fn data_in_the_syn_that_the_server_ignored_comes_again_as_it_was() {
    let mut world = World::prevent(RULE);
    let mut counts = FLOW_BEGINS.to_vec();
    counts.push(("tcp.bytes", 5));
    world
        .send(client().syn().fast_open().data(b"hello"))
        .passes(&counts);
    world
        .send(server().syn_ack())
        .passes(&[("stream.3whs_synack_tfo_data_ignored", 1)]);
    world.send(client().data(b"attac")).passes_as(
        b"hello",
        &[
            ("tcp.handshakes", 1),
            ("tcp.retransmitted", 1),
            ("tcp.conflicts", 1),
            ("stream.pkt_retransmission", 1),
            ("stream.reassembly_overlap_different_data", 1),
        ],
    );
}

#[test]
fn a_syn_with_other_data_is_refused() {
    let mut world = World::prevent(RULE);
    let mut counts = FLOW_BEGINS.to_vec();
    counts.push(("tcp.bytes", 5));
    world
        .send(client().syn().fast_open().data(b"hello"))
        .passes(&counts);
    world
        .send(client().syn().fast_open().isn(4).data(b"attack"))
        .refused("stream.3whs_syn_resend_diff_seq_on_syn_recv", &[]);
}

#[test]
fn only_so_many_different_syns_are_followed() {
    let mut world = World::prevent(RULE);
    world.send(client().syn()).passes(&FLOW_BEGINS);
    for isn in [10, 20, 30] {
        world
            .send(client().syn().isn(isn))
            .passes(&[("stream.3whs_syn_resend_diff_seq_on_syn_recv", 1)]);
    }
    world.send(client().syn().isn(40)).refused(
        "stream.3whs_syn_flood",
        &[("stream.3whs_syn_resend_diff_seq_on_syn_recv", 1)],
    );
}

#[test]
fn a_syn_that_is_also_a_fin_is_refused() {
    let mut world = World::prevent(RULE);
    world
        .send(client().syn().fin())
        .refused("stream.fin_syn", &FLOW_BEGINS);
}

#[test]
fn a_challenge_ack_to_a_syn_passes_and_the_reset_that_follows_too() {
    let mut world = World::prevent(RULE);
    world.send(client().syn()).passes(&FLOW_BEGINS);
    // The server still has an old connection of these ports.
    world
        .send(server().at(123).ack(-70_000))
        .passes(&[("stream.3whs_ack_in_wrong_dir", 1)]);
    world
        .send(client().at(-70_000).no_ack().rst())
        .passes(&[("stream.rst_invalid_ack", 1)]);
    world.send(client().syn()).passes(&[]);
    world.send(server().syn_ack()).passes(&[]);
    world.send(client()).passes(&[("tcp.handshakes", 1)]);
}

#[test]
fn a_refused_connection_may_be_tried_again_with_the_same_ports() {
    let mut world = World::prevent(RULE);
    world.send(client().syn()).passes(&FLOW_BEGINS);
    world.send(server().at(-5001).rst()).passes(&[]);
    world
        .send(client().syn().isn(70_000))
        .passes(&[("flow.created", 1), ("flow.reused", 1)]);
    assert_eq!(world.output.flows.len(), 1);
    assert_eq!(world.output.flows[0].1, "closed");
    assert_eq!(world.output.flows[0].2, "forced");
}

#[test]
fn an_initial_sequence_number_may_be_anything() {
    for isn in [0, u32::MAX, u32::MAX - 3, 1 << 31] {
        let mut world = World::prevent(RULE);
        world.isns = (isn, isn);
        world.handshake();
        world
            .send(client().data(b"att"))
            .passes(&[("tcp.bytes", 3)]);
        world
            .send(client().at(3).data(b"ack"))
            .drops(DropReason::Rule, &[]);
    }
}
