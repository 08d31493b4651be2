//! What is wanted of files, and the memory that whole files may take.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Digests;

/// What is wanted of the files of a flow: by its rules, or by the settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileNeeds {
    /// Digests to be computed.
    pub hashes: Digests,
    /// Tell what kind of file it is.
    pub magic: bool,
    /// Keep whole files: a rule may ask to store them.
    pub keep: bool,
}

impl FileNeeds {
    /// What rules want (`self`) and settings want: whole files are kept where rules may ask for them and
    /// settings let them be stored.
    #[must_use]
    pub fn within(self, settings: Self) -> Self {
        Self {
            keep: self.keep && settings.keep,
            ..self.union(settings)
        }
    }

    /// What either wants.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self {
            hashes: self.hashes.union(other.hashes),
            magic: self.magic || other.magic,
            keep: self.keep || other.keep,
        }
    }
}

/// Memory for whole files, shared by the flows of a worker.
#[derive(Debug)]
pub struct FileMemory {
    used: AtomicUsize,
    /// Bytes of all files together.
    limit: usize,
    /// Bytes of one file.
    file: usize,
}

impl FileMemory {
    /// Memory of `limit` bytes, of which one file may take `file`.
    #[must_use]
    pub fn new(limit: usize, file: usize) -> Arc<Self> {
        Arc::new(Self {
            used: AtomicUsize::new(0),
            limit,
            file,
        })
    }

    /// Bytes in use.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: usize) -> bool {
        // One worker's flows use it one at a time; it is shared only so that it can outlive them.
        let used = self.used.load(Ordering::Relaxed);
        let fits = bytes <= self.limit.saturating_sub(used);
        if fits {
            self.used.store(used + bytes, Ordering::Relaxed);
        }
        fits
    }

    fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// What a parser needs to open files.
#[derive(Clone, Debug)]
pub struct FileService {
    /// What is wanted.
    pub needs: FileNeeds,
    /// Where whole files are kept.
    pub memory: Arc<FileMemory>,
}

impl Default for FileService {
    /// Nothing is wanted, nothing kept.
    fn default() -> Self {
        Self {
            needs: FileNeeds::default(),
            memory: FileMemory::new(0, 0),
        }
    }
}

/// The bytes of a file that may be stored.
#[derive(Debug, Default)]
pub(super) struct Kept {
    memory: Option<Arc<FileMemory>>,
    bytes: Vec<u8>,
    /// Not all that came is here.
    short: bool,
}

impl Kept {
    /// Begins to keep a file.
    pub(super) fn open(&mut self, memory: &Arc<FileMemory>) {
        self.close();
        self.memory = Some(Arc::clone(memory));
    }

    /// Keeps what follows, while there is room.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let Some(memory) = self.memory.as_deref().filter(|_| !self.short) else {
            return;
        };
        let room = memory.file.saturating_sub(self.bytes.len());
        let now = bytes.get(..room).unwrap_or(bytes);
        if !memory.take(now.len()) {
            self.short = true;
            return;
        }
        self.bytes.extend_from_slice(now);
        self.short = now.len() < bytes.len();
    }

    /// What follows does not adjoin.
    pub(super) fn stop(&mut self) {
        self.short = true;
    }

    /// What is kept, and whether it is all that came.
    pub(super) fn bytes(&self) -> Option<(&[u8], bool)> {
        self.memory.as_ref()?;
        Some((&self.bytes, !self.short))
    }

    /// Gives the memory back.
    pub(super) fn close(&mut self) {
        if let Some(memory) = self.memory.take() {
            memory.give_back(self.bytes.len());
        }
        self.bytes = Vec::new();
        self.short = false;
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.close();
    }
}
