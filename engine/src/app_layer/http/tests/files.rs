//! Files, and the events that bodies, ranges and upgrades raise.

use std::io::Write as _;

use super::*;
use crate::app_layer::{
    Algorithm, Digests, FileMemory, FileNeeds, FileService, FileState, Peers, Surroundings,
};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

fn everything_of_files() -> FileService {
    FileService {
        needs: FileNeeds {
            hashes: Digests {
                md5: true,
                sha1: false,
                sha256: true,
            },
            magic: true,
            keep: true,
        },
        memory: FileMemory::new(1 << 20, 1 << 16),
    }
}

/// A flow to port 80 of which all is wanted of files.
fn watched() -> Fed {
    let mut fed = Fed::new();
    fed.parser.surround(&Surroundings {
        peers: Peers::of_port(80),
        files: &everything_of_files(),
    });
    fed
}

/// What is known of every file.
fn files(fed: &Fed) -> Vec<String> {
    let mut all = Vec::new();
    for transaction in fed.transactions() {
        for direction in [ToServer, ToClient] {
            for file in (0..).map_while(|index| transaction.file(direction, index)) {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let digest = |algorithm| file.digest(algorithm).map(<[u8]>::to_vec);
                let kept = file.kept().map(|(bytes, whole)| (text(bytes), whole));
                all.push(format!(
                    "{direction:?} {} {} {:?} {:?} {:?} {:?} {kept:?} {:?}",
                    text(file.name()),
                    file.size(),
                    file.state(),
                    file.magic().map(text),
                    digest(Algorithm::Md5),
                    digest(Algorithm::Sha256),
                    file.part_of(),
                ));
            }
        }
    }
    all
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A body in chunks, the first with an extension.
fn chunked(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for (index, chunk) in bytes.chunks(100).enumerate() {
        let extension = if index == 0 { ";a=b" } else { "" };
        out.extend(format!("{:x}{extension}\r\n", chunk.len()).bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\nTrailer: t\r\n\r\n");
    out
}

fn message(head: &str, body: &[u8]) -> Vec<u8> {
    [head.as_bytes(), body].concat()
}

const FORM: &str = "--XyZ\r\nContent-Disposition: form-data; name=\"a\"; filename=\"one.txt\"\r\n\r\nfirst \
    file\r\n--XyZ\r\nContent-Disposition: form-data; name=b; filename=two.png\r\n\r\n\x7fPNG\r\n--XyZ--\r\n";

/// A form in chunks, coded, with an answer in chunks, coded; a PUT; and a part of a file.
fn exchange() -> (Vec<u8>, Vec<u8>) {
    let form = gzip(FORM.as_bytes());
    let page: Vec<u8> = (0..400)
        .flat_map(|n| format!("line {n}\n").into_bytes())
        .collect();
    let mut request = message(
        "POST /form HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=XyZ\r\n\
         Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
        &chunked(&form),
    );
    request.extend_from_slice(
        b"PUT /a/b.bin HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n\0\x01\x02\x03\
          GET /part HTTP/1.1\r\nHost: h\r\nRange: bytes=5-8\r\n\r\n",
    );
    let mut response = message(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n\
         Transfer-Encoding: chunked\r\n\r\n",
        &chunked(&gzip(&page)),
    );
    response.extend_from_slice(
        b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n\
          HTTP/1.1 206 Partial\r\nContent-Range: bytes 5-8/20\r\nContent-Length: 4\r\n\
          Content-Disposition: attachment; filename=\"p.iso\"\r\n\r\nbody",
    );
    (request, response)
}

#[test]
fn files_of_forms_bodies_and_answers_are_told() {
    let (request, response) = exchange();
    let mut fed = watched();
    let _ = fed.feed(ToServer, &request, false);
    let _ = fed.feed(ToClient, &response, false);
    let found: Vec<(String, u64, FileState, bool)> = fed
        .transactions()
        .flat_map(|transaction| {
            [ToServer, ToClient].into_iter().flat_map(move |direction| {
                (0..).map_while(move |index| transaction.file(direction, index))
            })
        })
        .map(|file| {
            let name = String::from_utf8_lossy(file.name()).into_owned();
            (name, file.size(), file.state(), file.is_whole())
        })
        .collect();
    let closed = |name: &str, size, whole| (name.to_owned(), size, FileState::Closed, whole);
    let expected = [
        closed("one.txt", 10, true),
        closed("two.png", 4, true),
        closed("/form", 3490, true),
        closed("/a/b.bin", 4, true),
        closed("p.iso", 4, false),
    ];
    assert_eq!(found, expected);
    assert_eq!(fed.shown("file.magic", ToServer).len(), 3);
    assert_eq!(
        fed.shown("file.name", ToServer),
        ["one.txt", "two.png", "/a/b.bin"]
    );
}

#[test]
fn a_file_that_breaks_off_is_truncated() {
    let mut fed = watched();
    fed.request(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    let _ = fed.feed(
        ToClient,
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        true,
    );
    let transaction = fed.transactions().next().unwrap();
    let file = transaction.file(ToClient, 0).unwrap();
    assert_eq!((file.state(), file.size()), (FileState::Truncated, 3));
    assert_eq!(file.digest(Algorithm::Md5), None);
}

/// What raises an event: requests, responses, the event.
const RAISED: &[(&str, &str, &str)] = &[
    (
        "GET / HTTP/1.1\r\nHost: h:8080\r\n\r\n",
        "",
        "request_server_port_tcp_port_mismatch",
    ),
    (
        "GET http://h:81/ HTTP/1.1\r\nHost: h\r\n\r\n",
        "",
        "request_server_port_tcp_port_mismatch",
    ),
    (
        "GET /%2541 HTTP/1.1\r\nHost: h\r\n\r\n",
        "",
        "double_encoded_uri",
    ),
    (
        "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        "HTTP/1.1 206 P\r\nContent-Range: bytes 9-1/5\r\nContent-Length: 1\r\n\r\na",
        "range_invalid",
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;x\r\na\r\n0\r\n\r\n",
        "",
        "request_chunk_extension",
    ),
    (
        "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x\r\na\r\n0\r\n\r\n",
        "response_chunk_extension",
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "",
        "request_smuggling",
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "",
        "request_smuggling",
    ),
    (
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na",
        "",
        "duplicate_content_length_field_in_request",
    ),
];

#[test]
fn events_are_raised_by_what_they_name_and_nothing_else() {
    for (request, response, event) in RAISED {
        let mut fed = watched();
        let _ = fed.feed(ToServer, request.as_bytes(), false);
        let _ = fed.feed(ToClient, response.as_bytes(), false);
        assert!(
            fed.events().contains(event),
            "{request:?}: {:?}",
            fed.events()
        );
    }
    let mut fed = watched();
    fed.request(b"POST /%41?b=%20 HTTP/1.1\r\nHost: h:80\r\nContent-Length: 1\r\n\r\na");
    fed.response(b"HTTP/1.1 206 P\r\nContent-Range: bytes 0-0/5\r\nContent-Length: 1\r\n\r\na");
    assert_eq!(fed.events(), [] as [&str; 0]);
}

#[test]
fn an_upgrade_that_leads_elsewhere_is_an_event_before_it_is_recognised_anew() {
    let mut fed = watched();
    fed.request(b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\n\r\n");
    fed.response(b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n");
    fed.parser.retire();
    let answer = fed.feed(ToClient, b"HTTP/1.1 200 OK\r\n", false);
    assert_eq!(answer, Status::Full { unread: 17 });
    assert_eq!(fed.events(), ["failed_protocol_change"]);
    let answer = fed.feed(ToClient, b"HTTP/1.1 200 OK\r\n", false);
    assert_eq!(answer, Status::Upgraded { unread: 17 });
}

#[test]
fn a_flow_of_bombs_is_told_and_decoded_no_more() {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    let zeroes = vec![0; 1 << 16];
    for _ in 0..600 {
        encoder.write_all(&zeroes).unwrap();
    }
    let once = encoder.finish().unwrap();
    let bomb = gzip(&once);
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Encoding: deflate, gzip\r\nContent-Length: {}\r\n\r\n",
        bomb.len()
    );
    let mut fed = watched();
    for round in 0..4 {
        fed.request(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        fed.response(&message(&head, &bomb));
        let events = fed.events();
        assert_eq!(events.contains(&"compression_bomb"), round < 3, "{round}");
        let limit = events.contains(&"compression_bomb_limit_reached");
        assert_eq!(limit, round == 2, "{round}");
        fed.parser.retire();
    }
}

#[test]
fn a_flow_of_oddities_is_one_itself() {
    let mut fed = watched();
    for round in 0..600 {
        fed.request(b"GET / HTTP/1.1\r\n\r\n")
            .response(b"HTTP/1.1 204 No\r\n\r\n");
        let told = fed.events().contains(&"too_many_warnings");
        assert_eq!(told, round == 511, "{round}");
        fed.parser.retire();
    }
}

#[test]
fn a_hole_in_a_form_is_a_hole_in_its_file() {
    let mut fed = watched();
    let head = format!(
        "POST /f HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=XyZ\r\n\
         Content-Length: {}\r\n\r\n",
        FORM.len()
    );
    let at = FORM.find("first").unwrap() + 2;
    fed.request(&message(&head, &FORM.as_bytes()[..at]));
    assert_eq!(fed.parser.gap(ToServer, 4), Status::Continue);
    fed.request(&FORM.as_bytes()[at + 4..]);
    let transaction = fed.transactions().next().unwrap();
    let states: Vec<(FileState, u64)> = (0..)
        .map_while(|index| transaction.file(ToServer, index))
        .map(|file| (file.state(), file.size()))
        .collect();
    assert_eq!(states.len(), 2, "{states:?}");
    assert_eq!(states[0].0, FileState::Truncated);
    assert_eq!(states[1].0, FileState::Closed);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_cut_gives_the_same_files(cuts in prop::collection::vec(1_usize..300, 1..40)) {
        let (request, response) = exchange();
        let mut whole = watched();
        let mut cut_up = watched();
        for (direction, bytes) in [(ToServer, &request), (ToClient, &response)] {
            let _ = whole.feed(direction, bytes, true);
            let mut rest = &bytes[..];
            for cut in cuts.iter().cycle() {
                let (now, then) = rest.split_at((*cut).min(rest.len()));
                let _ = cut_up.feed(direction, now, then.is_empty());
                rest = then;
                if rest.is_empty() { break; }
            }
        }
        prop_assert_eq!(files(&cut_up), files(&whole));
        prop_assert_eq!(cut_up.everything(), whole.everything());
    }
}
