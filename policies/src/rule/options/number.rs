//! Comparisons with numbers, as all integer keywords write them.

use super::text::{integer, shortened};
use crate::rule::ast::NumberTest;
use crate::rule::diagnostic::Reason;

/// `10`, `!10`, `<10`, `<=10`, `>10`, `>=10`, `5<>10`, `5-10`, `!5-10`, `&0xf0=0x10`.
pub(super) fn parse(value: &str) -> Result<NumberTest, Reason> {
    test(value).unwrap_or_else(|| {
        Err(format!(
            "expected a number, optionally behind `<`, `<=`, `>`, `>=` or `!`, or a range `a<>b`, \
             found `{}`",
            shortened(value)
        ))
    })
}

/// `None` where the form is not known.
fn test(value: &str) -> Option<Result<NumberTest, Reason>> {
    let value = value.trim();
    if let Some(rest) = value.strip_prefix('&') {
        return mask(rest).map(Ok);
    }
    if let Some(rest) = value.strip_prefix("!=") {
        return number(rest).map(|n| Ok(NumberTest::NotEqual(n)));
    }
    if let Some(rest) = value.strip_prefix('!') {
        return match range(rest) {
            Some(range) => Some(range.map(|(a, b)| NumberTest::NotBetween(a, b))),
            None => number(rest).map(|n| Ok(NumberTest::NotEqual(n))),
        };
    }
    if let Some(range) = range(value) {
        return Some(range.map(|(a, b)| NumberTest::Between(a, b)));
    }
    let (test, rest): (fn(u64) -> NumberTest, _) = if let Some(rest) = value.strip_prefix("<=") {
        (NumberTest::LessOrEqual, rest)
    } else if let Some(rest) = value.strip_prefix('<') {
        (NumberTest::Less, rest)
    } else if let Some(rest) = value.strip_prefix(">=") {
        (NumberTest::GreaterOrEqual, rest)
    } else if let Some(rest) = value.strip_prefix('>') {
        (NumberTest::Greater, rest)
    } else {
        (NumberTest::Equal, value.strip_prefix('=').unwrap_or(value))
    };
    number(rest).map(|n| Ok(test(n)))
}

/// `a<>b` or `a-b`.
fn range(value: &str) -> Option<Result<(u64, u64), Reason>> {
    let (from, to) = value.split_once("<>").or_else(|| value.split_once('-'))?;
    let (from, to) = (number(from)?, number(to)?);
    // Both ends are outside: at least one number must lie between.
    if from.checked_add(1).is_none_or(|first| first >= to) {
        return Some(Err(format!("nothing lies between {from} and {to}")));
    }
    Some(Ok((from, to)))
}

/// `mask=value` or `mask!=value`.
fn mask(value: &str) -> Option<NumberTest> {
    if let Some((mask, rest)) = value.split_once("!=") {
        return Some(NumberTest::NotMask(number(mask)?, number(rest)?));
    }
    let (mask, rest) = value.split_once('=')?;
    Some(NumberTest::Mask(number(mask)?, number(rest)?))
}

/// A number with an optional unit.
fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    for (unit, factor) in [
        ("kib", 1 << 10),
        ("kb", 1 << 10),
        ("mib", 1 << 20),
        ("mb", 1 << 20),
        ("gib", 1 << 30),
        ("gb", 1_u64 << 30),
    ] {
        if let Some(digits) = lower.strip_suffix(unit)
            && !lower.starts_with("0x")
        {
            return integer(digits.trim_end())?.checked_mul(factor);
        }
    }
    integer(&lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_are_read() {
        for (text, expected) in [
            ("10", NumberTest::Equal(10)),
            ("=0x13", NumberTest::Equal(19)),
            ("!10", NumberTest::NotEqual(10)),
            ("!= 10", NumberTest::NotEqual(10)),
            ("<10", NumberTest::Less(10)),
            ("<= 10", NumberTest::LessOrEqual(10)),
            ("> 10", NumberTest::Greater(10)),
            (">=10", NumberTest::GreaterOrEqual(10)),
            ("5<>10", NumberTest::Between(5, 10)),
            ("5 <> 10", NumberTest::Between(5, 10)),
            ("5-10", NumberTest::Between(5, 10)),
            ("!5-10", NumberTest::NotBetween(5, 10)),
            ("&0xc0=0x80", NumberTest::Mask(0xc0, 0x80)),
            ("&0xc0!=0", NumberTest::NotMask(0xc0, 0)),
            ("2kb", NumberTest::Equal(2048)),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn nonsense_is_named() {
        for text in [
            "",
            "x",
            "<",
            "10<>5",
            "5<>6",
            "-1",
            "1<>",
            "0xg",
            "&3",
            "99999999999999999999",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
