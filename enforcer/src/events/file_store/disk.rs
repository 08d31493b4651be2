//! The directory of stored files, and the thread that writes to it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant, SystemTime};

use sha2::{Digest as _, Sha256};

use super::{FileStoreState, StoredFile};
use crate::settings::Files;

/// Time between two lines of the log about lost files.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Time after which a full store is measured again: others may have removed files.
const MEASURE_EVERY: Duration = Duration::from_secs(60);

pub(super) struct Writer {
    dir: PathBuf,
    records: bool,
    state: Arc<FileStoreState>,
    /// Files so far, for unique names.
    number: u64,
    /// Bytes that the directory may hold, and those it holds.
    limit: u64,
    used: u64,
    measured: Instant,
    log: LossLog,
}

/// What the log was told of losses.
struct LossLog {
    /// When it may be told again.
    next: Instant,
    /// Losses that it knows of.
    told: u64,
    /// Why the last file could not be written.
    reason: Option<io::Error>,
}

impl Writer {
    pub(super) fn new(settings: &Files, state: Arc<FileStoreState>) -> Self {
        let now = Instant::now();
        Self {
            dir: settings.dir.clone(),
            records: settings.write_fileinfo,
            state,
            number: 0,
            limit: settings.max_store,
            used: 0,
            measured: now,
            log: LossLog {
                next: now,
                told: 0,
                reason: None,
            },
        }
    }

    /// Stores what comes, until nothing can come any more.
    pub(super) fn run(mut self, source: &Receiver<StoredFile>) {
        self.used = measure(&self.dir, true);
        while let Ok(file) = source.recv() {
            match self.store(&file) {
                Ok(()) => {
                    self.state.stored.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => {
                    self.state.lose();
                    self.log.reason = Some(error);
                }
            }
            self.state.release(file.length());
            self.log.tell(self.state.lost(), &self.dir, false);
        }
        self.log.tell(self.state.lost(), &self.dir, true);
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
                self.take_room(file.length())?;
                let unfinished = folder.join(format!("{name}.{}{UNFINISHED}", self.number));
                let stored =
                    write(&unfinished, &file.bytes).and_then(|()| fs::rename(&unfinished, &path));
                if stored.is_err() {
                    // What a full disk holds of it is of no use; that it cannot be removed changes nothing.
                    let _ = fs::remove_file(&unfinished);
                    self.used = self.used.saturating_sub(file.length());
                }
                stored?;
            }
            Err(error) => return Err(error),
        }
        if self.records {
            self.take_room(u64::try_from(file.record.len()).unwrap_or(u64::MAX))?;
            let record = format!("{name}.{}.{}.json", file.seconds, self.number);
            write(&folder.join(record), &file.record)?;
        }
        Ok(())
    }

    /// Takes room for so many bytes in the directory.
    fn take_room(&mut self, length: u64) -> io::Result<()> {
        let fits = |used: u64| used.checked_add(length).filter(|sum| *sum <= self.limit);
        if fits(self.used).is_none() && self.measured.elapsed() >= MEASURE_EVERY {
            self.measured = Instant::now();
            self.used = measure(&self.dir, false);
        }
        self.used = fits(self.used).ok_or_else(|| {
            io::Error::other(format!(
                "it holds {} of {} bytes: remove files, or raise outputs.files.maxStore",
                self.used, self.limit
            ))
        })?;
        Ok(())
    }
}

impl LossLog {
    /// Tells the log of losses that it does not know of, now and then.
    fn tell(&mut self, lost: u64, dir: &Path, last: bool) {
        let now = Instant::now();
        if lost == self.told || (now < self.next && !last) {
            return;
        }
        let news = lost.saturating_sub(self.told);
        match self.reason.take() {
            Some(reason) => log::warn!(
                "{news} files are lost, {lost} so far: {}: {reason}",
                dir.display()
            ),
            None => {
                log::warn!("{news} files are lost, {lost} so far: more came than could be written")
            }
        }
        self.told = lost;
        self.next = now + LOG_EVERY;
    }
}

/// Ends the name of a file that is being written.
const UNFINISHED: &str = ".tmp";

/// Bytes of the files in the store. `sweep`: what was left unfinished by an earlier process is removed.
fn measure(dir: &Path, sweep: bool) -> u64 {
    let entries = |dir: &Path| fs::read_dir(dir).into_iter().flatten().flatten();
    let mut bytes = 0_u64;
    for folder in entries(dir).filter(|entry| entry.file_name().len() == 2) {
        for file in entries(&folder.path()) {
            let unfinished = file.file_name().to_string_lossy().ends_with(UNFINISHED);
            if unfinished && sweep && fs::remove_file(file.path()).is_ok() {
                continue;
            }
            let length = file.metadata().map_or(0, |metadata| metadata.len());
            bytes = bytes.saturating_add(length);
        }
    }
    bytes
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o640)
        .open(path)?;
    file.write_all(bytes)
}
