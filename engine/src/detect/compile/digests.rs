//! Lists of digests that rules name, each read once.

use std::collections::HashMap;
use std::sync::Arc;

use super::env::RuleFiles;
use crate::app_layer::{Algorithm, DigestList};
use crate::detect::application::DigestLists;

/// Lists by the file of the rules that name them, and by algorithm and name.
pub(super) struct Lists<'a> {
    files: &'a dyn RuleFiles,
    /// The file of the rule at hand.
    rules: String,
    known: HashMap<(String, Algorithm, String), Arc<DigestList>>,
}

impl<'a> Lists<'a> {
    pub(super) fn new(files: &'a dyn RuleFiles) -> Self {
        Self {
            files,
            rules: String::new(),
            known: HashMap::new(),
        }
    }

    /// The file of the rule at hand.
    pub(super) fn file(&self) -> &str {
        &self.rules
    }

    /// The rules that follow are in that file.
    pub(super) fn of_file(&mut self, rules: &str) {
        if self.rules != rules {
            rules.clone_into(&mut self.rules);
        }
    }
}

impl DigestLists for Lists<'_> {
    fn list(&mut self, algorithm: Algorithm, name: &str) -> Result<Arc<DigestList>, String> {
        let key = (self.rules.clone(), algorithm, name.to_owned());
        if let Some(known) = self.known.get(&key) {
            return Ok(Arc::clone(known));
        }
        let content = self.files.read(&self.rules, name)?;
        let list = DigestList::read(algorithm, &content);
        let list = Arc::new(list.map_err(|error| format!("the list `{name}`: {error}"))?);
        self.known.insert(key, Arc::clone(&list));
        Ok(list)
    }
}
