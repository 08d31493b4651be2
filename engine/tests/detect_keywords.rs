//! `docs/keywords.md` says of every evaluated keyword what it means, and of no other.
//!
//! With `WEIR_WRITE_DOCS=1` the table is written anew: rows of known keywords are kept, new ones are
//! added with nothing said of them, which fails the test until something is.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use weir_engine::detect::evaluated_keywords;

const BEGIN: &str = "<!-- keywords: begin -->\n";
const END: &str = "<!-- keywords: end -->\n";

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/keywords.md")
}

/// Keyword to meaning, from rows like "| `ttl` | hop limit |".
fn rows(table: &str) -> BTreeMap<String, String> {
    let row = |line: &str| {
        let (keyword, meaning) = line.strip_prefix("| `")?.split_once("` |")?;
        let meaning = meaning.trim().trim_end_matches('|').trim();
        Some((keyword.to_owned(), meaning.to_owned()))
    };
    table.lines().filter_map(row).collect()
}

fn write(text: &str, known: &BTreeMap<String, String>) -> String {
    let (before, _) = text.split_once(BEGIN).unwrap();
    let (_, after) = text.split_once(END).unwrap();
    let mut table = String::from("| keyword | meaning |\n| --- | --- |\n");
    for keyword in evaluated_keywords() {
        let meaning = known.get(*keyword).map_or("", String::as_str);
        table.push_str(&format!("| `{keyword}` | {meaning} |\n"));
    }
    format!("{before}{BEGIN}{table}{END}{after}")
}

#[test]
fn every_evaluated_keyword_is_documented_and_no_other() {
    let mut text = fs::read_to_string(path()).unwrap();
    let table = |text: &str| {
        let (_, rest) = text.split_once(BEGIN).unwrap();
        rows(rest.split_once(END).unwrap().0)
    };
    if std::env::var_os("WEIR_WRITE_DOCS").is_some() {
        text = write(&text, &table(&text));
        fs::write(path(), &text).unwrap();
    }
    let documented = table(&text);
    let hint = "run this test with WEIR_WRITE_DOCS=1, then fill in docs/keywords.md";
    let keywords: Vec<&str> = documented.keys().map(String::as_str).collect();
    assert_eq!(keywords, evaluated_keywords(), "{hint}");
    for (keyword, meaning) in &documented {
        assert!(!meaning.is_empty(), "`{keyword}` has no meaning: {hint}");
    }
}
