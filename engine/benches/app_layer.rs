//! Parsers of the application layer: one conversation over and over, in bytes and transactions a second.
//!
//! `cargo bench -p weir-engine --bench app_layer`
//!
//! The conversations are the fuzz targets' seeds: four bytes of flags, then what is said, `f5 f7` where the
//! other peer goes on.

#![expect(
    clippy::expect_used,
    reason = "a bench whose conversations cannot be read is to stop"
)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use weir_engine::app_layer::{Input, Limits, Parser, protocol_named};
use weir_engine::event::FlowDirection::{self, ToClient, ToServer};
use weir_engine::frame::Timestamp;

/// Protocol, what is measured, the seed, and how many transactions it has.
const CONVERSATIONS: [(&str, &str, &[u8], u64); 7] = [
    ("dns", "tcp", include_bytes!("../../fuzz/seeds/dns/tcp"), 4),
    ("dns", "udp", include_bytes!("../../fuzz/seeds/dns/udp"), 4),
    (
        "ftp",
        "session",
        include_bytes!("../../fuzz/seeds/ftp/session"),
        9,
    ),
    (
        "smtp",
        "mail",
        include_bytes!("../../fuzz/seeds/smtp/mail"),
        1,
    ),
    (
        "tls",
        "1.2",
        include_bytes!("../../fuzz/seeds/tls/tls12"),
        1,
    ),
    (
        "tls",
        "1.3",
        include_bytes!("../../fuzz/seeds/tls/tls13"),
        1,
    ),
    (
        "ssh",
        "session",
        include_bytes!("../../fuzz/seeds/ssh/session"),
        1,
    ),
];

fn turns(seed: &[u8]) -> Vec<(FlowDirection, Vec<u8>)> {
    let said = seed.get(4..).expect("a seed starts with its flags");
    let mut turns = vec![(ToServer, Vec::new())];
    let mut rest = said;
    while let Some((byte, behind)) = rest.split_first() {
        let (direction, bytes) = turns.last_mut().expect("there is one from the start");
        if rest.starts_with(&[0xf5, 0xf7]) {
            let other = direction.opposite();
            turns.push((other, Vec::new()));
            rest = rest.get(2..).unwrap_or_default();
            continue;
        }
        bytes.push(*byte);
        rest = behind;
    }
    turns.retain(|(_, bytes)| !bytes.is_empty());
    turns
}

/// Reads the whole conversation and lets its transactions go; returns how many there were.
fn read(parser: &mut dyn Parser, turns: &[(FlowDirection, Vec<u8>)], datagram: bool) -> u64 {
    let mut transactions = 0;
    for (direction, bytes) in turns {
        let _ = parser.parse(&Input {
            direction: *direction,
            bytes,
            eof: false,
            datagram,
            at: Timestamp(1_700_000_000_000_000_000),
        });
        parser.inspected(*direction);
    }
    while !parser.is_empty() {
        parser.retire();
        transactions += 1;
    }
    parser.reset();
    transactions
}

fn all(criterion: &mut Criterion) {
    for (name, kind, seed, expected) in CONVERSATIONS {
        let protocol = protocol_named(name).expect("the protocol is registered");
        let mut parser = protocol.protocol().open(&Limits::default());
        let turns = turns(seed);
        let datagram = seed.first().is_some_and(|flags| flags & 1 != 0);
        assert!(turns.iter().any(|(direction, _)| *direction == ToClient));
        assert_eq!(read(parser.as_mut(), &turns, datagram), expected);
        let bytes = turns.iter().map(|(_, bytes)| bytes.len() as u64).sum();
        for (unit, throughput) in [
            ("bytes", Throughput::Bytes(bytes)),
            ("transactions", Throughput::Elements(expected)),
        ] {
            let mut group = criterion.benchmark_group(format!("app_layer {name} {kind}"));
            group.throughput(throughput);
            group.bench_function(unit, |bencher| {
                bencher.iter(|| read(parser.as_mut(), &turns, datagram));
            });
        }
    }
}

criterion_group!(benches, all);
criterion_main!(benches);
