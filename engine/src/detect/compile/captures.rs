//! What alerts show of the groups of a `pcre`.

use std::sync::Arc;

use weir_policies::rule::ast::Pcre;

use crate::detect::matcher::Regular;
use crate::detect::outcome::CaptureKind;
use crate::detect::program::{CAPTURES, Capture, CaptureName};

/// Those that are listed behind the expression, in the order of its groups, else those whose name in the
/// expression has a prefix: `(?P<flow_name>...)`.
pub(super) fn of(pcre: &Pcre, regular: &Regular) -> Result<Box<[Capture]>, String> {
    let captures = if pcre.captures.is_empty() {
        named(regular)
    } else {
        listed(&pcre.captures, regular.groups())?
    };
    if pcre.negated && !captures.is_empty() {
        return Err("what is not there cannot be captured".to_owned());
    }
    if captures.iter().any(|capture| capture.group >= CAPTURES) {
        return Err(format!("the first {} groups can be captured", CAPTURES - 1));
    }
    Ok(captures.into())
}

fn kind(word: &str) -> Option<CaptureKind> {
    Some(match word {
        "flow" => CaptureKind::Flow,
        "pkt" => CaptureKind::Packet,
        "alert" => CaptureKind::Alert,
        _ => return None,
    })
}

fn named(regular: &Regular) -> Vec<Capture> {
    let names = regular.names();
    let groups = names.iter().enumerate();
    groups
        .filter_map(|(group, name)| {
            let (prefix, name) = name.as_deref()?.split_once('_')?;
            Some(Capture {
                group,
                kind: kind(prefix)?,
                name: CaptureName::Given(Arc::from(name)),
            })
        })
        .collect()
}

fn listed(names: &[String], groups: usize) -> Result<Vec<Capture>, String> {
    if names.len() > groups {
        return Err(format!(
            "it names {} groups, and the expression has {groups}",
            names.len()
        ));
    }
    let mut captures = Vec::new();
    // `flow:key, flow:value`: the one group is the name of the other.
    let mut key = None;
    for (group, text) in (1..).zip(names) {
        let (prefix, name) = text.split_once(':').unwrap_or_default();
        let name = name.trim();
        let kind = kind(prefix)
            .ok_or_else(|| format!("`{text}` is not `flow:name`, `pkt:name` or `alert:name`"))?;
        let name = match (name, key.take()) {
            ("key", _) => {
                key = Some(group);
                continue;
            }
            ("value", Some(key)) => CaptureName::Group(key),
            (name, _) => CaptureName::Given(Arc::from(name)),
        };
        captures.push(Capture { group, kind, name });
    }
    if key.is_some() {
        return Err("a `key` needs the `value` behind it".to_owned());
    }
    Ok(captures)
}
