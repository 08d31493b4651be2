//! The thread that stores files that rules asked for.
//!
//! A file is stored under its SHA-256, once: `<dir>/<first two digits>/<SHA-256>`; one that is there
//! already is touched. It is written under another name first, so that it is there whole or not at all. Where
//! asked for, its record stands beside it: `<SHA-256>.<seconds>.<number>.json`.
//!
//! Workers never wait: a full queue, or a directory that cannot be written, loses files, counted.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

use weir_engine::event::FileRecord;

use super::eve::EveFormatter;
use super::pods::Pods;
use crate::settings::Files;

/// A file on its way to the store.
#[derive(Debug)]
pub struct StoredFile {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its record, a line.
    pub record: Vec<u8>,
    /// When its record was made, seconds since the epoch.
    pub seconds: u64,
}

impl StoredFile {
    /// A file of which `bytes` are at hand.
    #[must_use]
    pub fn new(
        formatter: &EveFormatter,
        record: &FileRecord<'_>,
        bytes: &[u8],
        pods: &dyn Pods,
    ) -> Self {
        let mut line = Vec::new();
        formatter.fileinfo(record, true, pods, &mut line);
        Self {
            bytes: bytes.to_vec(),
            record: line,
            seconds: record.at.0 / 1_000_000_000,
        }
    }
}

/// What became of files.
#[derive(Debug, Default)]
pub struct FileStoreState {
    stored: AtomicU64,
    lost: AtomicU64,
}

impl FileStoreState {
    /// Files that are in the store.
    #[must_use]
    pub fn stored(&self) -> u64 {
        self.stored.load(Ordering::Relaxed)
    }

    /// Files lost: the queue was full, or they could not be written.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// A worker's way to the store; leads nowhere where files are not stored.
#[derive(Clone, Debug, Default)]
pub struct FileSink {
    queue: Option<SyncSender<StoredFile>>,
    state: Arc<FileStoreState>,
}

impl FileSink {
    /// Files are stored.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.queue.is_some()
    }

    /// Hands a file over, waiting for room.
    pub fn store_waiting(&self, file: StoredFile) {
        if let Some(queue) = &self.queue
            && queue.send(file).is_err()
        {
            self.state.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Hands a file over; never waits.
    pub fn store(&self, file: StoredFile) {
        let Some(queue) = &self.queue else {
            return;
        };
        if queue.try_send(file).is_err() {
            self.state.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Why there is no store.
#[derive(Debug, thiserror::Error)]
pub enum FileStoreError {
    /// The directory cannot be made.
    #[error("cannot create the directory for files, {path}: {source}; check outputs.files.dir", path = path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No thread could be started.
    #[error("cannot start the thread that stores files: {0}")]
    Thread(io::Error),
}

/// The store, as the service holds it.
#[derive(Debug, Default)]
pub struct FileStore {
    /// A way to it, to be cloned for each worker.
    pub sink: FileSink,
    /// What became of files.
    pub state: Arc<FileStoreState>,
    thread: Option<JoinHandle<()>>,
}

impl FileStore {
    /// Starts the thread, where files are to be stored at all.
    ///
    /// # Errors
    ///
    /// When the directory cannot be made, or there is no thread to be had.
    pub fn start(settings: &Files) -> Result<Self, FileStoreError> {
        if !settings.store {
            return Ok(Self::default());
        }
        fs::create_dir_all(&settings.dir).map_err(|source| FileStoreError::Directory {
            path: settings.dir.clone(),
            source,
        })?;
        let (queue, source) = sync_channel(usize::from(settings.queue));
        let state = Arc::new(FileStoreState::default());
        let writer = Writer {
            dir: settings.dir.clone(),
            records: settings.write_fileinfo,
            state: Arc::clone(&state),
            number: 0,
        };
        let thread = std::thread::Builder::new()
            .name("weir-files".to_owned())
            .spawn(move || writer.run(&source))
            .map_err(FileStoreError::Thread)?;
        Ok(Self {
            sink: FileSink {
                queue: Some(queue),
                state: Arc::clone(&state),
            },
            state,
            thread: Some(thread),
        })
    }

    /// Waits until all is stored. The workers' ways to it must be gone.
    pub fn finish(self) {
        drop(self.sink);
        if let Some(thread) = self.thread {
            // A panic there was logged; there is nothing more to be done about it.
            let _ = thread.join();
        }
    }
}

struct Writer {
    dir: PathBuf,
    records: bool,
    state: Arc<FileStoreState>,
    /// Files so far, for unique names.
    number: u64,
}

impl Writer {
    fn run(mut self, source: &Receiver<StoredFile>) {
        while let Ok(file) = source.recv() {
            let count = match self.store(&file) {
                Ok(()) => &self.state.stored,
                Err(error) => {
                    log::warn!("a file is lost: {}: {error}", self.dir.display());
                    &self.state.lost
                }
            };
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn store(&mut self, file: &StoredFile) -> io::Result<()> {
        self.number += 1;
        let digest = Sha256::digest(&file.bytes);
        let name: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let folder = self.dir.join(name.get(..2).unwrap_or_default());
        fs::create_dir_all(&folder)?;
        let path = folder.join(&name);
        match File::options().append(true).open(&path) {
            Ok(there) => there.set_modified(SystemTime::now())?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let unfinished = folder.join(format!("{name}.{}.tmp", self.number));
                let stored =
                    write(&unfinished, &file.bytes).and_then(|()| fs::rename(&unfinished, &path));
                if stored.is_err() {
                    // What a full disk holds of it is of no use; that it cannot be removed changes nothing.
                    let _ = fs::remove_file(&unfinished);
                }
                stored?;
            }
            Err(error) => return Err(error),
        }
        if self.records {
            let record = format!("{name}.{}.{}.json", file.seconds, self.number);
            write(&folder.join(record), &file.record)?;
        }
        Ok(())
    }
}

fn write(path: &std::path::Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o640)
        .open(path)?;
    file.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(name: &str) -> Files {
        let dir = std::env::temp_dir().join(format!("weir-files-{}-{name}", std::process::id()));
        Files {
            store: true,
            dir,
            write_fileinfo: true,
            ..Files::default()
        }
    }

    fn file(bytes: &[u8]) -> StoredFile {
        StoredFile {
            bytes: bytes.to_vec(),
            record: b"{}\n".to_vec(),
            seconds: 7,
        }
    }

    #[test]
    fn files_are_stored_once_under_their_digest_with_their_records() {
        const DIGEST: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let settings = settings("once");
        let store = FileStore::start(&settings).unwrap();
        store.sink.store(file(b"abc"));
        store.sink.store(file(b"abc"));
        let state = Arc::clone(&store.state);
        store.finish();
        assert_eq!((state.stored(), state.lost()), (2, 0));
        let folder = settings.dir.join("ba");
        assert_eq!(fs::read(folder.join(DIGEST)).unwrap(), b"abc");
        let mut names: Vec<String> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let record = |number| format!("{DIGEST}.7.{number}.json");
        assert_eq!(names, [DIGEST.to_owned(), record(1), record(2)]);
        fs::remove_dir_all(&settings.dir).unwrap();
    }

    #[test]
    fn files_that_do_not_fit_or_cannot_be_written_are_counted() {
        let (queue, source) = sync_channel(1);
        let sink = FileSink {
            queue: Some(queue),
            state: Arc::default(),
        };
        sink.store(file(b"a"));
        sink.store(file(b"b"));
        assert_eq!(sink.state.lost(), 1);
        let writer = Writer {
            dir: PathBuf::from("/proc/nowhere"),
            records: false,
            state: Arc::clone(&sink.state),
            number: 0,
        };
        let state = Arc::clone(&sink.state);
        drop(sink);
        writer.run(&source);
        assert_eq!((state.stored(), state.lost()), (0, 2));
    }

    #[test]
    fn nothing_is_stored_unless_asked_for() {
        let store = FileStore::start(&Files::default()).unwrap();
        assert!(!store.sink.is_on());
        store.sink.store(file(b"a"));
        let state = Arc::clone(&store.state);
        store.finish();
        assert_eq!((state.stored(), state.lost()), (0, 0));
    }
}
