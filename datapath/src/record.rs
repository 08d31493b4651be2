//! The attachment records on disk: `<run directory>/attachments/<tag>.json`, one file per attachment.
//!
//! Written by `weir-cni`, read by both. A file appears and changes atomically (temporary file in the same
//! directory, fsync, rename, fsync of the directory); names starting with a dot are not records. One bad
//! file never hides the others.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::attachment::{Attachment, AttachmentKey};

/// Why a record could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// File system trouble.
    #[error(
        "{action} `{path}`: {source}; check that the run directory exists and is writable by root"
    )]
    Io {
        /// What was tried.
        action: &'static str,
        /// File or directory.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// The file is no record.
    #[error("`{path}` is no attachment record: {detail}; detach the pod again or delete the file")]
    Corrupt {
        /// File.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// Written by another build.
    #[error(
        "`{path}` has record version {found}, this build knows {known}; run the build that wrote it or recreate the pod"
    )]
    Version {
        /// File.
        path: PathBuf,
        /// Version found.
        found: u64,
        /// Version this build knows.
        known: u32,
    },
    /// This part is not written yet.
    #[error("not available in this build: {0}")]
    NotBuilt(&'static str),
}

/// Lock over the attachments of one network; released when dropped.
#[derive(Debug)]
pub struct NetworkLock {
    _file: File,
}

/// The records below one run directory.
#[derive(Clone, Debug)]
pub struct RecordStore {
    run_dir: PathBuf,
}

impl RecordStore {
    /// A store below `run_dir`. Nothing is touched before the first write.
    #[must_use]
    pub fn new(run_dir: &Path) -> Self {
        Self {
            run_dir: run_dir.to_owned(),
        }
    }

    /// Directory of the record files, for watching.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        self.run_dir.join(crate::layout::ATTACHMENTS_DIR)
    }

    /// File of this attachment, whether it exists or not.
    #[must_use]
    pub fn path_of(&self, key: &AttachmentKey) -> PathBuf {
        self.directory()
            .join(format!("{}.json", crate::tag::KeyTag::of(key)))
    }

    /// Creates or replaces the record.
    ///
    /// # Errors
    /// [`RecordError::Io`]; an existing record is unchanged then.
    pub fn write(&self, _attachment: &Attachment) -> Result<(), RecordError> {
        Err(RecordError::NotBuilt("RecordStore::write"))
    }

    /// Removes the record; `false` if there was none.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn remove(&self, _key: &AttachmentKey) -> Result<bool, RecordError> {
        Err(RecordError::NotBuilt("RecordStore::remove"))
    }

    /// The record, if there is one.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn read(&self, _key: &AttachmentKey) -> Result<Option<Attachment>, RecordError> {
        Err(RecordError::NotBuilt("RecordStore::read"))
    }

    /// All records in the order of their file names, and what could not be read. No directory: no records.
    #[must_use]
    pub fn load_all(&self) -> (Vec<Attachment>, Vec<RecordError>) {
        (
            Vec::new(),
            vec![RecordError::NotBuilt("RecordStore::load_all")],
        )
    }

    /// Waits for the lock over one network's attachments (between processes, by `flock`).
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn lock(&self, _network: &str) -> Result<NetworkLock, RecordError> {
        Err(RecordError::NotBuilt("RecordStore::lock"))
    }
}
