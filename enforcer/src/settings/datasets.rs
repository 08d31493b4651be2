//! `datasets`: sets of data that rules look buffers up in.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

/// Where sets are kept, what rules may do to files, and sets that are described apart from rules.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Datasets {
    /// Directory of what `state` and `save` name; absent: such sets start empty and are not kept.
    pub data_dir: Option<PathBuf>,
    /// Rules may have sets written (`state`, `save`).
    pub allow_write: bool,
    /// Rules may name files to write by absolute paths, or with `..`.
    pub allow_absolute_names: bool,
    /// Bytes that all sets together may take.
    pub max_memory: u64,
    /// Sets by name.
    pub sets: BTreeMap<String, NamedSet>,
}

/// A set that is described in the settings. File names are relative to the data directory.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamedSet {
    /// `string`, `md5`, `sha256`, `ipv4` or `ip`.
    #[serde(rename = "type")]
    pub kind: String,
    /// File that is read.
    #[serde(default)]
    pub load: Option<String>,
    /// File that is written at the end.
    #[serde(default)]
    pub save: Option<String>,
    /// Both.
    #[serde(default)]
    pub state: Option<String>,
    /// Bytes of its values.
    #[serde(default)]
    pub memcap: Option<u64>,
}

impl Default for Datasets {
    fn default() -> Self {
        Self {
            data_dir: Some(PathBuf::from("/var/lib/weir")),
            allow_write: true,
            allow_absolute_names: false,
            max_memory: 256 << 20,
            sets: BTreeMap::new(),
        }
    }
}

impl Datasets {
    /// What is wrong with the values, if anything.
    pub(super) fn problem(&self) -> Option<String> {
        const KINDS: [&str; 5] = ["string", "md5", "sha256", "ipv4", "ip"];
        self.sets.iter().find_map(|(name, set)| {
            if !KINDS.contains(&set.kind.as_str()) {
                let kind = &set.kind;
                return Some(format!(
                    "datasets: set {name} has type {kind:?}: allowed are {KINDS:?}"
                ));
            }
            let mixed = set.state.is_some() && (set.load.is_some() || set.save.is_some());
            mixed.then(|| format!("datasets: set {name} mixes state with load or save"))
        })
    }
}
