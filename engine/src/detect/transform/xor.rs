//! `xor`: with a key that the rule has, or that the buffer itself holds.

use crate::hex;

/// Bytes of a key that a buffer holds, at most.
const EXTRACTED: usize = 255;

/// `xor:"0d0ac8ff"`, `xor:offset 4,extract 4 0`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::detect) struct Xor {
    key: Key,
    /// Bytes in front that are left as they are.
    offset: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Given(Box<[u8]>),
    Extracted { length: usize, offset: usize },
}

/// Reads the value: a key in hexadecimal, or options.
pub(super) fn read(value: &str) -> Result<Xor, String> {
    let mut xor = Xor {
        key: Key::Given(Box::default()),
        offset: 0,
    };
    for part in value.split(',').map(str::trim) {
        let mut words = part.split_whitespace();
        let number = |word: Option<&str>| {
            let number = word.and_then(|word| word.parse().ok());
            number.ok_or_else(|| format!("`{part}` lacks a number"))
        };
        match words.next() {
            Some("offset") => xor.offset = number(words.next())?,
            Some("extract") => {
                let (length, offset) = (number(words.next())?, number(words.next())?);
                if !(1..=EXTRACTED).contains(&length) {
                    return Err(format!(
                        "a key of {length} bytes: 1 to {EXTRACTED} are possible"
                    ));
                }
                xor.key = Key::Extracted { length, offset };
            }
            Some(text) => xor.key = Key::Given(hex_key(text.trim_matches('"'))?),
            None => {}
        }
        if let Some(more) = words.next() {
            return Err(format!("`{more}` is one word too many"));
        }
    }
    if xor.key == Key::Given(Box::default()) {
        return Err(
            "it lacks a key: write it in hexadecimal, or `extract length offset`".to_owned(),
        );
    }
    Ok(xor)
}

fn hex_key(text: &str) -> Result<Box<[u8]>, String> {
    hex::bytes::<Box<[u8]>>(text.as_bytes())
        .filter(|key| !key.is_empty())
        .ok_or_else(|| format!("the key `{text}` is not an even number of hexadecimal digits"))
}

impl Xor {
    /// Bytes that do not hold the key stay as they are.
    pub(super) fn apply(&self, input: &[u8], out: &mut Vec<u8>) {
        let key = match &self.key {
            Key::Given(key) => key,
            Key::Extracted { length, offset } => {
                let end = offset.saturating_add(*length);
                input.get(*offset..end).unwrap_or_default()
            }
        };
        let (before, masked) = input.split_at(self.offset.min(input.len()));
        out.extend_from_slice(before);
        if key.is_empty() {
            out.extend_from_slice(masked);
        } else {
            let pairs = masked.iter().zip(key.iter().cycle());
            out.extend(pairs.map(|(byte, key)| byte ^ key));
        }
    }
}
