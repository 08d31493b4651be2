//! One frame to a packet, by kind of frame, and checksums by length.
//!
//! `cargo bench -p weir-engine --bench decode`

#![expect(
    clippy::expect_used,
    reason = "a bench that cannot build its frames is to stop"
)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use etherparse::PacketBuilder;
use weir_engine::decode::{checksum, decode};
use weir_engine::frame::LinkType;

fn ipv4() -> etherparse::PacketBuilderStep<etherparse::IpHeaders> {
    PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
}

fn ipv6() -> etherparse::PacketBuilderStep<etherparse::IpHeaders> {
    PacketBuilder::ethernet2([2; 6], [4; 6]).ipv6([1; 16], [2; 16], 64)
}

fn tcp(step: etherparse::PacketBuilderStep<etherparse::IpHeaders>, payload: usize) -> Vec<u8> {
    let mut frame = Vec::new();
    step.tcp(40_000, 80, 1, 1024)
        .options_raw(&[1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2])
        .expect("12 bytes of options fit")
        .write(&mut frame, &vec![b'x'; payload])
        .expect("a vector takes every byte");
    frame
}

fn udp(step: etherparse::PacketBuilderStep<etherparse::IpHeaders>) -> Vec<u8> {
    let mut frame = Vec::new();
    step.udp(40_000, 53)
        .write(&mut frame, &[b'x'; 22])
        .expect("a vector takes every byte");
    frame
}

fn decoding(criterion: &mut Criterion) {
    let mut vlan = udp(ipv4());
    vlan.splice(12..12, [0x81, 0, 0, 5]);
    let frames = [
        ("ipv4 tcp", tcp(ipv4(), 1448)),
        ("ipv4 udp", udp(ipv4())),
        ("vlan ipv4 udp", vlan),
        ("ipv6 tcp", tcp(ipv6(), 1428)),
        ("ipv6 udp", udp(ipv6())),
    ];
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(1));
    for (name, frame) in &frames {
        group.bench_function(*name, |bencher| {
            bencher.iter(|| {
                let decoded = decode(black_box(frame), LinkType::Ethernet);
                black_box(&decoded).is_ok()
            });
        });
    }
}

fn checksums(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("checksum");
    for payload in [22, 1448, 65_000] {
        let frame = tcp(ipv4(), payload);
        let packet = decode(&frame, LinkType::Ethernet).expect("a right frame");
        group.throughput(Throughput::Bytes(
            u64::try_from(payload).unwrap_or_default(),
        ));
        group.bench_function(format!("tcp {payload} B"), |bencher| {
            bencher.iter(|| checksum::verify_transport(black_box(&packet)));
        });
    }
}

criterion_group!(benches, decoding, checksums);
criterion_main!(benches);
