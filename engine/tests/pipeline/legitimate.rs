//! What honest peers do, and must be able to go on doing.

use weir_engine::frame::{ChecksumState, Mode};
use weir_engine::pipeline::EngineConfig;
use weir_engine::stream::StreamLimits;
use weir_engine::verdict::DropReason;

use super::world::{FLOW_BEGINS, World, client, server};

const RULE: &str =
    "drop tcp any any -> any any (msg:\"a\"; flow:established; content:\"attack\"; sid:1;)";
const MIDSTREAM: [(&str, u64); 4] = [
    ("flow.active", 1),
    ("flow.created", 1),
    ("tcp.bytes", 3),
    ("tcp.midstream", 1),
];

fn established() -> World {
    let mut world = World::prevent(RULE);
    world.handshake();
    world
}

#[test]
fn a_flow_older_than_the_engine_is_picked_up_and_inspected() {
    let mut world = World::prevent(RULE);
    world
        .send(client().at(70_000).ack(9_000_000).data(b"att"))
        .passes(&MIDSTREAM);
    world
        .send(server().at(9_000_000).ack(70_003).data(b"yes"))
        .passes(&[("tcp.bytes", 3)]);
    world
        .send(client().at(70_003).ack(9_000_003).data(b"ack"))
        .drops(DropReason::Rule, &[]);
}

#[test]
fn a_flow_picked_up_at_the_servers_side_knows_who_is_the_client() {
    let rule = "drop tcp any any -> any any (msg:\"a\"; flow:established,to_server; content:\"attack\"; sid:1;)";
    let mut world = World::prevent(rule);
    world
        .send(server().at(70).ack(90).data(b"att"))
        .passes(&MIDSTREAM);
    world
        .send(server().at(73).ack(90).data(b"ack"))
        .passes(&[("tcp.bytes", 3)]);
    world
        .send(client().at(90).ack(76).data(b"attack"))
        .drops(DropReason::Rule, &[]);
}

#[test]
fn a_flow_picked_up_in_the_wrong_order_is_inspected_from_its_earliest_byte() {
    let mut world = World::prevent(RULE);
    world
        .send(client().at(70_006).ack(9_000_000).data(b"ack"))
        .passes(&MIDSTREAM);
    world
        .send(client().at(70_000).ack(9_000_000).data(b"..."))
        .passes(&[("tcp.bytes", 3)]);
    world
        .send(client().at(70_003).ack(9_000_000).data(b"att"))
        .drops(DropReason::Rule, &[]);
}

#[test]
fn what_was_acknowledged_before_a_flow_was_picked_up_is_old() {
    let mut world = World::prevent(RULE);
    world
        .send(client().at(70_003).ack(9_000_000).data(b"ack"))
        .passes(&MIDSTREAM);
    world.send(server().at(9_000_000).ack(70_006)).passes(&[]);
    world
        .send(client().at(70_000).ack(9_000_000).data(b"att"))
        .passes(&[
            ("tcp.retransmitted", 1),
            ("tcp.unverified", 1),
            ("stream.est_pkt_before_last_ack", 1),
            ("stream.pkt_spurious_retransmission", 1),
            ("stream.reassembly_segment_before_base_seq", 1),
        ]);
}

#[test]
fn a_flow_of_which_one_side_is_never_seen_is_inspected() {
    let mut world = World::prevent(RULE);
    world.send(client().syn()).passes(&FLOW_BEGINS);
    world.send(client()).passes(&[("tcp.midstream", 1)]);
    world
        .send(client().data(b"att"))
        .passes(&[("tcp.bytes", 3)]);
    world
        .send(client().at(3).ack(4000).data(b"ack"))
        .drops(DropReason::Rule, &[]);
}

#[test]
fn only_the_servers_side_is_seen_from_its_syn_ack_on() {
    let mut world = World::prevent(RULE);
    world.send(server().syn_ack()).passes(&FLOW_BEGINS);
    world
        .send(server().data(b"att"))
        .passes(&[("tcp.midstream", 1), ("tcp.bytes", 3)]);
    world
        .send(server().at(3).ack(3000).data(b"ack"))
        .drops(DropReason::Rule, &[]);
}

#[test]
fn a_long_one_sided_transfer_is_never_dropped() {
    let config = EngineConfig {
        stream: StreamLimits {
            per_direction: 64 << 10,
            one_sided: 16 << 10,
            window: 4 << 10,
            ..StreamLimits::default()
        },
        ..EngineConfig::inline()
    };
    let mut world = World::with(config, RULE, Mode::Prevent);
    world.send(client().syn()).passes(&FLOW_BEGINS);
    world.send(client()).passes(&[("tcp.midstream", 1)]);
    let payload = vec![b'x'; 1400];
    for number in 0..500 {
        world
            .send(client().at(number * 1400).data(&payload))
            .passes(&[("tcp.bytes", 1400)]);
    }
    // Older than what is kept: delivered, inspected as a packet.
    world.send(client().data(&payload)).passes(&[
        ("tcp.retransmitted", 1),
        ("tcp.unverified", 1),
        ("stream.pkt_retransmission", 1),
        ("stream.reassembly_segment_before_base_seq", 1),
    ]);
}

#[test]
fn loss_and_retransmission_in_the_order_of_a_real_sender() {
    let mut world = established();
    world
        .send(client().data(b"one"))
        .passes(&[("tcp.bytes", 3)]);
    world
        .send(client().at(6).data(b"three"))
        .passes(&[("tcp.out_of_order", 1)]);
    world.send(server().ack(3)).passes(&[]);
    world
        .send(client().at(11).data(b"four"))
        .passes(&[("tcp.out_of_order", 1)]);
    world.send(server().ack(3)).passes(&[]);
    world
        .send(client().at(3).data(b"two"))
        .passes(&[("tcp.bytes", 12)]);
    world.send(server().ack(15)).passes(&[]);
}

#[test]
fn a_super_segment_is_one_segment() {
    let mut world = established();
    world.checksum = ChecksumState::Partial;
    world.gso_size = Some(1448);
    let payload = vec![b'z'; 60_000];
    world
        .send(client().data(&payload))
        .passes(&[("tcp.bytes", 60_000)]);
    world.send(server().ack(60_000)).passes(&[]);
}

#[test]
fn windows_are_scaled_once_both_sides_agreed() {
    let mut world = World::prevent(RULE);
    world
        .send(client().syn().window_scale(7))
        .passes(&FLOW_BEGINS);
    world.send(server().syn_ack().window_scale(7)).passes(&[]);
    world
        .send(client().window(1000))
        .passes(&[("tcp.handshakes", 1)]);
    world.send(server().window(1000)).passes(&[]);
    world
        .send(client().at(127_000).window(1000).data(b"far"))
        .passes(&[("tcp.out_of_order", 1)]);
    world
        .send(client().at(128_001).window(1000).data(b"beyond"))
        .refused("stream.est_packet_out_of_window", &[]);
}

#[test]
fn a_zero_window_is_probed() {
    let mut world = established();
    world
        .send(client().data(b"abc"))
        .passes(&[("tcp.bytes", 3)]);
    world.send(server().ack(64_000).window(0)).passes(&[]);
    let mut world = established();
    world
        .send(client().data(&[b'x'; 1000]))
        .passes(&[("tcp.bytes", 1000)]);
    world
        .send(server().ack(1000).window(0))
        .passes(&[("stream.pkt_bad_window_update", 0)]);
    // One byte beyond, or none at the last one: both are probes.
    world
        .send(client().at(1000).data(b"y"))
        .passes(&[("tcp.bytes", 1)]);
    world.send(client().at(999)).passes(&[]);
    world
        .send(server().ack(1000).window(0))
        .passes(&[("stream.pkt_bad_window_update", 1)]);
    world.send(client().at(1000).data(b"y")).passes(&[]);
    world.send(server().ack(1001).window(64_000)).passes(&[]);
}

#[test]
fn keep_alives_pass_with_and_without_their_byte() {
    let mut world = established();
    world
        .send(client().data(b"abc"))
        .passes(&[("tcp.bytes", 3)]);
    world.send(server().ack(3)).passes(&[]);
    world.pass_seconds(200);
    world.send(client().at(2)).passes(&[]);
    world.send(client().at(2).data(b"\0")).passes(&[]);
    world.send(server().ack(3)).passes(&[]);
    world
        .send(client().at(3).data(b"d"))
        .passes(&[("tcp.bytes", 1)]);
}

#[test]
fn a_lost_syn_ack_is_sent_again_with_a_later_timestamp() {
    let stamps = |value: u32, echo: u32| {
        let mut option = vec![8, 10];
        option.extend(value.to_be_bytes());
        option.extend(echo.to_be_bytes());
        option
    };
    let mut world = World::prevent(RULE);
    world
        .send(client().syn().options(&stamps(100, 0)))
        .passes(&FLOW_BEGINS);
    world
        .send(server().syn_ack().options(&stamps(900, 100)))
        .passes(&[]);
    world
        .send(client().syn().options(&stamps(1100, 0)))
        .passes(&[]);
    world
        .send(server().syn_ack().options(&stamps(1900, 100)))
        .passes(&[]);
    world
        .send(client().options(&stamps(1101, 1900)))
        .passes(&[("tcp.handshakes", 1)]);
    world
        .send(client().options(&stamps(1102, 1900)).data(b"abc"))
        .passes(&[("tcp.bytes", 3)]);
}

#[test]
fn a_half_closed_connection_goes_on_in_the_other_direction() {
    let mut world = established();
    world
        .send(client().data(b"abc").fin())
        .passes(&[("tcp.bytes", 3)]);
    world.send(server().ack(4)).passes(&[]);
    for number in 0..5 {
        world
            .send(server().at(number * 5).ack(4).data(b"reply"))
            .passes(&[("tcp.bytes", 5)]);
    }
    world
        .send(server().at(25).ack(4).data(b"attack"))
        .drops(DropReason::Rule, &[]);
}

#[test]
fn closing_in_full_and_what_comes_late_pass() {
    let mut world = established();
    world.send(client().fin()).passes(&[]);
    world.send(server().ack(1).fin()).passes(&[]);
    world.send(client().at(1).ack(1)).passes(&[]);
    world.send(server().ack(1).fin()).passes(&[]);
    world.send(client().at(1).ack(1)).passes(&[]);
    world.send(client().at(1).no_ack().rst()).passes(&[]);
}

#[test]
fn both_may_close_at_once() {
    let mut world = established();
    world.send(client().fin()).passes(&[]);
    world.send(server().fin()).passes(&[]);
    world.send(client().at(1).ack(1)).passes(&[]);
    world.send(server().at(1).ack(1)).passes(&[]);
    world
        .send(client().syn().isn(900_000))
        .passes(&[("flow.created", 1), ("flow.reused", 1)]);
}

#[test]
fn ports_are_used_again_behind_an_old_connection_that_the_server_forgot() {
    let mut world = established();
    world
        .send(client().data(b"abc"))
        .passes(&[("tcp.bytes", 3)]);
    world
        .send(client().syn().isn(900_000))
        .passes(&[("stream.est_syn_resend_diff_seq", 1)]);
    world.isns = (900_000, 800_000);
    world
        .send(server().syn_ack())
        .passes(&[("flow.created", 1), ("flow.reused", 1)]);
    world.send(client()).passes(&[("tcp.handshakes", 1)]);
    world
        .send(client().data(b"attack"))
        .drops(DropReason::Rule, &[]);
}

#[test]
fn a_syn_inside_of_a_connection_changes_nothing_unless_it_is_answered() {
    let mut world = established();
    world
        .send(client().data(b"att"))
        .passes(&[("tcp.bytes", 3)]);
    world
        .send(client().syn().isn(900_000))
        .passes(&[("stream.est_syn_resend_diff_seq", 1)]);
    world.send(server().ack(3)).passes(&[]);
    world
        .send(client().at(3).data(b"ack"))
        .drops(DropReason::Rule, &[]);
}

#[test]
fn pure_acks_with_an_older_timestamp_pass() {
    let mut world = World::prevent(RULE);
    world.handshake_with_timestamps();
    world
        .send(client().timestamp(110).data(b"abc"))
        .passes(&[("tcp.bytes", 3)]);
    world.send(server().ack(3).timestamp(905)).passes(&[]);
    world
        .send(client().at(3).timestamp(120).data(b"abc"))
        .passes(&[("tcp.bytes", 3)]);
    world.send(client().at(6).timestamp(105)).passes(&[]);
}

#[test]
fn frames_missed_while_the_kernel_failed_open_do_not_stop_a_flow() {
    let mut world = established();
    world
        .send(client().data(b"abc"))
        .passes(&[("tcp.bytes", 3)]);
    world.engine.missed_frames();
    world
        .send(client().at(900_000).ack(500_000).data(b"att"))
        .passes(&[("tcp.bytes", 3)]);
    world
        .send(server().at(600_000).ack(900_003).data(b"fine"))
        .passes(&[("tcp.bytes", 4)]);
    world
        .send(client().at(900_003).ack(600_004).data(b"ack"))
        .drops(DropReason::Rule, &[]);
}

#[test]
fn a_new_flow_after_missed_frames_cannot_choose_where_it_begins() {
    let mut world = World::prevent(RULE);
    world.engine.missed_frames();
    world.handshake();
    world
        .send(client().at(3).data(b"ack"))
        .passes(&[("tcp.out_of_order", 1)]);
    world
        .send(client().data(b"att"))
        .drops(DropReason::Rule, &[]);
}

#[test]
fn an_old_flow_after_missed_frames_is_inspected_from_its_earliest_byte() {
    let mut world = established();
    world
        .send(client().data(b"abc"))
        .passes(&[("tcp.bytes", 3)]);
    world.engine.missed_frames();
    world
        .send(client().at(903).data(b"ack"))
        .passes(&[("tcp.bytes", 3)]);
    world
        .send(client().at(900).data(b"att"))
        .drops(DropReason::Rule, &[]);
}

#[test]
fn ipv6_is_no_different() {
    let mut world = World::prevent(RULE);
    world.client = "fd00::1".parse().unwrap();
    world.server = "fd00::2".parse().unwrap();
    world.handshake();
    world
        .send(client().data(b"att"))
        .passes(&[("tcp.bytes", 3)]);
    world
        .send(client().at(3).data(b"ack"))
        .drops(DropReason::Rule, &[]);
}

#[test]
fn many_megabytes_of_one_stream_are_inspected_to_the_last_byte() {
    let mut world = established();
    let payload = vec![b'x'; 1400];
    for number in 0..3000 {
        world
            .send(client().at(number * 1400).data(&payload))
            .passes(&[("tcp.bytes", 1400)]);
        world.send(server().ack((number + 1) * 1400)).passes(&[]);
    }
    world
        .send(client().at(3000 * 1400).data(b"attack"))
        .drops(DropReason::Rule, &[]);
    assert!(world.engine.counters().streams.memory < 1 << 20);
}
