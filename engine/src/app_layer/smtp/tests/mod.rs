//! Conversations, whole and cut anywhere.

use super::*;
use crate::app_layer::{
    AppEvent, FileService, FileState, Input, Peers, Status, Surroundings, Transaction, buffers,
};
use crate::frame::Timestamp;
use proptest::prelude::*;

mod desync;

struct Fed {
    parser: SmtpParser,
    gone: Vec<String>,
}

/// Everything that rules see of a mail.
fn told(mail: &dyn Transaction) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut all = String::new();
    for spec in BUFFERS {
        let ids = buffers(spec.keyword, None);
        for id in ids.filter(|id| id.protocol().protocol().name() == "smtp") {
            let shown = (0..).map_while(|index| mail.buffer(id, index));
            for bytes in shown.filter(|_| spec.keyword != "email.body_md5") {
                let keyword = spec.keyword.split('.').next_back().unwrap();
                all += &format!("{keyword}={} ", text(bytes.bytes));
            }
        }
    }
    for file in (0..).map_while(|index| mail.file(ToServer, index)) {
        all += &format!("[{} {:?}] ", text(file.name()), file.state());
    }
    for AppEvent(event) in mail.events() {
        all += &format!("!{} ", EVENTS[usize::from(*event)]);
    }
    let progress = [ToServer, ToClient].map(|side| mail.progress(side));
    all + &format!("{progress:?}")
}

impl Fed {
    fn new() -> Self {
        Self::with(Limits {
            tail: 1 << 20,
            ..Limits::default()
        })
    }

    fn with(limits: Limits) -> Self {
        let mut parser = SmtpParser::new(&limits);
        parser.surround(&Surroundings {
            peers: Peers::of_port(25),
            files: &FileService::default(),
        });
        Self {
            parser,
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
            let Status::Full { unread } = status else {
                return status;
            };
            self.parser.inspected(direction);
            self.gone.push(told(self.parser.transaction(0).unwrap()));
            self.parser.retire();
            bytes = &bytes[bytes.len() - unread..];
        }
    }

    fn all(&self) -> Vec<String> {
        let live = (0..).map_while(|index| self.parser.transaction(index));
        self.gone.iter().cloned().chain(live.map(told)).collect()
    }
}

const MAIL: &[u8] = b"From: a <a@b>\r\nTO: c@d\r\nReceived: from x\r\n\tby y\r\nSubject: hi\r\n\
    Content-Type: multipart/mixed;\r\n boundary=\"b1\"\r\n\r\npreamble\r\n--b1\r\n\
    Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
    see http://a.b/=63 x=\r\ny\r\n..dot\r\n--b1\r\n\
    Content-Disposition: attachment; filename=\"f.bin\"\r\n\
    Content-Transfer-Encoding: base64\r\n\r\naGVs\r\nbG8=\r\n--b1--\r\nepilogue\r\n.\r\n";

fn talk() -> Vec<(FlowDirection, Vec<u8>)> {
    let line = |direction, text: &str| (direction, text.as_bytes().to_vec());
    vec![
        line(ToClient, "220-mx ESMTP\r\n220 ready\r\n"),
        line(ToServer, "EHLO me\r\n"),
        line(ToClient, "250-mx\r\n250-CHUNKING\r\n250 PIPELINING\r\n"),
        line(ToServer, "AUTH LOGIN\r\n"),
        line(ToClient, "334 VXNl\r\n"),
        line(ToServer, "UVVJVA==\r\n"),
        line(ToClient, "235 ok\r\n"),
        line(
            ToServer,
            "MAIL FROM:<a@b> SIZE=1\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nDATA\r\n",
        ),
        line(ToClient, "250 ok\r\n250 ok\r\n550 no\r\n354 go\r\n"),
        (ToServer, MAIL.to_vec()),
        line(ToClient, "250 queued\r\n"),
        line(ToServer, "MAIL FROM:<g@h>\r\nRSET\r\n"),
        line(ToClient, "250 ok\r\n250 ok\r\n"),
        line(
            ToServer,
            "MAIL FROM:<i@j>\r\nRCPT TO:<k@l>\r\nBDAT 14\r\nSubject: two\r\n",
        ),
        line(ToServer, "BDAT 9 LAST\r\n\r\nbody\r\n.QUIT\r\n"),
        line(
            ToClient,
            "250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n221 bye\r\n",
        ),
    ]
}

fn expected() -> [&'static str; 3] {
    [
        "helo=me mail_from=<a@b> rcpt_to=<c@d> rcpt_to=<e@f> from=a <a@b> to=c@d subject=hi \
         received=from xby y url=a.b/c data=preamble data=see http://a.b/c xy\r\n.dot data=hello \
         data=epilogue\r\n name=f.bin \
         [f.bin Closed] [5, 2]",
        "helo=me mail_from=<g@h> [5, 2]",
        "helo=me mail_from=<i@j> rcpt_to=<k@l> subject=two data=body\r\n. [5, 2]",
    ]
}

#[test]
fn mails_are_read_with_what_they_carry() {
    let mut fed = Fed::new();
    for (direction, bytes) in talk() {
        assert_eq!(fed.say(direction, &bytes), Status::Continue);
    }
    assert_eq!(fed.all(), expected());
}

#[test]
fn the_body_is_hashed_as_it_was_sent() {
    let mut fed = Fed::new();
    let _ = fed.say(ToServer, b"MAIL FROM:<a>\r\nDATA\r\n");
    let _ = fed.say(ToClient, b"250 ok\r\n354 go\r\n");
    let _ = fed.say(ToServer, b"Subject: x\r\n\r\n..=3D\r\nend\r\n.\r\n");
    let id = buffers("email.body_md5", None).next().unwrap();
    let shown = fed.parser.transaction(0).unwrap().buffer(id, 0).unwrap();
    assert_eq!(
        shown.bytes,
        crate::app_layer::digest::md5(b".=3D\r\nend\r\n")
    );
}

#[test]
fn anomalies_are_told() {
    let mut fed = Fed::new();
    let _ = fed.say(ToClient, b"554 go away\r\nwhat\r\n");
    let _ = fed.say(ToServer, b"EHLO a\r\nEHLO b\r\nBDAT x\r\n");
    let _ = fed.say(ToServer, &[&b"NOOP "[..], &[b'x'; 5000], b"\r\n"].concat());
    let _ = fed.say(
        ToClient,
        b"250 ok\r\n250 ok\r\n501 no\r\n250 ok\r\n250 ?\r\n",
    );
    let _ = fed.say(
        ToServer,
        b"MAIL FROM:<a>\r\nMAIL FROM:<b>\r\nSTARTTLS\r\nDATA\r\n",
    );
    let _ = fed.say(ToClient, b"250 ok\r\n503 no\r\n454 no\r\n503 no\r\n");
    let told = fed.all();
    for event in [
        "no_server_welcome_message",
        "invalid_reply",
        "duplicate_fields",
        "invalid_bdat",
        "max_command_line_len_exceeded",
        "unable_to_match_reply_with_request",
        "tls_rejected",
        "data_command_rejected",
    ] {
        assert!(told[0].contains(&format!("!{event} ")), "{event}: {told:?}");
    }
    assert!(told[0].contains("mail_from=<a> "));
}

#[test]
fn tls_is_handed_over_once_the_mails_at_hand_are_gone() {
    let start = || {
        let mut fed = Fed::new();
        let _ = fed.say(ToClient, b"220 mx\r\n");
        let _ = fed.say(ToServer, b"EHLO a\r\nSTARTTLS\r\n");
        let _ = fed.say(ToClient, b"250 ok\r\n220 go\r\n");
        fed
    };
    let mut fed = start();
    assert_eq!(
        fed.say(ToServer, b"\x16\x03"),
        Status::Upgraded { unread: 2 }
    );
    assert_eq!(fed.gone, ["helo=a [5, 2]"]);
    let mut plain = start();
    assert_eq!(plain.say(ToServer, b"MAIL FROM:<a>\r\n"), Status::Continue);
    assert!(plain.parser.skipped_tls() && !plain.parser.skipped_tls());
    let told = plain.all();
    assert_eq!(told[1], "mail_from=<a> !failed_protocol_change [2, 0]");
}

#[test]
fn a_hole_in_a_message_is_a_hole_in_its_file() {
    let mut fed = Fed::new();
    let _ = fed.say(ToServer, b"MAIL FROM:<a>\r\nDATA\r\n");
    let _ = fed.say(ToClient, b"250 ok\r\n354 go\r\n");
    let _ = fed.say(ToServer, b"Content-Disposition: attachment\r\n\r\nsome");
    let _ = fed.parser.gap(ToServer, 100);
    let _ = fed.say(ToServer, b"more\r\n.\r\n");
    let mail = fed.parser.transaction(0).unwrap();
    let file = mail.file(ToServer, 0).unwrap();
    assert_eq!(
        (file.state(), file.has_gaps()),
        (FileState::Truncated, true)
    );
    assert_eq!(mail.progress(ToServer), COMPLETE);
}

#[test]
fn what_is_sent_before_an_answer_is_the_message_unless_it_is_declined() {
    let mut fed = Fed::new();
    let _ = fed.say(
        ToServer,
        b"MAIL FROM:<a>\r\nDATA\r\nSubject: x\r\n\r\nbody\r\n.\r\n",
    );
    assert!(fed.all()[0].contains("subject=x data=body"));
    let mut declined = Fed::new();
    let _ = declined.say(ToServer, b"MAIL FROM:<a>\r\nDATA\r\n");
    let _ = declined.say(ToClient, b"250 ok\r\n503 no\r\n");
    let _ = declined.say(ToServer, b"RCPT TO:<b>\r\n");
    assert!(declined.all()[0].contains("rcpt_to=<b>"));
}

#[test]
fn recipients_are_bounded_and_none_is_lost() {
    let mut fed = Fed::new();
    let _ = fed.say(ToServer, b"MAIL FROM:<a>\r\n");
    for _ in 0..3 * RECIPIENTS {
        let _ = fed.say(ToServer, b"RCPT TO:<b>\r\n");
    }
    let told = fed.all();
    assert_eq!(told.concat().matches("rcpt_to=<b>").count(), 3 * RECIPIENTS);
    assert!(told.iter().all(|mail| mail.contains("mail_from=<a>")));
}

#[test]
fn mails_hold_so_much_together_and_what_goes_is_carried_on() {
    let mut fed = Fed::new();
    let received = [&b"Received: "[..], &[b'x'; 8000], b"\r\n"].concat();
    let mail = [
        &b"MAIL FROM:<a>\r\nDATA\r\n"[..],
        &received.repeat(20),
        b"Content-Type: text/plain\r\n\r\nbody\r\n.\r\n",
    ]
    .concat();
    for _ in 0..20 {
        let _ = fed.say(ToServer, &mail);
    }
    assert!(fed.gone.len() > 10 && fed.gone[0].contains("!too_many_transactions"));
    let told = fed.all();
    let whole = |mail: &&String| mail.contains("mail_from=<a>") && mail.contains("data=body");
    assert_eq!(told.iter().filter(whole).count(), 20);
}

#[test]
fn a_message_goes_on_when_its_mail_had_to_go() {
    let mut fed = Fed::new();
    let _ = fed.say(ToServer, b"MAIL FROM:<a>\r\nDATA\r\n");
    let _ = fed.say(ToClient, b"250 ok\r\n354 go\r\n");
    let head = b"Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment\r\n\r\naGVs";
    let _ = fed.say(ToServer, head);
    fed.parser.retire();
    let _ = fed.say(ToServer, b"bG8=\r\n.\r\n");
    let told = fed.all();
    assert!(told[0].starts_with("mail_from=<a> data=lo [ "), "{told:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_cut_gives_the_same(cuts in prop::collection::vec(1_usize..30, 1..20)) {
        let mut fed = Fed::new();
        let mut cuts = cuts.iter().cycle();
        for (direction, bytes) in talk() {
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let cut = cuts.next().copied().unwrap_or(1).min(rest.len());
                let _ = fed.say(direction, &rest[..cut]);
                rest = &rest[cut..];
            }
        }
        prop_assert_eq!(fed.all(), expected());
    }

    #[test]
    fn no_bytes_panic(pieces in prop::collection::vec((any::<bool>(), prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        Just(b"DATA\r\n".to_vec()), Just(b"354 go\r\n".to_vec()), Just(b"BDAT 9 LAST\r\n".to_vec()),
        Just(b"Content-Type: multipart/x; boundary=b\r\n\r\n--b\r\n".to_vec()),
        Just(b"Content-Transfer-Encoding: base64\r\n\r\naa=\r\n".to_vec()),
        Just(b"\r\n.\r\n".to_vec()), Just(b"MAIL FROM:<a>\r\n".to_vec()),
    ]), 0..24)) {
        let mut fed = Fed::with(Limits { transactions: 2, ..Limits::default() });
        for (server, piece) in &pieces {
            let direction = if *server { ToClient } else { ToServer };
            let _ = fed.say(direction, piece);
        }
        prop_assert!(fed.parser.len() <= 2);
    }
}
