//! Whether a direction speaks SMTP: a greeting that names it, or commands that only it has.

use crate::app_layer::greeting::{self, Greeting, Says, is_in, word};
use crate::app_layer::{Probe, Start};

/// Commands of SMTP and LMTP alone; MAIL and RCPT are looked at more closely.
const OWN: &[&[u8]] = &[b"BDAT", b"EHLO", b"HELO", b"LHLO", b"STARTTLS"];

/// Commands that other protocols may have, but not FTP.
const SHARED: &[&[u8]] = &[
    b"DATA",
    b"ETRN",
    b"EXPN",
    b"RSET",
    b"TURN",
    b"VRFY",
    b"XCLIENT",
    b"XFORWARD",
];

/// Commands that FTP has, too.
const COMMON: &[&[u8]] = &[b"AUTH", b"HELP", b"NOOP", b"QUIT"];

pub(super) fn probe(start: &Start<'_>) -> Probe {
    greeting::probe(start, Greeting::Smtp, said)
}

fn said(line: &[u8]) -> Says {
    let (command, rest) = word(line);
    let is = |list| is_in(command, list);
    let path = |name: &[u8], behind: &[u8]| {
        let head = rest.get(..behind.len());
        command.eq_ignore_ascii_case(name)
            && head.is_some_and(|head| head.eq_ignore_ascii_case(behind))
    };
    if is(OWN) || path(b"MAIL", b"FROM") || path(b"RCPT", b"TO") {
        Says::Own
    } else if is(SHARED) {
        Says::Shared
    } else if is(COMMON) {
        Says::Common
    } else {
        Says::Nothing
    }
}

/// Whether a line that follows missing bytes is a command as a whole.
pub(super) fn is_command(line: &[u8]) -> bool {
    said(line) != Says::Nothing
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::FlowDirection::ToServer;

    #[test]
    fn clients_are_known_by_commands_and_what_greeted_them() {
        for (bytes, other, expected) in [
            ("EHLO me\r\n", "", Probe::Yes),
            ("ehlo me\n", "220 ready\r\n", Probe::Yes),
            ("HELO me", "", Probe::More),
            ("MAIL FROM:<a@b>\r\n", "", Probe::Yes),
            ("RCPT TO:<a@b>\r\n", "", Probe::Yes),
            ("MAIL something\r\n", "", Probe::No),
            ("EHLO me\r\n", "220 (vsFTPd)\r\n", Probe::No),
            ("RSET\r\n", "220 ready\r\n", Probe::Yes),
            ("RSET\r\n", "", Probe::More),
            ("QUIT\r\n", "220 ready\r\n", Probe::More),
            ("STARTTL", "220 ready\r\n", Probe::More),
            ("\r\n?!\r\nx-y", "220 ready\r\n", Probe::More),
            ("\r\n?!\r\nRSET\r\n", "220 ready\r\n", Probe::Yes),
            ("\r\nRSET\r\n", "220 mx ESMTP\r\n", Probe::Yes),
            ("\r\nEHLO me\r\n", "", Probe::No),
            ("GET / HTTP/1.0\r\n", "", Probe::No),
        ] {
            let start = Start {
                direction: ToServer,
                bytes: bytes.as_bytes(),
                other: other.as_bytes(),
                datagram: false,
                server_port: 25,
            };
            assert_eq!(probe(&start), expected, "{bytes}");
        }
    }
}
