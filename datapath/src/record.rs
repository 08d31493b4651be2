//! The attachment records on disk: `<run directory>/attachments/<tag>.json`, one file per attachment.
//!
//! Written by `weir-cni`, read by both. A file appears and changes atomically (temporary file in the same
//! directory, rename); names starting with a dot are not records. One bad file never hides the others.
//!
//! Nothing is synced: a record is about devices and rules in the kernel's memory and is of no use to the next
//! boot. Where the run directory outlives a crash of the machine, a record that did not reach the disk whole is
//! a bad file like any other.

mod cache;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};

use crate::attachment::{Attachment, AttachmentKey, RECORD_VERSION};
use crate::layout::{ATTACHMENTS_DIR, LOCKS_DIR};
use crate::tag::KeyTag;

pub use cache::RecordCache;

/// Largest record file that is read, in bytes. A record is a few hundred.
pub const MAX_RECORD: u64 = 64 * 1024;

/// Age from which a temporary file is taken for a dead writer's. A write takes milliseconds.
pub const ORPHAN_AGE: Duration = Duration::from_mins(10);

const SUFFIX: &str = ".json";
const TEMPORARY_PREFIX: &str = ".tmp-";

/// Distinguishes temporary files of one process.
static NEXT_TEMPORARY: AtomicU64 = AtomicU64::new(0);

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
}

/// Lock over the attachments of one network; released when dropped, also by the death of the process.
#[derive(Debug)]
pub struct NetworkLock {
    _file: Flock<File>,
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
        self.run_dir.join(ATTACHMENTS_DIR)
    }

    /// Creates the directory of the record files (mode 0700) where it is missing.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn create_directory(&self) -> Result<(), RecordError> {
        make_directory(&self.directory())
    }

    /// File of this attachment, whether it exists or not.
    #[must_use]
    pub fn path_of(&self, key: &AttachmentKey) -> PathBuf {
        self.directory().join(file_name(key))
    }

    /// Creates or replaces the record.
    ///
    /// # Errors
    /// [`RecordError::Io`]; an existing record is unchanged then.
    pub fn write(&self, attachment: &Attachment) -> Result<(), RecordError> {
        self.create_directory()?;
        let path = self.path_of(&attachment.key);
        let temporary = self.directory().join(format!(
            "{TEMPORARY_PREFIX}{}-{}",
            std::process::id(),
            NEXT_TEMPORARY.fetch_add(1, Ordering::Relaxed)
        ));
        let written =
            write_new(&temporary, attachment).and_then(|()| fs::rename(&temporary, &path));
        if let Err(source) = written {
            // Best effort: the name starts with a dot and is swept by the next reconcile.
            let _ = fs::remove_file(&temporary);
            return Err(io_error("write", &path, source));
        }
        Ok(())
    }

    /// Removes the record; `false` if there was none.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn remove(&self, key: &AttachmentKey) -> Result<bool, RecordError> {
        let path = self.path_of(key);
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if is_absent(&error) => Ok(false),
            Err(source) => Err(io_error("remove", &path, source)),
        }
    }

    /// The record, if there is one.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn read(&self, key: &AttachmentKey) -> Result<Option<Attachment>, RecordError> {
        read_file(&self.path_of(key))
    }

    /// Whether there is a record file for this tag, readable or not.
    #[must_use]
    pub fn has(&self, tag: &KeyTag) -> bool {
        // A tag from the kernel may be any text; a record's file name holds no slash and no leading dot.
        let name = tag.as_str();
        !name.contains('/')
            && !name.starts_with('.')
            && self.directory().join(format!("{name}{SUFFIX}")).exists()
    }

    /// The record in one file, for a reader that watches [`Self::directory`]. `None`: the file is gone, or its
    /// name is not that of a record.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn read_path(&self, path: &Path) -> Result<Option<Attachment>, RecordError> {
        if !is_record_name(path) {
            return Ok(None);
        }
        read_file(path)
    }

    /// All records in the order of their file names, and what could not be read. No directory: no records.
    #[must_use]
    pub fn load_all(&self) -> (Vec<Attachment>, Vec<RecordError>) {
        self.load_with(read_file)
    }

    fn load_with(
        &self,
        mut read: impl FnMut(&Path) -> Result<Option<Attachment>, RecordError>,
    ) -> (Vec<Attachment>, Vec<RecordError>) {
        let mut records = Vec::new();
        let mut errors = Vec::new();
        let mut paths = match list(&self.directory()) {
            Ok(paths) => paths,
            Err(source) => {
                errors.push(io_error("list", &self.directory(), source));
                Vec::new()
            }
        };
        paths.retain(|path| is_record_name(path));
        // All in one directory: the bytes order them as the paths would, and sooner.
        paths.sort_unstable_by(|one, other| one.as_os_str().cmp(other.as_os_str()));
        for path in paths {
            match read(&path) {
                Ok(Some(record)) => records.push(record),
                Ok(None) => {}
                Err(error) => errors.push(error),
            }
        }
        (records, errors)
    }

    /// The records of `network` whose attachment `is_valid` does not name: what GC has to detach and remove.
    /// Files that cannot be read are reported and never stale.
    #[must_use]
    pub fn stale(
        &self,
        network: &str,
        is_valid: impl Fn(&AttachmentKey) -> bool,
    ) -> (Vec<Attachment>, Vec<RecordError>) {
        let (mut records, errors) = self.load_all();
        records.retain(|record| record.key.network == network && !is_valid(&record.key));
        (records, errors)
    }

    /// Removes temporary files older than [`ORPHAN_AGE`], which killed writers left; returns how many.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn sweep_temporaries(&self) -> Result<usize, RecordError> {
        let directory = self.directory();
        let paths = list(&directory).map_err(|source| io_error("list", &directory, source))?;
        let mut removed = 0;
        for path in paths.iter().filter(|path| is_orphan(path)) {
            if fs::remove_file(path).is_ok() {
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Waits for the lock over one network's attachments (between processes, by `flock`).
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn lock(&self, network: &str) -> Result<NetworkLock, RecordError> {
        let directory = self.run_dir.join(LOCKS_DIR);
        make_directory(&directory)?;
        let stem = KeyTag::of(&AttachmentKey {
            network: network.to_owned(),
            container_id: String::new(),
            ifname: String::new(),
        });
        let path = directory.join(format!("{stem}.lock"));
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(|source| io_error("open", &path, source))?;
        let mut unlocked = file;
        loop {
            match Flock::lock(unlocked, FlockArg::LockExclusive) {
                Ok(file) => return Ok(NetworkLock { _file: file }),
                Err((file, nix::Error::EINTR)) => unlocked = file,
                Err((_, errno)) => return Err(io_error("lock", &path, errno.into())),
            }
        }
    }
}

fn file_name(key: &AttachmentKey) -> String {
    format!("{}{SUFFIX}", KeyTag::of(key))
}

fn is_record_name(path: &Path) -> bool {
    path.file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| !name.starts_with('.') && name.ends_with(SUFFIX))
}

/// A temporary file that no writer can still be at. By age, as the writer may live in another PID namespace.
fn is_orphan(path: &Path) -> bool {
    let temporary = path
        .file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| name.starts_with(TEMPORARY_PREFIX));
    temporary
        && fs::metadata(path)
            .and_then(|metadata| metadata.modified())
            .is_ok_and(|time| time.elapsed().is_ok_and(|age| age > ORPHAN_AGE))
}

fn list(directory: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(directory) {
        Ok(entries) => entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect(),
        Err(error) if is_absent(&error) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn make_directory(directory: &Path) -> Result<(), RecordError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|source| io_error("create directory", directory, source))
}

fn write_new(path: &Path, attachment: &Attachment) -> io::Result<()> {
    let mut text = serde_json::to_vec_pretty(attachment)?;
    text.push(b'\n');
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(&text)
}

fn read_file(path: &Path) -> Result<Option<Attachment>, RecordError> {
    let mut text = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_RECORD + 1).read_to_end(&mut text));
    match read {
        Ok(_) if text.len() as u64 > MAX_RECORD => {
            Err(corrupt(path, format!("longer than {MAX_RECORD} bytes")))
        }
        Ok(_) => parse(path, &text).map(Some),
        Err(error) if is_absent(&error) => Ok(None),
        Err(source) => Err(io_error("read", path, source)),
    }
}

fn parse(path: &Path, text: &[u8]) -> Result<Attachment, RecordError> {
    let value: serde_json::Value =
        serde_json::from_slice(text).map_err(|error| corrupt(path, error.to_string()))?;
    let found = value
        .get("version")
        .and_then(serde_json::Value::as_u64)
        .ok_or_else(|| corrupt(path, "no number `version`".to_owned()))?;
    if found != u64::from(RECORD_VERSION) {
        return Err(RecordError::Version {
            path: path.to_owned(),
            found,
            known: RECORD_VERSION,
        });
    }
    let record: Attachment =
        serde_json::from_value(value).map_err(|error| corrupt(path, error.to_string()))?;
    let expected = file_name(&record.key);
    if path.file_name().and_then(|name| name.to_str()) != Some(expected.as_str()) {
        return Err(corrupt(
            path,
            format!("its content belongs in `{expected}`"),
        ));
    }
    Ok(record)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> RecordError {
    RecordError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

fn corrupt(path: &Path, detail: String) -> RecordError {
    RecordError::Corrupt {
        path: path.to_owned(),
        detail,
    }
}

#[cfg(test)]
mod tests;
