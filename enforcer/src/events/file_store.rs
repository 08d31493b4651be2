//! The thread that stores files that rules asked for.
//!
//! A file is stored under its SHA-256, once: `<dir>/<first two digits>/<SHA-256>`; one that is there
//! already is touched. It is written under another name first, so that it is there whole or not at all. Where
//! asked for, its record stands beside it: `<SHA-256>.<seconds>.<number>.json`.
//!
//! Workers never wait: what does not fit the queue, in files and in bytes, is lost; so is what the directory
//! cannot take or may not hold any more. Losses are counted, and logged by the thread now and then.

mod disk;

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use weir_engine::event::FileRecord;

use super::eve::EveFormatter;
use super::pods::Pods;
use crate::settings::Files;

use disk::Writer;

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
    fn length(&self) -> u64 {
        u64::try_from(self.bytes.len()).unwrap_or(u64::MAX)
    }

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
            seconds: record.of.at.0 / 1_000_000_000,
        }
    }
}

/// What became of files.
#[derive(Debug, Default)]
pub struct FileStoreState {
    stored: AtomicU64,
    lost: AtomicU64,
    /// Bytes of files that wait to be written.
    queued: AtomicU64,
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

    /// Takes room in the queue for so many bytes; false: there is not so much.
    fn reserve(&self, length: u64, limit: u64) -> bool {
        let room = |queued: u64| queued.checked_add(length).filter(|sum| *sum <= limit);
        let taken = self
            .queued
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, room);
        taken.is_ok()
    }

    fn release(&self, length: u64) {
        self.queued.fetch_sub(length, Ordering::Relaxed);
    }

    fn lose(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }
}

/// A worker's way to the store; leads nowhere where files are not stored.
#[derive(Clone, Debug, Default)]
pub struct FileSink {
    queue: Option<SyncSender<StoredFile>>,
    /// Bytes that may wait to be written.
    room: u64,
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
        let Some(queue) = &self.queue else {
            return;
        };
        let length = file.length();
        // As many as the queue holds at most: whoever waits needs no other bound.
        self.state.queued.fetch_add(length, Ordering::Relaxed);
        if queue.send(file).is_err() {
            self.state.release(length);
            self.state.lose();
        }
    }

    /// Hands over a file of `length` bytes, made when there is room for it; never waits.
    pub fn store(&self, length: usize, make: impl FnOnce() -> StoredFile) {
        let Some(queue) = &self.queue else {
            return;
        };
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        if !self.state.reserve(length, self.room) {
            self.state.lose();
        } else if queue.try_send(make()).is_err() {
            self.state.release(length);
            self.state.lose();
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
        let writer = Writer::new(settings, Arc::clone(&state));
        let thread = std::thread::Builder::new()
            .name("weir-files".to_owned())
            .spawn(move || writer.run(&source))
            .map_err(FileStoreError::Thread)?;
        Ok(Self {
            sink: FileSink {
                queue: Some(queue),
                room: settings.queue_memory,
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
        store.sink.store(3, || file(b"abc"));
        store.sink.store(3, || file(b"abc"));
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
            room: 3,
            state: Arc::default(),
        };
        sink.store(4, || panic!("made without room"));
        sink.store(2, || file(b"ab"));
        sink.store(2, || panic!("made without room"));
        sink.store(1, || file(b"c"));
        assert_eq!(
            (sink.state.lost(), sink.state.queued.load(Ordering::Relaxed)),
            (3, 2)
        );
        let settings = Files {
            dir: PathBuf::from("/proc/nowhere"),
            ..Files::default()
        };
        let writer = Writer::new(&settings, Arc::clone(&sink.state));
        let state = Arc::clone(&sink.state);
        drop(sink);
        writer.run(&source);
        assert_eq!((state.stored(), state.lost()), (0, 4));
        assert_eq!(state.queued.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn nothing_is_stored_unless_asked_for() {
        let store = FileStore::start(&Files::default()).unwrap();
        assert!(!store.sink.is_on());
        store.sink.store(1, || file(b"a"));
        let state = Arc::clone(&store.state);
        store.finish();
        assert_eq!((state.stored(), state.lost()), (0, 0));
    }

    #[test]
    fn what_was_left_unfinished_is_removed_and_the_store_has_a_limit() {
        let settings = Files {
            write_fileinfo: false,
            max_store: 5,
            ..settings("limit")
        };
        let folder = settings.dir.join("00");
        fs::create_dir_all(&folder).unwrap();
        let digest = "0".repeat(64);
        let unfinished = folder.join(format!("{digest}.3.tmp"));
        fs::write(&unfinished, b"left").unwrap();
        fs::write(folder.join(&digest), b"abc").unwrap();
        let store = FileStore::start(&settings).unwrap();
        store.sink.store(2, || file(b"de"));
        store.sink.store(2, || file(b"de"));
        store.sink.store(1, || file(b"f"));
        let state = Arc::clone(&store.state);
        store.finish();
        assert_eq!((state.stored(), state.lost()), (2, 1));
        assert!(!unfinished.exists());
        fs::remove_dir_all(&settings.dir).unwrap();
    }
}
