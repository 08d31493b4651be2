//! Comparisons with numbers of a transaction.

use weir_policies::rule::ast::NumberTest;

use super::dates::date_test;
use super::test::Answer;
use crate::app_layer::{self, NumberSpec, ProtocolId, Transaction};
use crate::detect::matcher::{number_matches, parse_integer, parse_number_test};
use crate::event::FlowDirection;

/// A comparison with a number of the transaction.
#[derive(Debug)]
pub(super) struct NumberCondition {
    /// The protocols that have it.
    owners: Box<[(ProtocolId, &'static NumberSpec)]>,
    keyword: &'static str,
    pub(super) direction: Option<FlowDirection>,
    /// Any of them must hold.
    tests: Box<[NumberTest]>,
    choice: Choice,
}

/// Which numbers must pass, where a transaction has several (the documentation's "multi-integers").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Choice {
    index: Index,
    /// Only those from here to there, counted from the end where negative.
    slice: Option<(i64, i64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Index {
    /// `any`
    Any,
    /// `all`: of one at least; `all_or_absent`: of none, too.
    All { absent: bool },
    /// `or_absent`: any, or there is none.
    AnyOrAbsent,
    /// `nb`: how many pass.
    Passing(NumberTest),
    /// `count`: how many there are.
    Count(NumberTest),
    /// The one at that place, counted from the end where negative; `oob_or`: or there is none.
    At { place: i64, absent: bool },
}

/// Numbers that rules may write as dates.
const DATES: &[&str] = &["tls.cert_notbefore", "tls.cert_notafter"];

/// Older names of keywords on numbers.
pub(in crate::detect) const OLDER_NAMES: &[(&str, &str)] = &[
    ("tls_cert_notafter", "tls.cert_notafter"),
    ("tls_cert_notbefore", "tls.cert_notbefore"),
];

/// Words behind the comparison of a number that choose another.
pub(in crate::detect) const VARIANTS: &[(&str, &str, &str)] = &[
    ("urilen", "norm", "urilen.norm"),
    ("urilen", "raw", "urilen"),
];

/// The keyword of settings of HTTP/2, whose names choose numbers.
pub(in crate::detect) const SETTINGS: &str = "http2.settings";

/// The number that a setting of HTTP/2 is, and its comparison: `http2.settings:NAME=value`. Without a
/// comparison, it must be there. `None`: the keyword is another.
pub(super) fn setting<'v>(
    keyword: &str,
    value: &'v str,
) -> Option<Result<(&'static str, &'v str), String>> {
    const PREFIX: &str = "SETTINGS_";
    if keyword != SETTINGS {
        return None;
    }
    let end = value.find(|byte: char| !(byte.is_ascii_alphanumeric() || byte == '_'));
    let (name, test) = value.split_at(end.unwrap_or(value.len()));
    let test = test.trim();
    let known = name.strip_prefix(PREFIX).map(str::to_ascii_lowercase);
    let number = known.map(|name| format!("{SETTINGS}.{name}"));
    let spec = number.and_then(|number| app_layer::numbers(&number).next());
    Some(match spec {
        Some((_, spec)) => Ok((spec.keyword, if test.is_empty() { ">=0" } else { test })),
        None => Err(format!("`{name}` is no setting of HTTP/2")),
    })
}

/// The number that a keyword and the word behind its comparison stand for, and the comparison.
pub(super) fn named<'a>(keyword: &'a str, value: &'a str) -> (&'a str, &'a str) {
    variant(canonical(keyword), value)
}

fn variant<'a>(keyword: &'a str, value: &'a str) -> (&'a str, &'a str) {
    let Some((test, word)) = value.rsplit_once(',') else {
        return (keyword, value);
    };
    let known = VARIANTS
        .iter()
        .find(|(of, name, _)| *of == keyword && *name == word.trim());
    known.map_or((keyword, value), |(.., number)| (number, test.trim()))
}

/// The keyword behind an older name of it.
fn canonical(keyword: &str) -> &str {
    let older = OLDER_NAMES.iter().find(|(older, _)| *older == keyword);
    older.map_or(keyword, |(_, name)| name)
}

/// Keywords that take several values, and what is between them.
const LISTS: &[(&str, char)] = &[("ssl_version", ','), ("ssl_state", '|')];

/// Keywords whose value is one of their names, and no comparison.
const WORDS: &[&str] = &["ftp.mode", "ftp.reply_received", "ftpdata_command"];

/// Keywords whose comparison may be followed by which of several numbers must pass.
const MULTIPLE: &[&str] = &[
    "dns.rrtype",
    "http2.errorcode",
    "http2.frametype",
    "http2.priority",
    "http2.size_update",
    "http2.window",
];

impl NumberCondition {
    /// The conditions that a keyword's value stands for: all of them must hold.
    pub(super) fn read(
        owners: &[(ProtocolId, &'static NumberSpec)],
        value: &str,
    ) -> Result<Vec<Self>, String> {
        let Some((_, spec)) = owners.first().copied() else {
            return Ok(Vec::new());
        };
        let (value, choice) = if MULTIPLE.contains(&spec.keyword) {
            Choice::read(value)?
        } else {
            (value, Choice::ANY)
        };
        let condition = |tests| Self {
            owners: owners.into(),
            keyword: spec.keyword,
            direction: spec.direction,
            tests,
            choice,
        };
        if let Index::Count(_) = choice.index {
            return Ok(vec![condition(Box::default())]);
        }
        let all = alternatives(spec, value)?;
        Ok(all.into_iter().map(condition).collect())
    }

    /// The number as a protocol, or what that is a kind of, has it.
    pub(super) fn of(&self, protocol: ProtocolId) -> Option<(ProtocolId, &'static NumberSpec)> {
        let mut owners = self.owners.iter().copied();
        owners.find(|(owner, _)| protocol.is(*owner))
    }

    /// What a transaction says to it, of those directions that are asked about.
    pub(super) fn test(
        &self,
        (protocol, transaction): (ProtocolId, &dyn Transaction),
        directions: [bool; 2],
    ) -> Answer {
        let Some((owner, spec)) = self.of(protocol) else {
            return Answer::Never;
        };
        let direction = self.direction;
        let progress = |side| protocol.progress_as(owner, transaction.progress(side));
        if direction.is_some_and(|side| progress(side) < spec.progress) {
            return Answer::Later;
        }
        let ended = |side| transaction.progress(side) >= protocol.protocol().complete(side);
        let over = direction.map_or_else(|| FlowDirection::BOTH.into_iter().all(ended), ended);
        let passes = if over || self.choice == Choice::ANY {
            self.passes(transaction, directions)
        } else {
            // What comes may bring other numbers.
            Some(false)
        };
        match passes {
            Some(true) => Answer::Now,
            Some(false) if over => Answer::Never,
            _ => Answer::Later,
        }
    }

    /// Whether the numbers that there are pass; `None`: there is none to be asked about.
    fn passes(&self, transaction: &dyn Transaction, directions: [bool; 2]) -> Option<bool> {
        let only = match (self.direction, directions) {
            (None, [true, false]) => Some(FlowDirection::ToServer),
            (None, [false, true]) => Some(FlowDirection::ToClient),
            (of_number, _) => of_number,
        };
        let number = |index| match only {
            Some(side) => transaction.number_of(side, self.keyword, index),
            None => transaction.number(self.keyword, index),
        };
        let all = || (0..).map_while(number);
        let there = all().count();
        let (from, length) = match self.choice.slice {
            None => (0, there),
            Some((from, to)) => {
                let range = place(from, there, true).zip(place(to, there, true));
                range.map_or((0, 0), |(from, to)| (from, to.saturating_sub(from)))
            }
        };
        let numbers = || all().skip(from).take(length);
        let holds = |number: u64| self.tests.iter().any(|test| number_matches(*test, number));
        let count = |numbers: usize| u64::try_from(numbers).unwrap_or(u64::MAX);
        match self.choice.index {
            Index::Any if length == 0 => None,
            Index::Any => Some(numbers().any(holds)),
            Index::AnyOrAbsent => Some(length == 0 || numbers().any(holds)),
            Index::All { absent } => Some((absent || length > 0) && numbers().all(holds)),
            Index::Passing(test) => {
                let passing = numbers().filter(|number| holds(*number)).count();
                Some(number_matches(test, count(passing)))
            }
            Index::Count(test) => Some(number_matches(test, count(length))),
            Index::At { place: at, absent } => {
                let number = place(at, length, false).and_then(|at| numbers().nth(at));
                Some(number.map_or(absent, holds))
            }
        }
    }
}

/// Where a place is that counts from the end where it is negative; `None`: beyond what there is. `end`: just
/// behind the last is a place, too.
fn place(place: i64, length: usize, end: bool) -> Option<usize> {
    let length = i64::try_from(length).ok()?;
    let at = if place < 0 { place + length } else { place };
    let last = if end { length } else { length - 1 };
    usize::try_from(at).ok().filter(|_| at <= last)
}

impl Choice {
    const ANY: Self = Self {
        index: Index::Any,
        slice: None,
    };

    /// Splits a value into the comparison and which numbers must pass it: `value[,index[,from:to]]`, or
    /// `count` and a comparison.
    fn read(value: &str) -> Result<(&str, Self), String> {
        if let Some(counted) = value.strip_prefix("count") {
            let index = Index::Count(parse_number_test(counted, u64::MAX)?);
            return Ok(("", Self { index, slice: None }));
        }
        let mut parts = value.splitn(3, ',').map(str::trim);
        let test = parts.next().unwrap_or_default();
        let index = parts.next().map_or(Ok(Index::Any), Index::read)?;
        let slice = parts.next().map(read_slice).transpose()?;
        Ok((test, Self { index, slice }))
    }
}

impl Index {
    fn read(text: &str) -> Result<Self, String> {
        if let Some(test) = text.strip_prefix("nb") {
            return Ok(Self::Passing(parse_number_test(test, u64::MAX)?));
        }
        let (number, absent) = match text.strip_prefix("oob_or") {
            Some(number) => (number, true),
            None => (text, false),
        };
        Ok(match number {
            "" | "any" if !absent => Self::Any,
            "or_absent" => Self::AnyOrAbsent,
            "all" => Self::All { absent: false },
            "all_or_absent" => Self::All { absent: true },
            number => Self::At {
                place: signed(number)?,
                absent,
            },
        })
    }
}

fn read_slice(text: &str) -> Result<(i64, i64), String> {
    let (from, to) = text
        .split_once(':')
        .ok_or_else(|| format!("`{text}` is not a part `from:to`"))?;
    Ok((signed(from)?, signed(to)?))
}

fn signed(text: &str) -> Result<i64, String> {
    let text = text.trim();
    let (digits, negative) = match text.strip_prefix('-') {
        Some(digits) => (digits, true),
        None => (text, false),
    };
    let number = parse_integer(digits)
        .ok()
        .and_then(|n| i32::try_from(n).ok());
    let number = number.ok_or_else(|| format!("`{text}` is not which number is meant"))?;
    Ok(if negative {
        -i64::from(number)
    } else {
        number.into()
    })
}

/// The tests that a value stands for: all of the outer ones must hold, any of each inner list. A value
/// that is left out asks whether the number is 1.
fn alternatives(spec: &NumberSpec, value: &str) -> Result<Vec<Box<[NumberTest]>>, String> {
    let test = |value: &str| {
        if WORDS.contains(&spec.keyword) {
            return word_test(spec, value);
        }
        if DATES.contains(&spec.keyword) {
            return date_test(value);
        }
        parse_number_test(&named_number(spec, value), u64::MAX)
    };
    if value.is_empty() {
        return Ok(vec![Box::new([NumberTest::Equal(1)])]);
    }
    let value = value.trim_matches('"');
    let list = LISTS.iter().find(|(keyword, _)| *keyword == spec.keyword);
    let Some((_, between)) = list else {
        return Ok(vec![Box::new([test(value)?])]);
    };
    let tests: Result<Vec<NumberTest>, String> = value
        .split(*between)
        .map(|value| test(value.trim()))
        .collect();
    let (unwanted, wanted): (Vec<_>, Vec<_>) = tests?
        .into_iter()
        .partition(|test| matches!(test, NumberTest::NotEqual(_)));
    let mut all: Vec<Box<[NumberTest]>> =
        unwanted.into_iter().map(|test| Box::from([test])).collect();
    if !wanted.is_empty() {
        all.push(wanted.into());
    }
    Ok(all)
}

/// A value that is one of the names.
fn word_test(spec: &NumberSpec, value: &str) -> Result<NumberTest, String> {
    let mut names = spec.names.iter();
    let known = names.find(|(name, _)| name.eq_ignore_ascii_case(value.trim()));
    known
        .map(|(_, number)| NumberTest::Equal(*number))
        .ok_or_else(|| {
            let names: Vec<&str> = spec.names.iter().map(|(name, _)| *name).collect();
            format!("`{value}` is none of {}", names.join(", "))
        })
}

/// A value in which a name stands for a number is written with the number.
fn named_number(spec: &NumberSpec, value: &str) -> String {
    let bare = value.trim_start_matches(['!', '=', '<', '>']);
    let sign = &value[..value.len() - bare.len()];
    let known = spec
        .names
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(bare.trim()));
    known.map_or_else(|| value.to_owned(), |(_, number)| format!("{sign}{number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_from_either_end() {
        for (at, inner, end) in [
            (0, Some(0), Some(0)),
            (2, Some(2), Some(2)),
            (3, None, Some(3)),
            (4, None, None),
            (-1, Some(2), Some(2)),
            (-3, Some(0), Some(0)),
            (-4, None, None),
        ] {
            assert_eq!(
                (place(at, 3, false), place(at, 3, true)),
                (inner, end),
                "{at}"
            );
        }
        assert_eq!(place(0, 0, false), None);
    }

    #[test]
    fn what_is_no_choice_is_refused() {
        for bad in [
            "1,some",
            "1,nb",
            "1,all,2",
            "count",
            "1,oob_or",
            "1,oob_or x",
            "1,0,a:b",
        ] {
            assert!(Choice::read(bad).is_err(), "{bad}");
        }
        assert_eq!(Choice::read("1, any").unwrap(), ("1", Choice::ANY));
    }
}
