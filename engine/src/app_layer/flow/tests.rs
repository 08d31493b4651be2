//! Recognition, upgrades and settling, through the test protocol.

use super::*;
use crate::app_layer::testing::{CHAT, lines};
use crate::app_layer::{Limits, Peers};
use crate::frame::Timestamp;
use FlowDirection::{ToClient, ToServer};

/// A flow fed as a stream: keeps both directions whole, as the stream stage would.
struct Fed {
    flow: AppFlow,
    pool: ParserPool,
    sent: [Vec<u8>; 2],
}

impl Fed {
    fn new() -> Self {
        Self {
            flow: AppFlow::default(),
            pool: ParserPool::new(Limits::default()),
            sent: [Vec::new(), Vec::new()],
        }
    }

    fn send(&mut self, direction: FlowDirection, bytes: &[u8]) {
        self.say(direction, bytes, false);
    }

    fn say(&mut self, direction: FlowDirection, bytes: &[u8], eof: bool) {
        self.sent[direction.index()].extend_from_slice(bytes);
        assert_eq!(self.feed(direction, bytes.len(), eof), 0);
    }

    /// Feeds what was sent, of which `fresh` bytes are.
    fn feed(&mut self, direction: FlowDirection, fresh: usize, eof: bool) -> usize {
        let side = direction.index();
        let window = |side: usize| Window {
            offset: 0,
            bytes: &self.sent[side],
        };
        let feed = Feed {
            direction,
            window: window(side),
            fresh_from: self.sent[side].len() - fresh,
            other: window(1 - side),
            eof,
            datagram: false,
            from_start: true,
            peers: Peers::of_port(4000),
            at: Timestamp(0),
        };
        self.flow.feed(&feed, &mut self.pool)
    }

    /// Feeds and settles until all is taken. Returns the anomalies of what was at hand.
    fn drain(&mut self, direction: FlowDirection, bytes: &[u8]) -> Vec<&'static str> {
        self.sent[direction.index()].extend_from_slice(bytes);
        let mut events = Vec::new();
        for _ in 0..1000 {
            let unread = self.feed(direction, bytes.len(), false);
            let Recognition::Known(protocol) = self.flow.view().recognition() else {
                return events;
            };
            for transaction in self.flow.view().transactions() {
                let all = transaction.events().iter();
                events.extend(all.map(|event| protocol.protocol().events()[usize::from(event.0)]));
            }
            if unread == 0 {
                return events;
            }
            self.flow.settle(direction, |_, _| ());
        }
        panic!("a feed is never taken");
    }

    fn lines(&self) -> Vec<String> {
        lines(self.flow.view())
    }
}

#[test]
fn recognition_by_one_direction_reads_both_from_their_start() {
    let mut fed = Fed::new();
    fed.send(ToServer, b"anything\n");
    assert_eq!(fed.flow.view().recognition(), Recognition::Pending);
    fed.send(ToClient, b"CH");
    assert_eq!(fed.flow.view().recognition(), Recognition::Pending);
    fed.send(ToClient, b"AT hello\n");
    assert!(matches!(
        fed.flow.view().recognition(),
        Recognition::Known(_)
    ));
    assert_eq!(fed.lines(), ["> anything", "< CHAT hello"]);
}

#[test]
fn any_cut_gives_the_same_transactions() {
    let whole = b"CHAT one\ntwo\nthree\n";
    for cut in 0..whole.len() {
        let mut fed = Fed::new();
        fed.send(ToServer, &whole[..cut]);
        fed.send(ToServer, &whole[cut..]);
        assert_eq!(
            fed.lines(),
            ["> CHAT one", "> two", "> three"],
            "cut at {cut}"
        );
    }
}

#[test]
fn what_no_protocol_wants_is_given_up_in_both_directions() {
    let mut fed = Fed::new();
    fed.send(ToServer, b"\0\0\0\0");
    assert_eq!(fed.flow.view().recognition(), Recognition::Pending);
    fed.send(ToClient, b"\0\0\0\0");
    assert_eq!(fed.flow.view().recognition(), Recognition::Failed);
}

#[test]
fn an_upgrade_is_recognised_anew_from_the_next_byte() {
    let mut fed = Fed::new();
    fed.send(ToServer, b"CHAT one\nUPGRADE\nCHAT two\nthree\n");
    assert_eq!(fed.lines(), ["> CHAT two", "> three"]);
    fed.send(ToServer, b"UPGRADE\n");
    assert_eq!(fed.flow.view().recognition(), Recognition::Pending);
    fed.send(ToServer, b"CHAT four\n");
    assert_eq!(fed.lines(), ["> CHAT four"]);
}

#[test]
fn more_upgrades_in_a_packet_than_are_followed_are_followed_with_the_next() {
    let mut fed = Fed::new();
    fed.send(
        ToServer,
        b"CHAT one\nUPGRADE\nCHAT two\nUPGRADE\nCHAT three\nUPGRADE\nCHAT four\n",
    );
    assert_eq!(fed.flow.view().recognition(), Recognition::Pending);
    fed.send(ToServer, b"five\n");
    assert_eq!(fed.lines(), ["> CHAT four", "> five"]);
}

#[test]
fn complete_transactions_are_reported_once_and_parsers_are_used_again() {
    let mut fed = Fed::new();
    fed.send(ToServer, b"CHAT one\ntwo\npart");
    let mut done = Vec::new();
    fed.flow.settle(ToServer, |protocol, tx| {
        done.push((protocol.protocol().name(), tx.id()))
    });
    assert_eq!(done, [(CHAT, 0), (CHAT, 1)]);
    assert!(fed.lines().is_empty());
    fed.flow
        .close(&mut fed.pool, |_, _| panic!("nothing is left"));
    fed.sent = [Vec::new(), Vec::new()];
    fed.send(ToServer, b"CHAT anew\n");
    assert_eq!(fed.lines(), ["> CHAT anew"]);
}

/// What each direction says, in turn, and the events that were raised.
fn events(said: &[(FlowDirection, &[u8])], eof: bool) -> Vec<FlowEvent> {
    let mut fed = Fed::new();
    for (direction, bytes) in said {
        fed.say(*direction, bytes, eof);
    }
    let events = fed.flow.take_events().collect();
    assert_eq!(fed.flow.take_events().count(), 0, "told once");
    events
}

#[test]
fn what_is_odd_about_recognition_is_told_once() {
    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    const BANNER: &[u8] = b"SSH-2.0-x\r\n";
    const HELLO: &[u8] = b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03";
    const ALERT: &[u8] = b"\x15\x03\x03\0\x02\x02\x28";
    const NOTHING: &[u8] = b"\0\0\0\0\0\0\0\0";
    let long = vec![0; 5000];
    for (said, eof, expected) in [
        (
            &[(ToServer, REQUEST), (ToClient, ANSWER)][..],
            false,
            &[][..],
        ),
        (
            &[(ToServer, REQUEST), (ToClient, BANNER)],
            false,
            &[FlowEvent::Mismatch],
        ),
        (
            &[(ToClient, BANNER), (ToServer, REQUEST)],
            false,
            &[FlowEvent::Mismatch],
        ),
        (&[(ToClient, BANNER), (ToServer, BANNER)], false, &[]),
        (
            &[(ToServer, BANNER), (ToClient, b"hello\r\nSSH-2.0-x\r\n")],
            false,
            &[],
        ),
        (&[(ToServer, HELLO), (ToClient, ALERT)], false, &[]),
        (
            &[(ToClient, ANSWER), (ToServer, REQUEST)],
            false,
            &[FlowEvent::WrongDirectionFirst],
        ),
        (
            &[(ToServer, REQUEST), (ToClient, NOTHING)],
            false,
            &[FlowEvent::OnlyOneDirection],
        ),
        (
            &[(ToServer, NOTHING), (ToClient, ANSWER)],
            false,
            &[FlowEvent::OnlyOneDirection],
        ),
        (&[(ToServer, REQUEST)], false, &[]),
        (&[(ToServer, NOTHING)], false, &[]),
        (&[(ToServer, NOTHING)], true, &[FlowEvent::Skipped]),
        (
            &[(ToServer, &long), (ToServer, NOTHING)],
            false,
            &[FlowEvent::Skipped],
        ),
        (&[(ToServer, NOTHING), (ToClient, NOTHING)], false, &[]),
    ] {
        assert_eq!(events(said, eof), expected, "{said:?}");
    }
}

#[test]
fn a_direction_that_is_given_up_early_may_still_be_recognised() {
    let mut fed = Fed::new();
    fed.send(ToServer, &[0; 5000]);
    assert_eq!(fed.flow.view().recognition(), Recognition::Failed);
    fed.send(ToClient, b"CHAT hello\n");
    assert!(matches!(
        fed.flow.view().recognition(),
        Recognition::Known(_)
    ));
}

#[test]
fn what_a_flow_was_before_an_upgrade_is_known() {
    let mut fed = Fed::new();
    fed.send(ToServer, b"CHAT one\nUPGRADE\nSSH-2.0-x\r\n");
    let view = fed.flow.view();
    let name = |recognition| match recognition {
        Recognition::Known(id) => id.protocol().name(),
        Recognition::Pending | Recognition::Failed => "",
    };
    assert_eq!(name(view.original()), CHAT);
    assert_eq!(name(view.recognition()), "ssh");
}

#[test]
fn what_follows_a_failed_upgrade_is_read_from_its_start_whatever_the_cut() {
    const NEXT: &[u8] = b"POST /x HTTP/1.1\r\nHost: a\r\n\r\n";
    let uri = crate::app_layer::buffers("http.uri", Some(ToServer)).next();
    for transactions in [1, 256] {
        for cut in 0..NEXT.len() {
            let mut fed = Fed::new();
            fed.pool = ParserPool::new(Limits {
                transactions,
                ..Limits::default()
            });
            fed.send(ToServer, b"GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n");
            fed.send(ToClient, b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n");
            let mut events = fed.drain(ToServer, &NEXT[..cut]);
            events.extend(fed.drain(ToServer, &NEXT[cut..]));
            assert!(events.contains(&"failed_protocol_change"), "cut at {cut}");
            let seen: Vec<_> = fed
                .flow
                .view()
                .transactions()
                .filter_map(|transaction| transaction.buffer(uri.unwrap(), 0))
                .map(|found| found.bytes.to_vec())
                .collect();
            assert_eq!(seen, [b"/x"], "cut at {cut}");
        }
    }
}
