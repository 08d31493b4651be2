//! What is handed to the compiler, and what it answers.

use std::sync::Arc;

use weir_policies::rule::ast::{AddressExpr, PortExpr, Position};

use super::Adjustments;
use super::header::{NO_ADDRESS, NO_PORT};
use crate::detect::{DataSource, Limits, Reputation, RuleSet};

/// What rules need to know to be compiled.
#[derive(Clone, Copy)]
pub struct CompileEnv<'a> {
    /// Address and port variables.
    pub vars: &'a dyn Variables,
    /// Classes, for priority and category.
    pub classifications: &'a dyn Classifications,
    /// Files that rules name.
    pub files: &'a dyn RuleFiles,
    /// Limits that are built into compiled rules.
    pub limits: Limits,
    /// What is changed of the rules from outside.
    pub adjustments: Option<&'a Adjustments>,
    /// Scores of hosts.
    pub reputation: Option<&'a Reputation>,
    /// Sets that rules look buffers up in.
    pub data: Option<&'a dyn DataSource>,
}

impl<'a> CompileEnv<'a> {
    /// Variables, classes and limits; nothing beside them, no files.
    #[must_use]
    pub fn new(
        vars: &'a dyn Variables,
        classifications: &'a dyn Classifications,
        limits: Limits,
    ) -> Self {
        Self {
            vars,
            classifications,
            files: &NoRuleFiles,
            limits,
            adjustments: None,
            reputation: None,
            data: None,
        }
    }
}

/// Address and port variables by name, without the `$`.
pub trait Variables {
    /// The address group of that name.
    fn address(&self, name: &str) -> Option<&AddressExpr>;
    /// The port group of that name.
    fn port(&self, name: &str) -> Option<&PortExpr>;
}

/// No variables.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoVariables;

impl Variables for NoVariables {
    fn address(&self, _: &str) -> Option<&AddressExpr> {
        None
    }

    fn port(&self, _: &str) -> Option<&PortExpr> {
        None
    }
}

/// Files that rules name: lists of digests.
pub trait RuleFiles {
    /// The content of the file that a rule of the file `rules` calls `name`: beside it, unless the name is
    /// a path from the root.
    ///
    /// # Errors
    ///
    /// Why it cannot be had.
    fn read(&self, rules: &str, name: &str) -> Result<Vec<u8>, String>;
}

/// No files.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoRuleFiles;

impl RuleFiles for NoRuleFiles {
    fn read(&self, _: &str, name: &str) -> Result<Vec<u8>, String> {
        Err(format!("there is no file `{name}`"))
    }
}

/// What `classification.config` says of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleClass<'a> {
    /// What the class means.
    pub description: &'a str,
    /// Default priority of its rules, 1 (highest) to 255.
    pub priority: u8,
}

/// Classes by the name that `classtype` gives.
pub trait Classifications {
    /// The class of that name.
    fn class(&self, name: &str) -> Option<RuleClass<'_>>;
}

/// No classes: every rule without `priority` has priority 3.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoClassifications;

impl Classifications for NoClassifications {
    fn class(&self, _: &str) -> Option<RuleClass<'_>> {
        None
    }
}

/// Result of [`RuleSet::compile`].
#[derive(Debug)]
pub struct Compiled {
    /// The rules that can be evaluated.
    pub rule_set: Arc<RuleSet>,
    /// The others.
    pub refused: Vec<Refusal>,
    /// How many of which.
    pub counts: CompileCounts,
}

/// A rule that is not evaluated, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The rule's file.
    pub file: String,
    /// The option that stands in the way, or the rule's start.
    pub position: Position,
    /// Signature id.
    pub sid: u32,
    /// The keyword in the way; the protocol's name where that is in the way.
    pub keyword: String,
    /// What is wrong with it.
    pub reason: String,
    /// The protocol that its header names.
    pub protocol: String,
}

impl Refusal {
    /// Whether its addresses or ports are none, as the variables are set: it could never fire.
    #[must_use]
    pub fn stands_for_nothing(&self) -> bool {
        [NO_ADDRESS, NO_PORT].contains(&&*self.reason)
    }
}

/// What became of the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct CompileCounts {
    /// Rules that were compiled.
    pub loaded: usize,
    /// Enabled rules that were refused.
    pub refused: usize,
    /// Rules commented out.
    pub disabled: usize,
}

/// Why a rule cannot be compiled, before its file and sid are added.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) position: Position,
    pub(super) keyword: String,
    pub(super) reason: String,
}

impl Problem {
    pub(super) fn new(
        position: Position,
        keyword: impl Into<String>,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            position,
            keyword: keyword.into(),
            reason: reason.into(),
        }
    }
}
