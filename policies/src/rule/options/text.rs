//! Quoted text, escapes and small numbers, as several keywords share them.

use crate::rule::diagnostic::Reason;
use crate::rule::lexer::{Options, Token};

/// The text between `"` and `"`; a `;` ended the option early if the closing quote is missing.
pub(super) fn quoted(value: &str) -> Result<&str, Reason> {
    let Some(inner) = value.strip_prefix('"') else {
        return Err(format!(
            "expected a value in double quotes, found `{}`",
            shortened(value)
        ));
    };
    inner.strip_suffix('"').ok_or_else(|| {
        "expected `\"` at the end of the value; inside quotes `;` is written `\\;` or `|3b|`"
            .to_owned()
    })
}

/// Undoes `\"`, `\;`, `\\` and `\:`. Other backslashes are kept.
pub(crate) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\\', Some(&next @ ('"' | ';' | '\\' | ':'))) => {
                out.push(next);
                chars.next();
            }
            _ => out.push(c),
        }
    }
    out
}

/// A value, cut for a message.
pub(super) fn shortened(value: &str) -> String {
    const MOST: usize = 40;
    let mut chars = value.chars();
    let head: String = chars.by_ref().take(MOST).collect();
    let dots = if chars.next().is_some() { "..." } else { "" };
    format!("{}{dots}", head.escape_debug())
}

/// A decimal or `0x` number.
pub(super) fn integer(text: &str) -> Option<u64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) if hex.bytes().all(|b| b.is_ascii_hexdigit()) => {
            u64::from_str_radix(hex, 16).ok()
        }
        _ if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    }
}

/// The sid of a rule that cannot be taken, for its diagnostic.
pub(crate) fn read_sid(body: Token<'_>) -> Option<u32> {
    Options::new(body)
        .filter_map(Result::ok)
        .filter(|option| option.keyword.text == "sid")
        .find_map(|option| option.value?.text.parse().ok())
}
