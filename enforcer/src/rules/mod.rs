//! Rule files to rule sets, the same way for `enforce`, `replay` and `check`.
//!
//! Each file is read and parsed once; each combination of rule sets that frames can need is compiled
//! from its files. A rule that cannot be used is in the report with file, line and column; the others
//! load. Of two enabled rules with one gid and sid in different files the first stays.

mod report;
mod reputation;
mod source;
mod texts;
mod thresholds;
mod vars;
pub mod watch;

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use weir_engine::detect::{CompileEnv, Draft, Limits, RuleSet, Variables as _};
use weir_engine::pipeline::RuleSets;
use weir_policies::rule::ast::Rule;

use crate::attachments::policy::Combination;
use crate::data::{DataSets, Opening};
use crate::settings::{DEFAULT_RULE_SET, Settings};

pub use report::{Finding, Report};
use source::{ParsedFile, Source};
pub use texts::Texts;
pub use vars::{RuleVars, vars_from};

/// Largest rule file that is read.
pub const MAX_FILE: u64 = 256 << 20;

/// Why rules cannot be loaded at all.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// A file cannot be read.
    #[error("cannot read rule file {path}: {source}; check ruleFiles, ruleSets or --rules", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is absurdly large.
    #[error("rule file {path} has {bytes} bytes, more than the {MAX_FILE} allowed; is it the right file?", path = path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// A pattern fits no file.
    #[error("no file fits {pattern}; check ruleFiles, ruleSets or --rules")]
    NoFile {
        /// The pattern.
        pattern: String,
    },
    /// The directory of a pattern cannot be listed.
    #[error("cannot list the files that fit {pattern}: {source}")]
    List {
        /// The pattern.
        pattern: String,
        /// Why.
        source: std::io::Error,
    },
    /// The classification file cannot be read.
    #[error("cannot read {path}: {source}; check classification", path = path.display())]
    Classification {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The threshold file cannot be read.
    #[error("cannot read {path}: {source}; check thresholdFile or --threshold-config", path = path.display())]
    Thresholds {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file of IP reputation cannot be read.
    #[error("cannot read {path}: {source}; check reputation", path = path.display())]
    Reputation {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// No random numbers.
    #[error("cannot read /dev/urandom: {0}")]
    Seed(std::io::Error),
    /// There are enabled rules, and none of them can be used.
    #[error("none of the {refused} enabled rules can be used; the first: {first}")]
    NothingLoads {
        /// How many.
        refused: usize,
        /// What is wrong with the first.
        first: Finding,
    },
}

/// What loading comes to.
#[derive(Debug)]
pub struct Loaded {
    /// Compiled rule sets, by the combinations asked for.
    pub sets: RuleSets,
    /// What was loaded and what refused, of all files together.
    pub report: Report,
    /// The sets of data that they use.
    pub data: DataSets,
    /// The texts of their files.
    pub texts: Texts,
}

/// What is taken over from rules in force.
#[derive(Clone, Debug, Default)]
pub struct Before {
    /// Their sets of data.
    pub data: DataSets,
    /// Texts to compile again; `None`: all files are read anew.
    pub texts: Option<Texts>,
}

/// Loads what the settings name. `combinations` are the rule sets that frames can need, the default set
/// first (see [`crate::attachments::policy::combinations`]). `before` is what is in force.
///
/// # Errors
///
/// When a file cannot be read, or rules are enabled and none can be used.
pub fn load(
    settings: &Settings,
    combinations: &[Combination],
    before: &Before,
) -> Result<Loaded, RulesError> {
    let loaded = compile(settings, combinations, before)?;
    match loaded.report.first_refusal() {
        Some(first) if loaded.report.loaded == 0 => Err(RulesError::NothingLoads {
            refused: loaded.report.refused,
            first: first.clone(),
        }),
        _ => Ok(loaded),
    }
}

/// What `check` reports about these files: as [`load`], but never an error for rules.
///
/// # Errors
///
/// When a file cannot be read.
pub fn check(settings: &Settings) -> Result<Report, RulesError> {
    compile(settings, &[], &Before::default()).map(|loaded| loaded.report)
}

fn compile(
    settings: &Settings,
    combinations: &[Combination],
    before: &Before,
) -> Result<Loaded, RulesError> {
    // Without other sets there is nothing that a pod could need which is not compiled.
    let fresh = || Texts::new(!settings.rule_sets.is_empty());
    let texts = before.texts.clone().unwrap_or_else(fresh);
    let files = read_sets(settings, combinations, &texts)?;
    let vars = RuleVars::with_defaults(settings.vars.clone());
    let classes = source::classes(settings.classification.as_deref(), &texts)?;
    let mut report = Report::default();
    let thresholds = settings.threshold_file.as_deref();
    let adjustments = thresholds
        .map(|path| thresholds::read(path, (&vars, &texts), &files, &mut report))
        .transpose()?;
    let reputation = settings.reputation.as_ref();
    let reputation = reputation
        .map(|files| reputation::read(files, &texts, &mut report))
        .transpose()?;
    let seed = crate::worker::seed().map_err(RulesError::Seed)?;
    let opening = Opening::new(&settings.datasets, &before.data, seed);
    let opening = if before.texts.is_some() {
        opening.again()
    } else {
        opening
    };
    let env = CompileEnv {
        files: &source::Beside(&texts),
        adjustments: adjustments.as_ref(),
        data: Some(&opening),
        reputation: reputation.as_ref(),
        ..CompileEnv::new(&vars, &classes, Limits::default())
    };
    let mut sets = Vec::with_capacity(combinations.len().max(1));
    let default = Combination::from([DEFAULT_RULE_SET.to_owned()]);
    let wanted = if combinations.is_empty() {
        std::slice::from_ref(&default)
    } else {
        combinations
    };
    files.report_into(&mut report);
    let mut files = Some(files);
    let mut left = wanted.len();
    for combination in wanted {
        left -= 1;
        let rules = files
            .as_ref()
            .map(|files| files.rules(combination, &mut report));
        let draft = Draft::new(rules.unwrap_or_default(), &env);
        if left == 0 {
            // No tree is needed any more: their memory is free before the sets take theirs.
            files = None;
        }
        let compiled = draft.finish();
        report.add_compiled(&compiled);
        if let Some(home) = vars.address("HOME_NET") {
            let silent = compiled.rule_set.silent_inside(home, &vars);
            report.silent_at_home = report.silent_at_home.max(silent);
        }
        sets.push(compiled.rule_set);
    }
    report.count();
    Ok(Loaded {
        sets: rule_sets(sets, wanted),
        report,
        data: opening.finish(),
        texts,
    })
}

/// The sets, each by the names that it is combined from.
fn rule_sets(mut sets: Vec<Arc<RuleSet>>, combinations: &[Combination]) -> RuleSets {
    let name = |combination: &Combination| {
        let names: Vec<&str> = combination.iter().map(String::as_str).collect();
        Arc::from(names.join(","))
    };
    let names = combinations.iter().skip(1).map(name).collect();
    let others = sets.split_off(1.min(sets.len()));
    let default = sets.pop().unwrap_or_else(|| Arc::new(RuleSet::empty()));
    RuleSets::new(default, others).named(names)
}

/// Parses the files of all sets that are to be compiled. Those of the others are kept, for when they are.
fn read_sets(
    settings: &Settings,
    combinations: &[Combination],
    texts: &Texts,
) -> Result<Files, RulesError> {
    let mut files = Files::default();
    files.read_set(DEFAULT_RULE_SET, default_sources(settings, texts)?, texts)?;
    for (name, patterns) in &settings.rule_sets {
        if combinations.iter().any(|c| c.contains(name)) {
            files.read_set(name, expand_all(patterns, texts)?, texts)?;
        } else if texts.is_kept() {
            let sources = expand_all(patterns, texts);
            let kept = sources.and_then(|all| all.iter().try_for_each(|one| one.keep(texts)));
            if let Err(error) = kept {
                log::warn!("rule set {name}, which no pod needs yet: {error}");
            }
        }
    }
    Ok(files)
}

fn default_sources(settings: &Settings, texts: &Texts) -> Result<Vec<Source>, RulesError> {
    let mut sources = Vec::new();
    if settings.shipped_rules {
        sources.extend(source::shipped());
    }
    sources.extend(expand_all(&settings.rule_files, texts)?);
    Ok(sources)
}

fn expand_all(patterns: &[String], texts: &Texts) -> Result<Vec<Source>, RulesError> {
    let mut sources = Vec::new();
    for pattern in patterns {
        sources.extend(source::expand(pattern, texts)?);
    }
    Ok(sources)
}

/// Parsed files, and which sets they are in.
#[derive(Default)]
struct Files {
    parsed: BTreeMap<String, ParsedFile>,
    sets: BTreeMap<String, Vec<String>>,
}

impl Files {
    fn read_set(
        &mut self,
        set: &str,
        sources: Vec<Source>,
        texts: &Texts,
    ) -> Result<(), RulesError> {
        for source in sources {
            let name = source.name();
            if !self.parsed.contains_key(&name) {
                self.parsed.insert(name.clone(), source.parse(texts)?);
            }
            let names = self.sets.entry(set.to_owned()).or_default();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Ok(())
    }

    /// The rules of the sets together, each file once, each signature once.
    fn rules<'f>(&'f self, sets: &Combination, report: &mut Report) -> Vec<(&'f Rule, &'f str)> {
        let mut files = HashSet::new();
        let mut signatures = HashSet::new();
        let mut rules = Vec::new();
        let named = sets.iter().filter_map(|set| self.sets.get(set)).flatten();
        for name in named.filter(|name| files.insert(name.as_str())) {
            let Some((name, file)) = self.parsed.get_key_value(name) else {
                continue;
            };
            for rule in &file.rules {
                if signatures.insert((rule.meta.gid, rule.meta.sid)) {
                    rules.push((rule, name.as_str()));
                } else {
                    report.add_duplicate(rule, name);
                }
            }
        }
        rules
    }

    /// Whether an enabled rule of any file has that identity.
    fn has(&self, gid: u32, sid: u32) -> bool {
        let mut rules = self.parsed.values().flat_map(|file| &file.rules);
        rules.any(|rule| (rule.meta.gid, rule.meta.sid) == (gid, sid))
    }

    fn report_into(&self, report: &mut Report) {
        for (name, file) in &self.parsed {
            report.add_parsed(name, file);
        }
    }
}

#[cfg(test)]
mod tests;
