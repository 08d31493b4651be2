//! Signatures on files, whatever the cut of the bytes that carry them.

use proptest::prelude::*;

use super::lab::{Lab, compile};
use crate::event::FlowDirection::{ToClient, ToServer};

const RULES: &str = r#"
alert http any any -> any any (http.uri; content:"/up"; file.name; content:"two"; sid:1;)
alert http any any -> any any (file.data; content:"straddles|20|the|20|cut"; sid:2;)
alert http any any -> any any (fileext:"PDF"; filesize:>5; sid:3;)
alert http any any -> any any (filemagic:"PDF document"; filesize:11; sid:4;)
alert http any any -> any any (filename:"one"; filesize:12; sid:5;)
alert http any any -> any any (flow:to_client; filesize:to_client,<1KB; http.stat_code; content:"200"; sid:6;)
alert http any any -> any any (flow:to_client; filesize:>1MB; sid:7;)
alert http any any -> any any (urilen:9,norm; urilen:11,raw; sid:8;)
alert http any any => any any (http.method; content:"POST"; http.stat_code; content:"200"; sid:9;)
alert http1:request_headers any any -> any any (http.host; content:"h"; sid:10;)
alert http1:response_complete any any -> any any (sid:11;)
alert http any any -> any any (filemagic:"PNG image"; sid:12;)"#;

const REQUEST: &[u8] = b"POST /%75p/load?x HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; \
    boundary=XyZ\r\nTransfer-Encoding: chunked\r\n\r\n\
    20\r\n--XyZ\r\nContent-Disposition: form\r\n\
    62\r\n-data; filename=one.pdf\r\n\r\n%PDF-1.4 abc\r\n--XyZ\r\nContent-Disposition: form-data; filename=\"two.txt\r\n\
    2a\r\n\"\r\n\r\nthis straddles the cut here\r\n--XyZ--\r\n\r\n0\r\n\r\n";

const RESPONSE: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: application/pdf\r\nContent-Length: 11\r\n\r\n%PDF-1.7 ab";

/// The signatures that fire on the exchange when its bytes come in pieces of these sizes.
fn fired(cuts: &[usize]) -> Vec<u32> {
    let mut lab = Lab::new(RULES);
    let mut all = Vec::new();
    for (direction, bytes) in [(ToServer, REQUEST), (ToClient, RESPONSE)] {
        let mut rest = bytes;
        for cut in cuts.iter().cycle() {
            let (now, then) = rest.split_at((*cut).min(rest.len()));
            all.extend(lab.send(direction, now));
            rest = then;
            if rest.is_empty() {
                break;
            }
        }
    }
    all.sort_unstable();
    all.dedup();
    all
}

#[test]
fn files_are_matched_by_name_kind_size_and_content() {
    assert_eq!(fired(&[10_000]), [1, 2, 3, 4, 5, 6, 9, 10, 11]);
}

#[test]
fn positions_in_a_long_body_are_counted_from_its_beginning() {
    let mut lab = Lab::new(
        r#"alert http any any -> any any (file.data; content:"MZ"; startswith; sid:1;)
        alert http any any -> any any (file.data; content:"MZ"; depth:9000; offset:8100; sid:2;)
        alert http any any -> any any (file.data; content:"MZ"; sid:3;)
        alert http any any -> any any (file.data; bsize:8296; content:"MZ"; sid:4;)
        alert http any any -> any any (file.data; bsize:<8000; content:"MZ"; sid:5;)
        alert http any any -> any any (file.data; pcre:"/^MZ/"; sid:6;)
        alert http any any -> any any (file.data; content:!"XX"; startswith; content:"MZ"; sid:7;)
        alert http any any -> any any (file.data; to_md5; bsize:16; sid:8;)"#,
    );
    lab.send(ToServer, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 8296\r\n\r\n";
    let first = [&head[..], &[b'A'; 4096]].concat();
    let none: [u32; 0] = [];
    assert_eq!(lab.send(ToClient, &first), none);
    assert_eq!(lab.send(ToClient, &[b'A'; 4096]), none);
    // The kept tail begins at 4096: were positions its own, the second would not fire, nor the fourth.
    let last = [b"MZ", &[b'A'; 102][..]].concat();
    assert_eq!(lab.send(ToClient, &last), [2, 3, 4]);
    let mut lab =
        Lab::new(r#"drop http any any -> any any (file.data; content:"MZ"; startswith; sid:1;)"#);
    lab.send(ToServer, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 8300\r\n\r\n";
    let first = [&head[..], &[b'A'; 4096], b"MZ", &[b'A'; 4094]].concat();
    assert_eq!(lab.send(ToClient, &first), none);
    assert_eq!(lab.send(ToClient, &[b'A'; 108]), none);
}

#[test]
fn a_file_that_was_undecided_when_another_fired_fires_later() {
    let rules = "alert http any any -> any any (filesize:5; sid:1;)
        alert http any any -> any any (filesize:5; http.method; content:\"POST\"; sid:2;)";
    let mut lab = Lab::new(rules);
    let part = "--B\r\nContent-Disposition: form-data; name=f; filename=";
    let body = [
        format!("{part}a\r\n\r\nfirst\r\n{part}b\r\n\r\nse"),
        "con\r\n--B--\r\n".to_owned(),
    ];
    let head = format!(
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: {}\r\n\r\n",
        body.concat().len()
    );
    let [opening, rest] = body;
    assert_eq!(lab.send(ToServer, (head + &opening).as_bytes()), [1, 2]);
    assert_eq!(lab.send(ToServer, rest.as_bytes()), [1, 2]);
    let none: [u32; 0] = [];
    assert_eq!(lab.send(ToClient, RESPONSE), none);
}

#[test]
fn what_cannot_be_read_is_refused() {
    for (options, reason) in [
        ("filemd5:nowhere;", "nowhere"),
        ("filesha256:!;", "lacks the name"),
        ("filesize:sideways,5;", "not a direction"),
        (
            "filesize:to_server,5; filesize:to_client,5;",
            "both directions",
        ),
        ("filestore:up;", "not a direction"),
        ("filestore:both,all;", "none of file"),
        ("urilen:5,other;", "not an unsigned integer"),
    ] {
        let rule = format!("alert http any any -> any any ({options} sid:1;)");
        let compiled = compile(&rule);
        let refused = compiled
            .refused
            .first()
            .map(|refusal| refusal.reason.clone());
        let refused = refused.unwrap_or_default();
        assert!(refused.contains(reason), "{options}: {refused:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_cut_fires_the_same_signatures(cuts in prop::collection::vec(1_usize..80, 1..30)) {
        prop_assert_eq!(fired(&cuts), fired(&[10_000]));
    }
}
