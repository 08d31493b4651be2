//! Attempts to show the inspector other bytes than the receiver: each is named in `docs/evasions.md`.

use weir_engine::frame::ChecksumState;
use weir_engine::frame::Mode;
use weir_engine::pipeline::EngineConfig;
use weir_engine::stream::{StreamLimits, UrgentPolicy};
use weir_engine::verdict::DropReason;

use super::world::{World, client, server};

const RULE: &str =
    "drop tcp any any -> any any (msg:\"a\"; flow:established; content:\"attack\"; sid:1;)";
const OVERLAP: [(&str, u64); 4] = [
    ("tcp.retransmitted", 1),
    ("tcp.conflicts", 1),
    ("stream.pkt_retransmission", 1),
    ("stream.reassembly_overlap_different_data", 1),
];
const REPEAT: [(&str, u64); 2] = [("tcp.retransmitted", 1), ("stream.pkt_retransmission", 1)];

fn established() -> World {
    let mut world = World::prevent(RULE);
    world.handshake();
    world
}

#[test]
fn a_retransmission_with_other_bytes_is_made_equal_to_the_first_copy() {
    let mut world = established();
    world
        .send(client().data(b"decoy!"))
        .passes(&[("tcp.bytes", 6)]);
    world
        .send(client().data(b"attack"))
        .passes_as(b"decoy!", &OVERLAP);
}

#[test]
fn a_partial_checksum_is_left_alone_when_bytes_are_made_equal() {
    let mut world = established();
    world.checksum = ChecksumState::Partial;
    world
        .send(client().data(b"decoy!"))
        .passes(&[("tcp.bytes", 6)]);
    world
        .send(client().data(b"attack"))
        .passes_as(b"decoy!", &OVERLAP);
}

#[test]
fn an_overlap_that_brings_new_bytes_keeps_the_old_ones() {
    let mut world = established();
    world
        .send(client().data(b"decoy"))
        .passes(&[("tcp.bytes", 5)]);
    world.send(client().at(2).data(b"attack")).passes_as(
        b"coyack",
        &[
            ("tcp.bytes", 3),
            ("tcp.retransmitted", 1),
            ("tcp.conflicts", 1),
            ("stream.reassembly_overlap_different_data", 1),
        ],
    );
}

#[test]
fn the_first_copy_wins_also_beyond_a_hole() {
    let mut world = established();
    world
        .send(client().at(3).data(b"ack"))
        .passes(&[("tcp.out_of_order", 1)]);
    world.send(client().at(3).data(b"xyz")).passes_as(
        b"ack",
        &[
            ("tcp.out_of_order", 1),
            ("tcp.retransmitted", 1),
            ("tcp.conflicts", 1),
            ("stream.reassembly_overlap_different_data", 1),
        ],
    );
    world
        .send(client().data(b"att"))
        .drops(DropReason::Rule, &[]);
}

#[test]
fn a_segment_over_a_kept_piece_is_cut_to_what_was_first() {
    let mut world = established();
    world
        .send(client().at(2).data(b"TT"))
        .passes(&[("tcp.out_of_order", 1)]);
    world.send(client().data(b"attack")).passes_as(
        b"atTTck",
        &[
            ("tcp.bytes", 6),
            ("tcp.retransmitted", 1),
            ("tcp.conflicts", 1),
            ("stream.reassembly_overlap_different_data", 1),
        ],
    );
}

#[test]
fn a_dropped_segment_leaves_nothing_behind_for_its_retransmission() {
    let rule = "drop tcp-pkt any any -> any any (msg:\"p\"; dsize:6; content:\"poison\"; sid:2;)";
    let mut world = World::prevent(rule);
    world.handshake();
    world.send(client().data(b"ab")).passes(&[("tcp.bytes", 2)]);
    world
        .send(client().at(2).data(b"poison"))
        .drops(DropReason::Rule, &[]);
}

#[test]
fn a_wrong_checksum_is_dropped_and_leaves_no_bytes() {
    let mut world = established();
    let sent = client().data(b"decoy!").bad_checksum();
    let frame = world.frame(&sent);
    world
        .send_frame(frame, false)
        .drops(DropReason::Checksum, &[]);
    world
        .send(client().data(b"attack"))
        .drops(DropReason::Rule, &[]);
}

#[test]
fn an_acknowledgement_of_what_was_never_sent_is_refused_with_its_data() {
    let mut world = established();
    world
        .send(client().ack(80_000).data(b"decoy!"))
        .refused("stream.est_invalid_ack", &[("stream.pkt_invalid_ack", 1)]);
    world
        .send(client().data(b"attack"))
        .drops(DropReason::Rule, &[]);
}

#[test]
fn a_segment_without_ack_is_refused() {
    let mut world = established();
    world
        .send(client().no_ack().data(b"decoy!"))
        .refused("stream.pkt_invalid_ack", &[]);
}

#[test]
fn a_segment_outside_of_the_window_is_refused() {
    let mut world = established();
    world
        .send(client().at(64_001).data(b"decoy!"))
        .refused("stream.est_packet_out_of_window", &[]);
    world
        .send(client().at(64_001).fin())
        .refused("stream.fin_out_of_window", &[]);
}

#[test]
fn a_timestamp_of_the_past_is_refused_with_its_data() {
    let mut world = World::prevent(RULE);
    world.handshake_with_timestamps();
    world
        .send(client().timestamp(99).data(b"decoy!"))
        .refused("stream.pkt_invalid_timestamp", &[]);
    world
        .send(client().timestamp(101).data(b"attack"))
        .drops(DropReason::Rule, &[]);
}

#[test]
fn timestamps_may_wrap() {
    let mut world = World::prevent(RULE);
    world
        .send(client().syn().timestamp(u32::MAX - 1))
        .passes(&super::world::FLOW_BEGINS);
    world.send(server().syn_ack().timestamp(0)).passes(&[]);
    world
        .send(client().timestamp(u32::MAX))
        .passes(&[("tcp.handshakes", 1)]);
    world
        .send(client().timestamp(3).data(b"abc"))
        .passes(&[("tcp.bytes", 3)]);
    world.send(server().timestamp(1).ack(3)).passes(&[]);
    world
        .send(client().at(3).timestamp(4).data(b"abc"))
        .passes(&[("tcp.bytes", 3)]);
    world
        .send(client().at(6).timestamp(u32::MAX).data(b"decoy"))
        .refused("stream.pkt_invalid_timestamp", &[]);
}

#[test]
fn urgent_data_is_read_in_line_by_everyone() {
    let mut world = established();
    world
        .send(client().urgent(3).data(b"att"))
        .passes_as(b"att", &[("tcp.bytes", 3), ("tcp.urgent_cleared", 1)]);
    world
        .send(client().at(3).data(b"ack"))
        .drops(DropReason::Rule, &[]);
}

#[test]
fn urgent_data_may_be_dropped_by_policy() {
    let config = EngineConfig {
        urgent: UrgentPolicy::Drop,
        ..EngineConfig::inline()
    };
    let mut world = World::with(config, RULE, Mode::Prevent);
    world.handshake();
    world
        .send(client().urgent(3).data(b"att"))
        .refused("stream.urgent_data", &[]);
}

#[test]
fn a_reset_that_its_receiver_would_not_take_does_not_end_inspection() {
    let mut world = established();
    world
        .send(client().data(b"att"))
        .passes(&[("tcp.bytes", 3)]);
    // In the window, but not the next byte: RFC 5961 answers with a challenge.
    world.send(client().at(500).rst()).passes(&[]);
    world
        .send(client().at(3).data(b"ack"))
        .drops(DropReason::Rule, &[]);
}

#[test]
fn a_reset_outside_of_the_window_is_refused() {
    let mut world = established();
    world
        .send(client().at(100_000).rst())
        .refused("stream.rst_invalid_ack", &[]);
    world
        .send(client().at(-2).rst())
        .refused("stream.rst_invalid_ack", &[]);
}

#[test]
fn a_flow_that_goes_on_behind_a_reset_is_inspected_on() {
    let mut world = established();
    world
        .send(client().data(b"att"))
        .passes(&[("tcp.bytes", 3)]);
    world.send(client().at(3).rst()).passes(&[]);
    world
        .send(client().at(3).data(b"ack"))
        .drops(DropReason::Rule, &[("stream.suspected_rst_inject", 1)]);
}

#[test]
fn a_fin_that_nobody_acknowledged_does_not_end_inspection() {
    let mut world = established();
    world
        .send(client().data(b"att"))
        .passes(&[("tcp.bytes", 3)]);
    world.send(client().at(3).fin()).passes(&[]);
    world
        .send(client().at(3).data(b"ack"))
        .drops(DropReason::Rule, &[]);
}

#[test]
fn data_behind_an_acknowledged_fin_is_refused() {
    let mut world = established();
    world.send(client().at(0).fin()).passes(&[]);
    world.send(server().ack(1)).passes(&[]);
    world
        .send(client().at(1).data(b"behind"))
        .refused("stream.closewait_ack_out_of_window", &[]);
}

#[test]
fn acknowledged_bytes_may_be_sent_again_with_any_content_for_nobody_reads_them() {
    let mut world = established();
    world
        .send(client().data(b"decoy!"))
        .passes(&[("tcp.bytes", 6)]);
    world.send(server().ack(6)).passes(&[]);
    world.send(client().data(b"attack")).passes(&[
        ("tcp.retransmitted", 1),
        ("stream.est_pkt_before_last_ack", 1),
        ("stream.pkt_spurious_retransmission", 1),
    ]);
}

#[test]
fn a_forged_acknowledgement_makes_no_hole_to_hide_in() {
    let mut world = established();
    // The client claims to have received what the server has not sent.
    world.send(client().ack(6)).passes(&[]);
    world
        .send(server().data(b"attack"))
        .drops(DropReason::Rule, &[]);
}

#[test]
fn a_hole_that_the_receiver_acknowledged_is_skipped_and_what_follows_is_inspected() {
    let mut world = established();
    world
        .send(client().at(10).data(b"att"))
        .passes(&[("tcp.out_of_order", 1)]);
    world.send(server().ack(13)).passes(&[
        ("tcp.gaps", 1),
        ("stream.reassembly_seq_gap", 1),
        ("tcp.bytes", 3),
    ]);
    world
        .send(client().at(13).data(b"ack"))
        .drops(DropReason::Rule, &[]);
}

#[test]
fn bytes_that_cannot_be_kept_are_dropped() {
    let config = EngineConfig {
        stream: StreamLimits {
            per_direction: 1000,
            window: 100,
            ..StreamLimits::default()
        },
        ..EngineConfig::inline()
    };
    let mut world = World::with(config, RULE, Mode::Prevent);
    world.handshake();
    world
        .send(client().at(5000).data(b"ack"))
        .drops(DropReason::StreamMemcap, &[]);
}

#[test]
fn an_exact_retransmission_passes_as_it_is() {
    let mut world = established();
    world
        .send(client().data(b"att"))
        .passes(&[("tcp.bytes", 3)]);
    world.send(client().data(b"att")).passes(&REPEAT);
}

#[test]
fn the_sequence_space_may_wrap_in_the_middle_of_an_attack() {
    for before in 0..8u32 {
        let mut world = World::prevent(RULE);
        world.isns = (u32::MAX - before, u32::MAX - 2);
        world.handshake();
        world
            .send(client().at(3).data(b"ack"))
            .passes(&[("tcp.out_of_order", 1)]);
        world
            .send(client().data(b"att"))
            .drops(DropReason::Rule, &[]);
    }
}
