//! What values a set holds, and how files write them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::hex;

/// Type of a set's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataKind {
    /// Any bytes; base64 in files.
    Text,
    /// 16 bytes; hexadecimal in files.
    Md5,
    /// 32 bytes; hexadecimal in files.
    Sha256,
    /// An IPv4 address.
    Ipv4,
    /// An address of either version; IPv4 is kept as its IPv6 mapping.
    Ip,
}

/// A value that is none of the set's type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct ValueError {
    text: String,
    expected: &'static str,
}

/// Bytes of a value text that an error shows.
const SHOWN: usize = 40;

impl DataKind {
    /// The type of that name in rules.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "string" => Self::Text,
            "md5" => Self::Md5,
            "sha256" => Self::Sha256,
            "ipv4" => Self::Ipv4,
            "ip" | "ipv6" => Self::Ip,
            _ => return None,
        })
    }

    /// Reads a value as files write it.
    ///
    /// # Errors
    ///
    /// When the text is no value of the type.
    pub fn read(self, text: &str) -> Result<Box<[u8]>, ValueError> {
        let value = match self {
            Self::Text => STANDARD.decode(text).ok().map(Vec::into_boxed_slice),
            Self::Md5 => hexadecimal(text, 16),
            Self::Sha256 => hexadecimal(text, 32),
            Self::Ipv4 => text.parse().ok().map(|a: Ipv4Addr| a.octets().into()),
            Self::Ip => address(text),
        };
        value.ok_or_else(|| self.error(text))
    }

    /// Reads a value as JSON writes it: strings as they are.
    ///
    /// # Errors
    ///
    /// When the text is no value of the type.
    pub fn read_plain(self, text: &str) -> Result<Box<[u8]>, ValueError> {
        match self {
            Self::Text => Ok(text.as_bytes().into()),
            other => other.read(text),
        }
    }

    fn error(self, text: &str) -> ValueError {
        ValueError {
            text: text.chars().take(SHOWN).collect(),
            expected: match self {
                Self::Text => "base64",
                Self::Md5 => "an MD5 digest of 32 hexadecimal digits",
                Self::Sha256 => "a SHA-256 digest of 64 hexadecimal digits",
                Self::Ipv4 => "an IPv4 address",
                Self::Ip => "an IP address",
            },
        }
    }

    /// Writes a value as files do.
    #[must_use]
    pub fn write(self, value: &[u8]) -> String {
        match (self, value) {
            (Self::Text, value) => STANDARD.encode(value),
            (Self::Ipv4, &[a, b, c, d]) => Ipv4Addr::new(a, b, c, d).to_string(),
            (Self::Ip, value) => match <[u8; 16]>::try_from(value) {
                Ok(bytes) => Ipv6Addr::from(bytes).to_canonical().to_string(),
                Err(_) => String::new(),
            },
            (_, value) => value.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }

    /// The form in which a buffer's bytes are looked up, `None` where they are no value of the type.
    pub(in crate::detect) fn key<'a>(
        self,
        bytes: &'a [u8],
        mapped: &'a mut [u8; 16],
    ) -> Option<&'a [u8]> {
        let fits = match self {
            Self::Text => true,
            Self::Md5 | Self::Ip => bytes.len() == 16,
            Self::Sha256 => bytes.len() == 32,
            Self::Ipv4 => bytes.len() == 4,
        };
        if fits {
            return Some(bytes);
        }
        let octets = <[u8; 4]>::try_from(bytes)
            .ok()
            .filter(|_| self == Self::Ip)?;
        *mapped = Ipv4Addr::from(octets).to_ipv6_mapped().octets();
        Some(mapped)
    }
}

fn address(text: &str) -> Option<Box<[u8]>> {
    let address: IpAddr = text.parse().ok()?;
    let address = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    Some(address.octets().into())
}

fn hexadecimal(text: &str, length: usize) -> Option<Box<[u8]>> {
    let bytes: Option<Box<[u8]>> = hex::bytes(text.as_bytes());
    bytes.filter(|bytes| bytes.len() == length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_and_written_as_documented() {
        for (kind, text, written) in [
            (DataKind::Text, "Z29vZ2xlLmNvbQ==", None),
            (
                DataKind::Md5,
                "1D5920F4B44B27A802BD77C4F0536F5A",
                Some("1d5920f4b44b27a802bd77c4f0536f5a"),
            ),
            (DataKind::Ipv4, "10.0.0.1", None),
            (DataKind::Ip, "10.0.0.1", None),
            (DataKind::Ip, "::ffff:10.0.0.1", Some("10.0.0.1")),
            (DataKind::Ip, "2001:db8::1", None),
        ] {
            let value = kind.read(text).unwrap();
            assert_eq!(kind.write(&value), written.unwrap_or(text), "{kind:?}");
        }
        for (kind, text) in [
            (DataKind::Text, "%"),
            (DataKind::Md5, "1d59"),
            (DataKind::Sha256, "1d5920f4b44b27a802bd77c4f0536f5a"),
            (DataKind::Md5, "zd5920f4b44b27a802bd77c4f0536f5a"),
            (DataKind::Ipv4, "::1"),
            (DataKind::Ip, "10.0.0"),
        ] {
            assert!(kind.read(text).is_err(), "{kind:?} {text}");
        }
        assert_eq!(&*DataKind::Text.read_plain("a.b").unwrap(), b"a.b");
    }
}
