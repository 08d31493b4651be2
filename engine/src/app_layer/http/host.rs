//! Hosts: whether a name is one, and ports.

use std::net::Ipv6Addr;

/// Longest host name (RFC 1035 section 2.3.4), and longest label in it.
const LONGEST: usize = 255;
const LONGEST_LABEL: usize = 63;

/// Whether `host` can be a host's name or address. Underscores are let through: they are in use.
pub(in crate::app_layer) fn is_valid(host: &[u8]) -> bool {
    if host.is_empty() || host.len() > LONGEST {
        return false;
    }
    let address = host
        .strip_prefix(b"[")
        .and_then(|rest| rest.strip_suffix(b"]"));
    if let Some(address) = address {
        let address = std::str::from_utf8(address).ok();
        return address.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
    }
    let label = |label: &[u8]| {
        let letter = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte == b'-';
        label.len() <= LONGEST_LABEL && label.iter().all(letter)
    };
    !host.starts_with(b".")
        && !host.windows(2).any(|pair| pair == b"..")
        && host.split(|byte| *byte == b'.').all(label)
}

/// A port; `None` where it is none.
pub(in crate::app_layer) fn port(bytes: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(bytes.trim_ascii()).ok()?;
    text.parse().ok().filter(|port| *port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_told_from_anything_else() {
        for host in ["a", "a.b-c.d_e", "[::1]", "10.0.0.1", "example.com."] {
            assert!(is_valid(host.as_bytes()), "{host}");
        }
        let long = "a".repeat(64);
        for host in ["", ".a", "a..b", "[::x]", "a b", "a/b", &long] {
            assert!(!is_valid(host.as_bytes()), "{host}");
        }
        assert_eq!(
            (port(b" 80 "), port(b"0"), port(b"65536"), port(b"x")),
            (Some(80), None, None, None)
        );
    }
}
