//! The records, read again only where a file has changed: for the enforcer, which looks at all of them whenever
//! a pod comes or goes.
//!
//! A record changes by a rename over its file, which gives it another inode and time; a file that is as it was
//! need not be opened. Memory is bounded by the records on disk. Files that could not be read are read each time.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::{RecordError, RecordStore};
use crate::attachment::Attachment;

/// What changes whenever a record's content does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

/// The records of one store, with what was read of them before.
#[derive(Debug)]
pub struct RecordCache {
    store: RecordStore,
    /// By path, as text: a path is slow to hash.
    known: HashMap<OsString, (Stamp, Attachment)>,
}

impl RecordCache {
    /// An empty cache over `store`.
    #[must_use]
    pub fn new(store: RecordStore) -> Self {
        Self {
            store,
            known: HashMap::new(),
        }
    }

    /// The store itself.
    #[must_use]
    pub fn store(&self) -> &RecordStore {
        &self.store
    }

    /// As [`RecordStore::load_all`], and the same answer.
    pub fn load_all(&mut self) -> (Vec<Attachment>, Vec<RecordError>) {
        let mut known = std::mem::take(&mut self.known);
        let current = &mut self.known;
        self.store.load_with(|path| {
            // The stamp first: what is replaced while it is read has another one next time.
            let stamp = Stamp::of(path);
            let read = match known.remove(path.as_os_str()) {
                Some((then, record)) if Some(then) == stamp => Some(record),
                _ => super::read_file(path)?,
            };
            if let (Some(stamp), Some(record)) = (stamp, &read) {
                current.insert(path.into(), (stamp, record.clone()));
            }
            Ok(read)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{RunDir, record};
    use super::*;

    /// The uncached answer is the oracle.
    fn assert_current(cache: &mut RecordCache) {
        let (records, errors) = cache.load_all();
        let (expected, problems) = cache.store().load_all();
        assert_eq!(records, expected);
        let texts =
            |errors: &[RecordError]| errors.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(texts(&errors), texts(&problems));
    }

    #[test]
    fn every_change_of_the_files_shows_at_once() {
        let run = RunDir::new("cache");
        let store = run.store();
        let mut cache = RecordCache::new(store.clone());
        assert_current(&mut cache);
        let (mut one, two) = (record("net", "c1"), record("net", "c2"));
        store.write(&one).unwrap();
        store.write(&two).unwrap();
        assert_current(&mut cache);
        // Same length, at once: only the file is another.
        for ifindex in 1..9 {
            one.host_ifindex = ifindex;
            store.write(&one).unwrap();
            assert_current(&mut cache);
        }
        fs::write(store.path_of(&two.key), "{").unwrap();
        assert_current(&mut cache);
        assert_current(&mut cache);
        store.write(&two).unwrap();
        assert_current(&mut cache);
        store.remove(&one.key).unwrap();
        assert_current(&mut cache);
        assert_eq!(cache.known.len(), 1, "what is gone is forgotten");
    }

    #[test]
    fn an_unchanged_file_is_not_opened_again() {
        let run = RunDir::new("cache-unread");
        let store = run.store();
        store.write(&record("net", "c1")).unwrap();
        let mut cache = RecordCache::new(store);
        let path = cache.store().path_of(&record("net", "c1").key);
        assert_eq!(cache.load_all().0.len(), 1);
        let (_, held) = cache.known.get_mut(path.as_os_str()).unwrap();
        held.host_ifindex = 99;
        assert_eq!(cache.load_all().0[0].host_ifindex, 99);
    }
}
