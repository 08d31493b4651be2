//! The public rule sets and the verification rules, read as a whole.
//!
//! `WEIR_CORPUS` names the corpus; without it, it is looked for beside the workspace. Where there is
//! none the tests say so, and fail if `CI` is set.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

use weir_policies::rule::ast::Rule;
use weir_policies::rule::canonical;
use weir_policies::{Diagnostic, Parsed, parse, parse_bytes};

/// The corpus's root, or `None` where there is none to read.
fn corpus() -> Option<PathBuf> {
    let root = std::env::var_os("WEIR_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus"),
        PathBuf::from,
    );
    if root.is_dir() {
        return Some(root);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "no corpus at {}; set WEIR_CORPUS",
        root.display()
    );
    eprintln!("not run: no corpus at {}; set WEIR_CORPUS", root.display());
    None
}

/// All rule files below `directory`, sorted.
fn rule_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "rules")
            {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn parse_file(path: &Path) -> Parsed {
    parse_bytes(&fs::read(path).unwrap())
}

/// Every rule of a directory, with the problems found.
fn parse_all(directory: &Path) -> (Vec<Parsed>, Vec<String>) {
    let mut all = Vec::new();
    let mut problems = Vec::new();
    for path in rule_files(directory) {
        let parsed = parse_file(&path);
        problems.extend(
            parsed
                .diagnostics
                .iter()
                .map(|diagnostic: &Diagnostic| format!("{}:{diagnostic}", path.display())),
        );
        all.push(parsed);
    }
    (all, problems)
}

fn counts(all: &[Parsed]) -> (usize, usize, usize) {
    let rules = all.iter().flat_map(|parsed| &parsed.rules);
    (
        all.iter().map(|parsed| parsed.rules.len()).sum(),
        rules.filter(|rule| rule.enabled).count(),
        all.iter().map(|parsed| parsed.skipped.len()).sum(),
    )
}

/// Every rule, printed in either form, reads back to the same tree.
fn assert_prints_back(all: &[Parsed]) {
    for rule in all.iter().flat_map(|parsed| &parsed.rules) {
        let expected = rule.clone().without_positions();
        assert_eq!(reread(&rule.to_string()), expected);
        let unwritten = |rule: Rule| Rule {
            body: Box::default(),
            ..rule
        };
        let text = canonical(rule);
        assert_eq!(unwritten(reread(&text)), unwritten(expected), "{text}");
    }
}

fn reread(text: &str) -> Rule {
    let mut parsed = parse(text);
    assert_eq!(parsed.diagnostics, [], "{text}");
    parsed.rules.pop().expect("one rule").without_positions()
}

#[test]
fn the_public_rule_set_reads_without_a_diagnostic() {
    let Some(root) = corpus() else { return };
    let (all, problems) = parse_all(&root.join("rules/etopen"));
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(counts(&all), (39_936, 28_313, 0));
    assert_prints_back(&all);
}

#[test]
fn the_engine_event_rules_read_without_a_diagnostic() {
    let Some(root) = corpus() else { return };
    let (all, problems) = parse_all(&root.join("rules/engine-events"));
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(counts(&all).0, 494);
    assert_prints_back(&all);
}

/// Problems that the verification rules may have, with how many rules have them, and why.
const LISTED: [(&str, usize, &str); 3] = [
    (
        "is an action of firewall rules, which are not supported",
        329,
        "firewall rules are out of scope",
    ),
    (
        "expected `)` at the end of the rule",
        1,
        "text behind the closing parenthesis of a firewall rule",
    ),
    (
        "pcre: expected `/` at the start of the expression",
        2,
        "the anchor stands before the delimiter and would be ignored",
    ),
];

#[test]
fn the_verification_rules_read_or_are_refused_for_a_listed_reason() {
    let Some(root) = corpus() else { return };
    let (all, problems) = parse_all(&root.join("verify/data"));
    let unlisted: Vec<_> = problems
        .iter()
        .filter(|problem| !LISTED.iter().any(|(listed, ..)| problem.contains(listed)))
        .collect();
    assert_eq!(unlisted, Vec::<&String>::new());
    for (listed, count, why) in LISTED {
        let found = problems
            .iter()
            .filter(|problem| problem.contains(listed))
            .count();
        assert_eq!(found, count, "{listed} ({why})");
    }
    let sidless = all
        .iter()
        .flat_map(|parsed| &parsed.rules)
        .filter(|rule| rule.meta.sid == 0)
        .count();
    assert_eq!(sidless, 0);
    assert_prints_back(&all);
}
