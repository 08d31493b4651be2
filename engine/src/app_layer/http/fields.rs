//! Header fields, as they come: one at a time, from bytes that may not all be there yet.
//!
//! The tolerance is that of servers for requests and of browsers for responses:
//! - a line ends with LF or CRLF; in responses also with CR or LFCR;
//! - a line that starts with space, tab or NUL continues the field above (RFC 9112 section 5.2), unless, in
//!   a response, it looks like a field itself;
//! - a name may be cut by a line break if a space follows; a line without colon is a value without a name;
//! - the empty line ends the head.
//!
//! Every decision waits for the bytes it depends on, so that the cut of the stream does not matter.

use super::text::{is_space, is_token, split_while, trim};

/// Folded lines in one field beyond which the rest is a field of its own.
const FOLDS: usize = 128;

/// Whose fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    Client,
    Server,
}

/// What stands at the start of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// More bytes are needed to tell.
    More,
    /// The end of the head, which is so many bytes long.
    End(usize),
    /// A field.
    Field(Shape),
}

impl Read {
    /// Bytes that are taken, whether the head ends behind them, and how long the field is, as far as it has
    /// come of `bytes`.
    pub(super) fn extent(&self, bytes: &[u8]) -> (usize, bool, usize) {
        match self {
            Self::More => (0, false, bytes.len()),
            Self::End(length) => (*length, true, *length),
            Self::Field(shape) => (shape.length, shape.last, shape.length),
        }
    }
}

/// A field that was read; its name is a part of the bytes, its value was put into the caller's buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// Bytes that it takes, its line end included.
    pub(super) length: usize,
    /// Length of the name, which is at the start; surrounding white space not removed.
    pub(super) name: usize,
    /// There is no colon: everything is value.
    pub(super) no_colon: bool,
    /// The head ends behind it, though no empty line follows.
    pub(super) last: bool,
}

/// Reads what stands at the start of `bytes`. The value of a field, unfolded, is left in `value`.
pub(super) fn read(sender: Sender, bytes: &[u8], eof: bool, value: &mut Vec<u8>) -> Read {
    value.clear();
    let reader = Reader { sender, bytes, eof };
    match reader.end_of_head() {
        Some(End::Here(length)) => return Read::End(length),
        Some(End::Unclear) => return Read::More,
        None => {}
    }
    let (name, from) = match reader.name() {
        Name::Unclear => return Read::More,
        Name::Missing => (None, 0),
        Name::Colon(at) => {
            let (blanks, _) = split_while(&bytes[at + 1..], |byte| byte == b' ' || byte == b'\t');
            (Some(at), at + 1 + blanks.len())
        }
    };
    let Some((length, last)) = reader.value(from, value) else {
        return Read::More;
    };
    let trimmed = trim(value);
    let (start, end) = match (trimmed.first(), trimmed.last()) {
        (Some(first), Some(_)) => {
            let start = (std::ptr::from_ref(first) as usize) - (value.as_ptr() as usize);
            (start, start + trimmed.len())
        }
        _ => (0, 0),
    };
    value.truncate(end);
    value.drain(..start);
    Read::Field(Shape {
        length,
        name: name.unwrap_or(0),
        no_colon: name.is_none(),
        last,
    })
}

/// What is odd about a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Oddities {
    pub(super) leading_space: bool,
    pub(super) not_token: bool,
}

/// A name, less white space around it, and what is odd about it.
pub(super) fn name(bytes: &[u8]) -> (&[u8], Oddities) {
    let blank = |byte: u8| byte == b' ' || byte == b'\t';
    let (_, rest) = split_while(bytes, blank);
    let (_, rest) = split_while(rest, is_token);
    let (_, rest) = split_while(rest, blank);
    let oddities = Oddities {
        leading_space: bytes.first().is_some_and(|byte| is_space(*byte)),
        not_token: !rest.is_empty(),
    };
    (trim(bytes), oddities)
}

enum End {
    Here(usize),
    Unclear,
}

enum Name {
    Unclear,
    Missing,
    /// Index of the colon.
    Colon(usize),
}

/// A line end.
#[derive(Clone, Copy)]
struct LineEnd {
    length: usize,
    /// What follows continues the field.
    folds: bool,
}

struct Reader<'a> {
    sender: Sender,
    bytes: &'a [u8],
    /// Nothing will follow.
    eof: bool,
}

impl Reader<'_> {
    fn at(&self, index: usize) -> Option<u8> {
        self.bytes.get(index).copied()
    }

    /// An empty line at the start.
    fn end_of_head(&self) -> Option<End> {
        match (self.at(0)?, self.at(1)) {
            (b'\n', _) => Some(End::Here(1)),
            (b'\r', Some(b'\n')) => Some(End::Here(2)),
            (b'\r', None) if !self.eof => Some(End::Unclear),
            (b'\r', Some(b'\r')) if self.sender == Sender::Client => {
                let crs = self.bytes.iter().take_while(|byte| **byte == b'\r').count();
                match self.at(crs) {
                    Some(b'\n') => Some(End::Here(crs + 1)),
                    None if !self.eof => Some(End::Unclear),
                    _ => None,
                }
            }
            (b'\r', _) if self.sender == Sender::Server => Some(End::Here(1)),
            _ => None,
        }
    }

    fn is_line_end(&self, byte: u8) -> bool {
        byte == b'\n' || (byte == b'\r' && self.sender == Sender::Server)
    }

    fn name(&self) -> Name {
        let mut ended = 0;
        for (index, byte) in self.bytes.iter().copied().enumerate() {
            match (ended, byte) {
                (0, b':') => return Name::Colon(index),
                (0, _) if self.is_line_end(byte) => ended = byte,
                (0, _) => {}
                (_, b' ') => ended = 0,
                (b'\r', b'\n') => ended = byte,
                _ => return Name::Missing,
            }
        }
        if self.eof {
            Name::Missing
        } else {
            Name::Unclear
        }
    }

    /// Length of the line end at `index`, without regard to what follows.
    fn plain_end(&self, index: usize) -> usize {
        match (self.at(index), self.at(index + 1)) {
            (Some(b'\r'), Some(b'\n')) => 2,
            (Some(b'\n'), Some(b'\r')) if self.sender == Sender::Server => 2,
            (Some(_), _) => 1,
            (None, _) => 0,
        }
    }

    /// The line end at `index`; `None` while it is unclear.
    fn line_end(&self, index: usize) -> Option<LineEnd> {
        let plain = self.plain_end(index);
        let folds = match self.at(index + plain) {
            Some(byte) => matches!(byte, b' ' | b'\t' | 0),
            None if self.eof => false,
            None => return None,
        };
        if !folds && self.sender == Sender::Server {
            return Some(LineEnd {
                length: self.stray_end(index, plain)?,
                folds,
            });
        }
        Some(LineEnd {
            length: plain,
            folds,
        })
    }

    /// `CRLF CR` followed by blanks and CRs, and maybe LF, that is not an empty line: browsers take it for
    /// one line end.
    fn stray_end(&self, index: usize, plain: usize) -> Option<usize> {
        let from = index + 3;
        if self.bytes.get(index..from) != Some(b"\r\n\r") {
            return Some(plain);
        }
        let rest = self.bytes.get(from..).unwrap_or_default();
        let (stray, rest) = split_while(rest, |byte| matches!(byte, b'\r' | b' ' | b'\t'));
        if rest.is_empty() && !self.eof {
            return None;
        }
        if stray.is_empty() {
            return Some(plain);
        }
        let (line_feed, rest) = split_while(rest, |byte| byte == b'\n');
        match (line_feed.len(), rest.first()) {
            (0, _) => Some(3 + stray.len()),
            (1, Some(b'\r')) if rest.len() == 1 && !self.eof => None,
            (1, Some(b'\r')) if rest.get(1) == Some(&b'\n') => Some(plain),
            (1, Some(_)) => Some(4 + stray.len()),
            (1, None) if !self.eof => None,
            _ => Some(plain),
        }
    }

    /// A line that looks like a field of its own starts at `index`; `None` while that is unclear.
    fn looks_like_field(&self, index: usize) -> Option<bool> {
        let blank = |byte: u8| byte == b' ' || byte == b'\t';
        let rest = self.bytes.get(index..).unwrap_or_default();
        let (_, rest) = split_while(rest, blank);
        let (token, rest) = split_while(rest, is_token);
        let (_, rest) = split_while(rest, blank);
        match rest.first() {
            Some(byte) => Some(*byte == b':' && !token.is_empty()),
            None if self.eof => Some(false),
            None => None,
        }
    }

    /// One line of a value: its bytes, index behind its end, and the end.
    fn line(&self, from: usize) -> Option<(&[u8], usize, LineEnd)> {
        let rest = self.bytes.get(from..).unwrap_or_default();
        let Some(at) = rest.iter().position(|byte| self.is_line_end(*byte)) else {
            let end = LineEnd {
                length: 0,
                folds: false,
            };
            return self.eof.then_some((rest, self.bytes.len(), end));
        };
        let at = from + at;
        let carriage = at > from && self.at(at) == Some(b'\n') && self.at(at - 1) == Some(b'\r');
        let at = at - usize::from(carriage);
        let end = self.line_end(at)?;
        Some((self.bytes.get(from..at)?, at + end.length, end))
    }

    /// The value from `from` on, unfolded into `value`. Returns the index behind it, and whether the head
    /// ends there; `None` while it is unclear.
    fn value(&self, from: usize, value: &mut Vec<u8>) -> Option<(usize, bool)> {
        let (bytes, mut next, mut end) = self.line(from)?;
        value.extend_from_slice(bytes);
        for _ in 0..FOLDS {
            if !end.folds {
                return Some((next, false));
            }
            let fold = self.at(next)?;
            if self.sender == Sender::Server && self.looks_like_field(next + 1)? {
                return Some((next + 1, false));
            }
            let (bytes, after, following) = self.line(next + 1)?;
            if !value.is_empty() {
                value.push(fold);
            }
            if bytes.is_empty() && following.length <= 1 && !following.folds {
                // A line of nothing but the fold ends the head.
                let empty = self.at(after) == Some(b'\n');
                return Some((after + usize::from(empty), true));
            }
            value.extend_from_slice(bytes);
            (next, end) = (after, following);
        }
        Some((next, false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every field as `name=value`, and what is left behind the head; `None` while it is not whole.
    fn head(sender: Sender, bytes: &[u8]) -> Option<(Vec<String>, usize)> {
        let mut fields = Vec::new();
        let (mut at, mut value) = (0, Vec::new());
        loop {
            match read(sender, &bytes[at..], false, &mut value) {
                Read::More => return None,
                Read::End(length) => return Some((fields, bytes.len() - at - length)),
                Read::Field(shape) => {
                    let (name, _) = name(&bytes[at..at + shape.name]);
                    let text = [name, b"=", &value].concat();
                    fields.push(String::from_utf8_lossy(&text).into_owned());
                    at += shape.length;
                    if shape.last {
                        return Some((fields, bytes.len() - at));
                    }
                }
            }
        }
    }

    /// Bytes, fields, length of what follows.
    type Case = (Sender, &'static [u8], &'static [&'static str], usize);

    const CASES: &[Case] = &[
        (Sender::Client, b"\r\nx", &[], 1),
        (Sender::Client, b"A: b\r\n\r\n", &["A=b"], 0),
        (Sender::Client, b"A:b\nC : d \n\nrest", &["A=b", "C=d"], 4),
        (Sender::Client, b"A: b\r\n c\r\n\r\n", &["A=b c"], 0),
        (Sender::Client, b"A:\r\n\tb\r\n\r\n", &["A=b"], 0),
        (
            Sender::Client,
            b"no colon\r\nA: b\r\n\r\n",
            &["=no colon", "A=b"],
            0,
        ),
        (Sender::Client, b"k\r5:v\r5\n\r\n", &["k\r5=v\r5"], 0),
        (Sender::Client, b"A: b\0c\r\n\r\n", &["A=b\0c"], 0),
        (Sender::Client, b"A: b\n\r\r\n\r\n", &["A=b"], 2),
        (Sender::Client, b"Na\r\n me: v\r\n\r\n", &["Na\r\n me=v"], 0),
        (
            Sender::Server,
            b"k\r5:v\r5\r\n\r\n",
            &["=k", "5=v", "=5"],
            0,
        ),
        (Sender::Server, b"A: b\r\n C: d\r\n\r\n", &["A=b", "C=d"], 0),
        (Sender::Server, b"A: b\n\rC: d\n\r\n", &["A=b", "C=d"], 0),
        (Sender::Server, b"A: b\n \nbody", &["A=b"], 4),
        (
            Sender::Server,
            b"A: b\r\n\r \nC: d\r\n\r\n",
            &["A=b", "C=d"],
            0,
        ),
        (Sender::Server, b"A: b\r\rbody", &["A=b"], 4),
    ];

    #[test]
    fn fields_are_read_as_servers_and_browsers_do() {
        for (sender, bytes, fields, rest) in CASES {
            let shown = String::from_utf8_lossy(bytes);
            let expected = Some((fields.iter().map(ToString::to_string).collect(), *rest));
            assert_eq!(head(*sender, bytes), expected, "{shown:?}");
        }
    }

    #[test]
    fn no_head_is_taken_for_whole_before_it_is() {
        for (sender, bytes, fields, rest) in CASES {
            for cut in 0..bytes.len() - rest {
                let early = head(*sender, &bytes[..cut]);
                let same = early.is_none_or(|(early, left)| early == *fields && left == 0);
                assert!(same, "{:?} cut at {cut}", String::from_utf8_lossy(bytes));
            }
        }
    }
}
