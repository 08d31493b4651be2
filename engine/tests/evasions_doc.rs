//! `docs/evasions.md` names tests: every one of them exists.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The text of every Rust file below `folder`.
fn sources(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

/// Names of tests are sentences: several words, no path, no event (which are shorter or have digits).
fn is_test_name(code: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit();
    code.chars().all(plain) && code.matches('_').count() >= 4
}

#[test]
fn every_test_that_the_catalogue_names_exists() {
    let text = fs::read_to_string(root().join("docs/evasions.md")).unwrap();
    let mut code = String::new();
    for folder in ["engine/src", "engine/tests", "tests/tests"] {
        sources(&root().join(folder), &mut code);
    }
    let rows = text.lines().filter(|line| line.starts_with("| "));
    let (mut named, mut missing) = (0, Vec::new());
    for row in rows {
        // The last cell is the one that names tests.
        let cell = row
            .trim_end_matches([' ', '|'])
            .rsplit(" | ")
            .next()
            .unwrap();
        for name in cell
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|name| is_test_name(name))
        {
            named += 1;
            if !code.contains(&format!("fn {name}(")) {
                missing.push(name);
            }
        }
    }
    assert!(named > 60, "only {named} tests are named");
    assert_eq!(missing, [""; 0]);
}
