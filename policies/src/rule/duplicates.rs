//! One enabled rule per (gid, sid).

use std::collections::{HashMap, HashSet};

use super::ast::Rule;
use super::diagnostic::Diagnostic;
use super::parser::Parsed;

/// Removes enabled rules whose (gid, sid) an enabled rule of the same or a higher revision has too,
/// and diagnoses them. Of two equal revisions the first stays.
pub(super) fn remove(parsed: &mut Parsed) {
    let mut best: HashMap<(u32, u32), usize> = HashMap::new();
    let mut losers: Vec<(usize, usize)> = Vec::new();
    for (index, rule) in parsed.rules.iter().enumerate() {
        if !rule.enabled {
            continue;
        }
        let key = (rule.meta.gid, rule.meta.sid);
        let Some(held) = best.get_mut(&key) else {
            best.insert(key, index);
            continue;
        };
        let newer = parsed
            .rules
            .get(*held)
            .is_some_and(|held| rule.meta.rev > held.meta.rev);
        if newer {
            losers.push((*held, index));
            *held = index;
        } else {
            losers.push((index, *held));
        }
    }
    if losers.is_empty() {
        return;
    }
    for (loser, winner) in &losers {
        if let (Some(loser), Some(winner)) = (parsed.rules.get(*loser), parsed.rules.get(*winner)) {
            parsed.diagnostics.push(duplicate(loser, winner));
        }
    }
    let lost: HashSet<usize> = losers.into_iter().map(|(loser, _)| loser).collect();
    let mut index = 0..;
    parsed
        .rules
        .retain(|_| index.next().is_none_or(|index| !lost.contains(&index)));
    parsed
        .diagnostics
        .sort_by_key(|diagnostic| diagnostic.position);
}

fn duplicate(loser: &Rule, winner: &Rule) -> Diagnostic {
    Diagnostic {
        position: loser.position,
        sid: Some(loser.meta.sid),
        keyword: Some("sid".to_owned()),
        message: format!(
            "the rule of line {} has the same sid and revision {}, this one has revision {}",
            winner.position.line, winner.meta.rev, loser.meta.rev
        ),
        enabled: true,
    }
}
