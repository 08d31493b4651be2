//! `pcre`: pattern, flags, buffer letters and captures.

use super::text::{quoted, shortened};
use crate::rule::ast::Pcre;
use crate::rule::diagnostic::Reason;

/// Flags that stay with the regular expression.
const FLAGS: &str = "ismxAEGROB";
/// Letters that name a buffer.
const BUFFERS: [(char, &str); 14] = [
    ('U', "http.uri"),
    ('I', "http.uri.raw"),
    ('P', "http.request_body"),
    ('Q', "http.response_body"),
    ('H', "http.header"),
    ('D', "http.header.raw"),
    ('M', "http.method"),
    ('C', "http.cookie"),
    ('K', "http.cookie"),
    ('S', "http.stat_code"),
    ('Y', "http.stat_msg"),
    ('V', "http.user_agent"),
    ('W', "http.host"),
    ('Z', "http.host.raw"),
];

/// `"/pattern/flags, captures"`, and the buffer its letter names.
pub(super) fn parse(value: &str) -> Result<(Pcre, Option<&'static str>), Reason> {
    let (negated, value) = match value.strip_prefix('!') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, value),
    };
    let inner = unquoted(value)?;
    let body = inner
        .strip_prefix('/')
        .ok_or_else(|| "expected `/` at the start of the expression".to_owned())?;
    let (pattern, tail) = body
        .rsplit_once('/')
        .ok_or_else(|| "expected `/` at the end of the expression".to_owned())?;
    if pattern.is_empty() {
        return Err("expected an expression between the slashes".to_owned());
    }
    let mut parts = tail.split(',');
    let (flags, buffer) = split_flags(parts.next().unwrap_or_default().trim())?;
    Ok((
        Pcre {
            pattern: pattern.to_owned(),
            flags,
            negated,
            captures: parts.map(capture).collect::<Result<_, _>>()?,
        },
        buffer,
    ))
}

/// Captures may stand behind the closing quote too.
fn unquoted(value: &str) -> Result<&str, Reason> {
    if value.starts_with('"') {
        return quoted(value);
    }
    if value.starts_with('/') {
        return Ok(value);
    }
    Err(format!(
        "expected an expression in double quotes, found `{}`",
        shortened(value)
    ))
}

fn split_flags(letters: &str) -> Result<(String, Option<&'static str>), Reason> {
    let mut flags = String::new();
    let mut buffer: Option<&'static str> = None;
    for letter in letters.chars() {
        if FLAGS.contains(letter) {
            if !flags.contains(letter) {
                flags.push(letter);
            }
            continue;
        }
        let Some((_, name)) = BUFFERS.iter().find(|(known, _)| *known == letter) else {
            return Err(format!("unknown flag `{}`", letter.escape_debug()));
        };
        match buffer {
            Some(other) if other != *name => {
                return Err(format!("names two buffers, {other} and {name}"));
            }
            _ => buffer = Some(name),
        }
    }
    if buffer.is_some() && flags.contains('B') {
        return Err("`B` (raw payload) cannot be mixed with a buffer".to_owned());
    }
    Ok((flags, buffer))
}

/// `flow:name`, `pkt:name` or `alert:name`.
fn capture(text: &str) -> Result<String, Reason> {
    let text = text.trim();
    let valid = text.split_once(':').is_some_and(|(kind, name)| {
        matches!(kind, "flow" | "pkt" | "alert") && !name.trim().is_empty()
    });
    if valid {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "expected `flow:name`, `pkt:name` or `alert:name` as name of a capture, found `{}`",
            shortened(text)
        ))
    }
}
