//! Addresses of the web in the text of a mail.

use super::email::Email;

/// Addresses that are kept of a mail.
pub(super) const URLS: usize = 256;
/// Bytes of one of them.
const URL: usize = 2048;
/// What they start with; it is not shown.
const SCHEMES: [&[u8]; 4] = [b"http://", b"https://", b"ftp://", b"mailto:"];
/// Bytes of a line that are looked at together; of a longer one an address may be cut in two.
const LINE: usize = 8192;

/// Looks for addresses in text as it comes.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    line: Vec<u8>,
}

impl Scanner {
    /// Takes text.
    pub(super) fn take(&mut self, text: &[u8], email: &mut Email) {
        for piece in text.split_inclusive(|byte| *byte == b'\n') {
            let mut rest = piece;
            while !rest.is_empty() {
                let room = LINE.saturating_sub(self.line.len());
                let (now, then) = rest.split_at(room.min(rest.len()));
                self.line.extend_from_slice(now);
                rest = then;
                if self.line.len() >= LINE || self.line.ends_with(b"\n") {
                    self.finish(email);
                }
            }
        }
    }

    /// The line at hand is over.
    pub(super) fn finish(&mut self, email: &mut Email) {
        find(&self.line, email);
        self.line.clear();
    }

    pub(super) fn clear(&mut self) {
        self.line.clear();
        self.line.shrink_to(LINE);
    }
}

fn find(line: &[u8], email: &mut Email) {
    let mut at = 0;
    while let Some(rest) = line.get(at..) {
        let Some(colon) = memchr::memchr(b':', rest) else {
            return;
        };
        let behind = scheme(rest, colon);
        let Some(behind) = behind.and_then(|behind| rest.get(behind..)) else {
            at += colon + 1;
            continue;
        };
        let end = behind.iter().position(|byte| ends(*byte));
        let url = behind
            .get(..end.unwrap_or(behind.len()))
            .unwrap_or_default();
        let shown = url.get(..URL).unwrap_or(url);
        let Email { urls, kept, .. } = &mut *email;
        if urls.len() >= URLS {
            return;
        }
        let known = || urls.iter().any(|known| known == shown);
        if !shown.is_empty() && !known() {
            urls.push(Email::keep(kept, shown));
        }
        at = line.len() - behind.len() + url.len();
    }
}

/// Where an address goes on behind its scheme, whose colon is at `colon`.
fn scheme(text: &[u8], colon: usize) -> Option<usize> {
    SCHEMES.iter().find_map(|scheme| {
        let name = memchr::memchr(b':', scheme)?;
        let start = colon.checked_sub(name)?;
        let end = start + scheme.len();
        let found = text.get(start..end)?;
        found.eq_ignore_ascii_case(scheme).then_some(end)
    })
}

fn ends(byte: u8) -> bool {
    byte <= b' ' || b"\"'<>()[]{}`\\^|".contains(&byte) || byte == 0x7f
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_whatever_the_cut() {
        let text = b"see http://google.com or HTTPS://a.b/c?d=e, <a href=\"ftp://x\">\n\
            mailto:me@there http://google.com\nx://y http://";
        let read = |size: usize| {
            let (mut scanner, mut email) = (Scanner::default(), Email::default());
            text.chunks(size)
                .for_each(|piece| scanner.take(piece, &mut email));
            scanner.finish(&mut email);
            email.urls
        };
        let whole = read(1000);
        let expected = ["google.com", "a.b/c?d=e,", "x", "me@there"];
        assert_eq!(whole, expected.map(|url| url.as_bytes().to_vec()));
        assert_eq!(read(1), whole);
    }
}
