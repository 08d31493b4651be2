//! `weir.yaml`: everything an operator can set, read once at start and again on reload.
//!
//! Absent file: the defaults. A key that is not known is an error with its line, never ignored.
//! Flags override (see [`crate::cli`]). `weir.yaml` at the top of the repository documents each key.

mod datasets;
mod eve;
mod exceptions;
mod files;
mod limits;
pub mod pattern;
mod urgent;

use std::path::{Path, PathBuf};

use serde::Deserialize;
use weir_datapath::layout::DEFAULT_RUN_DIR;
use weir_datapath::policy::Mode;

pub use datasets::{Datasets, NamedSet};
pub use eve::{Eve, EveTarget, EventType};
pub use exceptions::Exceptions;
pub use files::{Files, Hash};
pub use limits::Limits;
pub use urgent::Urgent;

/// Read unless `--config` names another; may be absent.
pub const DEFAULT_PATH: &str = "/etc/weir/weir.yaml";

/// Largest settings file that is read.
const MAX_BYTES: u64 = 4 << 20;

/// Most workers that can be asked for.
pub const MAX_WORKERS: u16 = 64;

/// The settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// Attachment records, control socket, lock.
    pub run_dir: PathBuf,
    /// Worker threads; absent: one per core.
    pub workers: Option<u16>,
    /// Mode of every attachment, whatever its own policy says.
    pub mode: Option<Mode>,
    /// Follow TCP flows that were open before the enforcer started.
    pub midstream: bool,
    /// Follow TCP flows of which only one half crosses the node's pods.
    pub async_oneside: bool,
    /// What befalls urgent data of TCP.
    pub urgent: Urgent,
    /// What befalls traffic that cannot be followed.
    pub exception_policies: Exceptions,
    /// Load the rules that weir ships.
    pub shipped_rules: bool,
    /// Files of the default rule set; `*` and `?` stand for parts of a name.
    pub rule_files: Vec<String>,
    /// Load rules again when their files change.
    pub watch_rules: bool,
    /// Further rule sets by name, as lists of files.
    pub rule_sets: std::collections::BTreeMap<String, Vec<String>>,
    /// Address and port groups that rules name.
    pub vars: weir_policies::vars::Vars,
    /// A `classification.config`; absent: the shipped one.
    pub classification: Option<PathBuf>,
    /// A `threshold.config`: thresholds, suppressions and rate filters apart from the rules.
    pub threshold_file: Option<PathBuf>,
    /// Sets of data that rules look buffers up in.
    pub datasets: Datasets,
    /// Files of IP reputation.
    pub reputation: Option<ReputationFiles>,
    /// Policies by namespace and pod name; the first that fits applies.
    pub policies: Vec<PodPolicy>,
    /// Bounds.
    pub limits: Limits,
    /// Outputs.
    pub outputs: Outputs,
}

/// A policy for the pods whose names fit. It tightens what the attachment was wired under.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodPolicy {
    /// Patterns; a pod fits when any does. Absent: every namespace.
    #[serde(default)]
    pub namespaces: Vec<String>,
    /// Patterns for the pod's name. Absent: every name.
    #[serde(default)]
    pub pods: Vec<String>,
    /// `detect` or `prevent`; absent: as wired.
    #[serde(default)]
    pub mode: Option<Mode>,
    /// Rule sets by name, besides the wired ones; absent: as wired.
    #[serde(default)]
    pub rule_sets: Option<Vec<String>>,
    /// Mode and rule sets hold even where what was wired is tighter, and in its place.
    #[serde(default)]
    pub loosen: bool,
}

/// Files of IP reputation (`iprep`), in Suricata's format.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReputationFiles {
    /// Categories: number, name, description.
    pub categories: PathBuf,
    /// Scores: address or network, category, score.
    pub files: Vec<PathBuf>,
}

impl ReputationFiles {
    /// Those files, where categories are given.
    #[must_use]
    pub fn of(categories: Option<PathBuf>, files: Vec<PathBuf>) -> Option<Self> {
        categories.map(|categories| Self { categories, files })
    }
}

/// Where events go.
#[derive(Clone, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Outputs {
    /// EVE JSON.
    pub eve: Eve,
    /// Files that transactions carry.
    pub files: Files,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            run_dir: PathBuf::from(DEFAULT_RUN_DIR),
            workers: None,
            mode: None,
            midstream: true,
            async_oneside: true,
            urgent: Urgent::default(),
            exception_policies: Exceptions::default(),
            shipped_rules: true,
            rule_files: Vec::new(),
            watch_rules: true,
            rule_sets: std::collections::BTreeMap::new(),
            vars: weir_policies::vars::Vars::default(),
            classification: None,
            threshold_file: None,
            datasets: Datasets::default(),
            reputation: None,
            policies: Vec::new(),
            limits: Limits::default(),
            outputs: Outputs::default(),
        }
    }
}

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read settings file {path}: {source}; check the path given with --config", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is absurdly large.
    #[error("settings file {path} has {bytes} bytes, more than the {MAX_BYTES} allowed; is it the right file?", path = path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// The file is not YAML of this shape.
    #[error("{path}:{line}:{column}: {message}", path = path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// 1-based line.
        line: u64,
        /// 1-based column.
        column: u64,
        /// What is wrong.
        message: String,
    },
    /// A value is out of bounds.
    #[error("{path}: {message}", path = path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
}

impl Settings {
    /// Reads `path`, or [`DEFAULT_PATH`] where it exists, or takes the defaults.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or does not have the documented shape.
    pub fn load(path: Option<&Path>) -> Result<Self, SettingsError> {
        match path {
            Some(path) => Self::read(path),
            None if Path::new(DEFAULT_PATH).exists() => Self::read(Path::new(DEFAULT_PATH)),
            None => Ok(Self::default()),
        }
    }

    fn read(path: &Path) -> Result<Self, SettingsError> {
        let settings: Self = read_yaml(path)?;
        match settings.problem() {
            Some(message) => Err(SettingsError::Value {
                path: path.to_owned(),
                message,
            }),
            None => Ok(settings),
        }
    }

    fn problem(&self) -> Option<String> {
        if let Some(workers) = self.workers
            && !(1..=MAX_WORKERS).contains(&workers)
        {
            return Some(format!(
                "workers is {workers}: allowed are 1 to {MAX_WORKERS}"
            ));
        }
        if self.mode == Some(Mode::Off) || self.policies.iter().any(|p| p.mode == Some(Mode::Off)) {
            return Some(
                "mode off is not for weir.yaml: allowed are detect and prevent; \
                 what is not to be inspected is set to off in the conflist"
                    .to_owned(),
            );
        }
        self.unknown_rule_set()
            .or_else(|| self.urgent.problem())
            .or_else(|| self.exception_policies.problem(self.midstream))
            .or_else(|| self.idle_policy())
            .or_else(|| self.limits.problem())
            .or_else(|| self.datasets.problem())
            .or_else(|| self.outputs.eve.problem())
            .or_else(|| self.outputs.files.problem())
    }

    /// Without `loosen` mode detect does nothing: no attachment is wired under a looser one.
    fn idle_policy(&self) -> Option<String> {
        let idle = |policy: &PodPolicy| policy.mode == Some(Mode::Detect) && !policy.loosen;
        let at = self.policies.iter().position(idle)? + 1;
        Some(format!(
            "policy {at} says mode: detect, which tightens nothing: add loosen: true to have it loosen what pods \
             were wired under, their annotations included, or remove it"
        ))
    }

    fn unknown_rule_set(&self) -> Option<String> {
        let named = self.policies.iter().filter_map(|p| p.rule_sets.as_ref());
        let unknown = named
            .flatten()
            .find(|name| !self.rule_sets.contains_key(*name) && *name != DEFAULT_RULE_SET)?;
        let known: Vec<&str> = self.rule_sets.keys().map(String::as_str).collect();
        Some(format!(
            "a policy names rule set {unknown:?}, which ruleSets does not define; defined are {DEFAULT_RULE_SET:?} and {known:?}"
        ))
    }
}

/// Name of the rule set that `ruleFiles` and the shipped rules make.
pub const DEFAULT_RULE_SET: &str = "default";

/// Reads a YAML file of bounded size.
///
/// # Errors
///
/// With path and line when it cannot be read or has another shape.
pub fn read_yaml<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, SettingsError> {
    let read = |source| SettingsError::Read {
        path: path.to_owned(),
        source,
    };
    let bytes = std::fs::metadata(path).map_err(read)?.len();
    if bytes > MAX_BYTES {
        return Err(SettingsError::TooLarge {
            path: path.to_owned(),
            bytes,
        });
    }
    let text = std::fs::read_to_string(path).map_err(read)?;
    parse_yaml(path, &text)
}

fn parse_yaml<T: serde::de::DeserializeOwned>(path: &Path, text: &str) -> Result<T, SettingsError> {
    // An empty file, or one of comments only, is null in YAML: it means the defaults.
    let blank = text.lines().all(|line| {
        let line = line.trim();
        line.is_empty() || line.starts_with('#') || line == "---"
    });
    serde_saphyr::from_str(if blank { "{}" } else { text }).map_err(|error| {
        let (line, column) = error
            .location()
            .map_or((1, 1), |at| (at.line(), at.column()));
        let message = error.without_snippet().to_string();
        SettingsError::Syntax {
            path: path.to_owned(),
            line,
            column,
            message,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Settings, SettingsError> {
        parse_yaml(Path::new("weir.yaml"), text)
    }

    #[test]
    fn nothing_means_the_defaults() {
        for text in ["", "# a comment\n\n---\n", "{}"] {
            let settings = parse(text).unwrap();
            assert_eq!(settings.run_dir, PathBuf::from(DEFAULT_RUN_DIR));
            assert!(settings.shipped_rules);
        }
    }

    #[test]
    fn unknown_key_is_named_with_its_line() {
        let error = parse("runDir: /run/x\nworkres: 3\n")
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("weir.yaml:2:"), "{error}");
        assert!(error.contains("workres"), "{error}");
    }

    #[test]
    fn wrong_type_is_named_with_its_line() {
        let error = parse("runDir: /run/x\nworkers: many\n")
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("weir.yaml:2:"), "{error}");
    }

    #[test]
    fn values_out_of_bounds_are_refused() {
        for (text, word) in [
            ("workers: 0", "workers"),
            ("limits: {batch: 0}", "batch"),
            ("limits: {eventQueue: 0}", "eventQueue"),
            ("limits: {socketBuffer: 5}", "socketBuffer"),
            ("limits: {flows: 3}", "flows"),
            ("limits: {streamMemory: 3}", "streamMemory"),
            ("outputs: {eve: {to: file}}", "path"),
            ("outputs: {eve: {to: stdout, path: /x}}", "path"),
            ("limits: {ruleCombinations: 1}", "ruleCombinations"),
            ("limits: {packetAlerts: 0}", "packetAlerts"),
            ("urgent: oob", "urgent is oob"),
            ("urgent: gap", "urgent is gap"),
            ("mode: off", "mode"),
            ("exceptionPolicies: {midstream: drop-flow}", "midstream"),
            ("policies: [{ruleSets: [web]}]", "web"),
            ("policies: [{mode: prevent}, {mode: detect}]", "policy 2"),
        ] {
            let problem = parse(text).unwrap().problem();
            assert!(problem.is_some_and(|p| p.contains(word)), "{text}");
        }
    }

    #[test]
    fn documented_example_loads() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../weir.yaml");
        let settings = Settings::load(Some(&path)).unwrap();
        assert_eq!(settings.limits, Limits::default());
        assert_eq!(settings.midstream, Settings::default().midstream);
        assert_eq!(settings.urgent, Urgent::default());
        let exceptions = settings.exception_policies;
        assert_eq!(exceptions, Exceptions::default());
    }
}
