//! HTTP/2 in bytes per second, parser alone: many small requests on one connection, a large body, and bodies
//! of streams that interleave.
//!
//! `cargo bench -p weir-engine --bench http2`

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed assumption of a benchmark is a failed benchmark"
)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use weir_engine::app_layer::{AppFlow, Feed, Limits, ParserPool, Peers, Window};
use weir_engine::event::FlowDirection::{self, ToClient, ToServer};
use weir_engine::frame::Timestamp;

/// Bytes of a segment.
const SEGMENT: usize = 1448;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Requests of an exchange.
const REQUESTS: u32 = 100;

/// `GET /` of `www.example.com`, by the static table and a Huffman text, and fields as they are.
const REQUEST: &[u8] = b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff\
    \x0f\x2b\x1fMozilla/5.0 (X11; Linux x86_64)\x0f\x04\x10application/json\
    \x0f\x11\x18session=0123456789abcdef";

const RESPONSE: &[u8] = b"\x88\x0f\x10\x10application/json\x0f\x0d\x0243";

/// A flow that is fed segment by segment, settled as the engine does.
struct Talk {
    pool: ParserPool,
    flow: AppFlow,
    sent: [u64; 2],
}

impl Talk {
    fn new() -> Self {
        Self {
            pool: ParserPool::new(Limits::default()),
            flow: AppFlow::default(),
            sent: [0; 2],
        }
    }

    fn send(&mut self, direction: FlowDirection, bytes: &[u8]) {
        for segment in bytes.chunks(SEGMENT) {
            let offset = &mut self.sent[direction.index()];
            let feed = Feed {
                direction,
                window: Window {
                    offset: *offset,
                    bytes: segment,
                },
                fresh_from: 0,
                from_start: true,
                other: Window::default(),
                eof: false,
                datagram: false,
                peers: Peers::of_port(80),
                at: Timestamp(0),
            };
            *offset += segment.len() as u64;
            while self.flow.feed(&feed, &mut self.pool) > 0 {
                self.flow.settle(direction, |_, _| {});
            }
            self.flow.settle(direction, |_, _| {});
        }
    }

    fn end(&mut self) {
        assert_eq!(self.flow.view().name(), Some("http2"));
        self.flow.close(&mut self.pool, |_, _| {});
        self.sent = [0; 2];
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, payload].concat()
}

fn streams() -> impl Iterator<Item = u32> {
    (0..REQUESTS).map(|number| 2 * number + 1)
}

/// What both sides say: a request for each stream, and bodies of so many bytes, a frame of each in turn.
fn talk(body: usize, frame_size: usize) -> [Vec<u8>; 2] {
    let requests = streams().flat_map(|stream| frame(1, 5, stream, REQUEST));
    let requests: Vec<u8> = PREFACE.iter().copied().chain(requests).collect();
    let mut responses = frame(4, 0, 0, b"");
    responses.extend(streams().flat_map(|stream| frame(1, 4, stream, RESPONSE)));
    let content: Vec<u8> = (0..=255).cycle().take(body).collect();
    let frames: Vec<&[u8]> = content.chunks(frame_size).collect();
    for (at, content) in frames.iter().enumerate() {
        let last = u8::from(at + 1 == frames.len());
        responses.extend(streams().flat_map(|stream| frame(0, last, stream, content)));
    }
    [requests, responses]
}

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("http2");
    for (name, [requests, responses]) in [
        ("small", talk(43, 43)),
        ("large", talk(200_000, 16_384)),
        ("interleaved", talk(20_000, 500)),
    ] {
        let mut talk = Talk::new();
        let bytes = requests.len() + responses.len();
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                talk.send(ToServer, &requests);
                talk.send(ToClient, &responses);
                talk.end();
            });
        });
    }
    group.finish();
}

criterion_group!(http2, benches);
criterion_main!(http2);
