//! HTTP/1 in bytes per second, parser alone: requests without bodies, large plain bodies, chunked and
//! compressed ones, a form with a file, with and without digests.
//!
//! `cargo bench -p weir-engine --bench http`

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed assumption of a benchmark is a failed benchmark"
)]

use std::io::Write as _;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flate2::Compression;
use flate2::write::GzEncoder;
use weir_engine::app_layer::{
    AppFlow, Digests, Feed, FileNeeds, Limits, ParserPool, Peers, Window,
};
use weir_engine::event::FlowDirection::{self, ToClient, ToServer};
use weir_engine::frame::Timestamp;

/// Bytes of a segment.
const SEGMENT: usize = 1448;

const REQUEST: &[u8] = b"GET /api/v1/items?id=1234&sort=name HTTP/1.1\r\nHost: shop.default.svc\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: application/json\r\nAccept-Encoding: gzip\r\n\
    Cookie: session=0123456789abcdef\r\nConnection: keep-alive\r\n\r\n";

/// A flow that is fed segment by segment, settled as the engine does.
struct Talk {
    pool: ParserPool,
    flow: AppFlow,
    sent: [u64; 2],
}

impl Talk {
    fn new(files: FileNeeds) -> Self {
        let mut pool = ParserPool::new(Limits::default());
        pool.want_files(files);
        Self {
            pool,
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
}

fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    [head.as_bytes(), body].concat()
}

fn chunked(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for chunk in bytes.chunks(4096) {
        out.extend(format!("{:x}\r\n", chunk.len()).bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n\r\n");
    out
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A request and its answer, over and over in one flow.
fn exchange(
    criterion: &mut Criterion,
    name: &str,
    (request, response): (&[u8], &[u8]),
    files: FileNeeds,
) {
    let mut talk = Talk::new(files);
    let mut group = criterion.benchmark_group("http");
    let bytes = (request.len() + response.len()) as u64;
    group.throughput(Throughput::Bytes(bytes));
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            talk.send(ToServer, request);
            talk.send(ToClient, response);
        });
    });
}

fn http(criterion: &mut Criterion) {
    let page: Vec<u8> = (0..40_000_u32)
        .flat_map(|n| format!("<li>item {}</li>\n", n.wrapping_mul(2_654_435_761)).into_bytes())
        .take(1 << 20)
        .collect();
    let none = FileNeeds::default();
    let digests = FileNeeds {
        hashes: Digests {
            md5: true,
            sha1: true,
            sha256: true,
        },
        magic: true,
        keep: false,
    };
    let ok = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n";
    let empty = answer("HTTP/1.1 204 No Content\r\nServer: nginx\r\n\r\n", b"");
    exchange(criterion, "requests", (REQUEST, &empty), none);
    let plain = answer(
        &format!("{ok}Content-Length: {}\r\n\r\n", page.len()),
        &page,
    );
    exchange(criterion, "body of 1 MiB", (REQUEST, &plain), none);
    exchange(
        criterion,
        "body of 1 MiB, all digests",
        (REQUEST, &plain),
        digests,
    );
    let chunks = answer(
        &format!("{ok}Transfer-Encoding: chunked\r\n\r\n"),
        &chunked(&page),
    );
    exchange(criterion, "chunked body of 1 MiB", (REQUEST, &chunks), none);
    let packed = gzip(&page);
    let head = format!(
        "{ok}Content-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        packed.len()
    );
    exchange(
        criterion,
        "gzip body (compressed bytes)",
        (REQUEST, &answer(&head, &packed)),
        none,
    );
    let form = [
        &b"--XyZ\r\nContent-Disposition: form-data; name=f; filename=a.bin\r\n\r\n"[..],
        &page,
        b"\r\n--XyZ--\r\n",
    ]
    .concat();
    let head = format!(
        "POST /upload HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=XyZ\r\n\
         Content-Length: {}\r\n\r\n",
        form.len()
    );
    exchange(
        criterion,
        "form with a file of 1 MiB",
        (&answer(&head, &form), &empty),
        none,
    );
}

criterion_group!(benches, http);
criterion_main!(benches);
