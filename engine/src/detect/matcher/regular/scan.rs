//! Which expressions mean the same to both engines.

use super::RegularFlags;

/// What reading an expression told.
pub(super) struct Scan {
    /// The same expression for the linear engine, where its meaning there is the same.
    pub(super) linear: Option<String>,
    /// It holds `^`, `\A` or `\G` (outside multi-line mode).
    pub(super) anchored: bool,
}

/// Reads an expression.
pub(super) fn scan(pattern: &str, flags: RegularFlags) -> Scan {
    let mut reader = Reader {
        rest: pattern.as_bytes(),
        out: String::with_capacity(pattern.len() + 8),
        same: pattern.is_ascii() && !flags.extended,
        anchored: flags.anchored,
        flags,
        after_quantifier: false,
    };
    if flags.anchored {
        reader.out.push_str("\\A(?:");
    }
    while let Some(byte) = reader.next() {
        reader.step(byte);
    }
    if flags.anchored {
        reader.out.push(')');
    }
    Scan {
        linear: reader.same.then_some(reader.out),
        anchored: reader.anchored,
    }
}

/// Walks over an expression, copying it as long as both engines agree on every construct met.
struct Reader<'a> {
    rest: &'a [u8],
    out: String,
    same: bool,
    anchored: bool,
    flags: RegularFlags,
    after_quantifier: bool,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    fn step(&mut self, byte: u8) {
        let after_quantifier = std::mem::take(&mut self.after_quantifier);
        match byte {
            b'\\' => self.escape(false),
            b'[' => self.class(),
            b'(' => self.group(),
            b'^' => {
                self.anchored |= !self.flags.multi_line;
                // In multi-line mode PCRE's ^ does not match behind a final line break.
                self.same &= !self.flags.multi_line;
                self.out.push('^');
            }
            b'$' if self.flags.multi_line => self.out.push('$'),
            b'$' => {
                // Without E, PCRE's $ also matches before a final line break.
                self.same &= self.flags.dollar_end_only;
                self.out.push_str("\\z");
            }
            b'*' | b'+' | b'?' | b'{' => {
                // A second + is possessive in PCRE, a repetition of the repetition elsewhere.
                self.same &= !(after_quantifier && byte != b'?' && byte != b'{');
                self.quantifier(byte);
            }
            _ => self.out.push(char::from(byte)),
        }
    }

    fn quantifier(&mut self, byte: u8) {
        self.out.push(char::from(byte));
        if byte == b'{' {
            let end = self.rest.iter().position(|&byte| byte == b'}');
            let Some(body) = end.and_then(|end| self.rest.get(..=end)) else {
                self.same = false;
                return;
            };
            // Only {n}, {n,} and {n,m} mean the same everywhere.
            let digits = body.iter().all(|byte| b"0123456789,}".contains(byte));
            self.same &= digits && body.first().is_some_and(u8::is_ascii_digit);
            self.out.extend(body.iter().map(|&byte| char::from(byte)));
            self.rest = self.rest.get(body.len()..).unwrap_or_default();
        }
        self.after_quantifier = true;
    }

    fn escape(&mut self, in_class: bool) {
        let Some(byte) = self.next() else {
            self.same = false;
            return;
        };
        match byte {
            b'd' | b'D' | b'w' | b'W' | b's' | b'S' | b'n' | b'r' | b't' | b'f' | b'a' => {}
            b'x' => {
                let two = self.rest.get(..2).unwrap_or_default();
                self.same &= two.len() == 2 && two.iter().all(u8::is_ascii_hexdigit);
            }
            b'b' | b'B' if !in_class => self.same &= self.rest.first() != Some(&b'{'),
            b'A' | b'G' if !in_class => {
                self.anchored = true;
                self.same &= byte == b'A';
            }
            b'z' if !in_class => {}
            b'<' | b'>' => self.same = false,
            _ => self.same &= byte.is_ascii_punctuation(),
        }
        self.out.push('\\');
        self.out.push(char::from(byte));
    }

    fn class(&mut self) {
        self.out.push('[');
        let mut first = true;
        let mut before = 0;
        while let Some(byte) = self.next() {
            match byte {
                b'\\' => {
                    self.escape(true);
                    (first, before) = (false, 0);
                    continue;
                }
                b'[' => self.same = false,
                b'&' | b'-' | b'~' if before == byte => self.same = false,
                b']' if !first => {
                    self.out.push(']');
                    return;
                }
                b'^' if first && before == 0 => {
                    self.out.push('^');
                    before = byte;
                    continue;
                }
                _ => {}
            }
            self.out.push(char::from(byte));
            (first, before) = (false, byte);
        }
        self.same = false;
    }

    fn group(&mut self) {
        self.out.push('(');
        if self.rest.first() == Some(&b'*') {
            self.same = false;
        }
        let Some(inner) = self.rest.strip_prefix(b"?") else {
            return;
        };
        let letters = inner
            .iter()
            .take_while(|byte| matches!(byte, b'i' | b's'))
            .count();
        match inner.get(letters) {
            Some(&end @ (b':' | b')')) if letters > 0 || end == b':' => {
                let taken = inner.get(..=letters).unwrap_or_default();
                self.out.push('?');
                self.out.extend(taken.iter().map(|&byte| char::from(byte)));
                self.rest = inner.get(letters + 1..).unwrap_or_default();
            }
            _ => {
                self.same = false;
                self.out.push('?');
                self.rest = inner;
            }
        }
    }
}
