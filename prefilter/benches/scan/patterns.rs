//! The sets of patterns: of every rule of a folder its longest content.

use std::path::{Path, PathBuf};

/// What a rule looks for.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
    /// Case is ignored.
    pub(crate) nocase: bool,
}

/// The sets by name, smallest first.
pub(crate) fn sets() -> Vec<(String, Vec<Content>)> {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies/rules");
    let mut sets = vec![("shipped".to_owned(), contents(&shipped, &["alert", "drop"]))];
    let all = contents(&super::corpus("rules/etopen"), &["alert"]);
    for count in [100, 300, 1000, 5000, 10_000, all.len()] {
        let step = all.len().div_ceil(count).max(1);
        let some: Vec<Content> = all.iter().step_by(step).cloned().collect();
        sets.push((format!("et-{}", some.len()), some));
    }
    sets
}

fn contents(folder: &Path, actions: &[&str]) -> Vec<Content> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}: set WEIR_CORPUS", folder.display()))
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|name| name == "rules"))
        .collect();
    files.sort();
    let texts = files
        .iter()
        .map(|file| std::fs::read_to_string(file).unwrap_or_default());
    let rules: Vec<String> = texts
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    rules
        .iter()
        .filter(|line| actions.iter().any(|action| line.starts_with(action)))
        .filter_map(|line| longest(line))
        .collect()
}

fn longest(rule: &str) -> Option<Content> {
    rule.split("content:\"")
        .skip(1)
        .filter_map(|rest| {
            let (text, behind) = rest.split_once('"')?;
            let nocase = behind.split("content:").next()?.contains("nocase");
            let bytes = unescape(text)?;
            Some(Content { bytes, nocase })
        })
        .max_by_key(|content| content.bytes.len())
        .filter(|content| !content.bytes.is_empty())
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for (index, part) in text.split('|').enumerate() {
        if index % 2 == 0 {
            bytes.extend(part.replace('\\', "").bytes());
        } else {
            for hex in part.split_whitespace() {
                bytes.push(u8::from_str_radix(hex, 16).ok()?);
            }
        }
    }
    Some(bytes)
}
