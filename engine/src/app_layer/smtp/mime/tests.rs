//! Mails, whole and cut anywhere.

use super::*;
use crate::app_layer::{FilePart, MAX_FILES};
use proptest::prelude::*;

/// Names and contents of files, contents of other parts, addresses, and anomalies.
type Found = (Vec<(String, String)>, Vec<String>, Vec<String>, Vec<u8>);

fn read(pieces: &[&[u8]]) -> Found {
    let (mut message, mut email, mut events) =
        (Message::default(), Email::default(), Events::default());
    let mut target = Target {
        email: &mut email,
        events: &mut events,
    };
    message.start(&FileService::default());
    for piece in pieces {
        message.push(piece, &mut target);
    }
    message.finish(true, &mut target);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let content = |file: &File| {
        let bytes = file.buffer(FilePart::Data);
        bytes.map_or_else(String::new, |bytes| text(bytes.bytes))
    };
    let parts = || (0..).map_while(|index| email.shown(FilePart::Data, index));
    let files = (0..).map_while(|index| email.file(index));
    let files = files
        .map(|file| (text(file.name()), content(file)))
        .collect();
    let bodies = parts().filter(|(_, place)| place.is_none());
    let bodies = bodies.map(|(bytes, _)| text(bytes.bytes)).collect();
    (
        files,
        bodies,
        email.urls.iter().map(|url| text(url)).collect(),
        events.all().iter().map(|event| event.0).collect(),
    )
}

const NESTED: &[u8] = b"Content-Type: multipart/mixed; boundary=outer\n\n\
    --outer\nContent-Type: multipart/alternative; boundary=\"in ner\"\n\n\
    --in ner\n\nplain\n--outerx\n--in ner  \nContent-Type: text/html\n\n<a href=\"http://x/y\">\n\
    --in ner--\nignored\n--outer\nContent-Type: message/rfc822\n\nSubject: inner\n\
    Content-Type: application/x; name=\"g\"\n\n1\r\n\r\n2\r\r\n--outer\n\
    Content-Disposition: attachment; filename*=utf-8''h%20\n\n--outer--\n";

#[test]
fn parts_within_parts_are_found() {
    let (files, bodies, urls, events) = read(&[NESTED]);
    // Nothing has come of the other.
    let expected = [("g", "1\r\n\r\n2\r")];
    assert_eq!(
        files,
        expected.map(|(name, text)| (name.to_owned(), text.to_owned()))
    );
    let around = "ignored";
    assert_eq!(
        bodies,
        ["plain\n--outerx", "<a href=\"http://x/y\">", around]
    );
    assert_eq!(urls, ["x/y"]);
    assert_eq!(events, Vec::<u8>::new());
}

#[test]
fn what_is_odd_is_told() {
    let event = |text: &[u8]| read(&[text]).3;
    let boundary = [
        &b"Content-Type: multipart/x; boundary="[..],
        &[b'b'; 80],
        b"\n\n",
    ]
    .concat();
    let closed = [&boundary[..], b"--", &[b'b'; 80], b"--\n"].concat();
    assert_eq!(event(&closed), [Event::LongBoundary as u8]);
    let open = b"Content-Type: multipart/x; boundary=b\n\n--b\n\nx\n";
    assert_eq!(event(open), [Event::MalformedMessage as u8]);
    assert_eq!(
        event(b"Content-Type: multipart/x\n\nx\n"),
        [Event::UnparsableContent as u8]
    );
    assert_eq!(event(b"no field\n\n"), [Event::MalformedMessage as u8]);
    let long = [&b"\n"[..], &[b'x'; 1000], b"\n"].concat();
    assert_eq!(event(&long), [Event::LongLine as u8]);
    let name = [
        &b"Content-Disposition: x; filename="[..],
        &[b'n'; 1100],
        b"\n\nx",
    ]
    .concat();
    assert_eq!(event(&name), [Event::LongFileName as u8]);
    let coded = b"Content-Transfer-Encoding: base64\n\n!!\n";
    assert_eq!(event(coded), [Event::InvalidBase64 as u8]);
}

/// A part that is base64 behind boundary `b` shows what it stands for.
fn parts_behind(head: &[u8], boundary: &[u8]) {
    let part = b"\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\naGVsbG8=\n";
    let text = [head, boundary, part, b"--b--\n"].concat();
    let whole = read(&[&text]);
    assert!(
        whole.1.contains(&"hello".to_owned()),
        "{}: {whole:?}",
        text.escape_ascii()
    );
    let bytes: Vec<&[u8]> = text.chunks(1).collect();
    assert_eq!(read(&bytes), whole);
}

#[test]
fn boundaries_are_those_of_recipients() {
    let head = b"Content-Type: multipart/mixed; boundary=b\n\n";
    parts_behind(head, b"--b");
    parts_behind(head, &[&b"--b"[..], &[b' '; 3000]].concat());
    parts_behind(
        b"Content-Type: multipart/mixed; x=\"; boundary=no\"; boundary = \"\\b\"\n\n",
        b"--b",
    );
    // No blank line ends the head.
    parts_behind(b"Content-Type: multipart/mixed; boundary=b\n", b"--b");
    parts_behind(
        b"Content-Type: multipart/mixed; boundary=b\nno field\n",
        b"--b",
    );
    // What is kept of a long one tells it.
    let long = [b'b'; 2000];
    let head = [
        &b"Content-Type: multipart/mixed; boundary="[..],
        &long,
        b"\n\n",
    ]
    .concat();
    parts_behind(&head, &[&b"--"[..], &long].concat());
    // White space that something follows makes a line none.
    let padded = [&b"--b"[..], &[b' '; 300], b"x\n"].concat();
    let text = [
        &b"Content-Type: multipart/x; boundary=b\n\n--b\n\n"[..],
        &padded,
    ]
    .concat();
    assert_eq!(read(&[&text]).1.len(), 1);
}

#[test]
fn what_is_around_parts_is_shown() {
    let text = b"Content-Type: multipart/x; boundary=b\n\nbefore\n--b\n\nx\n--b--\nbehind\n";
    assert_eq!(read(&[text]).1, ["before", "x", "behind\n"]);
}

#[test]
fn more_parts_than_there_is_room_for_are_told() {
    let with = |parts: usize| {
        let mut text = b"Content-Type: multipart/x; boundary=b\n\n".to_vec();
        for _ in 0..parts {
            text.extend(b"--b\nContent-Disposition: attachment; filename=f\n\nx\n");
        }
        text.extend(b"--b--\n");
        read(&[&text]).3
    };
    assert_eq!(with(MAX_FILES), Vec::<u8>::new());
    assert_eq!(with(MAX_FILES + 1), [Event::UnparsableContent as u8]);
}

#[test]
fn what_is_too_deep_is_one_content() {
    let mut text = Vec::new();
    for level in 0..2 * NESTING {
        text.extend(
            format!("Content-Type: multipart/x; boundary=b{level}\n\n--b{level}\n").bytes(),
        );
    }
    let (_, bodies, _, events) = read(&[&text]);
    assert!(events.contains(&(Event::UnparsableContent as u8)));
    assert_eq!(bodies.len(), 1);
}

proptest! {
    #[test]
    fn any_cut_gives_the_same(cuts in prop::collection::vec(1_usize..12, 1..20)) {
        let mut pieces = Vec::new();
        let mut rest = NESTED;
        for cut in cuts.iter().cycle() {
            if rest.is_empty() { break; }
            let (now, then) = rest.split_at((*cut).min(rest.len()));
            pieces.push(now);
            rest = then;
        }
        prop_assert_eq!(read(&pieces), read(&[NESTED]));
    }
}
