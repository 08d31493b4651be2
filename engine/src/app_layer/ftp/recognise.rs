//! Whether a direction speaks FTP.
//!
//! A server is known by a greeting that names FTP, a client by its commands: with a greeting that could be
//! FTP's by any that SMTP does not have, without one by those that no other protocol of this kind has (POP3
//! and IRC have `USER`, too).

use crate::app_layer::greeting::{self, Greeting, Says, is_in, word};
use crate::app_layer::{Probe, Start};

/// Commands of FTP alone (RFC 959, 2228, 2389, 2428, 3659).
const OWN: &[&[u8]] = &[
    b"ABOR", b"ACCT", b"ADAT", b"ALLO", b"APPE", b"CDUP", b"CWD", b"EPRT", b"EPSV", b"FEAT",
    b"LANG", b"LPRT", b"LPSV", b"MDTM", b"MFMT", b"MKD", b"MLSD", b"MLST", b"NLST", b"PASV",
    b"PBSZ", b"PORT", b"PROT", b"PWD", b"REIN", b"REST", b"RMD", b"RNFR", b"RNTO", b"SITE",
    b"SIZE", b"SMNT", b"STOR", b"STOU", b"STRU", b"SYST", b"TYPE", b"XCUP", b"XCWD", b"XMKD",
    b"XPWD", b"XRMD",
];

/// Commands that other protocols have, too, but not SMTP.
const SHARED: &[&[u8]] = &[
    b"CCC", b"CLNT", b"DELE", b"HOST", b"LIST", b"MODE", b"OPTS", b"PASS", b"RETR", b"STAT",
    b"USER",
];

/// Commands that SMTP has, too.
const COMMON: &[&[u8]] = &[b"AUTH", b"HELP", b"NOOP", b"QUIT"];

pub(super) fn probe(start: &Start<'_>) -> Probe {
    greeting::probe(start, Greeting::Ftp, said)
}

fn said(line: &[u8]) -> Says {
    let (command, rest) = word(line);
    let is = |list| is_in(command, list);
    let secure =
        command.eq_ignore_ascii_case(b"AUTH") && is_in(rest, &[b"TLS", b"SSL", b"TLS-C", b"TLS-P"]);
    if secure || is(OWN) {
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

    fn client(bytes: &[u8], other: &[u8]) -> Probe {
        probe(&Start {
            direction: ToServer,
            bytes,
            other,
            datagram: false,
            server_port: 2121,
        })
    }

    #[test]
    fn clients_are_known_by_commands_and_what_greeted_them() {
        for (bytes, other, expected) in [
            ("USER me\r\n", "220 ready\r\n", Probe::Yes),
            ("USER me\r\n", "", Probe::More),
            ("USER me\r\nPASS x\r\n", "", Probe::More),
            ("USER me\r\nPASS x\r\nSYST\r\n", "", Probe::Yes),
            ("USER me\r\n", "+OK ready\r\n", Probe::No),
            ("EHLO me\r\n", "220 ready\r\n", Probe::More),
            ("QUIT\r\n", "220 ready\r\n", Probe::More),
            ("CWD", "", Probe::More),
            ("cwd /\n", "", Probe::Yes),
            ("AUTH TLS\r\n", "", Probe::Yes),
            ("AUTH PLAIN\r\n", "220 ready\r\n", Probe::More),
            ("GET / HTTP/1.1", "", Probe::More),
            ("GET / HTTP/1.1\r\n", "", Probe::No),
            ("\x16\x03\x01", "", Probe::No),
        ] {
            assert_eq!(
                client(bytes.as_bytes(), other.as_bytes()),
                expected,
                "{bytes}"
            );
        }
    }
}
