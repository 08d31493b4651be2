//! Peers that try to have a message taken for commands, or commands for a message.

use super::*;

const ENVELOPE: &[u8] = b"MAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\n";

/// Says all of it, then a message; that must be seen as one.
fn carries(talk: &[(FlowDirection, &[u8])]) -> Vec<String> {
    let mut fed = Fed::new();
    for (direction, bytes) in talk {
        let _ = fed.say(*direction, bytes);
    }
    let _ = fed.say(ToServer, b"Subject: evil\r\n\r\npayload\r\n.\r\n");
    let _ = fed.say(ToClient, b"250 queued\r\n");
    let told = fed.all();
    let seen = |mail: &String| mail.contains("subject=evil") && mail.contains("data=payload");
    assert!(told.iter().any(seen), "{told:?}");
    told
}

#[test]
fn a_message_that_the_server_takes_is_one_whatever_came_before() {
    let with = |first: &[u8]| [first, ENVELOPE].concat();
    // A challenge whose answer was sent along.
    let _ = carries(&[
        (ToServer, &with(b"AUTH LOGIN\r\n*\r\n")),
        (
            ToClient,
            b"334 x\r\n501 no\r\n250 ok\r\n250 ok\r\n354 go\r\n",
        ),
    ]);
    // A blank line that is answered.
    let told = carries(&[
        (ToServer, &with(b"\r\n")),
        (ToClient, b"500 what\r\n250 ok\r\n250 ok\r\n354 go\r\n"),
    ]);
    assert!(!told.concat().contains('!'), "{told:?}");
    // One that is not.
    let told = carries(&[
        (ToServer, &with(b"\r\n")),
        (ToClient, b"250 ok\r\n250 ok\r\n354 go\r\n"),
    ]);
    assert!(!told.concat().contains('!'), "{told:?}");
    // DATA that is declined, with what follows behind it.
    let _ = carries(&[
        (ToServer, &with(b"DATA\r\n")),
        (ToClient, b"503 no\r\n250 ok\r\n250 ok\r\n354 go\r\n"),
    ]);
    let _ = carries(&[
        (ToServer, &with(b"DATA\r\nx\r\n.\r\n")),
        (
            ToClient,
            b"503 no\r\n500 x\r\n500 x\r\n250 ok\r\n250 ok\r\n354 go\r\n",
        ),
    ]);
    // Replies that nobody asked for.
    let _ = carries(&[
        (ToServer, ENVELOPE),
        (ToClient, b"250 a\r\n250 b\r\n250 c\r\n250 d\r\n354 go\r\n"),
    ]);
}

#[test]
fn a_message_has_a_reply_for_each_recipient_of_lmtp() {
    let mut fed = Fed::new();
    let envelope = b"MAIL FROM:<a>\r\nRCPT TO:<b>\r\nRCPT TO:<c>\r\nRCPT TO:<d>\r\nDATA\r\n";
    let _ = fed.say(ToServer, b"LHLO me\r\n");
    let _ = fed.say(ToServer, envelope);
    let _ = fed.say(
        ToClient,
        b"250 me\r\n250 ok\r\n250 ok\r\n550 no\r\n250 ok\r\n354 go\r\n",
    );
    let _ = fed.say(ToServer, b"Subject: one\r\n\r\nx\r\n.\r\n");
    let _ = fed.say(ToServer, ENVELOPE);
    let _ = fed.say(
        ToClient,
        b"250 ok\r\n550 no\r\n250 ok\r\n250 ok\r\n354 go\r\n",
    );
    let _ = fed.say(ToServer, b"Subject: two\r\n\r\ny\r\n.\r\n");
    let _ = fed.say(ToClient, b"250 ok\r\n");
    let told = fed.all();
    assert!(
        told[1].contains("subject=two data=y\r\n [5, 2]"),
        "{told:?}"
    );
    assert!(!told.concat().contains('!'), "{told:?}");
}

#[test]
fn a_declined_message_decides_nothing_of_the_next() {
    let fake: &[u8] = b"DATA\r\nContent-Type: multipart/x; boundary=b\r\n\r\n";
    let told = carries(&[
        (ToServer, b"MAIL FROM:<a>\r\nRCPT TO:<b>\r\n"),
        (ToServer, fake),
        (ToClient, b"250 ok\r\n250 ok\r\n503 no\r\n"),
        (ToServer, b"DATA\r\n"),
        (ToClient, b"354 go\r\n"),
    ]);
    assert!(
        told[1].contains("mail_from=<a> rcpt_to=<b> subject=evil"),
        "{told:?}"
    );
}

#[test]
fn tls_follows_only_what_accepts_it_and_a_client_that_starts_it() {
    let mut fed = Fed::new();
    let _ = fed.say(ToClient, b"220 mx\r\n");
    let _ = fed.say(ToServer, b"\r\nNOOP\r\nSTARTTLS\r\n");
    let _ = fed.say(ToClient, b"500 what\r\n250 ok\r\n502 no\r\n");
    assert!(!fed.parser.secured && fed.all()[0].contains("!tls_rejected"));
    let _ = fed.say(ToServer, b"STARTTLS\r\n");
    let _ = fed.say(ToClient, b"250 ok\r\n");
    assert!(!fed.parser.secured);
    let _ = fed.say(ToClient, b"220 go\r\n");
    // What the server says does not start it.
    assert_eq!(fed.say(ToClient, b"\x16\x03\x01"), Status::Continue);
    let _ = fed.say(ToServer, ENVELOPE);
    assert!(!fed.parser.secured);
    assert!(fed.all().concat().contains("mail_from=<a> rcpt_to=<b>"));
}

#[test]
fn chunks_swallow_nothing_of_servers_that_know_none() {
    let swallowing = b"MAIL FROM:<a>\r\nRCPT TO:<b>\r\nBDAT 4000000000\r\n";
    for code in ["500", "502", "503"] {
        let answers = format!("250 ok\r\n250 ok\r\n{code} no\r\n");
        let _ = carries(&[
            (ToServer, swallowing),
            (ToClient, answers.as_bytes()),
            (ToServer, b"DATA\r\n"),
            (ToClient, b"354 go\r\n"),
        ]);
    }
    let greeted: [(_, &[u8]); 3] = [
        (ToClient, b"220 mx\r\n"),
        (ToServer, b"EHLO me\r\n"),
        (ToClient, b"250-mx\r\n250 PIPELINING\r\n"),
    ];
    let behind = [&swallowing[..], b"DATA\r\n"].concat();
    let mut talk = greeted.to_vec();
    talk.push((ToServer, &behind));
    talk.push((ToClient, b"250 ok\r\n250 ok\r\n502 no\r\n354 go\r\n"));
    let told = carries(&talk);
    assert!(told[0].contains("rcpt_to=<b> subject=evil"), "{told:?}");
}

#[test]
fn a_server_of_chunks_skips_those_that_it_declines() {
    let mut fed = Fed::new();
    let _ = fed.say(ToServer, b"EHLO me\r\n");
    let _ = fed.say(ToClient, b"250-mx\r\n250-CHUNKING\r\n250 PIPELINING\r\n");
    let _ = fed.say(ToServer, b"BDAT 18\r\nDATA");
    let _ = fed.say(ToClient, b"503 no\r\n");
    let _ = fed.say(ToServer, b"\r\nRCPT TO:<x>\r");
    let _ = fed.say(ToServer, b"MAIL FROM:<a>\r\n");
    let told = fed.all();
    assert!(
        !told[0].contains("rcpt_to") && told[0].contains("mail_from=<a>"),
        "{told:?}"
    );
}

#[test]
fn a_message_goes_on_behind_an_end_that_only_some_servers_see() {
    let start = || {
        let mut fed = Fed::new();
        let _ = fed.say(ToServer, b"MAIL FROM:<a>\r\nDATA\r\n");
        let _ = fed.say(ToClient, b"250 ok\r\n354 go\r\n");
        let head = b"Content-Type: multipart/x; boundary=b\r\n\r\n--b\r\n\r\nx\n.\n";
        let _ = fed.say(ToServer, head);
        fed
    };
    let part = b"--b\r\nContent-Disposition: attachment; filename=f\r\n\
        Content-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n--b--\r\n.\r\n";
    for before in [&b""[..], b"NOOP\r\n"] {
        let mut fed = start();
        let _ = fed.say(ToServer, &[before, part].concat());
        let _ = fed.say(ToClient, b"250 ok\r\n");
        let told = fed.all();
        let ended = told.first().unwrap();
        assert!(ended.contains("data=x") && ended.contains("!ambiguous_message_end"));
        let last = told.last().unwrap();
        assert!(
            last.contains("mail_from=<a> data=hello name=f [f Closed] [5, 2]"),
            "{told:?}"
        );
    }
    let mut fed = start();
    let _ = fed.say(ToClient, b"250 ok\r\n");
    let _ = fed.say(ToServer, b"what\r\nMAIL FROM:<b>\r\n");
    assert!(
        fed.all()[1].starts_with("mail_from=<b> "),
        "{:?}",
        fed.all()
    );
}
