//! `requires`: rules for other versions of the language are set aside, not refused.

use super::text::shortened;
use crate::rule::diagnostic::Reason;
use crate::rule::keywords;

/// Version of the language that is understood: the one whose documentation this follows.
const LANGUAGE: Version = Version(9, 0, 0);

/// Optional features that rules may ask for and that are there.
const FEATURES: [&str; 2] = ["ja3", "ja4"];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version(u32, u32, u32);

/// The first requirement that is not met, if there is one.
pub(crate) fn unmet(value: &str) -> Result<Option<String>, Reason> {
    let mut version_seen = false;
    let mut unmet = None;
    for requirement in value.split(',').map(str::trim) {
        let (name, expression) = requirement
            .split_once(char::is_whitespace)
            .map(|(name, expression)| (name, expression.trim()))
            .ok_or_else(|| {
                format!(
                    "expected `feature name`, `keyword name` or `version comparison`, found `{}`",
                    shortened(requirement)
                )
            })?;
        let met = match name {
            "version" => {
                if std::mem::replace(&mut version_seen, true) {
                    return Err("version may be given only once".to_owned());
                }
                version(expression)?
            }
            "keyword" => keywords::find(expression).is_some(),
            "feature" => FEATURES.contains(&expression),
            _ => false,
        };
        if !met {
            unmet.get_or_insert_with(|| requirement.to_owned());
        }
    }
    Ok(unmet)
}

/// `>= 7.0.3 < 8 | >= 8.0.3`: any alternative of which all comparisons hold.
fn version(expression: &str) -> Result<bool, Reason> {
    let mut any = false;
    for alternative in expression.split('|') {
        any |= all_hold(alternative)?;
    }
    Ok(any)
}

fn all_hold(alternative: &str) -> Result<bool, Reason> {
    let mut rest = alternative.trim();
    if rest.is_empty() {
        return Err(format!(
            "expected a comparison such as `>= 7.0.3`, found `{}`",
            shortened(alternative)
        ));
    }
    let mut all = true;
    while !rest.is_empty() {
        let length = rest.chars().take_while(|c| "<>=".contains(*c)).count();
        let (operator, tail) = rest.split_at(length);
        let tail = tail.trim_start();
        let end = tail
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(tail.len());
        let (number, tail) = tail.split_at(end);
        let wanted = parse_version(number)?;
        all &= match operator {
            ">=" => LANGUAGE >= wanted,
            ">" => LANGUAGE > wanted,
            "<=" => LANGUAGE <= wanted,
            "<" => LANGUAGE < wanted,
            _ => {
                return Err(format!(
                    "expected `<`, `<=`, `>` or `>=`, found `{}`",
                    shortened(rest)
                ));
            }
        };
        rest = tail.trim_start();
    }
    Ok(all)
}

fn parse_version(text: &str) -> Result<Version, Reason> {
    let wrong = || {
        format!(
            "expected a version such as 7.0.3, found `{}`",
            shortened(text)
        )
    };
    let mut parts = [0_u32; 3];
    let mut fields = text.split('.');
    for (index, slot) in parts.iter_mut().enumerate() {
        match fields.next() {
            Some(field) => *slot = field.parse().map_err(|_| wrong())?,
            None if index > 0 => {}
            None => return Err(wrong()),
        }
    }
    if fields.next().is_some() {
        return Err(wrong());
    }
    let [major, minor, patch] = parts;
    Ok(Version(major, minor, patch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_are_weighed() {
        for (text, met) in [
            ("version >= 7", true),
            ("version >= 7 < 8", false),
            ("version >= 7.0.3 < 8 | >= 8.0.1", true),
            ("version >= 10", false),
            ("version >= 8.0.0, keyword sid", true),
            ("keyword foobar", false),
            ("feature ja3", true),
            ("feature lua", false),
            ("colour blue", false),
        ] {
            assert_eq!(unmet(text).unwrap().is_none(), met, "{text}");
        }
    }

    #[test]
    fn nonsense_is_named() {
        for text in [
            "version",
            "version 8",
            "version >= x",
            "version >= 8, version < 9",
            "",
        ] {
            assert!(unmet(text).is_err(), "{text}");
        }
    }
}
