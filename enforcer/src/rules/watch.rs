//! Says when the files that rules come from have changed, by looking at them from time to time.
//!
//! A change counts when two looks in a row find the same: files are often written one after the other, and
//! rules that are half there must not be loaded.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::settings::{Settings, pattern};

/// What files looked like: their place, inode, size and time of change.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Look(Vec<(PathBuf, Option<Mark>)>);

/// Inode, size, and time of change.
type Mark = (u64, u64, i64, i64);

/// Notices changes of the files that settings name.
#[derive(Clone, Debug)]
pub struct RuleWatch {
    /// When the rules in force were loaded, or their reload was last tried.
    loaded: Look,
    last: Look,
}

impl RuleWatch {
    /// Rules are loaded from these files now.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let look = Look::at(settings);
        Self {
            last: look.clone(),
            loaded: look,
        }
    }

    /// Looks at the files: whether they have changed since the rules were loaded, and have come to rest. Says
    /// so once for each change.
    pub fn changed(&mut self, settings: &Settings) -> bool {
        let now = Look::at(settings);
        let at_rest = now == self.last;
        self.last = now;
        let changed = at_rest && self.last != self.loaded;
        if changed {
            self.loaded = self.last.clone();
        }
        changed
    }
}

impl Look {
    fn at(settings: &Settings) -> Self {
        let patterns = settings.rule_files.iter();
        let patterns = patterns.chain(settings.rule_sets.values().flatten());
        let mut paths: Vec<PathBuf> = patterns
            .flat_map(|pattern| pattern::expand(pattern).unwrap_or_default())
            .chain(settings.classification.clone())
            .chain(settings.threshold_file.clone())
            .chain(reputation(settings))
            .collect();
        paths.sort();
        paths.dedup();
        let looked = paths.into_iter().map(|path| (mark(&path), path));
        Self(looked.map(|(mark, path)| (path, mark)).collect())
    }
}

fn reputation(settings: &Settings) -> Vec<PathBuf> {
    let files = settings.reputation.as_ref();
    let files = files.map(|files| {
        let scores = files.files.iter().cloned();
        scores.chain([files.categories.clone()]).collect()
    });
    files.unwrap_or_default()
}

fn mark(path: &Path) -> Option<Mark> {
    let meta = std::fs::metadata(path).ok()?;
    Some((meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_once_when_it_has_come_to_rest() {
        let dir = std::env::temp_dir().join(format!("weir-watch-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.join(name), text).unwrap();
        write("a.rules", "1");
        let settings = Settings {
            rule_files: vec![dir.join("*.rules").display().to_string()],
            ..Settings::default()
        };
        let mut watch = RuleWatch::new(&settings);
        assert!(!watch.changed(&settings));
        write("a.rules", "12");
        assert!(!watch.changed(&settings), "it may go on changing");
        write("b.rules", "1");
        assert!(!watch.changed(&settings));
        assert!(watch.changed(&settings));
        assert!(!watch.changed(&settings));
        std::fs::remove_file(dir.join("b.rules")).unwrap();
        assert!(!watch.changed(&settings));
        assert!(watch.changed(&settings));
        write("a.txt", "no rule file");
        assert!(!watch.changed(&settings));
        assert!(!watch.changed(&settings));
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
