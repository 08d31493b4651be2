//! Dates in comparisons.

use weir_policies::rule::ast::NumberTest;

use crate::detect::matcher::parse_number_test;

/// A comparison whose numbers are dates: every date is replaced by its seconds since the epoch.
pub(super) fn date_test(value: &str) -> Result<NumberTest, String> {
    let is_date = |letter: char| letter.is_ascii_digit() || "-:T ".contains(letter);
    let mut text = String::new();
    let mut rest = value.trim();
    while let Some(letter) = rest.chars().next() {
        let length = rest.find(|letter| !is_date(letter)).unwrap_or(rest.len());
        let (date, behind) = rest.split_at(length);
        if date.trim().is_empty() {
            text.push(letter);
            rest = rest.get(letter.len_utf8()..).unwrap_or_default();
        } else {
            text.push_str(&seconds(date.trim())?.to_string());
            rest = behind;
        }
    }
    parse_number_test(&text, u64::MAX)
}

/// `2015`, `2015-10`, `2015-10-22`, `2015-10-22T23:59:59` (UTC, parts left out are the first), or
/// seconds since the epoch.
fn seconds(date: &str) -> Result<u64, String> {
    let bad = || format!("`{date}` is not a date");
    let mut parts = Vec::new();
    for part in date.split(['-', ':', 'T', ' ']) {
        parts.push(part.parse::<u64>().map_err(|_| bad())?);
    }
    if let [number] = *parts
        && date.len() != 4
    {
        return Ok(number);
    }
    let part = |index: usize, least: u64| parts.get(index).copied().unwrap_or(least);
    let (year, month, day) = (part(0, 1970), part(1, 1), part(2, 1));
    let (hour, minute, second) = (part(3, 0), part(4, 0), part(5, 0));
    let in_range = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 61
        && parts.len() <= 6;
    if !in_range {
        return Err(bad());
    }
    // Days since the epoch in the proleptic Gregorian calendar, years counted from March.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    let days = days.checked_sub(719_468).ok_or_else(bad)?;
    Ok(((days * 24 + hour) * 60 + minute) * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_become_seconds() {
        for (text, expected) in [
            ("1970", 0),
            ("2015", 1_420_070_400),
            ("2000-03", 951_868_800),
            ("2015-10-22", 1_445_472_000),
            ("2015-10-22T23:59:59", 1_445_558_399),
            ("1445852105", 1_445_852_105),
        ] {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
        assert_eq!(date_test(">2015"), Ok(NumberTest::Greater(1_420_070_400)));
        let range = date_test("2015-10-22<>2016");
        assert_eq!(range, Ok(NumberTest::Between(1_445_472_000, 1_451_606_400)));
        for bad in ["2015-13", "x", "1960-01-01", "2015-10-22T25:00:00", ""] {
            assert!(date_test(bad).is_err(), "{bad}");
        }
    }
}
