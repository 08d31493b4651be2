//! Splits a logical line into the header's fields and the options, each with its byte offset.
//!
//! An option ends at the first `;` that is not escaped with `\`, also inside quotes: this is the
//! rule language's own convention. Escapes stay in the raw text; each keyword undoes its own.

use super::diagnostic::Fault;

/// Deepest nesting of `[` in an address or port list.
pub(crate) const MAX_LIST_DEPTH: usize = 32;

/// A stretch of the line and where it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    pub(crate) offset: usize,
}

impl<'a> Token<'a> {
    /// The token without blanks around it.
    pub(crate) fn trim(self) -> Self {
        let front = self.text.trim_ascii_start();
        Self {
            text: front.trim_ascii_end(),
            offset: self.offset + (self.text.len() - front.len()),
        }
    }

    /// What is left after `prefix`.
    pub(crate) fn strip_prefix(self, prefix: char) -> Option<Token<'a>> {
        self.text.strip_prefix(prefix).map(|text| Token {
            text,
            offset: self.offset + prefix.len_utf8(),
        })
    }
}

/// The header's fields, in order, and what follows them.
#[derive(Debug)]
pub(crate) struct Split<'a> {
    pub(crate) fields: [Token<'a>; 7],
    /// Text between the parentheses.
    pub(crate) body: Token<'a>,
}

/// Names of the header's fields, for messages.
const FIELDS: [&str; 7] = [
    "an action",
    "a protocol",
    "source addresses",
    "source ports",
    "a direction (`->`, `<>` or `=>`)",
    "destination addresses",
    "destination ports",
];

/// Cuts a rule into header fields and option text.
pub(crate) fn split(line: &str) -> Result<Split<'_>, Fault> {
    let mut at = 0;
    let mut fields = [Token {
        text: "",
        offset: 0,
    }; 7];
    for (slot, name) in fields.iter_mut().zip(FIELDS) {
        let field = next_field(line, at)?;
        if field.text.is_empty() {
            let found = line
                .get(field.offset..)
                .and_then(|rest| rest.chars().next());
            return Err(Fault::at(
                field.offset,
                match found {
                    Some(c) => format!("expected {name}, found `{c}`"),
                    None => format!("expected {name}, found the end of the line"),
                },
            ));
        }
        at = field.offset + field.text.len();
        *slot = field;
    }
    Ok(Split {
        fields,
        body: body(line, at)?,
    })
}

/// The next run of non-blank characters; blanks inside `[...]` belong to it. Empty at `(` or the end.
fn next_field(line: &str, at: usize) -> Result<Token<'_>, Fault> {
    let rest = line.get(at..).unwrap_or_default();
    let start = at + (rest.len() - rest.trim_ascii_start().len());
    let mut depth = 0_usize;
    let mut end = line.len();
    for (index, byte) in line.bytes().enumerate().skip(start) {
        match byte {
            b'[' => depth += 1,
            b']' => depth = depth.saturating_sub(1),
            b'(' => {
                end = index;
                break;
            }
            _ if depth == 0 && byte.is_ascii_whitespace() => {
                end = index;
                break;
            }
            _ => {}
        }
        if depth > MAX_LIST_DEPTH {
            return Err(Fault::at(
                index,
                format!("lists are nested more than {MAX_LIST_DEPTH} deep"),
            ));
        }
    }
    if depth > 0 {
        return Err(Fault::at(start, "expected `]` to close the list"));
    }
    Ok(Token {
        text: line.get(start..end).unwrap_or_default(),
        offset: start,
    })
}

/// The text between the parentheses that must follow the header and end the line.
fn body(line: &str, at: usize) -> Result<Token<'_>, Fault> {
    let rest = Token {
        text: line.get(at..).unwrap_or_default(),
        offset: at,
    }
    .trim();
    let Some(inner) = rest.strip_prefix('(') else {
        return Err(Fault::at(
            rest.offset,
            "expected `(` and the rule's options",
        ));
    };
    match inner.text.strip_suffix(')') {
        Some(text) => Ok(Token { text, ..inner }),
        None => Err(Fault::at(
            inner.offset + inner.text.len(),
            "expected `)` at the end of the rule",
        )),
    }
}

/// One option: keyword and raw value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawOption<'a> {
    pub(crate) keyword: Token<'a>,
    /// Text between `:` and `;`, trimmed.
    pub(crate) value: Option<Token<'a>>,
}

/// Iterator over the options of a rule's body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options<'a> {
    rest: Token<'a>,
}

impl<'a> Options<'a> {
    pub(crate) fn new(body: Token<'a>) -> Self {
        Self { rest: body }
    }

    fn advance(&mut self, bytes: usize) {
        self.rest = Token {
            text: self.rest.text.get(bytes..).unwrap_or_default(),
            offset: self.rest.offset + bytes,
        };
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = Result<RawOption<'a>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        self.rest = self.rest.trim();
        if self.rest.text.is_empty() {
            return None;
        }
        let whole = self.rest;
        let Some(end) = unescaped_semicolon(whole.text) else {
            self.advance(whole.text.len());
            return Some(Err(unterminated(whole)));
        };
        self.advance(end + 1);
        let option = whole.text.get(..end).unwrap_or_default();
        Some(raw_option(Token {
            text: option,
            ..whole
        }))
    }
}

/// Offset of the first `;` that no `\` escapes.
fn unescaped_semicolon(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b';' => return Some(index),
            _ => {}
        }
    }
    None
}

fn raw_option(option: Token<'_>) -> Result<RawOption<'_>, Fault> {
    let (keyword, value) = match option.text.split_once(':') {
        Some((keyword, value)) => (
            keyword,
            Some(
                Token {
                    text: value,
                    offset: option.offset + keyword.len() + 1,
                }
                .trim(),
            ),
        ),
        None => (option.text, None),
    };
    let keyword = Token {
        text: keyword,
        ..option
    }
    .trim();
    if keyword.text.is_empty() {
        return Err(Fault::at(option.offset, "expected a keyword"));
    }
    if let Some(bad) = keyword.text.find(|c: char| !is_keyword_char(c)) {
        return Err(Fault::at(
            keyword.offset + bad,
            format!(
                "expected `:` or `;` after the keyword, found `{}`",
                keyword.text.get(bad..).unwrap_or_default().escape_debug()
            ),
        ));
    }
    Ok(RawOption { keyword, value })
}

fn is_keyword_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

fn unterminated(option: Token<'_>) -> Fault {
    let keyword = option
        .text
        .split(|c: char| !is_keyword_char(c))
        .next()
        .filter(|word| !word.is_empty());
    Fault {
        offset: option.offset + option.text.len(),
        keyword: keyword.map(str::to_owned),
        message: "expected `;` at the end of the option".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(body: &str) -> Vec<(String, Option<String>)> {
        Options::new(Token {
            text: body,
            offset: 0,
        })
        .map(|option| {
            let option = option.unwrap();
            (
                option.keyword.text.to_owned(),
                option.value.map(|value| value.text.to_owned()),
            )
        })
        .collect()
    }

    #[test]
    fn options_end_at_the_first_semicolon_that_is_not_escaped() {
        assert_eq!(
            names(r#"content:"a\;b\\"; nocase ;sid: 1 ;"#),
            [
                ("content".to_owned(), Some(r#""a\;b\\""#.to_owned())),
                ("nocase".to_owned(), None),
                ("sid".to_owned(), Some("1".to_owned())),
            ]
        );
    }

    #[test]
    fn a_missing_semicolon_names_the_option() {
        let mut options = Options::new(Token {
            text: " sid:1",
            offset: 10,
        });
        let fault = options.next().unwrap().unwrap_err();
        assert_eq!(fault.keyword.as_deref(), Some("sid"));
        assert_eq!(fault.offset, 16);
        assert!(options.next().is_none());
    }

    #[test]
    fn blanks_inside_lists_belong_to_the_field() {
        let split =
            split("alert tcp [ 10.0.0.1, !10.0.0.2 ] any -> any [80, 81](sid:1;) ").unwrap();
        assert_eq!(split.fields[2].text, "[ 10.0.0.1, !10.0.0.2 ]");
        assert_eq!(split.fields[6].text, "[80, 81]");
        assert_eq!(split.body.text, "sid:1;");
    }

    #[test]
    fn a_short_header_says_what_is_missing() {
        let fault = split("alert tcp any any -> any (sid:1;)").unwrap_err();
        assert_eq!(fault.message, "expected destination ports, found `(`");
        assert_eq!(fault.offset, 25);
    }
}
