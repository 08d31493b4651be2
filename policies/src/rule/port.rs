//! Port expressions: `any`, ports, ranges, `$VARIABLES`, `!`, `[lists]`.

use super::ast::PortExpr;
use super::diagnostic::Fault;
use super::lexer::{MAX_LIST_DEPTH, Token};
use super::list;

/// Parses one port field.
pub(crate) fn parse(field: Token<'_>) -> Result<PortExpr, Fault> {
    expression(field.trim(), 0)
}

fn expression(token: Token<'_>, depth: usize) -> Result<PortExpr, Fault> {
    if depth > MAX_LIST_DEPTH {
        return Err(list::too_deep(token));
    }
    if let Some(rest) = token.strip_prefix('!') {
        return match expression(rest.trim(), depth + 1)? {
            PortExpr::Any => Err(Fault::at(token.offset, "`!any` matches nothing")),
            inner => Ok(PortExpr::Not(Box::new(inner))),
        };
    }
    if token.text.starts_with('[') {
        return list::items(token)?
            .into_iter()
            .map(|item| expression(item, depth + 1))
            .collect::<Result<_, _>>()
            .map(PortExpr::List);
    }
    if let Some(name) = token.strip_prefix('$') {
        return list::variable(name).map(PortExpr::Variable);
    }
    if token.text.eq_ignore_ascii_case("any") {
        return Ok(PortExpr::Any);
    }
    range(token.text).map_err(|reason| Fault::at(token.offset, reason))
}

fn range(text: &str) -> Result<PortExpr, String> {
    let Some((from, to)) = text.split_once(':') else {
        let port = port(text)?;
        return Ok(PortExpr::Range(port, port));
    };
    let (from, to) = (from.trim(), to.trim());
    if from.is_empty() && to.is_empty() {
        return Err("expected a port on at least one side of `:`".to_owned());
    }
    let from = if from.is_empty() { 0 } else { port(from)? };
    let to = if to.is_empty() { u16::MAX } else { port(to)? };
    if from > to {
        return Err(format!("the port range {from}:{to} ends before it starts"));
    }
    Ok(PortExpr::Range(from, to))
}

fn port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| {
        format!(
            "expected a port (0 to 65535), a range, a $VARIABLE or a [list], found `{}`",
            text.escape_debug()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<PortExpr, String> {
        parse(Token { text, offset: 0 }).map_err(|fault| fault.message)
    }

    #[test]
    fn open_ranges_reach_the_end() {
        for (text, from, to) in [
            ("80", 80, 80),
            ("1024:", 1024, 65535),
            (":1023", 0, 1023),
            ("1:2", 1, 2),
        ] {
            assert_eq!(parsed(text), Ok(PortExpr::Range(from, to)), "{text}");
        }
    }

    #[test]
    fn lists_take_negation_and_variables() {
        assert_eq!(
            parsed("[$HTTP_PORTS,!8080]"),
            Ok(PortExpr::List(vec![
                PortExpr::Variable("HTTP_PORTS".to_owned()),
                PortExpr::Not(Box::new(PortExpr::Range(8080, 8080))),
            ]))
        );
    }

    #[test]
    fn nonsense_is_named() {
        for text in ["", "65536", ":", "2:1", "!any", "[]", "-1", "http"] {
            assert!(parsed(text).is_err(), "{text}");
        }
    }
}
