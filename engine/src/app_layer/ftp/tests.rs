//! Conversations, whole and cut anywhere.

use std::net::SocketAddr;

use super::*;
use crate::app_layer::{
    Agreement, AppEvent, Fields, FileService, Input, Peers, Status, Surroundings, Transaction,
    ftp_data,
};
use crate::frame::Timestamp;
use proptest::prelude::*;

struct Fed {
    parser: FtpParser,
    agreed: Vec<Agreement>,
    gone: Vec<String>,
}

const CLIENT: [u8; 4] = [10, 0, 0, 1];
const SERVER: [u8; 4] = [10, 0, 0, 2];

/// Writes a record as text.
#[derive(Default)]
struct Text(String);

impl Fields for Text {
    fn text(&mut self, name: &str, value: &[u8]) {
        self.0 += &format!("{name}={} ", String::from_utf8_lossy(value));
    }
    fn number(&mut self, name: &str, value: u64) {
        self.0 += &format!("{name}={value} ");
    }
    fn flag(&mut self, name: &str, value: bool) {
        if value {
            self.0 += &format!("{name} ");
        }
    }
    fn object(&mut self, _: &str, _: &mut dyn FnMut(&mut dyn Fields)) {}
    fn list(&mut self, name: &str, len: usize, element: &mut dyn FnMut(usize, &mut dyn Fields)) {
        for index in 0..len {
            self.0 += name;
            element(index, self);
        }
    }
}

fn told(transaction: &dyn Transaction) -> String {
    let mut text = Text::default();
    transaction.describe(&mut text);
    let events = transaction.events();
    let names = events
        .iter()
        .map(|AppEvent(event)| EVENTS[usize::from(*event)]);
    names.for_each(|name| text.0 += &format!("!{name} "));
    text.0.trim_end().to_owned()
}

impl Fed {
    fn new(transactions: usize) -> Self {
        let limits = Limits {
            transactions,
            ..Limits::default()
        };
        let mut parser = FtpParser::new(&limits);
        parser.surround(&Surroundings {
            peers: Peers {
                client: SocketAddr::from((CLIENT, 4000)),
                server: SocketAddr::from((SERVER, 21)),
            },
            files: &FileService::default(),
        });
        Self {
            parser,
            agreed: Vec::new(),
            gone: Vec::new(),
        }
    }

    fn say(&mut self, direction: FlowDirection, mut bytes: &[u8]) -> Status {
        loop {
            let status = self.parser.parse(&Input {
                direction,
                bytes,
                eof: false,
                datagram: false,
                at: Timestamp(0),
            });
            while let Some(agreed) = self.parser.agreed() {
                self.agreed.push(agreed);
            }
            self.settle(direction, matches!(status, Status::Full { .. }));
            let Status::Full { unread } = status else {
                return status;
            };
            bytes = &bytes[bytes.len() - unread..];
        }
    }

    /// As the engine does.
    fn settle(&mut self, direction: FlowDirection, mut full: bool) {
        self.parser.inspected(direction);
        while let Some(oldest) = self.parser.transaction(0) {
            let over = oldest.progress(ToClient) == ANSWERED && !oldest.lingers();
            if !over && !std::mem::take(&mut full) {
                break;
            }
            full &= !over;
            self.gone.push(told(oldest));
            self.parser.retire();
        }
    }

    fn all(&self) -> Vec<String> {
        let live = (0..).map_while(|index| self.parser.transaction(index));
        self.gone.iter().cloned().chain(live.map(told)).collect()
    }
}

const TALK: &[(FlowDirection, &[u8])] = &[
    (ToClient, b"220-Hello\r\n there\r\n220 ready\r\n"),
    (ToServer, b"user me\r\nPASS  secret \r\n"),
    (ToClient, b"331 Password?\r\n230 Welcome\r\n"),
    (ToServer, b"PORT 10,0,0,1,7,208\r\nRETR a/b.txt\r\n"),
    (ToClient, b"200 ok\r\n150 Opening\r\n226 Done\r\n"),
    (ToServer, b"PASV\r\n"),
    (ToClient, b"227 Entering Passive Mode (10,0,0,2,4,1).\r\n"),
    (ToServer, b"STOR up\r\n"),
    (ToClient, b"150 go\r\n226 Done\r\n"),
    (ToServer, b"STOR\r\nPORT 9,9,9,9,0,80\r\n"),
    (ToClient, b"501 what\r\n500 no\r\n421 bye\r\n"),
];

fn expected() -> Vec<&'static str> {
    vec![
        "replyHello reply there replyready completion_code220 reply_received=yes",
        "command=USER command_data=me replyPassword? completion_code331 reply_received=yes",
        "command=PASS command_data=secret  replyWelcome completion_code230 reply_received=yes",
        "command=PORT command_data=10,0,0,1,7,208 replyok completion_code200 dynamic_port=2000 \
         mode=active reply_received=yes",
        "command=RETR command_data=a/b.txt replyOpening replyDone completion_code150 \
         completion_code226 reply_received=yes",
        "command=PASV replyEntering Passive Mode (10,0,0,2,4,1). completion_code227 \
         dynamic_port=1025 mode=passive reply_received=yes",
        "command=STOR command_data=up replygo replyDone completion_code150 completion_code226 \
         reply_received=yes",
        "command=STOR replywhat completion_code501 reply_received=yes !file_before_port \
         !file_without_name",
        "command=PORT command_data=9,9,9,9,0,80 replyno completion_code500 dynamic_port=80 \
         mode=active reply_received=yes",
        "replybye completion_code421 reply_received=yes",
    ]
}

fn plain(told: Vec<String>) -> Vec<String> {
    told.into_iter().map(|line| line.replace('=', "")).collect()
}

fn agreed() -> Vec<(u16, bool, u8, &'static [u8])> {
    vec![
        (2000, true, 0, b""),
        (2000, true, 1, b"a/b.txt"),
        (1025, false, 0, b""),
        (1025, false, 2, b"up"),
    ]
}

fn check(fed: &Fed) {
    let expected: Vec<String> = expected()
        .iter()
        .map(|line| line.replace('=', ""))
        .collect();
    assert_eq!(plain(fed.all()), expected);
    let found: Vec<_> = fed
        .agreed
        .iter()
        .map(
            |Agreement {
                 agreed, purpose, ..
             }| {
                assert_eq!(purpose.protocol.protocol().name(), ftp_data::NAME);
                let active = agreed.opener == std::net::IpAddr::from(SERVER);
                (agreed.port, active, purpose.kind, &purpose.name[..])
            },
        )
        .collect();
    assert_eq!(found, agreed());
}

#[test]
fn commands_have_their_replies_and_agree_on_data_connections() {
    let mut fed = Fed::new(64);
    for (direction, bytes) in TALK {
        assert_eq!(fed.say(*direction, bytes), Status::Continue);
    }
    check(&fed);
}

#[test]
fn a_port_of_another_host_is_a_bounce() {
    let mut fed = Fed::new(64);
    let _ = fed.say(ToServer, b"PORT 9,9,9,9,0,80\r\nPORT 10,0,0,1,7,208\r\n");
    assert_eq!(fed.agreed, [], "not before the server agrees");
    let bounce = |index: usize| {
        let transaction = fed.parser.transaction(index).unwrap();
        transaction.number("ftpbounce", 0)
    };
    assert_eq!((bounce(0), bounce(1)), (Some(1), Some(0)));
    let _ = fed.say(ToClient, b"200 ok\r\n200 ok\r\n");
    assert_eq!(fed.agreed.len(), 1);
}

#[test]
fn a_long_line_is_cut_and_told() {
    let mut fed = Fed::new(64);
    let line = [&b"RETR "[..], &[b'A'; 5000], b"\r\n"].concat();
    let _ = fed.say(ToServer, &line);
    let reply = [&b"550 "[..], &[b'B'; 5000], b"\r\n"].concat();
    let _ = fed.say(ToClient, &reply);
    let told = &fed.all()[0];
    assert!(told.contains("command_truncated") && told.contains("reply_truncated"));
    assert!(
        told.contains("!request_command_too_long") && told.contains("!response_command_too_long")
    );
    assert!(told.len() < 2 * LINE + 400);
}

#[test]
fn unanswered_commands_make_room_and_their_replies_are_kept_apart() {
    let mut fed = Fed::new(2);
    let _ = fed.say(ToServer, b"A\r\nB\r\nC\r\nD\r\n");
    let _ = fed.say(ToClient, b"200 a\r\n200 b\r\n200 c\r\n200 d\r\n");
    let told = fed.all();
    assert_eq!(told.len(), 8);
    assert!(
        told.iter()
            .any(|line| line.contains("!too_many_transactions"))
    );
    let replies: String = told.concat();
    for reply in ["=a", "=b", "=c", "=d"] {
        assert_eq!(replies.matches(reply).count(), 1, "{reply}");
    }
}

#[test]
fn endless_replies_are_split_and_bounded() {
    let mut fed = Fed::new(64);
    let _ = fed.say(ToServer, b"HELP\r\n");
    let _ = fed.say(ToClient, b"214-\r\n");
    for _ in 0..2000 {
        let _ = fed.say(ToClient, b" more help\r\n");
    }
    let _ = fed.say(ToClient, b"214 end\r\n");
    let _ = fed.say(ToServer, b"NOOP\r\n");
    let _ = fed.say(ToClient, b"200 fine\r\n");
    let told = fed.all();
    let lines: usize = told
        .iter()
        .map(|line| line.matches("more help").count())
        .sum();
    assert_eq!(lines, 2000);
    assert!(told.last().unwrap().starts_with("command=NOOP reply=fine"));
}

#[test]
fn tls_is_handed_over_once_the_transactions_at_hand_are_gone() {
    let mut fed = Fed::new(64);
    let _ = fed.say(ToServer, b"AUTH TLS\r\n");
    let _ = fed.say(ToClient, b"234 go\r\n");
    assert_eq!(
        fed.say(ToServer, b"\x16\x03"),
        Status::Upgraded { unread: 2 }
    );
    assert_eq!(fed.gone.len(), 1);
    let mut refused = Fed::new(64);
    let _ = refused.say(ToServer, b"AUTH TLS\r\n");
    let _ = refused.say(ToClient, b"234 go\r\n");
    assert_eq!(refused.say(ToServer, b"USER x\r\n"), Status::Continue);
    assert_eq!(refused.all().len(), 2);
}

#[test]
fn behind_a_gap_whole_lines_count() {
    let mut fed = Fed::new(64);
    let _ = fed.say(ToServer, b"USER me\r\nPA");
    let _ = fed.parser.gap(ToServer, 10);
    let _ = fed.say(ToServer, b"cret\r\nSYST\r\n");
    let _ = fed.say(ToClient, b"33");
    let _ = fed.parser.gap(ToClient, 10);
    let _ = fed.say(ToClient, b"OK\r\n230 in\r\n");
    let told = fed.all();
    assert_eq!(told[0], "command=USER command_data=me reply_received=no");
    assert_eq!(told[1], "command=SYST reply_received=no");
    assert!(told[2].starts_with("reply=in"));
}

proptest! {
    #[test]
    fn any_cut_gives_the_same(cuts in prop::collection::vec(1_usize..9, 1..20)) {
        let mut fed = Fed::new(64);
        let mut cuts = cuts.iter().cycle();
        for (direction, bytes) in TALK {
            let mut rest = *bytes;
            while !rest.is_empty() {
                let cut = cuts.next().copied().unwrap_or(1).min(rest.len());
                let _ = fed.say(*direction, &rest[..cut]);
                rest = &rest[cut..];
            }
        }
        check(&fed);
    }

    #[test]
    fn no_bytes_panic(pieces in prop::collection::vec((any::<bool>(), prop::collection::vec(
        prop_oneof![any::<u8>(), Just(b'\n'), Just(b'-'), Just(b' '), Just(b'2')], 0..60)), 0..12)) {
        let mut fed = Fed::new(3);
        for (server, piece) in &pieces {
            let direction = if *server { ToClient } else { ToServer };
            let _ = fed.say(direction, piece);
        }
        prop_assert!(fed.parser.len() <= 3);
    }
}
