//! `from_base64`.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Characters that are decoded at once: whole groups of four.
const BLOCK: usize = 1024;

/// Options of `from_base64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::detect) struct FromBase64 {
    /// Bytes to decode; `None`: all.
    bytes: Option<usize>,
    offset: usize,
    mode: Base64Mode,
}

/// Which characters `from_base64` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Base64Mode {
    /// Others are skipped.
    Rfc2045,
    /// Others end it.
    Rfc4648,
    /// Nothing is decoded unless all are of the alphabet.
    Strict,
}

pub(super) fn read(value: Option<&str>) -> Result<FromBase64, String> {
    let mut options = FromBase64 {
        bytes: None,
        offset: 0,
        mode: Base64Mode::Rfc4648,
    };
    for part in value
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        let (name, value) = part.split_once(char::is_whitespace).unwrap_or((part, ""));
        let number = || {
            value
                .trim()
                .parse()
                .map_err(|_| format!("`{part}` lacks a number"))
        };
        match name {
            "bytes" => options.bytes = Some(number()?),
            "offset" => options.offset = number()?,
            "mode" => {
                options.mode = match value.trim() {
                    "rfc2045" => Base64Mode::Rfc2045,
                    "rfc4648" => Base64Mode::Rfc4648,
                    "strict" => Base64Mode::Strict,
                    other => {
                        return Err(format!("`{other}` is no mode: rfc2045, rfc4648 or strict"));
                    }
                }
            }
            _ => return Err(format!("`{name}` is no option: bytes, offset or mode")),
        }
    }
    Ok(options)
}

impl FromBase64 {
    pub(super) fn apply(self, input: &[u8], out: &mut Vec<u8>) {
        let input = input.get(self.offset..).unwrap_or_default();
        let input = self
            .bytes
            .map_or(input, |bytes| &input[..bytes.min(input.len())]);
        let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
        let characters = input.iter().copied();
        match self.mode {
            Base64Mode::Rfc2045 => decode(characters.filter(|byte| known(*byte)), out),
            Base64Mode::Rfc4648 => decode(characters.take_while(|byte| known(*byte)), out),
            Base64Mode::Strict => {
                let end = input
                    .iter()
                    .rposition(|byte| *byte != b'=')
                    .map_or(0, |at| at + 1);
                let text = &input[..end];
                if text.iter().all(|byte| known(*byte)) {
                    decode(text.iter().copied(), out);
                }
            }
        }
    }
}

/// Decodes characters that are all of the alphabet.
fn decode(characters: impl Iterator<Item = u8>, out: &mut Vec<u8>) {
    let mut block = [0; BLOCK];
    let mut filled = 0;
    for character in characters {
        block[filled] = character;
        filled += 1;
        if filled == BLOCK {
            decode_block(&block, out);
            filled = 0;
        }
    }
    // A single character at the end carries six bits: no byte.
    if filled % 4 == 1 {
        filled -= 1;
    }
    decode_block(&block[..filled], out);
}

fn decode_block(text: &[u8], out: &mut Vec<u8>) {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let mut bytes = [0; BLOCK];
    if let Ok(length) = GeneralPurpose::new(&STANDARD, config).decode_slice(text, &mut bytes) {
        out.extend_from_slice(&bytes[..length]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_longer_than_a_block_are_decoded_whole() {
        let options = read(None).unwrap();
        for length in [BLOCK / 4 * 3 - 1, BLOCK / 4 * 3, BLOCK / 4 * 3 + 1, 5000] {
            let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
            let text = ::base64::engine::general_purpose::STANDARD.encode(&bytes);
            let mut out = Vec::new();
            options.apply(text.as_bytes(), &mut out);
            assert_eq!(out, bytes);
        }
    }
}
