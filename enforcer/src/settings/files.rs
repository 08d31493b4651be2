//! What is known of files that transactions carry, and whether they are stored.

use std::path::PathBuf;

use serde::Deserialize;
use weir_engine::app_layer::{Digests, FileNeeds};

/// Files.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Files {
    /// Store files that `filestore` rules ask for.
    pub store: bool,
    /// Where: `<dir>/<first two digits of the SHA-256>/<SHA-256>`.
    pub dir: PathBuf,
    /// Write each stored file's record beside it.
    pub write_fileinfo: bool,
    /// Digests of every file, whatever the rules ask for.
    pub force_hash: Vec<Hash>,
    /// Tell of every file what kind it is.
    pub force_magic: bool,
    /// Bytes of a file that are stored at most: of a longer one its start is.
    pub max_file: u64,
    /// Bytes that one worker keeps of files that may have to be stored.
    pub memory: u64,
    /// Files that may wait to be written.
    pub queue: u16,
    /// Bytes of them, of all workers.
    pub queue_memory: u64,
    /// Bytes that the directory may hold, files of earlier runs counted in.
    pub max_store: u64,
}

/// Digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hash {
    /// MD5.
    Md5,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

impl Default for Files {
    fn default() -> Self {
        Self {
            store: false,
            dir: PathBuf::from("/var/log/weir/filestore"),
            write_fileinfo: false,
            force_hash: Vec::new(),
            force_magic: false,
            max_file: 8 << 20,
            memory: 64 << 20,
            queue: 64,
            queue_memory: 64 << 20,
            max_store: 10 << 30,
        }
    }
}

impl Files {
    /// What the engine is to know of files whatever the rules ask for, and whether it may keep them.
    #[must_use]
    pub fn needs(&self) -> FileNeeds {
        let forces = |hash| self.force_hash.contains(&hash);
        FileNeeds {
            hashes: Digests {
                md5: forces(Hash::Md5),
                sha1: forces(Hash::Sha1),
                sha256: forces(Hash::Sha256),
            },
            magic: self.force_magic,
            keep: self.store,
        }
    }

    /// What is wrong with the values, if anything.
    pub(super) fn problem(&self) -> Option<String> {
        if !self.store {
            return None;
        }
        if !self.dir.is_absolute() {
            return Some(format!(
                "outputs.files.dir is {}: a path from the root is needed",
                self.dir.display()
            ));
        }
        let least = self.memory.min(self.queue_memory).min(self.max_store);
        if self.queue == 0 || self.max_file == 0 || least < self.max_file {
            return Some(
                "outputs.files: queue and maxFile are at least 1; memory, queueMemory and maxStore are at \
                 least maxFile"
                    .to_owned(),
            );
        }
        None
    }
}
