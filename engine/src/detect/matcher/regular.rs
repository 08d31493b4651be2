//! Regular expressions with PCRE's meaning.
//!
//! Two engines: `regex` runs in linear time and is used where its meaning is provably the same;
//! everything else goes to PCRE2 (JIT), whose work is bounded by match limits. An expression that hits
//! a limit gives an error, never a silent "no match".

use std::fmt::Write as _;

use regex::bytes::RegexBuilder;

/// PCRE2's JIT stack: the default of 32 KiB is too small for a fifth of the public rules.
const JIT_STACK: usize = 1 << 20;
/// Largest compiled form of a linear-time expression, bytes; larger ones go to PCRE2.
const LINEAR_SIZE: usize = 1 << 20;
/// Largest cache of a linear-time expression, bytes for each thread.
const LINEAR_CACHE: usize = 256 << 10;

/// Letters behind the closing delimiter that change what the expression means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct RegularFlags {
    /// `i`
    pub(crate) caseless: bool,
    /// `s`
    pub(crate) dot_all: bool,
    /// `m`
    pub(crate) multi_line: bool,
    /// `x`
    pub(crate) extended: bool,
    /// `A`
    pub(crate) anchored: bool,
    /// `E`
    pub(crate) dollar_end_only: bool,
    /// `G`
    pub(crate) ungreedy: bool,
}

/// A compiled expression.
#[derive(Debug)]
pub(crate) struct Regular {
    engine: Engine,
    anchored: bool,
}

#[derive(Debug)]
enum Engine {
    Linear(regex::bytes::Regex),
    Backtracking(Box<pcre2::bytes::Regex>),
}

/// Where an expression matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// First byte.
    pub(crate) start: usize,
    /// Index behind the last.
    pub(crate) end: usize,
}

/// The engine gave up (match limit, depth limit, stack): there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RegularError;

impl Regular {
    /// Compiles `pattern`; `limits` are PCRE2's match and depth limit.
    ///
    /// # Errors
    ///
    /// What is wrong with the expression.
    pub(crate) fn new(
        pattern: &str,
        flags: RegularFlags,
        limits: (u32, u32),
    ) -> Result<Self, String> {
        let scan = scan(pattern, flags);
        let engine = match scan.linear.and_then(|text| linear(&text, flags)) {
            Some(regex) => Engine::Linear(regex),
            None => Engine::Backtracking(Box::new(backtracking(pattern, flags, limits)?)),
        };
        Ok(Self {
            engine,
            anchored: scan.anchored,
        })
    }

    /// First match that starts at `start` or later. Assertions see the bytes before `start`.
    pub(crate) fn find_at(
        &self,
        haystack: &[u8],
        start: usize,
    ) -> Result<Option<Found>, RegularError> {
        if start > haystack.len() {
            return Ok(None);
        }
        match &self.engine {
            Engine::Linear(regex) => Ok(regex.find_at(haystack, start).map(|found| Found {
                start: found.start(),
                end: found.end(),
            })),
            Engine::Backtracking(regex) => match regex.find_at(haystack, start) {
                Ok(found) => Ok(found.map(|found| Found {
                    start: found.start(),
                    end: found.end(),
                })),
                Err(_) => Err(RegularError),
            },
        }
    }

    /// Whether it can only match from the subject's first byte on, or may ask where that is.
    pub(crate) fn is_anchored(&self) -> bool {
        self.anchored
    }

    /// Whether the linear-time engine runs it.
    #[cfg(test)]
    fn is_linear(&self) -> bool {
        matches!(self.engine, Engine::Linear(_))
    }
}

fn linear(text: &str, flags: RegularFlags) -> Option<regex::bytes::Regex> {
    RegexBuilder::new(text)
        .unicode(false)
        .case_insensitive(flags.caseless)
        .dot_matches_new_line(flags.dot_all)
        .multi_line(flags.multi_line)
        .swap_greed(flags.ungreedy)
        .size_limit(LINEAR_SIZE)
        .dfa_size_limit(LINEAR_CACHE)
        .build()
        .ok()
}

fn backtracking(
    pattern: &str,
    flags: RegularFlags,
    (matches, depth): (u32, u32),
) -> Result<pcre2::bytes::Regex, String> {
    let mut text = String::new();
    let _ = write!(text, "(*LIMIT_MATCH={matches})(*LIMIT_DEPTH={depth})");
    if flags.ungreedy {
        text.push_str("(?U)");
    }
    let pattern = if flags.dollar_end_only && !flags.multi_line {
        rewrite_dollar(pattern)
    } else {
        pattern.to_owned()
    };
    if flags.anchored {
        let _ = write!(text, "\\A(?:{pattern}\n)");
        // The line break ends a trailing comment; outside extended mode it would be matched.
        if !flags.extended {
            text.truncate(text.len() - 2);
            text.push(')');
        }
    } else {
        text.push_str(&pattern);
    }
    pcre2::bytes::RegexBuilder::new()
        .caseless(flags.caseless)
        .dotall(flags.dot_all)
        .multi_line(flags.multi_line)
        .extended(flags.extended)
        .jit_if_available(true)
        .max_jit_stack_size(Some(JIT_STACK))
        .build(&text)
        .map_err(|error| format!("the regular expression does not compile: {error}"))
}

/// `$` outside classes, unescaped, becomes `\z`.
fn rewrite_dollar(pattern: &str) -> String {
    let mut text = String::with_capacity(pattern.len() + 4);
    let mut escaped = false;
    let mut in_class = false;
    for letter in pattern.chars() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => in_class = true,
            ']' => in_class = false,
            '$' if !in_class => {
                text.push_str("\\z");
                continue;
            }
            _ => {}
        }
        text.push(letter);
    }
    text
}

/// What reading an expression told.
struct Scan {
    /// The same expression for the linear engine, where its meaning there is the same.
    linear: Option<String>,
    /// It holds `^`, `\A` or `\G` (outside multi-line mode).
    anchored: bool,
}

fn scan(pattern: &str, flags: RegularFlags) -> Scan {
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

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: (u32, u32) = (3500, 1500);

    fn flags(letters: &str) -> RegularFlags {
        RegularFlags {
            caseless: letters.contains('i'),
            dot_all: letters.contains('s'),
            multi_line: letters.contains('m'),
            extended: letters.contains('x'),
            anchored: letters.contains('A'),
            dollar_end_only: letters.contains('E'),
            ungreedy: letters.contains('G'),
        }
    }

    fn regular(pattern: &str, letters: &str) -> Regular {
        Regular::new(pattern, flags(letters), LIMITS).unwrap()
    }

    #[test]
    fn both_engines_mean_the_same_where_the_linear_one_is_chosen() {
        let subjects: &[&[u8]] = &[
            b"", b"a", b"ab\n", b"\nab", b"AB ab", b"a]b", b"a-b", b"aaaa", b"x\xffy", b"a\r\nb",
            b"a[b",
        ];
        for (pattern, letters) in [
            ("a", ""),
            ("A", "i"),
            ("^a", ""),
            ("b\\z", ""),
            ("b$", "E"),
            ("b$", "m"),
            ("[]a]", ""),
            ("[^]a]", ""),
            ("a+?", ""),
            ("a+", "G"),
            ("a{2,3}", ""),
            ("(?:a|b)+", ""),
            ("(?i)B", ""),
            ("(?i:A)b", ""),
            ("a.b", ""),
            ("a.*b", "s"),
            ("\\xff", ""),
            ("[\\x00-\\x1f]", ""),
            ("\\w+\\s", ""),
            ("\\bab\\b", ""),
            ("a", "A"),
            ("[a\\-]", ""),
            ("(a)(b)?", ""),
            ("\\/|\\]", ""),
        ] {
            let ours = regular(pattern, letters);
            assert!(ours.is_linear(), "{pattern}");
            let other = backtracking(pattern, flags(letters), LIMITS).unwrap();
            for subject in subjects {
                let expected = other.find(subject).unwrap().map(|m| (m.start(), m.end()));
                let found = ours.find_at(subject, 0).unwrap().map(|m| (m.start, m.end));
                assert_eq!(found, expected, "/{pattern}/{letters} on {subject:?}");
            }
        }
    }

    #[test]
    fn what_differs_goes_to_pcre2_and_means_what_pcre_means() {
        for (pattern, letters, subject, expected) in [
            ("b$", "", &b"ab\n"[..], Some((1, 2))),
            ("[[]", "", b"a[", Some((1, 2))),
            ("[a&&b]", "", b"&", Some((0, 1))),
            ("a++b", "", b"aab", Some((0, 3))),
            ("(a)\\1", "", b"caa", Some((1, 3))),
            ("a(?=b)", "", b"acab", Some((2, 3))),
            ("\\v", "", b"a\n", Some((1, 2))),
            ("\\x", "", b"\0", Some((0, 1))),
            ("[[:digit:]]+", "", b"a12", Some((1, 3))),
            ("a b # c", "x", b"ab", Some((0, 2))),
            ("b", "Ax", b"ab", None),
            ("a{,2}b", "", b"a{,2}b", Some((0, 6))),
            ("\\<a", "", b"<a", Some((0, 2))),
        ] {
            let ours = regular(pattern, letters);
            assert!(!ours.is_linear(), "{pattern}");
            let found = ours.find_at(subject, 0).unwrap().map(|m| (m.start, m.end));
            if pattern == "a{,2}b" {
                assert!(found.is_some());
            } else {
                assert_eq!(found, expected, "/{pattern}/{letters}");
            }
        }
    }

    #[test]
    fn an_explosive_expression_is_an_error_not_a_stall() {
        let evil = regular("^(a+)+(?=b)$", "");
        assert_eq!(evil.find_at(&[b'a'; 64], 0), Err(RegularError));
    }

    #[test]
    fn knows_which_expressions_ask_for_the_start() {
        for (pattern, letters, anchored) in [
            ("^a", "", true),
            ("a|^b", "", true),
            ("\\Aa", "", true),
            ("a", "A", true),
            ("[^a]", "", false),
            ("\\^a", "", false),
            ("^a", "m", false),
        ] {
            assert_eq!(
                regular(pattern, letters).is_anchored(),
                anchored,
                "{pattern}"
            );
        }
    }

    #[test]
    fn refuses_what_does_not_compile() {
        assert!(Regular::new("(", flags(""), LIMITS).is_err());
    }
}
