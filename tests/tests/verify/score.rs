//! How well the cases went, tier by tier.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::case::{Alerts, Case, Outcome};

/// Cases of one rule family, so many that they would hide the rest.
const EVADER: &str = "http-evader/";

/// Sums over cases.
#[derive(Clone, Copy, Debug, Default)]
struct Score {
    cases: u64,
    exact: u64,
    /// Cases that expect an alert, and those of them that pass.
    loud: u64,
    loud_exact: u64,
    /// The same set of signatures fired, how often not being asked.
    detect: u64,
    expected: u64,
    seen: u64,
    /// Alerts that were expected and seen.
    common: u64,
    /// Prevent cases in which packets are dropped or should be, and those in which just these are.
    drops: u64,
    drops_exact: u64,
}

impl Score {
    fn add(&mut self, case: &Case, outcome: &Outcome) {
        let passes = case.passes(outcome);
        self.cases += 1;
        self.exact += u64::from(passes);
        self.loud += u64::from(!case.expected.is_empty());
        self.loud_exact += u64::from(passes && !case.expected.is_empty());
        let same_sids = case.expected.keys().eq(outcome.alerts.keys());
        self.detect += u64::from(!outcome.failed && same_sids);
        self.expected += case.expected.values().sum::<u64>();
        self.seen += outcome.alerts.values().sum::<u64>();
        self.common += common(&case.expected, &outcome.alerts);
        let same_drops = case.same_drops(outcome);
        self.drops += u64::from(same_drops.is_some());
        self.drops_exact += u64::from(same_drops == Some(true));
    }

    fn row(&self, name: &str) -> String {
        let percent = |part: u64, whole: u64| match whole {
            0 => "-".to_owned(),
            _ => format!("{}.{}", part * 100 / whole, part * 1000 / whole % 10),
        };
        format!(
            "| {name} | {}/{} | {} | {}/{} | {} | {} | {} | {}/{} |\n",
            self.exact,
            self.cases,
            percent(self.exact, self.cases),
            self.loud_exact,
            self.loud,
            percent(self.detect, self.cases),
            percent(self.common, self.expected),
            percent(self.common, self.seen),
            self.drops_exact,
            self.drops,
        )
    }
}

fn common(expected: &Alerts, seen: &Alerts) -> u64 {
    expected
        .iter()
        .map(|(sid, count)| seen.get(sid).map_or(0, |seen| *seen.min(count)))
        .sum()
}

fn tier_name(tier: Option<u64>) -> String {
    tier.map_or_else(|| "none".to_owned(), |tier| format!("T{tier}"))
}

/// A table of all tiers.
pub(crate) fn table(results: &[(&Case, &Outcome)]) -> String {
    let mut tiers: BTreeMap<(bool, Option<u64>), Score> = BTreeMap::new();
    let (mut all, mut without_evader) = (Score::default(), Score::default());
    for (case, outcome) in results {
        let key = (case.tier.is_none(), case.tier);
        tiers.entry(key).or_default().add(case, outcome);
        all.add(case, outcome);
        if !case.name.starts_with(EVADER) {
            without_evader.add(case, outcome);
        }
    }
    let mut table = String::from(
        "| tier | exact | % | of those with alerts | same sids % | recall % | precision % | same drops |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for ((_, tier), score) in &tiers {
        table.push_str(&score.row(&tier_name(*tier)));
    }
    table.push_str(&without_evader.row("all but http-evader"));
    table.push_str(&all.row("all"));
    table
}

/// One line for each case that drops other packets than it should.
pub(crate) fn other_drops(results: &[(&Case, &Outcome)]) -> String {
    let mut text = String::new();
    for (case, outcome) in results {
        if case.same_drops(outcome) == Some(false) {
            let tier = tier_name(case.tier);
            let dropped = outcome.drops.len();
            let _infallible = writeln!(
                text,
                "{tier} {}: other packets dropped ({dropped})",
                case.name
            );
        }
    }
    text
}

/// One line for each case that does not pass: what is missing, what is too much, what was in the way.
pub(crate) fn failures(results: &[(&Case, &Outcome)]) -> String {
    let mut text = String::new();
    for (case, outcome) in results {
        if case.passes(outcome) {
            continue;
        }
        let _infallible = writeln!(
            text,
            "{} {}{}{}",
            tier_name(case.tier),
            case.name,
            difference(&case.expected, &outcome.alerts),
            outcome
                .trouble
                .first()
                .map(|first| format!("; {first} ({} in all)", outcome.trouble.len()))
                .unwrap_or_default()
        );
    }
    text
}

fn difference(expected: &Alerts, seen: &Alerts) -> String {
    let sids: BTreeSet<_> = expected.keys().chain(seen.keys()).collect();
    let mut text = String::new();
    for sid in sids {
        let count = |alerts: &Alerts| alerts.get(sid).copied().unwrap_or(0);
        let (expected, seen) = (count(expected), count(seen));
        if expected != seen {
            let _infallible = write!(text, " {sid}: {seen} not {expected}");
        }
    }
    text
}
