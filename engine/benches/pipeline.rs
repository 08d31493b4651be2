//! One frame through all stages of a warm engine: 64-byte UDP, full-sized TCP in order, a 64 KiB GSO
//! super-segment; without rules and with a few.
//!
//! `cargo bench -p weir-engine --bench pipeline`

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed assumption of a benchmark is a failed benchmark"
)]

#[path = "../tests/pipeline/wire.rs"]
#[expect(dead_code, reason = "shared with the pipeline's tests")]
mod wire;
#[path = "../tests/pipeline/world.rs"]
#[expect(dead_code, reason = "shared with the pipeline's tests")]
mod world;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use weir_engine::frame::{
    AttachmentId, ChecksumState, FrameMeta, LinkType, Mode, RuleSetId, Timestamp, WireDirection,
};

use world::{Recorder, Side, World, client, server};

const RULES: &str = "\
alert tcp any any -> any any (msg:\"a\"; flow:established; content:\"attack\"; sid:1;)
alert tcp any any -> any any (msg:\"b\"; flow:established; content:\"/bin/sh\"; sid:2;)
alert udp any any -> any any (msg:\"c\"; content:\"attack\"; sid:3;)";

fn meta(gso_size: Option<u16>) -> FrameMeta {
    FrameMeta {
        at: Timestamp(1_000_000_000_000),
        link: LinkType::Ethernet,
        checksum: ChecksumState::Partial,
        gso_size,
        attachment: AttachmentId(1),
        direction: WireDirection::ToPod,
        mode: Mode::Prevent,
        rules: RuleSetId(0),
        number: 0,
    }
}

fn udp(criterion: &mut Criterion, name: &str, rules: &str) {
    let mut world = World::prevent(rules);
    let ends = world.ends(Side::Client);
    let mut frame = wire::frame(ends, 17, &wire::udp(ends, world.ports, &[b'x'; 22]));
    let meta = meta(None);
    let mut output = Recorder::default();
    let mut group = criterion.benchmark_group("pipeline");
    group.throughput(Throughput::Elements(1));
    group.bench_function(format!("udp 64 B, {name}"), |bencher| {
        bencher.iter(|| world.engine.process(&mut frame, &meta, &mut output));
    });
}

/// Segments of `size` bytes in order, the receiver acknowledging every `window`-th.
fn tcp(criterion: &mut Criterion, name: &str, rules: &str, size: usize) {
    let mut world = World::prevent(rules);
    world.handshake();
    let gso = (size > 1460).then_some(1448);
    let payload = vec![b'x'; size];
    let mut data = world.frame(&client().data(&payload));
    let mut ack = world.frame(&server());
    let meta = meta(gso);
    let mut output = Recorder::default();
    let mut offset = 0u32;
    let step = u32::try_from(size).unwrap_or(0);
    let mut group = criterion.benchmark_group("pipeline");
    group.throughput(Throughput::Bytes(size as u64));
    group.bench_function(format!("tcp {size} B and its ack, {name}"), |bencher| {
        bencher.iter(|| {
            let base = wire::LINK + 20;
            data[base + 4..base + 8].copy_from_slice(&(1001u32.wrapping_add(offset)).to_be_bytes());
            let first = world.engine.process(&mut data, &meta, &mut output);
            offset = offset.wrapping_add(step);
            ack[base + 8..base + 12].copy_from_slice(&(1001u32.wrapping_add(offset)).to_be_bytes());
            (first, world.engine.process(&mut ack, &meta, &mut output))
        });
    });
    assert_eq!(world.engine.counters().streams.out_of_order, 0);
}

fn all(criterion: &mut Criterion) {
    for (name, rules) in [("no rules", ""), ("3 rules", RULES)] {
        udp(criterion, name, rules);
        tcp(criterion, name, rules, 1460);
        tcp(criterion, name, rules, 64_000);
    }
}

criterion_group!(benches, all);
criterion_main!(benches);
