//! The compiled rules.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::application::{self, Application};
use super::compile::Refusal;
use super::group::Groups;
use super::program::Program;
use super::{Signature, SignatureId};
use crate::app_layer::FileNeeds;

/// Numbers rule sets, so that what was remembered by a signature's id is not read with another set.
static GENERATIONS: AtomicU64 = AtomicU64::new(1);

/// What rules compile to. Immutable; workers share it by [`Arc`].
#[derive(Debug, Default)]
pub struct RuleSet {
    pub(super) signatures: Vec<Arc<Signature>>,
    /// What each signature tests, by the same index.
    pub(super) programs: Vec<Program>,
    pub(super) groups: Groups,
    /// Those on transactions of the application layer.
    pub(super) application: application::Groups,
    /// What must be known of files for them.
    file_needs: FileNeeds,
    /// Unique to this set; 0 for empty ones.
    pub(super) generation: u64,
}

impl RuleSet {
    /// A set that matches nothing.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// A set of signatures in evaluation order; empty, with all of them refused, where their fast
    /// patterns do not fit the prefilter.
    pub(super) fn assemble(entries: Vec<(Arc<Signature>, Program)>) -> (Self, Vec<Refusal>) {
        let (signatures, programs): (Vec<_>, Vec<_>) = entries.into_iter().unzip();
        let groups = Groups::build(&programs);
        match groups.and_then(|groups| Ok((groups, application::Groups::build(&programs)?))) {
            Ok((groups, application)) => {
                let applications = programs.iter().filter_map(|one| one.application.as_ref());
                let file_needs = applications
                    .map(Application::file_needs)
                    .fold(FileNeeds::default(), FileNeeds::union);
                let set = Self {
                    file_needs,
                    signatures,
                    programs,
                    groups,
                    application,
                    generation: GENERATIONS.fetch_add(1, Ordering::Relaxed),
                };
                (set, Vec::new())
            }
            Err(error) => {
                let refuse = |signature: &Arc<Signature>| Refusal {
                    file: String::new(),
                    position: Default::default(),
                    sid: signature.meta.sid,
                    keyword: "content".to_owned(),
                    protocol: String::new(),
                    reason: format!("the rules do not fit together: {error}"),
                };
                (Self::empty(), signatures.iter().map(refuse).collect())
            }
        }
    }

    /// The number of this set among all that were ever made; 0 for empty ones.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// What must be known of files for its signatures.
    #[must_use]
    pub fn file_needs(&self) -> FileNeeds {
        self.file_needs
    }

    /// Number of signatures.
    #[must_use]
    pub fn len(&self) -> usize {
        self.signatures.len()
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.signatures.is_empty()
    }

    /// A signature that this set reported.
    ///
    /// # Panics
    ///
    /// When `id` is of another set.
    #[must_use]
    pub fn signature(&self, id: SignatureId) -> &Arc<Signature> {
        &self.signatures[id.0 as usize]
    }

    /// All signatures, in the order they are evaluated in: by action (pass, drop, reject, alert), then
    /// by what they do to flow variables, then by priority.
    pub fn signatures(&self) -> impl Iterator<Item = &Signature> {
        self.signatures.iter().map(AsRef::as_ref)
    }

    pub(super) fn program(&self, id: SignatureId) -> Option<&Program> {
        self.programs.get(usize::try_from(id.0).ok()?)
    }
}
