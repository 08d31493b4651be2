//! Commands and what they say.

use crate::app_layer::greeting::word;

/// A command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command<'a> {
    /// HELO, EHLO, LHLO.
    Helo(&'a [u8]),
    Mail(&'a [u8]),
    Rcpt(&'a [u8]),
    Data,
    /// A chunk of so many bytes; `None`: it does not say how many. The last?
    Bdat(Option<u64>, bool),
    StartTls,
    Auth,
    Rset,
    Quit,
    Other,
}

/// Reads a line.
pub(super) fn read(line: &[u8]) -> Command<'_> {
    let (name, rest) = word(line.trim_ascii_start());
    let is = |wanted: &[u8]| name.eq_ignore_ascii_case(wanted);
    let rest = rest.trim_ascii();
    if is(b"EHLO") || is(b"HELO") || is(b"LHLO") {
        Command::Helo(rest)
    } else if is(b"MAIL") {
        path(rest, b"FROM").map_or(Command::Other, Command::Mail)
    } else if is(b"RCPT") {
        path(rest, b"TO").map_or(Command::Other, Command::Rcpt)
    } else if is(b"DATA") {
        Command::Data
    } else if is(b"BDAT") {
        bdat(rest)
    } else if is(b"STARTTLS") {
        Command::StartTls
    } else if is(b"AUTH") {
        Command::Auth
    } else if is(b"RSET") {
        Command::Rset
    } else if is(b"QUIT") {
        Command::Quit
    } else {
        Command::Other
    }
}

/// Whether a line is a command of a name.
pub(super) fn is(line: &[u8], name: &[u8]) -> bool {
    word(line.trim_ascii_start()).0.eq_ignore_ascii_case(name)
}

/// The address behind `FROM:` or `TO:`, with its brackets, less parameters.
fn path<'a>(text: &'a [u8], keyword: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = text.split_at_checked(keyword.len())?;
    if !head.eq_ignore_ascii_case(keyword) {
        return None;
    }
    let rest = rest
        .trim_ascii_start()
        .strip_prefix(b":")?
        .trim_ascii_start();
    let end = if rest.first() == Some(&b'<') {
        rest.iter().position(|byte| *byte == b'>').map(|at| at + 1)
    } else {
        rest.iter().position(u8::is_ascii_whitespace)
    };
    rest.get(..end.unwrap_or(rest.len()))
}

fn bdat(rest: &[u8]) -> Command<'_> {
    let (digits, rest) = word(rest);
    let number = digits.iter().try_fold(0_u64, |number, digit| {
        let value = char::from(*digit).to_digit(10)?;
        number.checked_mul(10)?.checked_add(u64::from(value))
    });
    let last = rest.eq_ignore_ascii_case(b"LAST");
    let valid = !digits.is_empty() && (last || rest.is_empty());
    Command::Bdat(number.filter(|_| valid), last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_as_servers_do() {
        for (line, expected) in [
            ("EHLO  me ", Command::Helo(b"me")),
            ("helo", Command::Helo(b"")),
            ("MAIL FROM:<a@b> SIZE=1", Command::Mail(b"<a@b>")),
            ("mail from : a@b SIZE=1", Command::Mail(b"a@b")),
            ("MAIL FROM:<a b@c>", Command::Mail(b"<a b@c>")),
            ("MAIL TO:<a>", Command::Other),
            ("RCPT TO:<>", Command::Rcpt(b"<>")),
            ("BDAT 12", Command::Bdat(Some(12), false)),
            ("bdat 12 last", Command::Bdat(Some(12), true)),
            ("BDAT", Command::Bdat(None, false)),
            ("BDAT 1x", Command::Bdat(None, false)),
            ("BDAT 99999999999999999999", Command::Bdat(None, false)),
            ("BDAT 1 FIRST", Command::Bdat(None, false)),
            ("STARTTLS", Command::StartTls),
            ("NOOP", Command::Other),
            ("", Command::Other),
        ] {
            assert_eq!(read(line.as_bytes()), expected, "{line}");
        }
    }
}
