//! Bytes per second of CPU time by set of patterns and kind of payload.
//!
//! Sets: what the shipped rules look for, and so many of the rules under `$WEIR_CORPUS/rules/etopen`; of each
//! rule its longest content. Payloads of 64 KiB: TCP payload of the captures under `$WEIR_CORPUS/captures`,
//! random bytes, a request over and over, and bytes that come as close to the patterns as they can.
//!
//! `cargo bench -p weir-prefilter --bench scan`

#![expect(
    clippy::panic,
    reason = "a benchmark that cannot run has nothing else to say"
)]

mod cpu_time;
mod haystacks;
mod patterns;

use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use weir_prefilter::{Engine, Pattern, Prefilter};

use cpu_time::CpuTime;
use patterns::Content;

/// A folder of the corpus.
fn corpus(folder: &str) -> PathBuf {
    let root = std::env::var_os("WEIR_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus"),
        PathBuf::from,
    );
    root.join(folder)
}

fn build(engine: Engine, contents: &[Content]) -> Prefilter {
    let patterns = (0..).zip(contents).map(|(id, content)| Pattern {
        bytes: &content.bytes,
        nocase: content.nocase,
        id,
    });
    Prefilter::build_for(engine, patterns).unwrap_or_else(|error| panic!("{error}"))
}

fn scan(criterion: &mut Criterion<CpuTime>) {
    let payloads = haystacks::payloads();
    for (name, contents) in patterns::sets() {
        let near = ("near", haystacks::near(&contents));
        for (payload, haystack) in payloads.iter().chain([&near]) {
            let mut group = criterion.benchmark_group(format!("{name}/{payload}"));
            group.throughput(Throughput::Bytes(haystack.len() as u64));
            for engine in [Engine::Best, Engine::Avx2, Engine::Scalar] {
                let set = build(engine, &contents);
                let id = BenchmarkId::from_parameter(format!("{engine:?}-{}", set.way()));
                group.bench_with_input(id, &set, |bench, set| {
                    bench.iter(|| {
                        let mut hits = 0_u32;
                        set.scan(black_box(haystack), |_, _| hits += 1);
                        hits
                    });
                });
            }
            group.finish();
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .with_measurement(CpuTime)
        .sample_size(10)
        .warm_up_time(std::time::Duration::from_millis(100))
        .measurement_time(std::time::Duration::from_millis(300));
    targets = scan
}
criterion_main!(benches);
