//! One quirk a case: what servers and browsers forgive, and what is told of it.

use super::*;

/// Requests or responses, what a buffer shows, and the anomalies.
type Case = (
    &'static [u8],
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

const REQUESTS: &[Case] = &[
    (b"GET /a\r\n\r\n", "http.uri", &["/a"], &[]),
    (b"GET /a\r\nHost: h\r\n\r\n", "http.host", &["h"], &["request_line_missing_protocol"]),
    (b" GET /a HTTP/1.0\r\n\r\n", "http.uri", &["/a"], &["request_line_leading_whitespace"]),
    (b"GET\t/a HTTP/1.0\r\n\r\n", "http.uri", &["/a"], &["method_delim_non_compliant"]),
    (b"GET /a\tHTTP/1.0\r\n\r\n", "http.uri", &["/a"], &["uri_delim_non_compliant"]),
    (b"GET /a HTTP/1.1\r\n\r\n", "http.uri", &["/a"], &["missing_host_header"]),
    (
        b"GET http://u.com/a HTTP/1.1\r\nHost: h.com\r\n\r\n",
        "http.host",
        &["u.com"],
        &["host_header_ambiguous"],
    ),
    (b"GET /a HTTP/1.1\r\nHost: a b\r\n\r\n", "http.host.raw", &["a b"], &["request_header_host_invalid"]),
    (b"GET http://a..b/ HTTP/1.0\r\n\r\n", "http.host", &["a..b"], &["request_uri_host_invalid"]),
    (b"CONNECT a:x HTTP/1.0\r\n\r\n", "http.uri", &["a:x"], &["invalid_authority_port"]),
    (
        b"POST / HTTP/1.0\r\nContent-Length: x\r\n\r\n",
        "http.content_len",
        &["x"],
        &["invalid_content_length_field_in_request"],
    ),
    (
        b"POST / HTTP/1.0\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na",
        "http.request_body",
        &["a"],
        &["duplicate_content_length_field_in_request", "request_header_repetition"],
    ),
    (
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n2\r\nab\r\n0\r\n\r\n",
        "http.request_body",
        &["ab"],
        &["request_smuggling"],
    ),
    (
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab",
        "http.request_body",
        &["zz\r\nab"],
        &["request_smuggling", "invalid_transfer_encoding_value_in_request", "invalid_request_chunk_len"],
    ),
    (b"GET / HTTP/1.0\r\n\r\n(junk\r\n", "http.request_body", &["(junk\r\n"], &["request_body_unexpected"]),
    (b"GET / HTTP/1.0\r\nAuthorization: odd x\r\n\r\n", "http.uri", &["/"], &["request_auth_unrecognized"]),
    (b"XX YY\r\n\r\n", "http.method", &["XX"], &["request_line_invalid"]),
];

const RESPONSES: &[Case] = &[
    (b"HTTP/1.1 200 OK\r\n\r\nabc", "file.data", &["abc"], &[]),
    (b"HTTP/1.1 200 OK\n\nabc", "file.data", &["abc"], &[]),
    (b"http/1.1 200 OK\r\n\r\nabc", "file.data", &["abc"], &[]),
    (
        b"HTTP/7 200 OK\r\n\r\nabc",
        "file.data",
        &["abc"],
        &["response_invalid_protocol"],
    ),
    (
        b"HTTP/1.1 abc\r\n\r\nabc",
        "file.data",
        &["abc"],
        &["response_invalid_status"],
    ),
    (b"just a body", "file.data", &["just a body"], &[]),
    (
        b"junk\r\nHTTP/1.1 200 OK\r\n\r\nabc",
        "http.stat_code",
        &["200"],
        &[],
    ),
    (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nabc",
        "http.stat_code",
        &["200"],
        &["100_continue_already_seen"],
    ),
    (
        b"HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\nab",
        "file.data",
        &["ab"],
        &[],
    ),
    (
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: x, chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        "file.data",
        &["a"],
        &[
            "response_abnormal_transfer_encoding",
            "response_chunked_old_proto",
        ],
    ),
    (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\nqq\r\nab",
        "file.data",
        &["aqq\r\nab"],
        &["invalid_response_chunk_len"],
    ),
    (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding\r\n : chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        "http.stat_code",
        &["200"],
        &["response_header_invalid"],
    ),
    (
        b"HTTP/1.1 200 OK\n\rServer: s\n\rA: b\n\r\r\nabc",
        "http.server",
        &["s"],
        &[],
    ),
    (
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nab",
        "file.data",
        &["ab"],
        &["invalid_content_length_field_in_response"],
    ),
    (
        b"HTTP/1.1 200 OK\r\nContent-Disposition: attachment; filename=\"f.exe\"\r\n\r\nMZ",
        "file.name",
        &["f.exe"],
        &[],
    ),
];

#[test]
fn requests_are_forgiven_as_servers_do() {
    for (bytes, keyword, expected, events) in REQUESTS {
        let mut fed = Fed::new();
        let _ = fed.feed(ToServer, bytes, true);
        let shown = String::from_utf8_lossy(bytes);
        assert_eq!(fed.shown(keyword, ToServer), *expected, "{shown:?}");
        assert_eq!(fed.events(), *events, "{shown:?}");
    }
}

#[test]
fn responses_are_forgiven_as_browsers_do() {
    for (bytes, keyword, expected, events) in RESPONSES {
        let mut fed = Fed::new();
        fed.request(b"GET /x HTTP/1.0\r\n\r\n");
        let _ = fed.feed(ToClient, bytes, true);
        let shown = String::from_utf8_lossy(bytes);
        assert_eq!(fed.shown(keyword, ToClient), *expected, "{shown:?}");
        assert_eq!(fed.events(), *events, "{shown:?}");
        assert_eq!(
            fed.transactions().next().map(|it| it.progress(ToClient)),
            Some(COMPLETE)
        );
    }
}

#[test]
fn a_response_without_a_request_stands_alone() {
    let mut fed = Fed::new();
    fed.response(b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na");
    fed.request(b"GET /1 HTTP/1.0\r\n\r\n");
    fed.response(b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nb");
    assert_eq!(fed.shown("file.data", ToClient), ["a", "b"]);
    assert_eq!(fed.events(), ["unable_to_match_response_to_request"]);
    assert_eq!(fed.transactions().nth(1).map(|it| it.id()), Some(1));
}

#[test]
fn a_body_that_was_declined_is_not_waited_for() {
    let mut fed = Fed::new();
    fed.request(
        b"POST /1 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
    );
    fed.response(b"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n");
    fed.request(b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(fed.shown("http.uri", ToServer), ["/1", "/2"]);
}

#[test]
fn limits_end_what_is_too_long() {
    let long = [&b"GET /"[..], &vec![b'a'; 20_000]].concat();
    let mut fed = Fed::new();
    assert_eq!(fed.feed(ToServer, &long, false), Status::Failed);
    assert_eq!(fed.events(), ["request_field_too_long"]);
    let mut fed = Fed::new();
    fed.request(b"GET / HTTP/1.0\r\n");
    let mut status = Status::Continue;
    for _ in 0..80 {
        if status == Status::Continue {
            let field = [&b"X: "[..], &vec![b'a'; 1000], b"\r\n"].concat();
            status = fed.feed(ToServer, &field, false);
        }
    }
    assert_eq!(status, Status::Failed);
    assert!(fed.events().contains(&"request_field_too_long"));
}
