//! Comparisons of unsigned integers, as the integer keywords write them.

use weir_policies::rule::ast::NumberTest;

/// Whether `value` satisfies `test`.
pub(crate) fn number_matches(test: NumberTest, value: u64) -> bool {
    match test {
        NumberTest::Equal(n) => value == n,
        NumberTest::NotEqual(n) => value != n,
        NumberTest::Less(n) => value < n,
        NumberTest::LessOrEqual(n) => value <= n,
        NumberTest::Greater(n) => value > n,
        NumberTest::GreaterOrEqual(n) => value >= n,
        NumberTest::Between(low, high) => low < value && value < high,
        NumberTest::NotBetween(low, high) => !(low < value && value < high),
        NumberTest::Mask(mask, wanted) => value & mask == wanted,
        NumberTest::NotMask(mask, wanted) => value & mask != wanted,
    }
}

/// A decimal or `0x` hexadecimal integer.
pub(crate) fn parse_integer(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let parsed = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| format!("`{text}` is not an unsigned integer"))
}

/// A number of bytes: alone, or with a unit of 1024 (`k`, `KB`, `KiB`), 1024² or 1024³ behind it.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 4] = [("k", 1 << 10), ("m", 1 << 20), ("g", 1 << 30), ("", 1)];
    let lower = text.trim().to_ascii_lowercase();
    if lower.starts_with("0x") {
        return parse_integer(&lower);
    }
    let digits = lower.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = lower.get(digits.len()..).unwrap_or_default();
    let unit = unit
        .strip_suffix("ib")
        .or(unit.strip_suffix('b'))
        .unwrap_or(unit);
    let known = UNITS.iter().find(|(name, _)| *name == unit);
    let number = parse_integer(digits).ok();
    number
        .zip(known)
        .and_then(|(number, (_, size))| number.checked_mul(*size))
        .ok_or_else(|| format!("`{text}` is not an unsigned integer, such as 10, 0x0a or 10MB"))
}

/// A comparison: `n`, `=n`, `!n`, `!=n`, `<n`, `<=n`, `>n`, `>=n`, `a-b`, `a<>b`, `!a-b`. Ranges leave
/// both ends out; `&mask=n`, `&mask!=n`. A number may have a unit (`10kb`). Values above `largest` are an error.
pub(crate) fn parse_number_test(text: &str, largest: u64) -> Result<NumberTest, String> {
    let text = text.trim();
    let bounded = |text: &str| match parse_size(text)? {
        value if value > largest => Err(format!("`{value}` is above {largest}")),
        value => Ok(value),
    };
    if let Some(rest) = text.strip_prefix('&') {
        let masked = |mask, value| Ok::<_, String>((bounded(mask)?, bounded(value)?));
        return match (rest.split_once("!="), rest.split_once('=')) {
            (Some((mask, value)), _) => {
                masked(mask, value).map(|(mask, value)| NumberTest::NotMask(mask, value))
            }
            (None, Some((mask, value))) => {
                let (mask, value) = masked(mask, value)?;
                if value & !mask != 0 {
                    return Err(format!(
                        "`{text}` can never match: the mask leaves no such value"
                    ));
                }
                Ok(NumberTest::Mask(mask, value))
            }
            (None, None) => Err(format!("`{text}` lacks a value to compare with")),
        };
    }
    for (prefix, make) in [
        ("!=", NumberTest::NotEqual as fn(u64) -> NumberTest),
        ("<=", NumberTest::LessOrEqual),
        (">=", NumberTest::GreaterOrEqual),
        ("=", NumberTest::Equal),
    ] {
        if let Some(rest) = text.strip_prefix(prefix) {
            return bounded(rest).map(make);
        }
    }
    if let Some(rest) = text.strip_prefix('!') {
        return match split_range(rest) {
            Some((low, high)) => range(bounded(low)?, bounded(high)?)
                .map(|(low, high)| NumberTest::NotBetween(low, high)),
            None => bounded(rest).map(NumberTest::NotEqual),
        };
    }
    if let Some((low, high)) = split_range(text) {
        return range(bounded(low)?, bounded(high)?)
            .map(|(low, high)| NumberTest::Between(low, high));
    }
    if let Some(rest) = text.strip_prefix('<') {
        return bounded(rest).map(NumberTest::Less);
    }
    if let Some(rest) = text.strip_prefix('>') {
        return bounded(rest).map(NumberTest::Greater);
    }
    bounded(text).map(NumberTest::Equal)
}

fn split_range(text: &str) -> Option<(&str, &str)> {
    text.split_once("<>").or_else(|| text.split_once('-'))
}

fn range(low: u64, high: u64) -> Result<(u64, u64), String> {
    if low.checked_add(1).is_none_or(|next| next >= high) {
        return Err(format!("no number lies between {low} and {high}"));
    }
    Ok((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operator_agrees_with_its_meaning() {
        for (text, matching, not) in [
            ("10", &[10u64][..], &[9u64, 11][..]),
            ("=10", &[10], &[9]),
            ("0x0A", &[10], &[16]),
            ("!10", &[9, 11], &[10]),
            ("!=10", &[9], &[10]),
            ("<10", &[0, 9], &[10]),
            ("<=10", &[10], &[11]),
            (">10", &[11], &[10]),
            (">=10", &[10], &[9]),
            ("8<>11", &[9, 10], &[8, 11]),
            ("8 - 11", &[9, 10], &[8, 11]),
            ("!8-11", &[8, 11], &[9]),
            ("&0xf0=0x10", &[0x1f, 0x10], &[0x20]),
            ("&0xf0!=0x10", &[0x20], &[0x11]),
            (">1kb", &[1025], &[1024]),
            ("1KiB<>2mb", &[1025, (2 << 20) - 1], &[1024, 2 << 20]),
        ] {
            let test = parse_number_test(text, 1 << 30).unwrap();
            for &value in matching {
                assert!(number_matches(test, value), "{text} {value}");
            }
            for &value in not {
                assert!(!number_matches(test, value), "{text} {value}");
            }
        }
    }

    #[test]
    fn sizes_have_units_in_any_case() {
        for (text, size) in [
            ("10", Some(10)),
            ("10b", Some(10)),
            ("10 kb", Some(10 << 10)),
            ("1KiB", Some(1 << 10)),
            ("2m", Some(2 << 20)),
            ("3GB", Some(3 << 30)),
            ("0x1b", Some(27)),
            ("10tb", None),
            ("kb", None),
            ("", None),
            ("99999999999999999gb", None),
        ] {
            assert_eq!(parse_size(text).ok(), size, "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_comparison() {
        for text in [
            "", "x", "256", "<", "5-5", "9<>1", "-1", "1-2-3", "5-6", "kb", "1kb",
        ] {
            assert!(parse_number_test(text, 255).is_err(), "{text}");
        }
    }
}
