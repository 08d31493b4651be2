//! Request URIs: their parts (RFC 3986), and what servers make of them.
//!
//! Normalisation follows the documented defaults of the keywords: `%xx` and `%uxxxx` are decoded once,
//! backslashes are separators, separators are compressed, UTF-8 in the path is mapped to the byte that fits
//! best, dot segments are removed; the query is decoded once; `+` stays. What is not a valid escape stays
//! as it is. The fragment is kept.

use super::text::{Span, hex, split_while};

/// The parts of a URI, in the URI.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::app_layer) struct Parts {
    pub(in crate::app_layer) host: Span,
    pub(in crate::app_layer) port: Span,
    path: Span,
    query: Option<Span>,
    fragment: Option<Span>,
}

/// Splits a URI. An authority is looked for behind a scheme only.
pub(in crate::app_layer) fn split(uri: &[u8]) -> Parts {
    let mut parts = Parts::default();
    let mut rest = uri;
    if let Some(authority) = behind_scheme(uri) {
        let (authority, behind) = split_while(authority, |byte| !b"/?#\\".contains(&byte));
        rest = behind;
        let at = authority.iter().rposition(|byte| *byte == b'@');
        let (host, port) = host_and_port(&authority[at.map_or(0, |at| at + 1)..]);
        parts.host = Span::of(host, uri);
        parts.port = Span::of(port, uri);
    }
    let (path, rest) = split_while(rest, |byte| byte != b'?' && byte != b'#');
    parts.path = Span::of(path, uri);
    let (query, fragment) = split_while(rest, |byte| byte != b'#');
    parts.query = query.strip_prefix(b"?").map(|query| Span::of(query, uri));
    parts.fragment = fragment.strip_prefix(b"#").map(|part| Span::of(part, uri));
    parts
}

/// What follows `scheme://`.
fn behind_scheme(uri: &[u8]) -> Option<&[u8]> {
    let in_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let (scheme, rest) = split_while(uri, in_scheme);
    let rest = rest.strip_prefix(b"://")?;
    (!scheme.is_empty()).then_some(rest)
}

/// Splits `host:port`; a host in brackets may have colons.
pub(in crate::app_layer) fn host_and_port(authority: &[u8]) -> (&[u8], &[u8]) {
    let inner = if authority.first() == Some(&b'[') {
        authority.iter().position(|byte| *byte == b']').unwrap_or(0)
    } else {
        0
    };
    match authority[inner..].iter().position(|byte| *byte == b':') {
        Some(at) => (&authority[..inner + at], &authority[inner + at + 1..]),
        None => (authority, &[]),
    }
}

impl Parts {
    /// Writes path, query and fragment, normalised. Returns where in it the path is.
    pub(in crate::app_layer) fn normalise(&self, uri: &[u8], out: &mut Vec<u8>) -> Span {
        out.clear();
        path(self.path.of_buffer(uri), out);
        let path = Span::new(0, out.len());
        if let Some(query) = self.query {
            out.push(b'?');
            unescape(query.of_buffer(uri), |byte| out.push(byte));
        }
        if let Some(fragment) = self.fragment {
            out.push(b'#');
            unescape(fragment.of_buffer(uri), |byte| out.push(byte));
        }
        path
    }

    /// Whether an escape in path or query stands for one of the characters of another escape.
    pub(in crate::app_layer) fn is_double_encoded(&self, uri: &[u8]) -> bool {
        let query = self.query.unwrap_or_default();
        [self.path, query]
            .iter()
            .any(|part| is_double_encoded(part.of_buffer(uri)))
    }
}

/// Decodes a path and removes its dot segments; `out` is empty.
fn path(path: &[u8], out: &mut Vec<u8>) {
    unescape(path, |byte| {
        let byte = if byte == b'\\' { b'/' } else { byte };
        if byte != b'/' || out.last() != Some(&b'/') {
            out.push(byte);
        }
    });
    best_fit(out);
    remove_dot_segments(out);
}

/// Decodes escapes once.
fn unescape(bytes: &[u8], mut put: impl FnMut(u8)) {
    let mut rest = bytes;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            put(byte);
        } else if let Some((decoded, after)) = escape(after) {
            put(decoded);
            rest = after;
        } else {
            put(byte);
        }
    }
}

/// Decoded once, it would be decoded again. Looks for an escaped per cent sign first, so that it costs
/// little where there is none.
fn is_double_encoded(bytes: &[u8]) -> bool {
    if !bytes.windows(3).any(|part| part == b"%25") {
        return false;
    }
    // The last bytes of what it is once decoded: as many as the longest escape has.
    let mut last = [0; 6];
    let mut found = false;
    unescape(bytes, |byte| {
        last.rotate_left(1);
        last[5] = byte;
        let ends = |at: usize| {
            let tail = last.get(at..).and_then(|tail| tail.strip_prefix(b"%"));
            tail.is_some_and(|tail| escape(tail).is_some())
        };
        found |= ends(0) || ends(3);
    });
    found
}

/// The byte that an escape stands for, less its `%`, and what follows it.
fn escape(bytes: &[u8]) -> Option<(u8, &[u8])> {
    if let Some(rest) = bytes
        .strip_prefix(b"u")
        .or_else(|| bytes.strip_prefix(b"U"))
    {
        let (digits, rest) = rest.split_first_chunk::<4>()?;
        let mut code = 0;
        for digit in digits {
            code = code << 4 | u32::from(hex(*digit)?);
        }
        return Some((nearest(code), rest));
    }
    let (digits, rest) = bytes.split_first_chunk::<2>()?;
    Some((hex(digits[0])? << 4 | hex(digits[1])?, rest))
}

/// The byte that fits a character best: itself below 256, the ASCII character of a full-width form, `?` for
/// anything else.
fn nearest(code: u32) -> u8 {
    match (u8::try_from(code), code) {
        (Ok(byte), _) => byte,
        (_, 0xff01..=0xff5e) => u8::try_from(code - 0xff01 + 0x21).unwrap_or(b'?'),
        (_, 0x2010..=0x2015 | 0x2212) => b'-',
        (_, 0x2018 | 0x2019 | 0x2032) => b'\'',
        (_, 0x201c | 0x201d | 0x2033) => b'"',
        (_, 0x2044 | 0x2215) => b'/',
        (_, 0x2216) => b'\\',
        _ => b'?',
    }
}

/// Maps UTF-8, overlong forms included, to the bytes that fit best, if all of it is UTF-8.
fn best_fit(bytes: &mut Vec<u8>) {
    if bytes.is_ascii() {
        return;
    }
    let mut mapped = Vec::with_capacity(bytes.len());
    let mut rest = &bytes[..];
    while let Some((&lead, after)) = rest.split_first() {
        let (more, bits) = match lead {
            0..0x80 => (0, lead),
            0xc0..0xe0 => (1, lead & 0x1f),
            0xe0..0xf0 => (2, lead & 0x0f),
            0xf0..0xf8 => (3, lead & 0x07),
            _ => return,
        };
        let Some((following, after)) = after.split_at_checked(more) else {
            return;
        };
        let mut code = u32::from(bits);
        for byte in following {
            if byte & 0xc0 != 0x80 {
                return;
            }
            code = code << 6 | u32::from(byte & 0x3f);
        }
        mapped.push(nearest(code));
        rest = after;
    }
    *bytes = mapped;
}

/// Removes `.` and `..` segments (RFC 3986 section 5.2.4), in place.
fn remove_dot_segments(path: &mut Vec<u8>) {
    let rooted = path.first() == Some(&b'/');
    let mut written = 0;
    let mut at = 0;
    let mut open_end = false;
    while at < path.len() {
        let from = at + usize::from(path[at] == b'/');
        let end = path[from..].iter().position(|byte| *byte == b'/');
        let end = end.map_or(path.len(), |end| from + end);
        open_end = false;
        match &path[from..end] {
            b"." => open_end = true,
            b".." => {
                open_end = true;
                let slash = path[..written].iter().rposition(|byte| *byte == b'/');
                written = slash.unwrap_or(0);
            }
            _ => {
                let from = if written == 0 && !rooted { from } else { at };
                path.copy_within(from..end, written);
                written += end - from;
            }
        }
        at = end;
    }
    path.truncate(written);
    if rooted && (open_end || path.is_empty()) {
        path.push(b'/');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normalised(uri: &[u8]) -> String {
        let mut out = Vec::new();
        split(uri).normalise(uri, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn uris_are_normalised() {
        for (uri, expected) in [
            ("/a/b", "/a/b"),
            ("/normalized%20uri", "/normalized uri"),
            ("/a%2fb%5Cc\\d", "/a/b/c/d"),
            ("//a///b/", "/a/b/"),
            ("/../a/b/.././c/./d", "/a/c/d"),
            ("/a/..", "/"),
            ("/a/b/..", "/a/"),
            ("/a/.", "/a/"),
            ("/./", "/"),
            ("/...", "/..."),
            ("./a", "a"),
            ("../a/../b", "b"),
            ("/%u0041%U0062%uff0f", "/Ab/"),
            ("/%u00zz%4", "/%u00zz%4"),
            ("/%2541", "/%41"),
            ("/a%c0%afb", "/a/b"),
            ("/%zz%", "/%zz%"),
            ("/A?b=%41+c&d#e%41", "/A?b=A+c&d#eA"),
            ("http://Host:80/x/../y?z", "/y?z"),
            ("a:b/c", "a:b/c"),
            ("*", "*"),
            ("", ""),
        ] {
            assert_eq!(normalised(uri.as_bytes()), expected, "{uri}");
        }
    }

    #[test]
    fn authorities_are_split() {
        for (uri, host, port) in [
            ("http://example.com/x", "example.com", ""),
            ("http://user:pw@example.com:8080?x", "example.com", "8080"),
            ("https://[::1]:443/", "[::1]", "443"),
            ("/x://y", "", ""),
        ] {
            let parts = split(uri.as_bytes());
            let text = |span: Span| String::from_utf8_lossy(span.of_buffer(uri.as_bytes()));
            assert_eq!(
                (text(parts.host), text(parts.port)),
                (host.into(), port.into())
            );
        }
        let (uri, mut out) = (b"/a/b/file%20name.pdf?x=/y", Vec::new());
        let path = split(uri).normalise(uri, &mut out);
        assert_eq!(path.of_buffer(&out), b"/a/b/file name.pdf");
    }

    #[test]
    fn escapes_of_escapes_are_seen() {
        for (uri, expected) in [
            ("/%2541", true),
            ("/a?b=%252e", true),
            ("/%25", false),
            ("/%25zz%41", false),
            ("/%25u002e", true),
            ("/%25u002", false),
            ("/%2525", true),
            ("/%25%25%25", false),
            ("/a#%2541", false),
        ] {
            let uri = uri.as_bytes();
            assert_eq!(split(uri).is_double_encoded(uri), expected);
        }
    }
}
