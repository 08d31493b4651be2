//! `threshold` and `detection_filter`.

use super::text::shortened;
use crate::rule::ast::{Threshold, ThresholdKind, Track};
use crate::rule::diagnostic::Reason;

/// Fields as they are found.
#[derive(Debug, Default)]
struct Fields<'a> {
    kind: Option<&'a str>,
    track: Option<&'a str>,
    count: Option<&'a str>,
    seconds: Option<&'a str>,
    multiplier: Option<&'a str>,
    unique_on: Option<&'a str>,
}

/// `type limit, track by_src, count 1, seconds 60`.
pub(crate) fn threshold(value: &str) -> Result<Threshold, Reason> {
    let fields = fields(value)?;
    if fields.unique_on.is_some() {
        return Err("unique_on belongs to detection_filter".to_owned());
    }
    let kind = kind(fields.kind.ok_or_else(|| missing("type"))?)?;
    let threshold = common(kind, &fields)?;
    if kind == ThresholdKind::Backoff {
        if threshold.track != Track::Flow {
            return Err("type backoff works only with `track by_flow`".to_owned());
        }
        if threshold.multiplier == 0 {
            return Err(missing("multiplier"));
        }
    } else if fields.seconds.is_none() {
        return Err(missing("seconds"));
    }
    Ok(threshold)
}

/// `track by_src, count 15, seconds 2, unique_on dst_port`.
pub(super) fn detection_filter(value: &str) -> Result<Threshold, Reason> {
    let fields = fields(value)?;
    if fields.kind.is_some() || fields.multiplier.is_some() {
        return Err("detection_filter has no type or multiplier".to_owned());
    }
    if fields.seconds.is_none() {
        return Err(missing("seconds"));
    }
    common(ThresholdKind::DetectionFilter, &fields)
}

fn common(kind: ThresholdKind, fields: &Fields<'_>) -> Result<Threshold, Reason> {
    let count = number("count", fields.count.ok_or_else(|| missing("count"))?)?;
    if count == 0 {
        return Err("expected a count of at least 1".to_owned());
    }
    let optional = |name, value: Option<&str>| value.map_or(Ok(0), |text| number(name, text));
    Ok(Threshold {
        kind,
        track: track(fields.track.ok_or_else(|| missing("track"))?)?,
        count,
        seconds: optional("seconds", fields.seconds)?,
        multiplier: optional("multiplier", fields.multiplier)?,
        unique_on: fields.unique_on.map(unique_on).transpose()?,
    })
}

fn fields(value: &str) -> Result<Fields<'_>, Reason> {
    let mut fields = Fields::default();
    for part in value.split(',').map(str::trim) {
        let (name, value) = part
            .split_once(char::is_whitespace)
            .map(|(name, value)| (name, value.trim()))
            .unwrap_or((part, ""));
        let slot = match name {
            "type" => &mut fields.kind,
            "track" => &mut fields.track,
            "count" => &mut fields.count,
            "seconds" => &mut fields.seconds,
            "multiplier" => &mut fields.multiplier,
            "unique_on" => &mut fields.unique_on,
            _ => {
                return Err(format!(
                    "expected type, track, count, seconds, multiplier or unique_on, found `{}`",
                    shortened(part)
                ));
            }
        };
        if value.is_empty() {
            return Err(format!("expected a value after `{name}`"));
        }
        if slot.replace(value).is_some() {
            return Err(format!("`{name}` is given twice"));
        }
    }
    Ok(fields)
}

fn kind(word: &str) -> Result<ThresholdKind, Reason> {
    Ok(match word {
        "limit" => ThresholdKind::Limit,
        "threshold" => ThresholdKind::Threshold,
        "both" => ThresholdKind::Both,
        "backoff" => ThresholdKind::Backoff,
        _ => {
            return Err(format!(
                "expected type limit, threshold, both or backoff, found `{}`",
                shortened(word)
            ));
        }
    })
}

/// The word behind `track`.
pub(crate) fn track(word: &str) -> Result<Track, Reason> {
    Ok(match word {
        "by_src" => Track::Source,
        "by_dst" => Track::Destination,
        "by_both" => Track::Both,
        "by_rule" => Track::Rule,
        "by_flow" => Track::Flow,
        _ => {
            return Err(format!(
                "expected track by_src, by_dst, by_both, by_rule or by_flow, found `{}`",
                shortened(word)
            ));
        }
    })
}

fn unique_on(word: &str) -> Result<String, Reason> {
    match word {
        "src_port" | "dst_port" => Ok(word.to_owned()),
        _ => Err(format!(
            "expected unique_on src_port or dst_port, found `{}`",
            shortened(word)
        )),
    }
}

fn number(name: &str, text: &str) -> Result<u32, Reason> {
    text.parse().map_err(|_| {
        format!(
            "expected a number after `{name}`, found `{}`",
            shortened(text)
        )
    })
}

fn missing(name: &str) -> Reason {
    format!("`{name}` is missing")
}
