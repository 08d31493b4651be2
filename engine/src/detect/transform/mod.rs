//! Transforms: what is done to the bytes of a buffer before they are tested.

mod base64;
mod capture;
mod inflate;
mod subslice;
mod xor;

use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::Sha256;

use weir_policies::rule::ast::Written;

use super::matcher::RegularError;
use crate::hex;

use base64::FromBase64;
use capture::Capture;
pub(super) use inflate::Inflater;
use inflate::{Envelope, Inflate};
use subslice::Subslice;
use xor::Xor;

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
    Xor(Xor),
    /// `pcrexform`: what the first group of an expression captures.
    Capture(Capture),
    /// `gunzip`, `zlib_deflate`: decompressed.
    Inflate(Inflate),
    /// `header_lowercase`: names of header lines, not their values.
    HeaderLowercase,
    /// `strip_pseudo_headers`: lines that start with a colon.
    StripPseudoHeaders,
    /// `from_base64`
    FromBase64(FromBase64),
    /// `subslice`
    Subslice(Subslice),
}

/// Names of the transforms that are evaluated.
pub(super) const KEYWORDS: &[&str] = &[
    "compress_whitespace",
    "domain",
    "dotprefix",
    "from_base64",
    "gunzip",
    "header_lowercase",
    "pcrexform",
    "strip_pseudo_headers",
    "strip_whitespace",
    "subslice",
    "tld",
    "to_lowercase",
    "to_md5",
    "to_sha1",
    "to_sha256",
    "to_uppercase",
    "url_decode",
    "xor",
    "zlib_deflate",
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
            "xor" => Self::Xor(xor::read(value.unwrap_or_default())?),
            "from_base64" => Self::FromBase64(base64::read(value)?),
            "pcrexform" => Self::Capture(Capture::new(value.unwrap_or_default())?),
            "gunzip" => Self::Inflate(inflate::read(Envelope::Gzip, value)?),
            "subslice" => Self::Subslice(subslice::read(value.unwrap_or_default())?),
            "zlib_deflate" => Self::Inflate(inflate::read(Envelope::Zlib, value)?),
            "luaxform" => return Err("not evaluated: there is no interpreter of Lua".to_owned()),
            _ => return Err("this transform is not evaluated".to_owned()),
        })
    }

    /// Whether what it gives depends on where its input begins.
    pub(super) fn needs_start(&self) -> bool {
        matches!(
            self,
            Self::DotPrefix
                | Self::Domain
                | Self::Tld
                | Self::Md5
                | Self::Sha1
                | Self::Sha256
                | Self::Xor(_)
                | Self::Inflate(_)
                | Self::FromBase64(_)
                | Self::Subslice(_)
        )
    }

    /// Whether what it gives depends on where its input ends.
    pub(super) fn needs_end(&self) -> bool {
        match self {
            Self::Domain | Self::Tld | Self::Md5 | Self::Sha1 | Self::Sha256 => true,
            Self::Subslice(subslice) => subslice.needs_end(),
            _ => false,
        }
    }

    /// Writes the transformed `input` to `out`, which is emptied first. Fails where an expression gave up.
    pub(super) fn apply(
        &self,
        input: &[u8],
        out: &mut Vec<u8>,
        inflater: &mut Inflater,
    ) -> Result<(), RegularError> {
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
                    if !is_space(byte) {
                        out.push(byte);
                    } else if out.last() != Some(&b' ') {
                        out.push(b' ');
                    }
                }
            }
            Self::UrlDecode => url_decode(input, out),
            Self::Md5 => out.extend_from_slice(&Md5::digest(input)),
            Self::Sha1 => out.extend_from_slice(&Sha1::digest(input)),
            Self::Sha256 => out.extend_from_slice(&Sha256::digest(input)),
            Self::Xor(xor) => xor.apply(input, out),
            Self::Capture(capture) => out.extend_from_slice(capture.of(input)?),
            Self::Inflate(inflate) => inflate.apply(input, out, inflater),
            Self::HeaderLowercase => header_lowercase(input, out),
            Self::StripPseudoHeaders => {
                for line in input.split_inclusive(|byte| *byte == b'\n') {
                    if !line.starts_with(b":") {
                        out.extend_from_slice(line);
                    }
                }
            }
            Self::FromBase64(options) => options.apply(input, out),
            Self::Subslice(subslice) => out.extend_from_slice(subslice.of(input)),
        }
        out.truncate(OUTPUT);
        Ok(())
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

fn url_decode(input: &[u8], out: &mut Vec<u8>) {
    let mut rest = input;
    while let [first, behind @ ..] = rest {
        rest = behind;
        match (first, behind) {
            (b'+', _) => out.push(b' '),
            (b'%', [high, low, behind @ ..]) => match (hex::digit(*high), hex::digit(*low)) {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Keyword, value, input, output.
    type Row = (
        &'static str,
        Option<&'static str>,
        &'static [u8],
        &'static [u8],
    );
    const TABLE: &[Row] = &[
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
        ("compress_whitespace", None, b"a\t\r\nb", b"a b"),
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
        ("xor", Some("\"42\""), b"\x02\x03", b"@A"),
        (
            "xor",
            Some("offset 1,extract 1 0"),
            b"\x42\x02\x03",
            b"\x42@A",
        ),
        (
            "xor",
            Some("offset   2,  extract 1 1"),
            b"/\x42\x02",
            b"/\x42@",
        ),
        ("xor", Some("offset 1, extract 2 9"), b"abc", b"abc"),
        (
            "pcrexform",
            Some("\"/[^?]+\\?([^&=]+)\""),
            b"/a?bc=d",
            b"bc",
        ),
        ("pcrexform", Some("\"(?i)A(b)(?!c)\""), b"xabcabd", b"b"),
        ("pcrexform", Some("\"x(y)\""), b"abc", b"abc"),
        (
            "zlib_deflate",
            None,
            b"\x78\x9cKLJ\x06\0\x02M\x01\x27",
            b"abc",
        ),
        (
            "zlib_deflate",
            Some("max-size 2"),
            b"\x78\x9cKLJ\x06\0\x02M\x01\x27",
            b"ab",
        ),
        ("zlib_deflate", None, b"abc", b""),
        (
            "gunzip",
            None,
            b"\x1f\x8b\x08\x08\0\0\0\0\0\x03name\0KLJ\x06\0\xc2A\x24\x35\x03\0\0\0",
            b"abc",
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

    #[test]
    fn each_transform_gives_what_is_documented() {
        for &(keyword, value, input, expected) in TABLE {
            let written = Written {
                keyword: keyword.to_owned(),
                value: value.map(str::to_owned),
            };
            let mut out = b"left over".to_vec();
            let transform = Transform::read(&written).unwrap();
            transform
                .apply(input, &mut out, &mut Inflater::default())
                .unwrap();
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
            ("xor", "offset 1"),
            ("xor", "extract 0 1"),
            ("xor", "extract 300 1"),
            ("pcrexform", "("),
            ("pcrexform", "no group"),
            ("gunzip", "max-size 100000000"),
            ("zlib_deflate", "min-size 1"),
        ] {
            let written = Written {
                keyword: keyword.to_owned(),
                value: Some(value.to_owned()),
            };
            assert!(Transform::read(&written).is_err(), "{keyword}");
        }
    }
}
