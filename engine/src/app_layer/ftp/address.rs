//! Addresses and ports of data connections as commands and replies write them.

use std::net::IpAddr;

/// Where a data connection goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// `None`: the host that says so (EPSV).
    pub(super) address: Option<IpAddr>,
    pub(super) port: u16,
}

/// `h1,h2,h3,h4,p1,p2`: the value of PORT (RFC 959 section 5.3.2).
pub(super) fn port(text: &[u8]) -> Option<Place> {
    let mut numbers = text.split(|byte| *byte == b',');
    let mut next = || number::<u8>(numbers.next()?.trim_ascii());
    let address = [next()?, next()?, next()?, next()?];
    let port = u16::from_be_bytes([next()?, next()?]);
    Some(Place {
        address: Some(IpAddr::from(address)),
        port,
    })
}

/// `|1|192.0.2.1|2021|`: the value of EPRT (RFC 2428 section 2). Any character may separate.
pub(super) fn eprt(text: &[u8]) -> Option<Place> {
    let (separator, rest) = text.split_first()?;
    let mut parts = rest.split(|byte| byte == separator);
    let (family, address, port) = (parts.next()?, parts.next()?, parts.next()?);
    let address: IpAddr = std::str::from_utf8(address).ok()?.parse().ok()?;
    if (family == b"1") != address.is_ipv4() {
        return None;
    }
    Some(Place {
        address: Some(address),
        port: number(port)?,
    })
}

/// The text of a reply to PASV: anything, then the numbers of PORT, in parentheses or not.
pub(super) fn pasv(text: &[u8]) -> Option<Place> {
    let open = memchr::memchr(b'(', text).map(|at| at + 1);
    let start = open.or_else(|| text.iter().position(u8::is_ascii_digit))?;
    let text = text.get(start..)?;
    let end = text
        .iter()
        .position(|byte| !byte.is_ascii_digit() && !matches!(byte, b',' | b' '));
    port(text.get(..end.unwrap_or(text.len()))?)
}

/// The text of a reply to EPSV: `(|||6446|)` (RFC 2428 section 3).
pub(super) fn epsv(text: &[u8]) -> Option<Place> {
    let text = text.get(memchr::memchr(b'(', text)? + 1..)?;
    let separator = text.first()?;
    let rest = text.strip_prefix(&[*separator; 3])?;
    let digits = rest.split(|byte| byte == separator).next()?;
    Some(Place {
        address: None,
        port: number(digits)?,
    })
}

fn number<T: TryFrom<u32>>(digits: &[u8]) -> Option<T> {
    if digits.is_empty() || digits.len() > 6 {
        return None;
    }
    let number = digits.iter().try_fold(0_u32, |number, digit| {
        let value = char::from(*digit).to_digit(10)?;
        Some(number * 10 + value)
    });
    T::try_from(number?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(address: &str, port: u16) -> Option<Place> {
        Some(Place {
            address: address.parse().ok(),
            port,
        })
    }

    #[test]
    fn every_form_is_read() {
        assert_eq!(port(b"192,168,0,13,234,10"), place("192.168.0.13", 59914));
        assert_eq!(port(b"1, 2,3,4,0,80 "), place("1.2.3.4", 80));
        assert_eq!(eprt(b"|1|1.2.3.4|21|"), place("1.2.3.4", 21));
        assert_eq!(eprt(b"!2!2001:db8::1!65535!"), place("2001:db8::1", 65535));
        let text = b"Entering Passive Mode (172,23,0,2,82,11).";
        assert_eq!(pasv(text), place("172.23.0.2", 21003));
        assert_eq!(pasv(b"=1,2,3,4,5,6"), place("1.2.3.4", 1286));
        let text = b"Entering Extended Passive Mode (|||58612|)";
        assert_eq!(epsv(text), place("", 58612));
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "",
            "1,2,3,4,5",
            "1,2,3,4,5,256",
            "1,2,3,4,,6",
            "a,2,3,4,5,6",
        ] {
            assert_eq!(port(text.as_bytes()), None, "{text}");
        }
        for text in [
            "",
            "|",
            "|1|::1|2|",
            "|2|1.2.3.4|2|",
            "|1|1.2.3.4|70000|",
            "|1|1.2.3.4",
        ] {
            assert_eq!(eprt(text.as_bytes()), None, "{text}");
        }
        for text in ["", "(", "(|||", "(||1|2|)", "(|||x|)"] {
            assert_eq!(epsv(text.as_bytes()), None, "{text}");
        }
        assert_eq!(pasv(b"Entering Passive Mode"), None);
    }
}
