//! Texts of the files that rules come from, as they were when they were loaded.
//!
//! What a pod that comes needs is compiled from these: a file that somebody is editing meanwhile is looked at when
//! a reload asks for it, and not before.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The texts of one load. Cheap to clone; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    /// `None`: nothing is compiled again, and nothing is kept.
    kept: Option<Arc<Mutex<Kept>>>,
}

#[derive(Debug, Default)]
struct Kept {
    /// Files by the pattern that they fit.
    patterns: BTreeMap<String, Vec<PathBuf>>,
    files: BTreeMap<PathBuf, Arc<[u8]>>,
}

impl Texts {
    /// No texts yet; whether those that are read are kept.
    #[must_use]
    pub fn new(keep: bool) -> Self {
        Self {
            kept: keep.then(Arc::default),
        }
    }

    /// Whether they are kept.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.kept.is_some()
    }

    /// The files that fit a pattern: as they did first, else as `list` says.
    pub(super) fn expand(
        &self,
        pattern: &str,
        list: impl FnOnce(&str) -> io::Result<Vec<PathBuf>>,
    ) -> io::Result<Vec<PathBuf>> {
        if let Some(known) = self.with(|kept| kept.patterns.get(pattern).cloned()) {
            return Ok(known);
        }
        let files = list(pattern)?;
        self.with(|kept| kept.patterns.insert(pattern.to_owned(), files.clone()));
        Ok(files)
    }

    /// The text of a file: as it was first, else as `read` gives it.
    pub(super) fn read<E>(
        &self,
        path: &Path,
        read: impl FnOnce(&Path) -> Result<Vec<u8>, E>,
    ) -> Result<Arc<[u8]>, E> {
        if let Some(known) = self.with(|kept| kept.files.get(path).cloned()) {
            return Ok(known);
        }
        let text: Arc<[u8]> = read(path)?.into();
        self.with(|kept| kept.files.insert(path.to_owned(), Arc::clone(&text)));
        Ok(text)
    }

    /// The same, of a file whose text is UTF-8.
    pub(super) fn read_text(&self, path: &Path) -> io::Result<String> {
        let bytes = self.read(path, |path| std::fs::read(path))?;
        String::from_utf8(bytes.to_vec())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// Nothing that is done here can leave texts half changed: a lock that a panic left is taken all the same.
    fn with<T>(&self, act: impl FnOnce(&mut Kept) -> Option<T>) -> Option<T> {
        let kept = self.kept.as_ref()?;
        act(&mut kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
