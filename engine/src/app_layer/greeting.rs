//! What a server that speaks first says: FTP and SMTP both greet with 220.

use super::{Probe, Start};
use crate::event::FlowDirection;

/// What a greeting stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Greeting {
    /// Nothing has come, or not all of it.
    More,
    /// It is none.
    No,
    /// It names FTP, and not SMTP.
    Ftp,
    /// It names SMTP (or LMTP), and not FTP.
    Smtp,
    /// It may be either's.
    Either,
}

/// What a server that greets with this speaks.
pub(super) fn greeting(bytes: &[u8]) -> Greeting {
    const CODE: &[u8] = b"220";
    let seen = bytes.len().min(CODE.len());
    if bytes.get(..seen) != CODE.get(..seen) {
        return Greeting::No;
    }
    match bytes.get(CODE.len()) {
        None => return Greeting::More,
        Some(b' ' | b'-' | b'\r' | b'\n') => {}
        Some(_) => return Greeting::No,
    }
    let Some(reply) = whole(bytes) else {
        return Greeting::More;
    };
    let says = |word: &[u8]| {
        let mut places = reply.windows(word.len());
        places.any(|place| place.eq_ignore_ascii_case(word))
    };
    match (says(b"ftp"), says(b"smtp") || says(b"lmtp")) {
        (true, false) => Greeting::Ftp,
        (false, true) => Greeting::Smtp,
        _ => Greeting::Either,
    }
}

/// The reply, once its last line has ended.
fn whole(bytes: &[u8]) -> Option<&[u8]> {
    let mut at = 0;
    loop {
        let line = bytes.get(at..)?;
        let end = memchr::memchr(b'\n', line)?;
        at += end + 1;
        let goes_on = line.get(3) == Some(&b'-') || !line.starts_with(b"220");
        if !goes_on {
            return bytes.get(..at);
        }
    }
}

/// What a client's line says of its protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Says {
    /// It is no command of the protocol.
    Nothing,
    /// Both protocols have it.
    Common,
    /// Only this of the two has it, but others may.
    Shared,
    /// No other protocol has it.
    Own,
}

/// Whether a direction speaks a protocol whose greeting is `own` and of whose commands `said` tells.
pub(super) fn probe(start: &Start<'_>, own: Greeting, said: impl Fn(&[u8]) -> Says) -> Probe {
    if start.direction == FlowDirection::ToServer {
        return probe_client(start, own, said);
    }
    match greeting(start.bytes) {
        Greeting::More | Greeting::Either => Probe::More,
        found if found == own => Probe::Yes,
        _ => Probe::No,
    }
}

/// Whether a command is in a list, whatever its case.
pub(super) fn is_in(command: &[u8], list: &[&[u8]]) -> bool {
    let mut list = list.iter();
    list.any(|known| command.eq_ignore_ascii_case(known))
}

/// A client is known by its lines and what greeted it.
fn probe_client(start: &Start<'_>, own: Greeting, said: impl Fn(&[u8]) -> Says) -> Probe {
    let (needed, greeted) = match greeting(start.other) {
        Greeting::More => (Says::Own, false),
        found if found == own || found == Greeting::Either => (Says::Shared, true),
        _ if start.other.is_empty() => (Says::Own, false),
        _ => return Probe::No,
    };
    let mut rest = start.bytes;
    while let Some(end) = memchr::memchr(b'\n', rest) {
        let (line, behind) = rest.split_at(end + 1);
        match said(line.trim_ascii_end()) {
            // The server declines it and waits for the next.
            Says::Nothing if greeted => rest = behind,
            Says::Nothing => return Probe::No,
            said if said >= needed => return Probe::Yes,
            _ => rest = behind,
        }
    }
    if greeted || may_be_command(rest) {
        Probe::More
    } else {
        Probe::No
    }
}

/// Whether a peer of somebody who speaks such a protocol may: a reply, or a line that starts with a word.
pub(super) fn confirm(start: &Start<'_>) -> Probe {
    let bytes = start.bytes;
    if start.direction == FlowDirection::ToClient {
        let plausible = bytes.iter().take(3).all(u8::is_ascii_digit);
        return match (plausible, bytes.len() > 3) {
            (true, true) => Probe::Yes,
            (true, false) => Probe::More,
            (false, _) => Probe::No,
        };
    }
    // Lines that are none are declined, and others follow.
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let whole = |line: &[u8]| line.ends_with(b"\n") && !line.trim_ascii().is_empty();
    if lines.any(|line| whole(line) && may_be_command(line.trim_ascii_end())) {
        Probe::Yes
    } else {
        Probe::More
    }
}

/// Whether what a client sends may start a session of TLS, or of SSL 2.
pub(super) fn starts_tls(bytes: &[u8]) -> bool {
    const HANDSHAKE: u8 = 22;
    let first = bytes.first().copied();
    first.is_some_and(|first| first == HANDSHAKE || first & 0x80 != 0)
}

/// Longest command.
const COMMAND: usize = 8;

/// The start of a line may become a command.
fn may_be_command(line: &[u8]) -> bool {
    let (command, _) = word(line);
    command.len() <= COMMAND && command.iter().all(u8::is_ascii_alphabetic)
}

/// The first word of a line, and what follows it.
pub(super) fn word(line: &[u8]) -> (&[u8], &[u8]) {
    let end = line.iter().position(|byte| matches!(byte, b' ' | b'\t'));
    let (word, rest) = line.split_at(end.unwrap_or(line.len()));
    (word, rest.trim_ascii_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greetings_are_told_apart_by_what_they_name() {
        for (text, expected) in [
            ("", Greeting::More),
            ("22", Greeting::More),
            ("220 (vsFTPd 3.0.3)", Greeting::More),
            ("220 (vsFTPd 3.0.3)\r\n", Greeting::Ftp),
            ("220-####\r\n220-ftp\r\n", Greeting::More),
            ("220-####\r\n welcome\r\n220 ftp\r\n", Greeting::Ftp),
            ("220 mx ESMTP\n", Greeting::Smtp),
            ("220 mx LMTP\n", Greeting::Smtp),
            ("220 ftp.example.com ESMTP\r\n", Greeting::Either),
            ("220 ready\r\n", Greeting::Either),
            ("2200 ready\r\n", Greeting::No),
            ("+OK POP3\r\n", Greeting::No),
        ] {
            assert_eq!(greeting(text.as_bytes()), expected, "{text}");
        }
    }
}
