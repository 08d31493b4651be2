//! Where rules come from: files, and what weir ships.

use std::path::{Path, PathBuf};

use weir_engine::detect::{Classifications, RuleClass, RuleFiles};
use weir_policies::classification::Classes;
use weir_policies::rule::ast::Rule;
use weir_policies::{Diagnostic, Parsed};

use super::texts::Texts;
use super::{MAX_FILE, RulesError};
use crate::settings::pattern;

/// A text of rules.
pub(super) enum Source {
    /// A file.
    File(PathBuf),
    /// Shipped with weir.
    Shipped {
        /// Name of the rule file.
        name: &'static str,
        /// Its text.
        text: &'static str,
    },
}

/// A text of rules, parsed.
pub(super) struct ParsedFile {
    /// The enabled rules.
    pub(super) rules: Vec<Rule>,
    /// How many are not enabled: these are read, and not kept.
    pub(super) disabled: usize,
    pub(super) diagnostics: Vec<Diagnostic>,
    pub(super) skipped: usize,
}

impl From<Parsed> for ParsedFile {
    fn from(parsed: Parsed) -> Self {
        let mut rules = parsed.rules;
        let all = rules.len();
        rules.retain(|rule| rule.enabled);
        rules.shrink_to_fit();
        Self {
            disabled: all - rules.len(),
            rules,
            diagnostics: parsed.diagnostics,
            skipped: parsed.skipped.len(),
        }
    }
}

impl Source {
    /// The name that diagnostics give it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Shipped { name, .. } => format!("shipped:{name}"),
        }
    }

    pub(super) fn parse(&self, texts: &Texts) -> Result<ParsedFile, RulesError> {
        match self {
            Self::File(path) => Ok(weir_policies::parse_bytes(&texts.read(path, read)?).into()),
            Self::Shipped { text, .. } => Ok(weir_policies::parse(text).into()),
        }
    }

    /// Lets the text be kept, without reading it as rules.
    pub(super) fn keep(&self, texts: &Texts) -> Result<(), RulesError> {
        match self {
            Self::File(path) => texts.read(path, read).map(|_| ()),
            Self::Shipped { .. } => Ok(()),
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, RulesError> {
    let failed = |source| RulesError::Read {
        path: path.to_owned(),
        source,
    };
    let bytes = std::fs::metadata(path).map_err(failed)?.len();
    if bytes > MAX_FILE {
        return Err(RulesError::TooLarge {
            path: path.to_owned(),
            bytes,
        });
    }
    std::fs::read(path).map_err(failed)
}

/// Files that rules name, beside the file of the rules.
pub(super) struct Beside<'t>(pub(super) &'t Texts);

impl RuleFiles for Beside<'_> {
    fn read(&self, rules: &str, name: &str) -> Result<Vec<u8>, String> {
        let folder = Path::new(rules).parent().unwrap_or(Path::new(""));
        let path = folder.join(name);
        let text = self.0.read(&path, read).map_err(|error| match error {
            RulesError::Read { source, .. } => {
                format!("cannot read {}: {source}", path.display())
            }
            other => other.to_string(),
        })?;
        Ok(text.to_vec())
    }
}

/// The files that fit a pattern; at least one.
pub(super) fn expand(pattern: &str, texts: &Texts) -> Result<Vec<Source>, RulesError> {
    let files = texts.expand(pattern, pattern::expand);
    let files = files.map_err(|source| RulesError::List {
        pattern: pattern.to_owned(),
        source,
    })?;
    if files.is_empty() {
        return Err(RulesError::NoFile {
            pattern: pattern.to_owned(),
        });
    }
    Ok(files.into_iter().map(Source::File).collect())
}

/// The rules that weir ships.
pub(super) fn shipped() -> impl Iterator<Item = Source> {
    weir_policies::shipped::RULE_FILES
        .iter()
        .map(|&(name, text)| Source::Shipped { name, text })
}

/// Classes of a `classification.config`, or the shipped ones.
pub(super) struct RuleClasses(Classes);

impl Classifications for RuleClasses {
    fn class(&self, name: &str) -> Option<RuleClass<'_>> {
        self.0.get(name).map(|class| RuleClass {
            description: &class.description,
            priority: class.priority,
        })
    }
}

/// The classes of a file; lines that cannot be read are logged. `None`: the shipped ones.
pub(super) fn classes(path: Option<&Path>, texts: &Texts) -> Result<RuleClasses, RulesError> {
    let Some(path) = path else {
        return Ok(RuleClasses(Classes::shipped()));
    };
    let text = texts.read_text(path);
    let text = text.map_err(|source| RulesError::Classification {
        path: path.to_owned(),
        source,
    })?;
    let (classes, errors) = Classes::parse(&text);
    for error in errors {
        log::warn!("{}:{}: {}", path.display(), error.line, error.message);
    }
    Ok(RuleClasses(classes))
}
