//! Bytes per second by number of patterns and engine, on an HTTP request and on random bytes.
//!
//! The patterns are the longest contents of the rules under `$WEIR_CORPUS/rules/etopen`.

#![expect(
    clippy::panic,
    reason = "a benchmark that cannot run has nothing else to say"
)]

use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use weir_prefilter::{Engine, Pattern, Prefilter};

/// Bytes of a haystack.
const HAYSTACK: usize = 1500;

fn corpus() -> PathBuf {
    std::env::var_os("WEIR_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus"),
        PathBuf::from,
    )
}

/// The longest content of every enabled rule: bytes and whether case is ignored.
fn contents() -> Vec<(Vec<u8>, bool)> {
    let dir = corpus().join("rules/etopen");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&dir)
        .unwrap_or_else(|error| panic!("{}: {error}: set WEIR_CORPUS", dir.display()))
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    files.sort();
    files
        .iter()
        .flat_map(|file| {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            text.lines()
                .filter(|line| line.starts_with("alert"))
                .filter_map(longest_content)
                .collect::<Vec<_>>()
        })
        .collect()
}

fn longest_content(rule: &str) -> Option<(Vec<u8>, bool)> {
    rule.split("content:\"")
        .skip(1)
        .filter_map(|rest| {
            let (text, behind) = rest.split_once('"')?;
            let nocase = behind.split("content:").next()?.contains("nocase");
            Some((unescape(text)?, nocase))
        })
        .max_by_key(|(bytes, _)| bytes.len())
        .filter(|(bytes, _)| !bytes.is_empty())
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for (index, part) in text.split('|').enumerate() {
        if index % 2 == 0 {
            bytes.extend(part.replace('\\', "").bytes());
        } else {
            for hex in part.split_whitespace() {
                bytes.push(u8::from_str_radix(hex, 16).ok()?);
            }
        }
    }
    Some(bytes)
}

fn haystacks() -> [(&'static str, Vec<u8>); 2] {
    let request = b"POST /api/v1/orders?id=4711&sort=desc HTTP/1.1\r\nHost: shop.internal:8080\r\n\
        User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\nAccept: text/html,\
        application/json\r\nContent-Type: application/json\r\nCookie: session=0123456789abcdef\r\n\r\n\
        {\"customer\":\"anna\",\"lines\":[{\"sku\":\"A-1\",\"count\":3},{\"sku\":\"B-22\",\"count\":1}]}";
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let random = (0..HAYSTACK).map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    });
    [
        (
            "http",
            request.iter().copied().cycle().take(HAYSTACK).collect(),
        ),
        ("random", random.collect()),
    ]
}

fn scan(criterion: &mut Criterion) {
    let all = contents();
    let step = |count: usize| all.len().div_ceil(count).max(1);
    for (name, haystack) in haystacks() {
        let mut group = criterion.benchmark_group(format!("scan/{name}"));
        group.throughput(Throughput::Bytes(HAYSTACK as u64));
        for count in [40, 300, 1000, 5000, all.len()] {
            for engine in [Engine::Best, Engine::Scalar] {
                let patterns = (0..).zip(all.iter().step_by(step(count)));
                let set = Prefilter::build_for(
                    engine,
                    patterns.map(|(id, (bytes, nocase))| Pattern {
                        bytes,
                        nocase: *nocase,
                        id,
                    }),
                )
                .unwrap_or_else(|error| panic!("{error}"));
                let label = format!("{engine:?}-{}", set.way());
                group.bench_with_input(BenchmarkId::new(label, count), &set, |bench, set| {
                    bench.iter(|| {
                        let mut hits = 0_u32;
                        set.scan(black_box(&haystack), |_, _| hits += 1);
                        hits
                    });
                });
            }
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(std::time::Duration::from_millis(200))
        .measurement_time(std::time::Duration::from_millis(600));
    targets = scan
}
criterion_main!(benches);
