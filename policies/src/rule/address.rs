//! Address expressions: `any`, addresses, CIDR blocks, ranges, `$VARIABLES`, `!`, `[lists]`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::ast::AddressExpr;
use super::diagnostic::Fault;
use super::lexer::{MAX_LIST_DEPTH, Token};
use super::list;

/// Parses one address field.
pub(crate) fn parse(field: Token<'_>) -> Result<AddressExpr, Fault> {
    expression(field.trim(), 0)
}

fn expression(token: Token<'_>, depth: usize) -> Result<AddressExpr, Fault> {
    if depth > MAX_LIST_DEPTH {
        return Err(list::too_deep(token));
    }
    if let Some(rest) = token.strip_prefix('!') {
        return match expression(rest.trim(), depth + 1)? {
            AddressExpr::Any => Err(Fault::at(token.offset, "`!any` matches nothing")),
            inner => Ok(AddressExpr::Not(Box::new(inner))),
        };
    }
    if token.text.starts_with('[') {
        return list::items(token)?
            .into_iter()
            .map(|item| expression(item, depth + 1))
            .collect::<Result<_, _>>()
            .map(AddressExpr::List);
    }
    if let Some(name) = token.strip_prefix('$') {
        return list::variable(name).map(AddressExpr::Variable);
    }
    if token.text.eq_ignore_ascii_case("any") {
        return Ok(AddressExpr::Any);
    }
    atom(token.text).map_err(|reason| Fault::at(token.offset, reason))
}

/// An address, a block or a range.
fn atom(text: &str) -> Result<AddressExpr, String> {
    if let Some((from, to)) = text.split_once('-') {
        return range(address(from.trim())?, address(to.trim())?);
    }
    let Some((base, length)) = text.split_once('/') else {
        let address = address(text)?;
        return Ok(AddressExpr::Net(address, width(address)));
    };
    let base = address(base)?;
    let length = prefix_length(base, length)?;
    Ok(AddressExpr::Net(network(base, length), length))
}

fn address(text: &str) -> Result<IpAddr, String> {
    IpAddr::from_str(text).map_err(|_| {
        format!(
            "expected an address, a block, a range, a $VARIABLE or a [list], found `{}`",
            text.escape_debug()
        )
    })
}

fn range(from: IpAddr, to: IpAddr) -> Result<AddressExpr, String> {
    match (from, to) {
        _ if from.is_ipv4() != to.is_ipv4() => {
            Err(format!("the range {from}-{to} mixes IPv4 and IPv6"))
        }
        _ if from > to => Err(format!("the range {from}-{to} ends before it starts")),
        _ => Ok(AddressExpr::Range(from, to)),
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// A length in bits, or an IPv4 netmask.
fn prefix_length(base: IpAddr, text: &str) -> Result<u8, String> {
    let width = width(base);
    if let Ok(length) = text.parse::<u8>()
        && length <= width
    {
        return Ok(length);
    }
    if let (IpAddr::V4(_), Ok(mask)) = (base, Ipv4Addr::from_str(text)) {
        let bits = mask.to_bits();
        if bits.leading_ones() + bits.trailing_zeros() >= 32 {
            return u8::try_from(bits.leading_ones()).map_err(|error| error.to_string());
        }
    }
    Err(format!(
        "expected a prefix length of 0 to {width} after `/`, found `{}`",
        text.escape_debug()
    ))
}

/// The address with all bits behind the prefix cleared.
pub(crate) fn network(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let shift = 32_u32.saturating_sub(u32::from(length));
            IpAddr::V4(Ipv4Addr::from_bits(
                v4.to_bits() & u32::MAX.checked_shl(shift).unwrap_or(0),
            ))
        }
        IpAddr::V6(v6) => {
            let shift = 128_u32.saturating_sub(u32::from(length));
            IpAddr::V6(Ipv6Addr::from_bits(
                v6.to_bits() & u128::MAX.checked_shl(shift).unwrap_or(0),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<AddressExpr, String> {
        parse(Token { text, offset: 0 }).map_err(|fault| fault.message)
    }

    #[test]
    fn blocks_are_reduced_to_their_network() {
        for (text, net, length) in [
            ("10.1.2.3/8", "10.0.0.0", 8),
            ("10.1.2.3/255.255.0.0", "10.1.0.0", 16),
            ("10.1.2.3", "10.1.2.3", 32),
            ("1.2.3.4/0", "0.0.0.0", 0),
            ("fd00:ec2::254/32", "fd00:ec2::", 32),
            ("::/0", "::", 0),
        ] {
            assert_eq!(
                parsed(text),
                Ok(AddressExpr::Net(net.parse().unwrap(), length)),
                "{text}"
            );
        }
    }

    #[test]
    fn lists_nest_and_negate() {
        let expected = AddressExpr::List(vec![
            AddressExpr::Variable("HOME_NET".to_owned()),
            AddressExpr::Not(Box::new(AddressExpr::List(vec![AddressExpr::Net(
                "10.0.0.1".parse().unwrap(),
                32,
            )]))),
        ]);
        assert_eq!(parsed("[$HOME_NET, ![10.0.0.1]]"), Ok(expected));
    }

    #[test]
    fn nonsense_is_named() {
        for text in [
            "",
            "10.0.0.256",
            "!any",
            "[]",
            "[,]",
            "$",
            "[10.0.0.1",
            "10.0.0.0/33",
            "10.0.0.0/255.0.255.0",
            "10.0.0.2-10.0.0.1",
            "::1-10.0.0.1",
            "[10.0.0.1]x",
            "$A B",
        ] {
            assert!(parsed(text).is_err(), "{text}");
        }
    }

    #[test]
    fn deep_negation_is_refused_without_deep_recursion() {
        assert!(parsed(&"!".repeat(100_000)).is_err());
    }
}
