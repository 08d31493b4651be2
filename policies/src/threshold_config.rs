//! `threshold.config`: thresholds and suppressions apart from the rules.
//!
//! ```text
//! threshold gen_id 1, sig_id 2000, type limit, track by_src, count 1, seconds 60
//! suppress gen_id 1, sig_id 2000, track by_src, ip 10.0.0.0/8
//! rate_filter gen_id 1, sig_id 2000, track by_src, count 5, seconds 60, new_action drop, timeout 30
//! ```
//! `event_filter` is another name of `threshold`. For `suppress`, `gen_id 0` and `sig_id 0` mean all. A
//! line that ends in `\` goes on in the next.

use crate::config_line::LineError;
use crate::rule::ast::{AddressExpr, Threshold, Track};
use crate::rule::{parse_addresses, parse_threshold, parse_track};

/// Which signatures an entry is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Generator id; `None` for all.
    pub gid: Option<u32>,
    /// Signature id; `None` for all.
    pub sid: Option<u32>,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// 1-based line it starts in.
    pub line: usize,
    /// Which signatures it is for.
    pub target: Target,
    /// What it does to them.
    pub effect: Effect,
}

/// What an entry does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Limits the alerts of the signature, in place of its own threshold.
    Threshold(Threshold),
    /// Silences the signature.
    Suppress {
        /// Only where one of these hosts is on the side that is tracked.
        hosts: Option<(SuppressSide, AddressExpr)>,
    },
    /// Changes the action once the rate is reached.
    RateFilter(RateFilter),
}

/// `rate_filter`: once a signature matched `count` times within `seconds`, further matches have another
/// action for `timeout`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateFilter {
    /// What is counted together; never by flow.
    pub track: Track,
    /// Number of matches, at least 1.
    pub count: u32,
    /// Window, seconds, at least 1.
    pub seconds: u32,
    /// The action from then on.
    pub new_action: RateAction,
    /// How long it stays changed, seconds, at least 1.
    pub timeout: u32,
}

/// Where a suppressed address must stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuppressSide {
    /// `by_src`
    Source,
    /// `by_dst`
    Destination,
    /// `by_either`
    Either,
}

/// `new_action` of a rate filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateAction {
    /// alert
    Alert,
    /// drop
    Drop,
    /// reject
    Reject,
    /// pass
    Pass,
}

/// Reads a file. Lines that cannot be read are returned beside the entries.
#[must_use]
pub fn parse(text: &str) -> (Vec<Entry>, Vec<LineError>) {
    let mut entries = Vec::new();
    let mut errors = Vec::new();
    for (line, text) in logical_lines(text) {
        match entry(line, &text) {
            Ok(entry) => entries.push(entry),
            Err(message) => errors.push(LineError { line, message }),
        }
    }
    (entries, errors)
}

/// Continued lines joined, comments and blanks left out.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if open.is_none() && (line.is_empty() || line.starts_with('#')) {
            continue;
        }
        let (_, joined) = open.get_or_insert_with(|| (index.saturating_add(1), String::new()));
        if let Some(part) = line.strip_suffix('\\') {
            joined.push_str(part);
        } else {
            joined.push_str(line);
            lines.extend(open.take());
        }
    }
    lines.extend(open);
    lines
}

fn entry(line: usize, text: &str) -> Result<Entry, String> {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let mut fields = Fields::read(rest)?;
    let target = Target {
        gid: id(&mut fields, "gen_id")?,
        sid: id(&mut fields, "sig_id")?,
    };
    if target.gid.is_none() && target.sid.is_some() {
        return Err("a sig_id needs a gen_id other than 0".to_owned());
    }
    let effect = match word {
        "threshold" | "event_filter" => Effect::Threshold(parse_threshold(&fields.rest())?),
        "suppress" => suppress(&mut fields)?,
        "rate_filter" => rate_filter(&mut fields)?,
        _ => {
            return Err(format!(
                "expected threshold, event_filter, suppress or rate_filter, found `{}`",
                word.escape_debug()
            ));
        }
    };
    fields.finish()?;
    if target.sid.is_none() && !matches!(effect, Effect::Suppress { .. }) {
        return Err(format!("{word} is for one signature: sig_id 0 is not"));
    }
    Ok(Entry {
        line,
        target,
        effect,
    })
}

fn suppress(fields: &mut Fields<'_>) -> Result<Effect, String> {
    let hosts = match (fields.take("track"), fields.take("ip")) {
        (None, None) => None,
        (Some(track), Some(ip)) => Some((side(track)?, parse_addresses(ip)?)),
        _ => return Err("track and ip go together".to_owned()),
    };
    Ok(Effect::Suppress { hosts })
}

fn side(track: &str) -> Result<SuppressSide, String> {
    Ok(match track {
        "by_src" => SuppressSide::Source,
        "by_dst" => SuppressSide::Destination,
        "by_either" => SuppressSide::Either,
        _ => {
            return Err(format!(
                "expected track by_src, by_dst or by_either, found `{}`",
                track.escape_debug()
            ));
        }
    })
}

fn rate_filter(fields: &mut Fields<'_>) -> Result<Effect, String> {
    let track = parse_track(fields.needed("track")?)?;
    if track == Track::Flow {
        return Err(
            "expected track by_src, by_dst, by_both or by_rule, found `by_flow`".to_owned(),
        );
    }
    Ok(Effect::RateFilter(RateFilter {
        track,
        count: positive(fields, "count")?,
        seconds: positive(fields, "seconds")?,
        new_action: rate_action(fields.needed("new_action")?)?,
        timeout: positive(fields, "timeout")?,
    }))
}

fn positive(fields: &mut Fields<'_>, name: &str) -> Result<u32, String> {
    match number(name, fields.needed(name)?)? {
        0 => Err(format!("expected {name} 1 or more, found 0")),
        value => Ok(value),
    }
}

fn rate_action(word: &str) -> Result<RateAction, String> {
    Ok(match word {
        "alert" => RateAction::Alert,
        "drop" => RateAction::Drop,
        "reject" => RateAction::Reject,
        "pass" => RateAction::Pass,
        _ => {
            return Err(format!(
                "expected new_action alert, drop, reject or pass, found `{}`",
                word.escape_debug()
            ));
        }
    })
}

fn id(fields: &mut Fields<'_>, name: &str) -> Result<Option<u32>, String> {
    let value = number(name, fields.needed(name)?)?;
    Ok((value != 0).then_some(value))
}

fn number(name: &str, text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| {
        format!(
            "expected a number after {name}, found `{}`",
            text.escape_debug()
        )
    })
}

/// `name value` pairs, separated by commas outside `[...]`.
#[derive(Debug)]
struct Fields<'a> {
    pairs: Vec<(&'a str, &'a str)>,
}

impl<'a> Fields<'a> {
    fn read(text: &'a str) -> Result<Self, String> {
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        for part in split(text) {
            let (name, value) = part
                .split_once(char::is_whitespace)
                .map(|(name, value)| (name, value.trim()))
                .filter(|(_, value)| !value.is_empty())
                .ok_or_else(|| format!("expected `name value`, found `{}`", part.escape_debug()))?;
            if pairs.iter().any(|(known, _)| *known == name) {
                return Err(format!("{name} is given twice"));
            }
            pairs.push((name, value));
        }
        Ok(Self { pairs })
    }

    fn take(&mut self, name: &str) -> Option<&'a str> {
        let index = self.pairs.iter().position(|(known, _)| *known == name)?;
        Some(self.pairs.remove(index).1)
    }

    fn needed(&mut self, name: &str) -> Result<&'a str, String> {
        self.take(name).ok_or_else(|| format!("{name} is missing"))
    }

    /// All remaining pairs as text, taken.
    fn rest(&mut self) -> String {
        let words: Vec<String> = self
            .pairs
            .drain(..)
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        words.join(", ")
    }

    fn finish(&self) -> Result<(), String> {
        match self.pairs.first() {
            None => Ok(()),
            Some((name, _)) => Err(format!("unknown field `{}`", name.escape_debug())),
        }
    }
}

fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut depth = 0_usize;
    let mut start = 0;
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'[' => depth = depth.saturating_add(1),
            b']' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                parts.push(text.get(start..index).unwrap_or_default().trim());
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(text.get(start..).unwrap_or_default().trim());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::ast::ThresholdKind;

    fn one(text: &str) -> Entry {
        let (mut entries, errors) = parse(text);
        assert_eq!(errors, []);
        entries.pop().unwrap()
    }

    #[test]
    fn all_three_kinds_are_read() {
        let entry = one(
            "threshold gen_id 1, sig_id 2, type limit, \\\n track by_src, count 3, seconds 4\n",
        );
        assert_eq!(
            entry.target,
            Target {
                gid: Some(1),
                sid: Some(2)
            }
        );
        assert!(matches!(
            entry.effect,
            Effect::Threshold(Threshold {
                kind: ThresholdKind::Limit,
                track: Track::Source,
                count: 3,
                seconds: 4,
                ..
            })
        ));
        let entry = one("suppress gen_id 0, sig_id 0, track by_either, ip [10.0.0.1,10.0.0.2]");
        assert_eq!(
            entry.target,
            Target {
                gid: None,
                sid: None
            }
        );
        assert!(matches!(
            entry.effect,
            Effect::Suppress {
                hosts: Some((SuppressSide::Either, AddressExpr::List(_)))
            }
        ));
        assert_eq!(
            one("suppress gen_id 1, sig_id 5").effect,
            Effect::Suppress { hosts: None }
        );
        let entry = one(
            "rate_filter gen_id 1, sig_id 5, track by_rule, count 10, seconds 60, new_action drop, timeout 30",
        );
        assert!(matches!(
            entry.effect,
            Effect::RateFilter(RateFilter {
                new_action: RateAction::Drop,
                timeout: 30,
                ..
            })
        ));
    }

    #[test]
    fn bad_lines_are_named_and_the_others_stand() {
        let (entries, errors) = parse(
            "# comment\nthis is not correct\nsuppress gen_id 1, sig_id 1, track by_src\n\
             suppress gen_id 1, sig_id 1\nsuppress gen_id 1, sig_id 1, colour blue\n\
             threshold gen_id 1, sig_id 1, type limit\n\
             threshold gen_id 1, sig_id 0, type limit, track by_src, count 1, seconds 1\n\
             rate_filter gen_id 1, sig_id 1, track by_src, count 0, seconds 1, new_action drop, timeout 1\n\
             rate_filter gen_id 1, sig_id 1, track by_flow, count 1, seconds 1, new_action drop, timeout 1\n",
        );
        assert_eq!(entries.len(), 1);
        assert_eq!(
            errors.iter().map(|error| error.line).collect::<Vec<_>>(),
            [2, 3, 5, 6, 7, 8, 9]
        );
    }
}
