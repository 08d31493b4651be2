//! Transforms: what is done to the bytes of a buffer before they are tested.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::Sha256;

use weir_policies::rule::ast::Written;

/// Bytes that a transform gives at most; what is beyond is cut.
const OUTPUT: usize = 1 << 16;

/// One transform.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Transform {
    /// `dotprefix`: a dot in front.
    DotPrefix,
    /// `domain`: the registrable domain of a name, by the public suffix list; nothing where it has none.
    Domain,
    /// `tld`: the public suffix of a name; nothing where it has none.
    Tld,
    /// `to_lowercase`
    Lowercase,
    /// `to_uppercase`
    Uppercase,
    /// `strip_whitespace`
    StripWhitespace,
    /// `compress_whitespace`: runs of white space become one space.
    CompressWhitespace,
    /// `url_decode`: `%XX`, and `+` for a space.
    UrlDecode,
    /// `to_md5`: the digest's bytes.
    Md5,
    /// `to_sha1`
    Sha1,
    /// `to_sha256`
    Sha256,
    /// `xor`: with a key, over and over.
    Xor(Box<[u8]>),
    /// `header_lowercase`: names of header lines, not their values.
    HeaderLowercase,
    /// `strip_pseudo_headers`: lines that start with a colon.
    StripPseudoHeaders,
    /// `from_base64`
    FromBase64(FromBase64),
}

/// Options of `from_base64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FromBase64 {
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

/// Names of the transforms that are evaluated.
pub(super) const KEYWORDS: &[&str] = &[
    "compress_whitespace",
    "domain",
    "dotprefix",
    "from_base64",
    "header_lowercase",
    "strip_pseudo_headers",
    "strip_whitespace",
    "tld",
    "to_lowercase",
    "to_md5",
    "to_sha1",
    "to_sha256",
    "to_uppercase",
    "url_decode",
    "xor",
];

impl Transform {
    /// Reads a transform as it was written.
    pub(super) fn read(written: &Written) -> Result<Self, String> {
        let value = written
            .value
            .as_deref()
            .map(|value| value.trim().trim_matches('"'));
        Ok(match written.keyword.as_str() {
            "dotprefix" => Self::DotPrefix,
            "domain" => Self::Domain,
            "tld" => Self::Tld,
            "to_lowercase" => Self::Lowercase,
            "to_uppercase" => Self::Uppercase,
            "strip_whitespace" => Self::StripWhitespace,
            "compress_whitespace" => Self::CompressWhitespace,
            "url_decode" => Self::UrlDecode,
            "to_md5" => Self::Md5,
            "to_sha1" => Self::Sha1,
            "to_sha256" => Self::Sha256,
            "header_lowercase" => Self::HeaderLowercase,
            "strip_pseudo_headers" => Self::StripPseudoHeaders,
            "xor" => Self::Xor(hex_key(value.unwrap_or_default())?),
            "from_base64" => Self::FromBase64(from_base64(value)?),
            _ => return Err("this transform is not evaluated".to_owned()),
        })
    }

    /// Writes the transformed `input` to `out`, which is emptied first.
    pub(super) fn apply(&self, input: &[u8], out: &mut Vec<u8>) {
        out.clear();
        let bytes = input.iter().copied();
        match self {
            Self::DotPrefix => {
                out.push(b'.');
                out.extend_from_slice(input);
            }
            Self::Domain => out.extend_from_slice(domain(input)),
            Self::Tld => out.extend_from_slice(suffix(input)),
            Self::Lowercase => out.extend(bytes.map(|byte| byte.to_ascii_lowercase())),
            Self::Uppercase => out.extend(bytes.map(|byte| byte.to_ascii_uppercase())),
            Self::StripWhitespace => out.extend(bytes.filter(|byte| !is_space(*byte))),
            Self::CompressWhitespace => {
                for byte in bytes {
                    let space = is_space(byte);
                    if !(space && out.last().is_some_and(|last| is_space(*last))) {
                        out.push(byte);
                    }
                }
            }
            Self::UrlDecode => url_decode(input, out),
            Self::Md5 => out.extend_from_slice(&Md5::digest(input)),
            Self::Sha1 => out.extend_from_slice(&Sha1::digest(input)),
            Self::Sha256 => out.extend_from_slice(&Sha256::digest(input)),
            Self::Xor(key) => {
                out.extend(bytes.zip(key.iter().cycle()).map(|(byte, key)| byte ^ key))
            }
            Self::HeaderLowercase => header_lowercase(input, out),
            Self::StripPseudoHeaders => {
                for line in input.split_inclusive(|byte| *byte == b'\n') {
                    if !line.starts_with(b":") {
                        out.extend_from_slice(line);
                    }
                }
            }
            Self::FromBase64(options) => options.apply(input, out),
        }
        out.truncate(OUTPUT);
    }
}

/// The registrable domain of a name: its public suffix and the label in front of it.
fn domain(name: &[u8]) -> &[u8] {
    psl::domain(name).map_or(&[][..], |domain| domain.as_bytes())
}

/// The public suffix of a name.
fn suffix(name: &[u8]) -> &[u8] {
    psl::suffix(name).map_or(&[][..], |suffix| suffix.as_bytes())
}

fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

fn url_decode(input: &[u8], out: &mut Vec<u8>) {
    let mut rest = input;
    while let [first, behind @ ..] = rest {
        rest = behind;
        match (first, behind) {
            (b'+', _) => out.push(b' '),
            (b'%', [high, low, behind @ ..]) => match (hex_digit(*high), hex_digit(*low)) {
                (Some(high), Some(low)) => {
                    out.push(high << 4 | low);
                    rest = behind;
                }
                _ => out.push(b'%'),
            },
            _ => out.push(*first),
        }
    }
}

fn header_lowercase(input: &[u8], out: &mut Vec<u8>) {
    let mut in_name = true;
    for &byte in input {
        out.push(if in_name {
            byte.to_ascii_lowercase()
        } else {
            byte
        });
        in_name = byte == b'\n' || (in_name && byte != b':');
    }
}

fn hex_key(text: &str) -> Result<Box<[u8]>, String> {
    let digits: Option<Vec<u8>> = text.bytes().map(hex_digit).collect();
    let digits = digits.filter(|digits| !digits.is_empty() && digits.len() % 2 == 0);
    let digits = digits
        .ok_or_else(|| format!("the key `{text}` is not an even number of hexadecimal digits"))?;
    Ok(digits
        .chunks(2)
        .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
        .collect())
}

fn from_base64(value: Option<&str>) -> Result<FromBase64, String> {
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
    fn apply(self, input: &[u8], out: &mut Vec<u8>) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_transform_gives_what_is_documented() {
        /// Keyword, value, input, output.
        type Row = (
            &'static str,
            Option<&'static str>,
            &'static [u8],
            &'static [u8],
        );
        let table: [Row; 22] = [
            ("domain", None, b"www.bbc.co.uk", b"bbc.co.uk"),
            ("domain", None, b"a.b.suricata.io", b"suricata.io"),
            ("domain", None, b"co.uk", b""),
            ("tld", None, b"www.bbc.co.uk", b"co.uk"),
            ("tld", None, b"", b""),
            ("dotprefix", None, b"a.example", b".a.example"),
            ("to_lowercase", None, b"ABC d", b"abc d"),
            ("to_uppercase", None, b"Abc d", b"ABC D"),
            ("strip_whitespace", None, b" a\tb\r\nc ", b"abc"),
            ("compress_whitespace", None, b"a  b \t c", b"a b c"),
            ("url_decode", None, b"a%20b+c%2Fd%zz%4", b"a b c/d%zz%4"),
            (
                "to_md5",
                None,
                b"",
                b"\xd4\x1d\x8c\xd9\x8f\0\xb2\x04\xe9\x80\x09\x98\xec\xf8\x42\x7e",
            ),
            (
                "xor",
                Some("\"0d0ac8ff\""),
                b"\x0d\x0a\xc8\xff\x0c",
                b"\0\0\0\0\x01",
            ),
            (
                "header_lowercase",
                None,
                b"Host: A.B\r\nX-Y: Z\r\n",
                b"host: A.B\r\nx-y: Z\r\n",
            ),
            (
                "strip_pseudo_headers",
                None,
                b":method: GET\r\nhost: a\r\n",
                b"host: a\r\n",
            ),
            ("from_base64", None, b"YWJj", b"abc"),
            ("from_base64", Some("mode rfc2045"), b"YW Jj", b"abc"),
            ("from_base64", None, b"YW Jj", b"a"),
            ("from_base64", Some("mode strict"), b"YW Jj", b""),
            ("from_base64", Some("mode strict"), b"YQ==", b"a"),
            (
                "from_base64",
                Some("offset 1, bytes 4"),
                b"xYWJjZGVm",
                b"abc",
            ),
            ("from_base64", None, b"YWJjZ", b"abc"),
        ];
        for (keyword, value, input, expected) in table {
            let written = Written {
                keyword: keyword.to_owned(),
                value: value.map(str::to_owned),
            };
            let mut out = b"left over".to_vec();
            Transform::read(&written).unwrap().apply(input, &mut out);
            assert_eq!(out, expected, "{keyword} {value:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        for (keyword, value) in [
            ("xor", "0d0"),
            ("xor", "zz"),
            ("from_base64", "mode x"),
            ("luaxform", "f.lua"),
        ] {
            let written = Written {
                keyword: keyword.to_owned(),
                value: Some(value.to_owned()),
            };
            assert!(Transform::read(&written).is_err(), "{keyword}");
        }
    }
}
