//! Recognition, upgrades and settling, through the test protocol.

use super::*;
use crate::app_layer::testing::{CHAT, lines};
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
        let side = direction.index();
        let fresh_from = self.sent[side].len();
        self.sent[side].extend_from_slice(bytes);
        let window = |side: usize| Window {
            offset: 0,
            bytes: &self.sent[side],
        };
        let feed = Feed {
            direction,
            window: window(side),
            fresh_from,
            other: window(1 - side),
            eof: false,
            datagram: false,
            server_port: 4000,
            at: Timestamp(0),
        };
        assert_eq!(self.flow.feed(&feed, &mut self.pool), 0);
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
