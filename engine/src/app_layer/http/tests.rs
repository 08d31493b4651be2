//! Exchanges as they come off the wire: what rules see of them, whatever the cut.

mod files;
mod quirks;

use super::*;
use crate::app_layer::{Input, Status, Transaction, buffers};
use crate::frame::Timestamp;
use proptest::prelude::*;

/// A flow that is fed by hand.
pub(super) struct Fed {
    pub(super) parser: HttpParser,
}

impl Fed {
    pub(super) fn new() -> Self {
        Self::with(&Limits::default())
    }

    pub(super) fn with(limits: &Limits) -> Self {
        Self {
            parser: HttpParser::new(limits),
        }
    }

    pub(super) fn feed(&mut self, direction: FlowDirection, bytes: &[u8], eof: bool) -> Status {
        self.parser.parse(&Input {
            direction,
            bytes,
            eof,
            datagram: false,
            at: Timestamp(0),
        })
    }

    /// Feeds what must be taken as a whole.
    pub(super) fn send(&mut self, direction: FlowDirection, bytes: &[u8]) -> &mut Self {
        assert_eq!(self.feed(direction, bytes, false), Status::Continue);
        self
    }

    pub(super) fn request(&mut self, bytes: &[u8]) -> &mut Self {
        self.send(ToServer, bytes)
    }

    pub(super) fn response(&mut self, bytes: &[u8]) -> &mut Self {
        self.send(ToClient, bytes)
    }

    /// What a buffer shows in each transaction.
    pub(super) fn shown(&self, keyword: &str, direction: FlowDirection) -> Vec<String> {
        let id =
            buffers(keyword, Some(direction)).find(|id| id.protocol().protocol().name() == "http");
        let id = id.unwrap_or_else(|| panic!("{keyword} is no buffer"));
        let mut shown = Vec::new();
        for transaction in self.transactions() {
            let all = (0..).map_while(|index| transaction.buffer(id, index));
            shown.extend(all.map(|found| String::from_utf8_lossy(found.bytes).into_owned()));
        }
        shown
    }

    pub(super) fn transactions(&self) -> impl Iterator<Item = &dyn Transaction> {
        (0..self.parser.len()).filter_map(|index| self.parser.transaction(index))
    }

    /// Names of the anomalies of all transactions.
    pub(super) fn events(&self) -> Vec<&'static str> {
        self.transactions()
            .flat_map(|transaction| transaction.events().to_vec())
            .map(|event| event::EVENTS[usize::from(event.0)])
            .collect()
    }

    /// Everything that rules can see.
    fn everything(&self) -> Vec<String> {
        let mut all = Vec::new();
        for spec in buffers::BUFFERS {
            all.push(format!(
                "{} {:?}",
                spec.keyword,
                self.shown(spec.keyword, spec.direction)
            ));
        }
        for transaction in self.transactions() {
            let progress = [ToServer, ToClient].map(|side| transaction.progress(side));
            let mut events = transaction.events().to_vec();
            events.sort();
            all.push(format!("{progress:?} {events:?}"));
        }
        all
    }
}

const REQUEST: &[u8] = b"POST /a%20b/../c.php?x=1 HTTP/1.1\r\nHost: Example.COM:8080\r\n\
    User-Agent: one\r\nuser-agent: two\r\nCookie: k=v\r\nContent-Type: text/plain\r\n\
    Accept: */*\r\nAccept-Encoding: gzip\r\nAccept-Language: en\r\nReferer: /r\r\n\
    Connection: close\r\nContent-Length: 5\r\n\r\nhello";

const RESPONSE: &[u8] = b"HTTP/1.1 200 All OK\r\nServer: s\r\nLocation: /l\r\nSet-Cookie: a=b\r\n\
    Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\nTrailer: t\r\n\r\n";

#[test]
fn every_buffer_shows_its_part() {
    let mut fed = Fed::new();
    fed.request(REQUEST).response(RESPONSE);
    for (keyword, direction, expected) in [
        ("http.uri", ToServer, "/c.php?x=1"),
        ("http.uri.raw", ToServer, "/a%20b/../c.php?x=1"),
        ("http.method", ToServer, "POST"),
        (
            "http.request_line",
            ToServer,
            "POST /a%20b/../c.php?x=1 HTTP/1.1",
        ),
        ("http.protocol", ToServer, "HTTP/1.1"),
        ("http.protocol", ToClient, "HTTP/1.1"),
        ("http.response_line", ToClient, "HTTP/1.1 200 All OK"),
        ("http.stat_code", ToClient, "200"),
        ("http.stat_msg", ToClient, "All OK"),
        ("http.user_agent", ToServer, "one, two"),
        ("http.cookie", ToServer, "k=v"),
        ("http.cookie", ToClient, "a=b"),
        ("http.host", ToServer, "example.com"),
        ("http.host.raw", ToServer, "Example.COM:8080"),
        ("http.accept", ToServer, "*/*"),
        ("http.accept_enc", ToServer, "gzip"),
        ("http.accept_lang", ToServer, "en"),
        ("http.referer", ToServer, "/r"),
        ("http.connection", ToServer, "close"),
        ("http.content_len", ToServer, "5"),
        ("http.content_type", ToServer, "text/plain"),
        ("http.location", ToClient, "/l"),
        ("http.server", ToClient, "s"),
        ("http.request_body", ToServer, "hello"),
        ("http.response_body", ToClient, "abcde"),
        ("file.data", ToServer, "hello"),
        ("file.data", ToClient, "abcde"),
        ("file.name", ToServer, "/c.php"),
        ("file.name", ToClient, "/c.php"),
        (
            "http.header_names",
            ToClient,
            "\r\nServer\r\nLocation\r\nSet-Cookie\r\nTransfer-Encoding\r\nTrailer\r\n\r\n",
        ),
        (
            "http.header",
            ToClient,
            "Server: s\r\nLocation: /l\r\nTransfer-Encoding: chunked\r\nTrailer: t\r\n",
        ),
    ] {
        assert_eq!(
            fed.shown(keyword, direction),
            [expected],
            "{keyword} {direction:?}"
        );
    }
    assert_eq!(
        fed.shown("http.request_header", ToServer)[1],
        "User-Agent: one, two"
    );
    assert_eq!(
        fed.transactions().next().unwrap().number("urilen", 0),
        Some(19)
    );
    assert_eq!(
        fed.events(),
        ["request_header_repetition", "response_chunk_extension"]
    );
}

#[test]
fn pipelined_requests_get_their_responses_in_order() {
    let mut fed = Fed::new();
    fed.request(
        b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nHEAD /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\n",
    );
    fed.request(b"Host: a\r\n\r\n");
    fed.response(b"HTTP/1.1 204 One\r\n\r\nHTTP/1.1 200 Two\r\nContent-Length: 9\r\n\r\n");
    fed.response(b"HTTP/1.1 200 Three\r\nContent-Length: 2\r\n\r\nxy");
    assert_eq!(fed.shown("http.uri", ToServer), ["/1", "/2", "/3"]);
    assert_eq!(
        fed.shown("http.stat_msg", ToClient),
        ["One", "Two", "Three"]
    );
    assert_eq!(fed.shown("file.data", ToClient), ["xy"]);
    assert!(
        fed.transactions()
            .all(|it| it.progress(ToClient) == COMPLETE)
    );
    assert_eq!(fed.events(), [""; 0]);
}

#[test]
fn a_transaction_that_was_let_go_does_not_shift_the_others() {
    let limits = Limits {
        transactions: 2,
        ..Limits::default()
    };
    let mut fed = Fed::with(&limits);
    let requests = b"GET /1 HTTP/1.0\r\n\r\nGET /2 HTTP/1.0\r\n\r\nGET /3 HTTP/1.0\r\n\r\n";
    let third = requests.len() / 3;
    assert_eq!(
        fed.feed(ToServer, requests, false),
        Status::Full { unread: third }
    );
    fed.parser.retire();
    fed.request(&requests[2 * third..]);
    let response = |n| format!("HTTP/1.0 200 r{n}\r\nContent-Length: 1\r\n\r\n{n}");
    let first = response(1);
    assert_eq!(
        fed.feed(ToClient, first.as_bytes(), false),
        Status::Full {
            unread: first.len()
        }
    );
    fed.parser.retire();
    fed.response(first.as_bytes());
    assert_eq!(fed.shown("file.data", ToClient), ["1"]);
    let second = response(2);
    assert_eq!(
        fed.feed(ToClient, second.as_bytes(), false),
        Status::Full {
            unread: second.len()
        }
    );
    fed.parser.retire();
    fed.response(second.as_bytes());
    assert_eq!(fed.shown("file.data", ToClient), ["1", "2"]);
    assert_eq!(fed.shown("http.uri", ToServer), [""; 0]);
}

#[test]
fn what_was_inspected_is_trimmed_and_nothing_is_skipped() {
    let mut fed = Fed::new();
    fed.request(b"GET / HTTP/1.0\r\n\r\n");
    fed.response(b"HTTP/1.0 200 OK\r\nContent-Length: 100000\r\n\r\n");
    for piece in 0..100_u8 {
        fed.response(&[piece; 1000]);
        let id = buffers("file.data", Some(ToClient)).next().unwrap();
        let view = fed.parser.transaction(0).unwrap().buffer(id, 0).unwrap();
        assert_eq!(view.bytes[view.fresh_from..], [piece; 1000]);
        assert_eq!(
            view.offset + view.fresh_from as u64,
            u64::from(piece) * 1000
        );
        assert!(view.bytes.len() <= 1000 + Limits::default().tail);
        assert_eq!(view.complete, piece == 99);
        fed.parser.inspected(ToClient);
    }
}

#[test]
fn an_upgrade_is_told_once_its_transaction_was_looked_at() {
    let mut fed = Fed::new();
    fed.request(b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n");
    let answer = b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n\x81\x05";
    assert_eq!(
        fed.feed(ToClient, answer, false),
        Status::Full { unread: 2 }
    );
    assert_eq!(fed.shown("http.stat_code", ToClient), ["101"]);
    fed.parser.retire();
    assert_eq!(
        fed.feed(ToClient, b"\x81\x05", false),
        Status::Upgraded { unread: 2 }
    );
}

#[test]
fn what_follows_an_upgrade_is_the_same_for_any_cut() {
    let answer = b"HTTP/1.1 101 Switching\r\nA: b\r\n\r\r\n\r\n";
    let left = |cut: usize| {
        let mut fed = Fed::new();
        fed.request(b"GET / HTTP/1.0\r\n\r\n");
        let (mut at, mut end) = (0, cut);
        while let Some(bytes) = answer.get(at..end) {
            match fed.feed(ToClient, bytes, false) {
                Status::Continue => (at, end) = (end, answer.len()),
                Status::Full { unread } => at = end - unread,
                Status::Upgraded { unread } => return unread + answer.len() - end,
                other => panic!("{other:?}"),
            }
        }
        0
    };
    let whole = left(answer.len());
    assert!(whole > 0);
    for cut in 1..answer.len() {
        assert_eq!(left(cut), whole, "{cut}");
    }
}

#[test]
fn a_tunnel_is_another_protocol_only_if_it_is_granted() {
    let connect = b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut fed = Fed::new();
    fed.request(connect).response(b"HTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(
        fed.feed(ToServer, b"\x16\x03", false),
        Status::Upgraded { unread: 2 }
    );
    let mut fed = Fed::new();
    fed.request(connect).request(b"GET /2 HTTP/1.0\r\n\r\n");
    fed.response(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(fed.shown("http.uri", ToServer), ["a:443", "/2"]);
}

#[test]
fn what_waited_for_a_tunnel_is_read_before_further_responses_are() {
    let answers = b"HTTP/1.1 403 No\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\n\r\nb";
    for piece in [1, 7, answers.len()] {
        let mut fed = Fed::new();
        fed.request(b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.0\r\n\r\n");
        for bytes in answers.chunks(piece) {
            fed.response(bytes);
        }
        assert_eq!(fed.transactions().count(), 2, "{piece}");
        assert_eq!(fed.shown("http.uri", ToServer), ["a:443", "/2"]);
        assert_eq!(fed.shown("http.stat_code", ToClient), ["403", "200"]);
    }
}

#[test]
fn bytes_that_are_missing_cost_one_message_at_most() {
    let mut fed = Fed::new();
    fed.request(b"POST /1 HTTP/1.0\r\nContent-Length: 10\r\n\r\nab");
    assert_eq!(fed.parser.gap(ToServer, 6), Status::Continue);
    fed.request(b"ijGET /2 HTTP/1.0\r\nA: b");
    assert_eq!(fed.parser.gap(ToServer, 500), Status::Continue);
    fed.request(b"rest of it\r\n\r\nGET /3 HTTP/1.0\r\n\r\n");
    assert_eq!(fed.shown("http.uri", ToServer), ["/1", "/2", "/3"]);
    assert_eq!(fed.shown("http.request_body", ToServer), ["ij"]);
    fed.response(b"HTTP/1.0 200 1\r\nContent-Length: 100\r\n\r\nab");
    assert_eq!(fed.parser.gap(ToClient, 200), Status::Continue);
    fed.response(b"xyz\r\nHTTP/1.0 200 2\r\n\r\nend");
    assert_eq!(fed.shown("http.stat_msg", ToClient), ["1", "2"]);
}

#[test]
fn first_lines_tell_the_protocol() {
    for (bytes, expected) in [
        (&b"GET / HTTP/1.0\r\n"[..], Probe::Yes),
        (b"GET /", Probe::Yes),
        (b"GET", Probe::More),
        (b"\r\nPOST /", Probe::Yes),
        (b"BREW /pot HTTP/1.1\r\n", Probe::Yes),
        (b"BREW /pot", Probe::More),
        (b"BREW /pot\r\n", Probe::No),
        (b"OPTIONS sip:x SIP/2.0\r\n", Probe::No),
        (b"MOVE x", Probe::Yes),
        (b"MOVE x SIP/2.0\r\n", Probe::Yes),
        (b"OPTIONS * HTTP/1.1\r\n", Probe::Yes),
        (b"OPTIONS *", Probe::More),
        (b"\x16\x03\x01", Probe::No),
        (b"SSH-2.0-x\r\n", Probe::No),
        (b"", Probe::More),
    ] {
        assert_eq!(
            probe_request(bytes),
            expected,
            "{:?}",
            String::from_utf8_lossy(bytes)
        );
    }
    assert_eq!(probe_response(b"HTTP/1.1 200"), Probe::Yes);
    assert_eq!(probe_response(b"HT"), Probe::More);
    assert_eq!(probe_response(b"HTTP/x"), Probe::No);
}

/// Exchanges that the cut must not change: requests and responses.
pub(super) const EXCHANGES: &[(&[u8], &[u8])] = &[
    (REQUEST, RESPONSE),
    (
        b"\r\nGET /1 HTTP/1.1\nHost: a\n b\n\nGET /2\r\nX\r\n\r\njunk behind it\r\nPUT /3 HTTP/1.1\r\n\
          Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: v\r\n\r\nGET /4 HTTP/1.1\r\n\r\n",
        b"junk in front\r\nHTTP/1.1 100 Continue\r\nA: b\r\n\r\nHTTP/1.1 200 OK\rX: y\r\n  Z: w\r\n\
          Content-Length: 3\r\n\r\nabcHTTP/1.1 304 No\r\nContent-Length: 7\r\n\r\nHTTP/1.0 204 No\r\n\
          Content-Length: 2\r\n\r\nxyHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nzz\r\nend",
    ),
    (
        b"POST /f HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 87\r\n\r\n\
          --b\r\nContent-Disposition: form-data; name=a; filename=n.txt\r\n\r\nfile data\r\n--b--\r\nxxxxx",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nnot gzip at all",
    ),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_cut_gives_the_same_transactions(
        exchange in 0..EXCHANGES.len(),
        cuts in prop::collection::vec(1_usize..60, 1..40),
    ) {
        let (request, response) = EXCHANGES[exchange];
        let mut whole = Fed::new();
        let _ = whole.feed(ToServer, request, true);
        let _ = whole.feed(ToClient, response, true);
        let mut cut_up = Fed::new();
        for (direction, mut rest) in [(ToServer, request), (ToClient, response)] {
            for cut in cuts.iter().cycle() {
                let (now, then) = rest.split_at((*cut).min(rest.len()));
                let _ = cut_up.feed(direction, now, then.is_empty());
                rest = then;
                if rest.is_empty() { break; }
            }
        }
        prop_assert_eq!(cut_up.everything(), whole.everything());
    }

    #[test]
    fn no_bytes_panic_and_mutations_are_cut_alike(
        exchange in 0..EXCHANGES.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>(), prop_oneof![
            any::<u8>(), Just(b'\r'), Just(b'\n'), Just(b' '), Just(b':'), Just(0)]), 0..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let (request, response) = EXCHANGES[exchange];
        let mut both = [request.to_vec(), response.to_vec()];
        for (at, side, byte) in changes {
            let bytes = &mut both[usize::from(side)];
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let (mut whole, mut halves) = (Fed::new(), Fed::new());
        for (direction, bytes) in [ToServer, ToClient].into_iter().zip(&both) {
            let _ = whole.feed(direction, bytes, true);
            let (first, second) = bytes.split_at(cut.index(bytes.len()));
            let _ = halves.feed(direction, first, false);
            let _ = halves.feed(direction, second, true);
        }
        prop_assert_eq!(halves.everything(), whole.everything());
    }
}
