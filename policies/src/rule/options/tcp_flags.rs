//! `flags`: letters, modifier and the bits to ignore.

use super::text::shortened;
use crate::rule::ast::{FlagsModifier, TcpFlagsTest};
use crate::rule::diagnostic::Reason;

/// `S`, `+SA`, `SUF+`, `!F`, `S,12`, `0`.
pub(super) fn parse(value: &str) -> Result<TcpFlagsTest, Reason> {
    let (flags, ignore) = match value.split_once(',') {
        Some((flags, ignore)) => (flags.trim(), Some(ignore.trim())),
        None => (value.trim(), None),
    };
    let (modifier, letters) = modifier(flags);
    Ok(TcpFlagsTest {
        modifier,
        flags: bits(letters)?,
        ignore: ignore.map_or(Ok(0), bits)?,
    })
}

/// The modifier stands before or behind the letters.
fn modifier(flags: &str) -> (FlagsModifier, &str) {
    for (sign, modifier) in [
        ('+', FlagsModifier::All),
        ('*', FlagsModifier::Any),
        ('!', FlagsModifier::Not),
        ('=', FlagsModifier::Exact),
    ] {
        if let Some(rest) = flags
            .strip_prefix(sign)
            .or_else(|| flags.strip_suffix(sign))
        {
            return (modifier, rest.trim());
        }
    }
    (FlagsModifier::Exact, flags)
}

fn bits(letters: &str) -> Result<u8, Reason> {
    if letters.is_empty() {
        return Err("expected flags: letters of FSRPAUEC, or 0 for none".to_owned());
    }
    let mut bits = 0;
    for letter in letters.chars() {
        bits |= match letter.to_ascii_uppercase() {
            'F' => 0x01,
            'S' => 0x02,
            'R' => 0x04,
            'P' => 0x08,
            'A' => 0x10,
            'U' => 0x20,
            'E' | '2' => 0x40,
            'C' | '1' => 0x80,
            '0' if letters.len() == 1 => 0,
            _ => {
                return Err(format!(
                    "expected flags: letters of FSRPAUEC, or 0 for none, found `{}`",
                    shortened(letters)
                ));
            }
        };
    }
    Ok(bits)
}
