//! Fragments are judged as the datagram they make.

use weir_engine::event::{Alert, Datagram, Drop as DropRecord, FlowEnd, Output, Steering};
use weir_engine::frame::FrameMeta;
use weir_engine::verdict::{DropReason, Verdict};

use super::wire;
use super::world::{FLOW_BEGINS, Recorder, Side, World, client};

const RULE: &str = "drop udp any any -> any any (msg:\"u\"; content:\"attack\"; sid:1;)";

fn udp_fragments(world: &World, payload: &[u8], cuts: &[usize]) -> Vec<Vec<u8>> {
    let ends = world.ends(Side::Client);
    let body = wire::udp(ends, world.ports, payload);
    wire::fragments(ends, 17, &body, cuts)
}

#[test]
fn a_benign_datagram_is_released_fragment_by_fragment() {
    let mut world = World::prevent(RULE);
    let parts = udp_fragments(&world, &[b'x'; 40], &[16, 32]);
    world
        .send_frame(parts[0].clone(), false)
        .held(&[("defrag.fragments", 1), ("defrag.active", 1)]);
    world
        .send_frame(parts[2].clone(), false)
        .held(&[("defrag.fragments", 1)]);
    let mut counts = FLOW_BEGINS.to_vec();
    counts.extend([
        ("defrag.fragments", 1),
        ("defrag.active", u64::MAX),
        ("defrag.reassembled", 1),
        ("frames.released", 2),
    ]);
    world.send_frame(parts[1].clone(), false).passes(&counts);
    assert_eq!(world.output.released, [parts[0].clone(), parts[2].clone()]);
}

#[test]
fn an_attack_in_fragments_is_dropped_with_all_of_them() {
    let mut world = World::prevent(RULE);
    let parts = udp_fragments(&world, b"12345678att..ack----attack", &[24]);
    let held = world.send_frame(parts[1].clone(), false);
    assert_eq!(held.verdict, Verdict::Held);
    let last = world.send_frame(parts[0].clone(), false);
    assert_eq!(last.verdict, Verdict::Drop(DropReason::Rule));
    assert!(world.output.released.is_empty());
    assert_eq!(world.output.drops.len(), 2, "a record for each fragment");
    assert_eq!(world.engine.counters().dropped(DropReason::Rule), 2);
}

#[test]
fn a_segment_in_fragments_is_part_of_its_stream() {
    let rule =
        "drop tcp any any -> any any (msg:\"a\"; flow:established; content:\"attack\"; sid:1;)";
    let mut world = World::prevent(rule);
    world.handshake();
    world
        .send(client().data(b"att"))
        .passes(&[("tcp.bytes", 3)]);
    let ends = world.ends(Side::Client);
    let body = world
        .tcp(&client().at(3).data(b"ack and some more"))
        .bytes(ends);
    let parts = wire::fragments(ends, 6, &body, &[24]);
    let first = world.send_frame(parts[0].clone(), false);
    assert_eq!(first.verdict, Verdict::Held);
    let last = world.send_frame(parts[1].clone(), false);
    assert_eq!(last.verdict, Verdict::Drop(DropReason::Rule));
}

#[test]
fn other_bytes_in_a_fragmented_retransmission_are_rewritten_in_the_fragments() {
    let mut world = World::prevent("");
    world.handshake();
    let first = b"decoy decoy decoy";
    world
        .send(client().data(first))
        .passes(&[("tcp.bytes", 17)]);
    let ends = world.ends(Side::Client);
    let body = world.tcp(&client().data(b"attack attack att")).bytes(ends);
    let parts = wire::fragments(ends, 6, &body, &[24]);
    let held = world.send_frame(parts[0].clone(), false);
    assert_eq!(held.verdict, Verdict::Held);
    let last = world.send_frame(parts[1].clone(), false);
    assert_eq!(last.verdict, Verdict::Pass);
    let tail = last.frame[wire::LINK + 20..].to_vec();
    let mut whole = world.output.released[0][wire::LINK + 20..].to_vec();
    whole.extend(tail);
    assert!(whole.ends_with(first));
    let found = u16::from_be_bytes([whole[16], whole[17]]);
    whole[16..18].fill(0);
    assert_eq!(wire::transport_sum(ends, 6, &whole), found);
}

#[test]
fn what_is_still_held_at_the_end_is_dropped_and_counted() {
    let mut world = World::prevent(RULE);
    let parts = udp_fragments(&world, &[b'x'; 40], &[16]);
    let held = world.send_frame(parts[0].clone(), false);
    assert_eq!(held.verdict, Verdict::Held);
    let mut output = Recorder::default();
    world.engine.finish(world.now, &mut output);
    assert_eq!(output.drops.len(), 1);
    let counters = world.engine.counters();
    assert_eq!(counters.dropped(DropReason::FragmentTimeout), 1);
}

/// Says that every datagram belongs to another worker.
#[derive(Default)]
struct Elsewhere {
    frame: Vec<u8>,
    meta: Option<FrameMeta>,
    fragments: usize,
    full: bool,
}

impl Output for Elsewhere {
    fn alert(&mut self, _: &Alert<'_>) {}
    fn drop(&mut self, _: &DropRecord<'_>) {}
    fn flow(&mut self, _: &FlowEnd<'_>) {}
    fn release(&mut self, _: &[u8], _: &FrameMeta) {
        panic!("released here");
    }
    fn elsewhere(&mut self, datagram: &Datagram<'_>) -> Steering {
        if self.full {
            return Steering::Full;
        }
        self.frame = datagram.frame.to_vec();
        self.meta = Some(*datagram.meta);
        datagram.fragments.for_each(&mut |_, _| self.fragments += 1);
        Steering::Taken
    }
}

#[test]
fn a_datagram_of_another_worker_is_handed_over_and_judged_there() {
    for (payload, verdict) in [
        (b"harmless, and long enough", Verdict::Pass),
        (
            b"an attack,and long enough",
            Verdict::Drop(DropReason::Rule),
        ),
    ] {
        let mut here = World::prevent(RULE);
        let mut there = World::prevent(RULE);
        let mut output = Elsewhere::default();
        for part in udp_fragments(&here, payload, &[16]) {
            let meta = FrameMeta {
                at: here.now,
                ..meta()
            };
            let held = here.engine.process(&mut part.clone(), &meta, &mut output);
            assert_eq!(held, Verdict::Held);
        }
        assert_eq!(output.fragments, 2);
        assert_eq!(here.engine.counters().frames.steered, 2);
        let judged =
            there
                .engine
                .process_datagram(&output.frame, &output.meta.unwrap(), &mut there.output);
        assert_eq!(judged, verdict);
    }
}

#[test]
fn a_full_queue_to_another_worker_drops_the_datagram() {
    let mut world = World::prevent(RULE);
    let mut output = Elsewhere {
        full: true,
        ..Elsewhere::default()
    };
    let mut verdicts = Vec::new();
    for mut part in udp_fragments(&world, &[b'x'; 40], &[16]) {
        verdicts.push(world.engine.process(&mut part, &meta(), &mut output));
    }
    let dropped = Verdict::Drop(DropReason::FragmentMemcap);
    assert_eq!(verdicts, [Verdict::Held, dropped]);
    let counters = world.engine.counters();
    assert_eq!(counters.dropped(DropReason::FragmentMemcap), 2);
}

fn meta() -> FrameMeta {
    use weir_engine::frame::*;
    FrameMeta {
        at: Timestamp(1_000_000_000_000),
        link: LinkType::Ethernet,
        checksum: ChecksumState::Final,
        gso_size: None,
        attachment: AttachmentId(7),
        direction: WireDirection::ToPod,
        mode: Mode::Prevent,
        rules: RuleSetId(0),
        number: 0,
    }
}
