//! What was loaded and what was not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;
use weir_engine::detect::{Compiled, Refusal};
use weir_policies::rule::ast::Rule;
use weir_policies::{Diagnostic, LineError};

use super::source::ParsedFile;

/// One rule that is not used, or one line that is no rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// The file.
    pub file: String,
    /// 1-based line.
    pub line: u32,
    /// 1-based column.
    pub column: u32,
    /// Signature id, where it could be read.
    pub sid: Option<u32>,
    /// The keyword in the way, where there is one.
    pub keyword: Option<String>,
    /// What is wrong.
    pub message: String,
    /// False where the rule is commented out.
    pub enabled: bool,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.file, self.line, self.column)?;
        if let Some(sid) = self.sid {
            write!(f, "sid {sid}: ")?;
        }
        if let Some(keyword) = &self.keyword {
            write!(f, "{keyword}: ")?;
        }
        f.write_str(&self.message)
    }
}

/// What became of the rules of all files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Rules in use (of the largest set).
    pub loaded: usize,
    /// Enabled rules that are not.
    pub refused: usize,
    /// Rules commented out.
    pub disabled: usize,
    /// Rules left out because their `requires` is not met.
    pub skipped: usize,
    /// What stands in the way, by file and line.
    pub diagnostics: Vec<Finding>,
    /// Lines of the threshold file, and of files of reputation, that are not applied.
    pub thresholds: Vec<Finding>,
    /// Enabled rules that are refused, by the keyword in the way, then by protocol.
    pub refused_by: BTreeMap<String, BTreeMap<String, usize>>,
    /// Those among the refused whose addresses or ports are none, as the variables are set.
    pub never: usize,
    /// Rules in use that cannot fire between two hosts of `HOME_NET`; absent where that is every address.
    pub silent_at_home: Option<usize>,
    #[serde(skip)]
    seen: BTreeSet<Finding>,
}

impl Report {
    /// The first enabled rule that is refused.
    #[must_use]
    pub fn first_refusal(&self) -> Option<&Finding> {
        self.diagnostics.iter().find(|finding| finding.enabled)
    }

    pub(super) fn add_compiled(&mut self, compiled: &Compiled) {
        self.loaded = self.loaded.max(compiled.counts.loaded);
        for refusal in &compiled.refused {
            if self.seen.insert(of_refusal(refusal)) {
                let by = self.refused_by.entry(refusal.keyword.clone()).or_default();
                *by.entry(refusal.protocol.clone()).or_default() += 1;
                self.never += usize::from(refusal.stands_for_nothing());
            }
        }
    }

    pub(super) fn add_duplicate(&mut self, rule: &Rule, file: &str) {
        self.seen.insert(Finding {
            file: file.to_owned(),
            line: rule.position.line,
            column: rule.position.column,
            sid: Some(rule.meta.sid),
            keyword: Some("sid".to_owned()),
            message: "a rule of another file that was read before has the same gid and sid"
                .to_owned(),
            enabled: true,
        });
    }

    pub(super) fn add_config(&mut self, file: &str, error: &LineError) {
        self.thresholds.push(Finding {
            file: file.to_owned(),
            line: u32::try_from(error.line).unwrap_or(u32::MAX),
            column: 1,
            sid: None,
            keyword: None,
            message: error.message.clone(),
            enabled: true,
        });
    }

    pub(super) fn add_parsed(&mut self, name: &str, file: &ParsedFile) {
        self.disabled += file.disabled;
        self.skipped += file.skipped;
        for diagnostic in &file.diagnostics {
            let new = self.seen.insert(of_diagnostic(name, diagnostic));
            if new && diagnostic.enabled {
                let keyword = diagnostic.keyword.as_deref().unwrap_or("syntax");
                let by = self.refused_by.entry(keyword.to_owned()).or_default();
                *by.entry("unread".to_owned()).or_default() += 1;
            }
        }
    }

    /// Sums up what was added. Several findings of one rule count once.
    pub(super) fn count(&mut self) {
        self.diagnostics = std::mem::take(&mut self.seen).into_iter().collect();
        let refused = self.diagnostics.iter().filter(|finding| finding.enabled);
        let rules: BTreeSet<_> = refused.map(|f| (&f.file, f.line)).collect();
        self.refused = rules.len();
    }
}

fn of_refusal(refusal: &Refusal) -> Finding {
    Finding {
        file: refusal.file.clone(),
        line: refusal.position.line,
        column: refusal.position.column,
        sid: Some(refusal.sid),
        keyword: Some(refusal.keyword.clone()),
        message: refusal.reason.clone(),
        enabled: true,
    }
}

fn of_diagnostic(file: &str, diagnostic: &Diagnostic) -> Finding {
    Finding {
        file: file.to_owned(),
        line: diagnostic.position.line,
        column: diagnostic.position.column,
        sid: diagnostic.sid,
        keyword: diagnostic.keyword.clone(),
        message: diagnostic.message.clone(),
        enabled: diagnostic.enabled,
    }
}
