//! Request lines and status lines.

use super::event::{Event, Events};
use super::text::{Span, chomp, is_space, is_token, split_while, trim};

/// Methods that are known (RFC 9110, 5323, 4918, 3253, 5789).
const METHODS: [&[u8]; 28] = [
    b"GET",
    b"POST",
    b"HEAD",
    b"PUT",
    b"DELETE",
    b"CONNECT",
    b"OPTIONS",
    b"TRACE",
    b"PATCH",
    b"PROPFIND",
    b"PROPPATCH",
    b"MKCOL",
    b"COPY",
    b"MOVE",
    b"LOCK",
    b"UNLOCK",
    b"VERSION-CONTROL",
    b"CHECKOUT",
    b"UNCHECKOUT",
    b"CHECKIN",
    b"UPDATE",
    b"LABEL",
    b"REPORT",
    b"MKWORKSPACE",
    b"MKACTIVITY",
    b"BASELINE-CONTROL",
    b"MERGE",
    b"SEARCH",
];

/// Length of the longest name that is taken for a method.
pub(super) const LONGEST_METHOD: usize = 32;

/// Whether a method is known. Methods are case-sensitive.
pub(super) fn is_known(method: &[u8]) -> bool {
    METHODS.contains(&method)
}

/// Version of the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Version {
    #[default]
    Unknown,
    V0_9,
    V1_0,
    V1_1,
}

/// The version that a protocol's text names, white space and leading zeros forgiven.
pub(super) fn version(protocol: &[u8]) -> Version {
    let named = |bytes: &[u8]| bytes.len() == 4 && bytes.eq_ignore_ascii_case(b"http");
    let protocol = trim(protocol);
    let Some((name, rest)) = protocol.split_at_checked(4).filter(|(name, _)| named(name)) else {
        return Version::Unknown;
    };
    let _ = name;
    let Some(number) = trim(rest).strip_prefix(b"/") else {
        return Version::Unknown;
    };
    let (_, number) = split_while(number, |byte| is_space(byte) || byte == b'0');
    match number {
        b".9" => Version::V0_9,
        b"1.0" => Version::V1_0,
        b"1.1" => Version::V1_1,
        _ => Version::Unknown,
    }
}

/// The parts of a request line, in the line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RequestLine {
    pub(super) method: Span,
    pub(super) uri: Span,
    pub(super) protocol: Span,
    pub(super) version: Version,
}

/// Reads a request line, without its line end.
pub(super) fn request_line(line: &[u8], events: &mut Events) -> RequestLine {
    let (blanks, rest) = split_while(line, is_space);
    let (method, rest) = split_while(rest, |byte| !is_space(byte));
    let (delimiter, rest) = split_while(rest, is_space);
    if !blanks.is_empty() {
        events.raise(Event::RequestLineLeadingWhitespace);
    }
    if delimiter.iter().any(|byte| *byte != b' ') {
        events.raise(Event::MethodDelimiter);
    }
    let rest = trim(rest);
    let (mut uri, mut protocol) = split_uri(rest, |byte| byte == b' ');
    if uri.iter().any(|byte| is_space(*byte) && *byte != b' ') {
        events.raise(Event::UriDelimiter);
        if protocol.is_empty() {
            (uri, protocol) = split_uri(rest, is_space);
        }
    }
    let version = version(protocol);
    if !is_known(method) && version == Version::Unknown {
        events.raise(Event::RequestLineInvalid);
    }
    RequestLine {
        method: Span::of(method, line),
        uri: Span::of(uri, line),
        protocol: Span::of(protocol, line),
        version: if protocol.is_empty() {
            Version::V0_9
        } else {
            version
        },
    }
}

/// Splits the URI from the protocol, at the last delimiter: servers let URIs have spaces.
fn split_uri(bytes: &[u8], delimits: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    match bytes.iter().rposition(|byte| delimits(*byte)) {
        Some(at) => (trim(&bytes[..at]), trim(&bytes[at..])),
        None => (bytes, &[]),
    }
}

/// Whether a line looks like a request: a method that is known, or a protocol at its end.
pub(super) fn is_request(line: &[u8]) -> bool {
    let line = trim(line);
    let (method, rest) = split_while(line, |byte| !is_space(byte));
    let named = method.len() <= LONGEST_METHOD && method.iter().all(|byte| is_token(*byte));
    is_known(method) || (named && !rest.is_empty() && names_protocol(rest))
}

/// ` HTTP/` with a digit.
fn names_protocol(bytes: &[u8]) -> bool {
    let protocol = bytes.rsplit(|byte| is_space(*byte)).next();
    protocol.is_some_and(|protocol| {
        protocol.len() > 5
            && protocol[..5].eq_ignore_ascii_case(b"http/")
            && protocol[5].is_ascii_digit()
    })
}

/// The parts of a status line, in the line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct StatusLine {
    pub(super) protocol: Span,
    pub(super) code: Span,
    pub(super) message: Span,
    pub(super) version: Version,
    /// The code as a number, 0 where it is none.
    pub(super) status: u16,
}

/// Reads a status line, without its line end.
pub(super) fn status_line(line: &[u8], events: &mut Events) -> StatusLine {
    let (_, rest) = split_while(line, |byte| is_space(byte) || byte == 0);
    let (protocol, rest) = split_while(rest, |byte| !is_space(byte));
    let (_, rest) = split_while(rest, is_space);
    let (code, rest) = split_while(rest, |byte| !is_space(byte));
    let (_, message) = split_while(rest, is_space);
    let status = status(code);
    let version = version(protocol);
    if version == Version::Unknown {
        events.raise(Event::ResponseInvalidProtocol);
    }
    if status == 0 {
        events.raise(Event::ResponseInvalidStatus);
    }
    StatusLine {
        protocol: Span::of(protocol, line),
        code: Span::of(code, line),
        message: Span::of(chomp(message), line),
        version,
        status,
    }
}

/// A code of three digits, 0 for anything else.
fn status(code: &[u8]) -> u16 {
    std::str::from_utf8(code)
        .ok()
        .and_then(|code| code.parse().ok())
        .filter(|status| (100..=999).contains(status))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(line: &[u8]) -> ([String; 3], Version, usize) {
        let mut events = Events::default();
        let read = request_line(line, &mut events);
        let text = |span: Span| String::from_utf8_lossy(span.of_buffer(line)).into_owned();
        let parts = [text(read.method), text(read.uri), text(read.protocol)];
        (parts, read.version, events.all().len())
    }

    #[test]
    fn request_lines_are_split_as_servers_do() {
        let case = |line: &[u8], parts: [&str; 3], version, events| {
            let expected = (parts.map(str::to_owned), version, events);
            assert_eq!(
                request(line),
                expected,
                "{:?}",
                String::from_utf8_lossy(line)
            );
        };
        case(
            b"GET /a HTTP/1.1",
            ["GET", "/a", "HTTP/1.1"],
            Version::V1_1,
            0,
        );
        case(
            b"GET /a b c HTTP/1.0",
            ["GET", "/a b c", "HTTP/1.0"],
            Version::V1_0,
            0,
        );
        case(b"GET /a", ["GET", "/a", ""], Version::V0_9, 0);
        case(b"GET", ["GET", "", ""], Version::V0_9, 0);
        case(
            b" GET\t/a HTTP/1.1",
            ["GET", "/a", "HTTP/1.1"],
            Version::V1_1,
            2,
        );
        case(
            b"GET /a\tHTTP/1.1",
            ["GET", "/a", "HTTP/1.1"],
            Version::V1_1,
            1,
        );
        case(
            b"GET  /a   http/01.1",
            ["GET", "/a", "http/01.1"],
            Version::V1_1,
            0,
        );
        case(b"XY /a b", ["XY", "/a", "b"], Version::Unknown, 1);
        case(b"", ["", "", ""], Version::V0_9, 1);
    }

    #[test]
    fn status_lines_are_split_as_browsers_do() {
        let case = |line: &[u8], parts: [&str; 3], status, events| {
            let mut found = Events::default();
            let read = status_line(line, &mut found);
            let text = |span: Span| String::from_utf8_lossy(span.of_buffer(line)).into_owned();
            let got = [text(read.protocol), text(read.code), text(read.message)];
            assert_eq!((got, read.status), (parts.map(str::to_owned), status));
            assert_eq!(found.all().len(), events);
        };
        case(
            b"HTTP/1.1 200 All OK",
            ["HTTP/1.1", "200", "All OK"],
            200,
            0,
        );
        case(b"HTTP/1.1 200", ["HTTP/1.1", "200", ""], 200, 0);
        case(b"\0 http/1.1  404\tx", ["http/1.1", "404", "x"], 404, 0);
        case(b"HTTP/9.1 2x0 x", ["HTTP/9.1", "2x0", "x"], 0, 2);
    }
}
