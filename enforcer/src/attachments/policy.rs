//! What the policies of the ends of a frame come to.
//!
//! Each attachment has the policy it was wired under: the network's options, as the pod's annotations changed
//! them. The first policy of `weir.yaml` that fits its names is added to it: the tighter mode of the two, the rule
//! sets of both. So neither undoes what the other demands, unless that policy says `loosen`: then it takes the
//! place of the other. `mode` in the settings (or `--mode`) overrides all. Between two attached pods the tighter
//! mode applies, and the rules of both.

use std::collections::BTreeSet;

use weir_datapath::attachment::Attachment;
use weir_datapath::policy::Mode;
use weir_engine::frame::{self, RuleSetId};

use crate::settings::{DEFAULT_RULE_SET, PodPolicy, Settings, pattern};

/// Names of the rule sets that apply together. Never empty.
pub type Combination = BTreeSet<String>;

/// One attachment's policy, names resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// Detect or prevent.
    pub mode: Mode,
    /// Rule sets by name.
    pub rule_sets: Combination,
    /// Names that no rule set has: the default set stands in for them.
    pub unknown: Vec<String>,
}

/// The policy of an attachment.
#[must_use]
pub fn effective(attachment: &Attachment, settings: &Settings) -> Effective {
    let wired = &attachment.policy;
    let fits = settings.policies.iter().find(|p| fits(p, attachment));
    let mode = settings.mode.unwrap_or_else(|| mode(wired.mode, fits));
    let names = rule_set_names(&wired.rule_sets, fits);
    let (known, unknown): (Vec<&String>, Vec<&String>) = names
        .iter()
        .partition(|name| *name == DEFAULT_RULE_SET || settings.rule_sets.contains_key(*name));
    let mut rule_sets: Combination = known.into_iter().cloned().collect();
    if rule_sets.is_empty() || !unknown.is_empty() {
        rule_sets.insert(DEFAULT_RULE_SET.to_owned());
    }
    Effective {
        mode,
        rule_sets,
        unknown: unknown.into_iter().cloned().collect(),
    }
}

fn mode(wired: Mode, policy: Option<&PodPolicy>) -> Mode {
    match policy.and_then(|policy| Some((policy.mode?, policy.loosen))) {
        Some((mode, true)) => mode,
        Some((mode, false)) => mode.max(wired),
        None => wired,
    }
}

/// No name at all stands for the default set.
fn rule_set_names(wired: &[String], policy: Option<&PodPolicy>) -> Combination {
    let named = |names: &[String]| -> Combination {
        if names.is_empty() {
            Combination::from([DEFAULT_RULE_SET.to_owned()])
        } else {
            names.iter().cloned().collect()
        }
    };
    match policy.and_then(|policy| Some((policy.rule_sets.as_ref()?, policy.loosen))) {
        Some((sets, true)) => named(sets),
        Some((sets, false)) => &named(sets) | &named(wired),
        None => named(wired),
    }
}

fn fits(policy: &PodPolicy, attachment: &Attachment) -> bool {
    let any = |patterns: &[String], name: Option<&String>| {
        patterns.is_empty()
            || name.is_some_and(|name| patterns.iter().any(|p| pattern::matches(p, name)))
    };
    any(&policy.namespaces, attachment.pod.namespace.as_ref())
        && any(&policy.pods, attachment.pod.name.as_ref())
}

/// Every combination that frames between these policies can need, the default set first, and whether there are
/// more than `limit` (at least 2) of them. Those beyond are left out then, and the last one is made of all sets:
/// [`index_of`] answers with it.
#[must_use]
pub fn combinations(policies: &[Effective], limit: usize) -> (Vec<Combination>, bool) {
    let default = Combination::from([DEFAULT_RULE_SET.to_owned()]);
    let own: BTreeSet<&Combination> = policies.iter().map(|p| &p.rule_sets).collect();
    let mut wanted: BTreeSet<Combination> = own.iter().map(|&c| c.clone()).collect();
    'pairs: for a in &own {
        for b in &own {
            if wanted.len() > limit {
                break 'pairs;
            }
            wanted.insert(a.union(b).cloned().collect());
        }
    }
    wanted.remove(&default);
    let all = own.iter().fold(default.clone(), |all, c| &all | *c);
    let mut list = vec![default];
    let over = wanted.len() + 1 > limit;
    if over {
        list.extend(wanted.into_iter().take(limit.saturating_sub(2)));
        list.push(all);
    } else {
        list.extend(wanted);
    }
    (list, over)
}

/// The rule-set id of a combination within a [`combinations`]' answer; where it is not in there, of the last one
/// if that has all its sets, else of the default set (until what is missing is compiled).
#[must_use]
pub fn index_of(combinations: &[Combination], wanted: &Combination) -> RuleSetId {
    id(combinations, |c| c == wanted, |c| wanted.is_subset(c))
}

/// The rule-set id of two combinations together. Allocates nothing.
#[must_use]
pub fn union_index(combinations: &[Combination], a: &Combination, b: &Combination) -> RuleSetId {
    let has_both = |c: &Combination| a.is_subset(c) && b.is_subset(c);
    let is_union =
        |c: &Combination| has_both(c) && c.iter().all(|name| a.contains(name) || b.contains(name));
    id(combinations, is_union, has_both)
}

fn id(
    combinations: &[Combination],
    wanted: impl Fn(&Combination) -> bool,
    enough: impl Fn(&Combination) -> bool,
) -> RuleSetId {
    let found = combinations.iter().position(wanted);
    let last = combinations.len().saturating_sub(1);
    let stands_in = || combinations.get(last).is_some_and(enough);
    let index = found.unwrap_or_else(|| if stands_in() { last } else { 0 });
    RuleSetId(u8::try_from(index).unwrap_or(0))
}

/// The engine's word for a mode. What is off is not wired; frames that come all the same are
/// inspected, not acted upon.
#[must_use]
pub fn engine_mode(mode: Mode) -> frame::Mode {
    match mode {
        Mode::Prevent => frame::Mode::Prevent,
        Mode::Detect | Mode::Off => frame::Mode::Detect,
    }
}

#[cfg(test)]
mod tests {
    use super::super::snapshot::tests::attachment;
    use super::*;

    fn settings(yaml: &str) -> Settings {
        serde_saphyr::from_str(yaml).unwrap()
    }

    #[test]
    fn first_policy_that_fits_the_names_applies() {
        let settings = settings(
            "policies:\n- {namespaces: ['sh*'], pods: [web-?], mode: detect, loosen: true}\n- {mode: prevent}",
        );
        for (namespace, name, mode) in [
            (Some("shop"), "web-1", Mode::Detect),
            (Some("shop"), "db", Mode::Prevent),
            (Some("lab"), "web-1", Mode::Prevent),
            (None, "web-1", Mode::Prevent),
        ] {
            let mut pod = attachment(7, "10.0.0.1");
            pod.policy.mode = Mode::Detect;
            pod.pod.namespace = namespace.map(str::to_owned);
            pod.pod.name = Some(name.to_owned());
            assert_eq!(
                effective(&pod, &settings).mode,
                mode,
                "{namespace:?} {name}"
            );
        }
    }

    #[test]
    fn settings_add_to_what_was_wired_and_loosen_only_where_they_say_so() {
        // Wired mode and rule sets; the settings; what holds.
        let table = "
            prevent         |                                           | prevent default
            detect web      |                                           | detect web
            detect          | policies: [{mode: prevent}]               | prevent default
            prevent         | policies: [{mode: prevent}]               | prevent default
            prevent         | policies: [{mode: detect}]                | prevent default
            prevent         | policies: [{mode: detect, loosen: true}]  | detect default
            prevent web     | policies: [{ruleSets: [db]}]              | prevent db web
            prevent         | policies: [{ruleSets: [web]}]             | prevent default web
            prevent web     | policies: [{ruleSets: [db], loosen: true}] | prevent db
            prevent web     | policies: [{ruleSets: [], loosen: true}]  | prevent default
            detect web      | policies: [{loosen: true}]                | detect web
            prevent web     | mode: detect                              | detect web
            detect          | {mode: detect, policies: [{mode: prevent}]} | detect default";
        for line in table.lines().skip(1) {
            let mut cells = line.split('|').map(str::trim);
            let mut cell = || cells.next().unwrap();
            let (wired, yaml, expected) = (cell(), cell(), cell());
            let mut settings = settings(if yaml.is_empty() { "{}" } else { yaml });
            for name in ["web", "db"] {
                settings.rule_sets.insert(name.to_owned(), Vec::new());
            }
            let mut pod = attachment(7, "10.0.0.1");
            (pod.policy.mode, pod.policy.rule_sets) = mode_and_sets(wired);
            let found = effective(&pod, &settings);
            let sets: Vec<String> = found.rule_sets.into_iter().collect();
            assert_eq!((found.mode, sets), mode_and_sets(expected), "{line}");
        }
    }

    fn mode_and_sets(text: &str) -> (Mode, Vec<String>) {
        let mut words = text.split_whitespace();
        let mode = match words.next() {
            Some("detect") => Mode::Detect,
            _ => Mode::Prevent,
        };
        (mode, words.map(str::to_owned).collect())
    }

    #[test]
    fn unknown_rule_set_falls_back_to_the_default_one_and_is_told() {
        let mut pod = attachment(7, "10.0.0.1");
        pod.policy.rule_sets = vec!["nonsense".to_owned()];
        let policy = effective(&pod, &Settings::default());
        assert!(policy.rule_sets.contains(DEFAULT_RULE_SET));
        assert_eq!(policy.unknown, ["nonsense"]);
    }

    fn policy(sets: &[&str]) -> Effective {
        Effective {
            mode: Mode::Prevent,
            rule_sets: sets.iter().map(|&s| s.to_owned()).collect(),
            unknown: Vec::new(),
        }
    }

    #[test]
    fn combinations_hold_each_policy_and_each_pair() {
        let policies = [policy(&["a"]), policy(&["b"]), policy(&["default"])];
        let (list, over) = combinations(&policies, 64);
        assert!(!over);
        assert_eq!(list[0], policy(&["default"]).rule_sets);
        for sets in [
            &["a"][..],
            &["b"],
            &["a", "b"],
            &["a", "default"],
            &["b", "default"],
        ] {
            let wanted = policy(sets).rule_sets;
            assert_eq!(list[usize::from(index_of(&list, &wanted).0)], wanted);
        }
        assert_eq!(list.len(), 6);
    }

    #[test]
    fn too_many_combinations_end_in_all_rules() {
        let names: Vec<String> = (0..200).map(|n| format!("s{n}")).collect();
        let policies: Vec<Effective> = names.iter().map(|n| policy(&[n.as_str()])).collect();
        let (list, over) = combinations(&policies, 64);
        assert_eq!((list.len(), over), (64, true));
        let last = index_of(&list, &policy(&["s1", "s2", "s3"]).rule_sets);
        assert_eq!(list[usize::from(last.0)].len(), 201);
    }

    #[test]
    fn what_is_not_compiled_has_more_rules_meanwhile_or_the_default_ones() {
        let (list, over) = combinations(&[policy(&["a"]), policy(&["b"])], 4);
        assert_eq!((list.len(), over), (4, false));
        let (list, over) = combinations(&[policy(&["a"]), policy(&["b"])], 3);
        assert_eq!((list.len(), over), (3, true));
        let [a, b, c] = ["a", "b", "c"].map(|name| policy(&[name]).rule_sets);
        let all = list.len() - 1;
        assert_eq!(usize::from(index_of(&list, &b).0), all);
        assert_eq!(usize::from(union_index(&list, &a, &b).0), all);
        assert_eq!(index_of(&list, &c), RuleSetId(0));
        assert_eq!(union_index(&list, &a, &c), RuleSetId(0));
    }
}
