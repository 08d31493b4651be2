//! `content` and its modifiers.

use super::text::{integer, quoted, shortened};
use super::{none, required};
use crate::rule::ast::{Content, FastPattern, Operand};
use crate::rule::diagnostic::Reason;
use crate::rule::keywords::Modifier;

/// Longest pattern, bytes.
pub(crate) const MAX_PATTERN: usize = 65_535;
/// Largest offset, depth, distance or within, bytes; the smallest distance is its negative.
const MAX_REACH: i32 = 1_048_576;

/// `"..."` or `!"..."`.
pub(super) fn parse(value: &str) -> Result<Content, Reason> {
    let (negated, value) = match value.strip_prefix('!') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, value),
    };
    let pattern = pattern(quoted(value)?)?;
    if pattern.is_empty() {
        return Err("expected at least one byte between the quotes".to_owned());
    }
    if pattern.len() > MAX_PATTERN {
        return Err(format!("a pattern has at most {MAX_PATTERN} bytes"));
    }
    Ok(Content {
        pattern,
        negated,
        ..Content::default()
    })
}

/// The bytes of a pattern: text, `\"` `\;` `\\` `\:`, and hex between `|`.
pub(crate) fn pattern(text: &str) -> Result<Vec<u8>, Reason> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'|' => hex(&mut bytes, &mut out)?,
            b'\\' => match bytes.next() {
                Some(escaped @ (b'"' | b';' | b'\\' | b':')) => out.push(escaped),
                Some(other) => {
                    return Err(format!(
                        "expected `\"`, `;`, `:` or `\\` after `\\`, found `{}`; \
                         write other bytes in hex, as in |0d 0a|",
                        char::from(other).escape_debug()
                    ));
                }
                None => return Err("expected a character after `\\`".to_owned()),
            },
            b'"' => return Err("a `\"` inside the pattern is written `\\\"` or `|22|`".to_owned()),
            other => out.push(other),
        }
    }
    Ok(out)
}

/// Hex digits up to the closing `|`, blanks between bytes.
fn hex(bytes: &mut std::str::Bytes<'_>, out: &mut Vec<u8>) -> Result<(), Reason> {
    let mut high: Option<u8> = None;
    for byte in bytes {
        let digit = match byte {
            b'|' if high.is_some() => {
                return Err("hex between `|` needs two digits a byte".to_owned());
            }
            b'|' => return Ok(()),
            b' ' | b'\t' => continue,
            _ => nibble(byte).ok_or_else(|| {
                format!(
                    "expected hex digits between `|`, found `{}`",
                    char::from(byte).escape_debug()
                )
            })?,
        };
        high = match high {
            None => Some(digit),
            Some(high) => {
                out.push(high << 4 | digit);
                None
            }
        };
    }
    Err("expected `|` to end the hex bytes".to_owned())
}

fn nibble(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// Writes a pattern so that [`pattern`] reads it back: printable text as is, the rest in hex.
pub(crate) fn write_pattern(pattern: &[u8], out: &mut String) {
    use std::fmt::Write as _;
    let mut in_hex = false;
    for &byte in pattern {
        let plain =
            (b' '..=b'~').contains(&byte) && !matches!(byte, b'"' | b';' | b'\\' | b'|' | b':');
        if plain {
            if in_hex {
                out.push('|');
            }
            out.push(char::from(byte));
        } else {
            out.push(if in_hex { ' ' } else { '|' });
            // Writing to a string cannot fail.
            let _ = write!(out, "{byte:02x}");
        }
        in_hex = !plain;
    }
    if in_hex {
        out.push('|');
    }
}

/// Applies a modifier.
pub(super) fn modify(
    content: &mut Content,
    modifier: Modifier,
    value: Option<&str>,
) -> Result<(), Reason> {
    match modifier {
        Modifier::Nocase => none(value).map(|()| content.nocase = true),
        Modifier::RawBytes => none(value).map(|()| content.rawbytes = true),
        Modifier::StartsWith => {
            none(value)?;
            content.startswith = true;
            anchored(content)
        }
        Modifier::EndsWith => {
            none(value)?;
            content.endswith = true;
            Ok(())
        }
        Modifier::FastPattern => fast_pattern(content, value),
        Modifier::Offset | Modifier::Depth | Modifier::Distance | Modifier::Within => {
            place(content, modifier, required(value)?)
        }
    }
}

fn place(content: &mut Content, modifier: Modifier, value: &str) -> Result<(), Reason> {
    let operand = operand(value, modifier)?;
    let slot = match modifier {
        Modifier::Offset => &mut content.offset,
        Modifier::Depth => &mut content.depth,
        Modifier::Distance => &mut content.distance,
        _ => &mut content.within,
    };
    if slot.is_some() {
        return Err("is given twice for the same content".to_owned());
    }
    *slot = Some(operand);
    let absolute = content.offset.is_some() || content.depth.is_some();
    let relative = content.distance.is_some() || content.within.is_some();
    if absolute && relative {
        return Err(
            "offset and depth cannot be mixed with distance and within for the same content"
                .to_owned(),
        );
    }
    for bound in [&content.depth, &content.within] {
        if let Some(Operand::Number(bound)) = bound
            && usize::try_from(*bound).is_ok_and(|bound| bound < content.pattern.len())
        {
            return Err(format!(
                "{bound} is less than the {} bytes of the pattern, which could never match",
                content.pattern.len()
            ));
        }
    }
    anchored(content)
}

/// `startswith` places the content by itself.
fn anchored(content: &Content) -> Result<(), Reason> {
    let placed = [
        &content.offset,
        &content.depth,
        &content.distance,
        &content.within,
    ]
    .iter()
    .any(|slot| slot.is_some());
    if content.startswith && placed {
        return Err(
            "startswith cannot be mixed with offset, depth, distance or within for the same content"
                .to_owned(),
        );
    }
    Ok(())
}

/// A number of bytes or the name of a variable.
fn operand(value: &str, modifier: Modifier) -> Result<Operand, Reason> {
    let value = value
        .strip_prefix('"')
        .and_then(|inner| inner.strip_suffix('"'))
        .unwrap_or(value)
        .trim();
    let smallest = match modifier {
        Modifier::Distance | Modifier::Within => -MAX_REACH,
        _ => 0,
    };
    let digits = value.strip_prefix(['-', '+']).unwrap_or(value);
    if digits.starts_with(|c: char| c.is_ascii_digit()) {
        return match value.parse::<i32>() {
            Ok(number) if (smallest..=MAX_REACH).contains(&number) => Ok(Operand::Number(number)),
            _ => Err(format!(
                "expected a number from {smallest} to {MAX_REACH}, found `{}`",
                shortened(value)
            )),
        };
    }
    if is_variable(value) {
        Ok(Operand::Variable(value.to_owned()))
    } else {
        Err(format!(
            "expected a number or the name of a byte_extract or byte_math variable, found `{}`",
            shortened(value)
        ))
    }
}

fn is_variable(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

fn fast_pattern(content: &mut Content, value: Option<&str>) -> Result<(), Reason> {
    let form = match value.filter(|value| !value.is_empty()) {
        None => FastPattern::Whole,
        Some("only") => FastPattern::Only,
        Some(chop) => chopped(chop, content.pattern.len())?,
    };
    if content.fast_pattern.is_some() {
        return Err("is given twice for the same content".to_owned());
    }
    content.fast_pattern = Some(form);
    Ok(())
}

fn chopped(value: &str, pattern: usize) -> Result<FastPattern, Reason> {
    let parts = value.split_once(',').and_then(|(offset, length)| {
        let offset = u16::try_from(integer(offset.trim())?).ok()?;
        let length = u16::try_from(integer(length.trim())?).ok()?;
        Some((offset, length))
    });
    let Some((offset, length)) = parts else {
        return Err(format!(
            "expected `only` or `offset,length`, found `{}`",
            shortened(value)
        ));
    };
    if length == 0 || usize::from(offset) + usize::from(length) > pattern {
        return Err(format!(
            "{length} bytes from {offset} are not inside the {pattern} bytes of the pattern"
        ));
    }
    Ok(FastPattern::Chop { offset, length })
}
