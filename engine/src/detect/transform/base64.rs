//! `from_base64`.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

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
        let mut text: Vec<u8> = match self.mode {
            Base64Mode::Rfc2045 => input.iter().copied().filter(|byte| known(*byte)).collect(),
            Base64Mode::Rfc4648 => input
                .iter()
                .copied()
                .take_while(|byte| known(*byte))
                .collect(),
            Base64Mode::Strict => {
                let end = input
                    .iter()
                    .rposition(|byte| *byte != b'=')
                    .map_or(0, |at| at + 1);
                if !input[..end].iter().all(|byte| known(*byte)) {
                    return;
                }
                input[..end].to_vec()
            }
        };
        // A single character at the end carries six bits: no byte.
        if text.len() % 4 == 1 {
            text.pop();
        }
        let config = GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true);
        if GeneralPurpose::new(&STANDARD, config)
            .decode_vec(&text, out)
            .is_err()
        {
            out.clear();
        }
    }
}
