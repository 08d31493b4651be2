//! Files that transactions carry, whatever the protocol.
//!
//! A parser has a [`File`] for each file of a transaction, opens it with what is wanted of files
//! ([`FileService`]), pushes what comes of it, and finishes it. What rules ask of it (`file.data`,
//! `file.name`, `file.magic`, `filesize`, digests) and what records tell of it come from here, so that a
//! further protocol only says where its files begin and end.
//!
//! Bounds: of a file's content a tail is kept ([`Content`]), of its name [`MAX_FILE_NAME`] bytes, of its start
//! [`magic::WANTED`] bytes; a transaction has at most [`MAX_FILES`] files in a direction. Whole files are kept
//! only while a rule may ask to store them, within [`FileMemory`].

mod content;
mod digest;
mod list;
mod magic;
mod needs;
mod several;

use crate::app_layer::BufferBytes;

use content::Content;
pub use digest::{Algorithm, Digests};
pub use list::{DigestList, DigestListError};
pub use needs::{FileMemory, FileNeeds, FileService};
pub(in crate::app_layer) use several::Files;

use digest::Hashers;
use needs::Kept;

/// Files that a transaction may have in one direction; the bytes of further ones are shown in the last.
pub const MAX_FILES: usize = 64;

/// Bytes of a file's name that are kept.
pub const MAX_FILE_NAME: usize = 1024;

/// What a buffer shows of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::app_layer) enum FilePart {
    /// `file.data`.
    Data,
    /// `file.name`.
    Name,
    /// `file.magic`.
    Magic,
}

/// How a file came to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileState {
    /// It has not.
    #[default]
    Open,
    /// All of it has come.
    Closed,
    /// Nothing more will come, though not all of it has: bytes are missing, or it broke off.
    Truncated,
}

/// A file that a transaction carries.
#[derive(Debug, Default)]
pub struct File {
    name: Vec<u8>,
    content: Content,
    state: FileState,
    /// Bytes were missing in it.
    gaps: bool,
    /// It is a part of another file, which starts there.
    part_of: Option<u64>,
    needs: FileNeeds,
    /// Its first bytes.
    start: Vec<u8>,
    magic: Vec<u8>,
    hashers: Option<Box<Hashers>>,
    kept: Kept,
}

impl File {
    /// Begins a file, which must be clear; but what came of it before this was known belongs to it too.
    pub(in crate::app_layer) fn open(&mut self, name: &[u8], service: &FileService) {
        self.set_name(name);
        self.needs = service.needs;
        let mut hashes = service.needs.hashes;
        // Stored files go by it.
        hashes.sha256 |= service.needs.keep;
        if hashes.any() {
            let hashers = self.hashers.get_or_insert_with(Box::default);
            hashers.start(hashes);
        }
        if service.needs.keep {
            self.kept.open(&service.memory);
        }
    }

    fn set_name(&mut self, name: &[u8]) {
        self.name.clear();
        self.name
            .extend_from_slice(name.get(..MAX_FILE_NAME).unwrap_or(name));
    }

    /// It is a part, from `offset` on, of a larger file.
    pub(in crate::app_layer) fn set_part_of(&mut self, offset: u64) {
        self.part_of = Some(offset);
    }

    /// What came of it before was let go: this is the rest.
    pub(in crate::app_layer) fn go_on(&mut self) {
        self.gaps = true;
    }

    /// Takes what follows of it.
    pub(in crate::app_layer) fn push(&mut self, bytes: &[u8]) {
        self.content.push(bytes);
        if self.needs.magic && self.magic.is_empty() {
            let room = magic::WANTED - self.start.len();
            let now = bytes.get(..room).unwrap_or(bytes);
            self.start.extend_from_slice(now);
            if self.start.len() == magic::WANTED {
                magic::describe(&self.start, &mut self.magic);
            }
        }
        if let Some(hashers) = self.hashers.as_deref_mut() {
            hashers.update(bytes);
        }
        self.kept.push(bytes);
    }

    /// Bytes of it are missing: what follows does not adjoin what came before.
    pub(in crate::app_layer) fn skip(&mut self, missing: u64) {
        self.content.skip(missing);
        self.gaps = true;
        self.kept.stop();
    }

    /// Further files, which have no room of their own, are shown in it: what comes of them is looked into,
    /// but neither kept nor hashed, and this one is never whole.
    pub(in crate::app_layer) fn spill(&mut self) {
        self.state = FileState::Open;
        self.gaps = true;
        self.content.reopen();
        self.kept.stop();
        if let Some(hashers) = self.hashers.as_deref_mut() {
            hashers.start(Digests::default());
        }
    }

    /// Nothing will follow. `whole`: all that was announced has come.
    pub(in crate::app_layer) fn finish(&mut self, whole: bool) {
        if self.state != FileState::Open {
            return;
        }
        let whole = whole && !self.gaps;
        self.state = if whole {
            FileState::Closed
        } else {
            FileState::Truncated
        };
        self.content.finish();
        if self.needs.magic && self.magic.is_empty() && self.content.view().is_some() {
            magic::describe(&self.start, &mut self.magic);
        }
        if let Some(hashers) = self.hashers.as_deref_mut() {
            hashers.finish(whole);
        }
    }

    /// What is fresh has been inspected: keeps `tail` bytes of it.
    pub(in crate::app_layer) fn inspected(&mut self, tail: usize) {
        self.content.inspected(tail);
    }

    /// Gives up memory that only what would follow needs.
    pub(in crate::app_layer) fn shrink(&mut self) {
        self.content.shrink();
    }

    /// Forgets it, keeping some memory.
    pub(in crate::app_layer) fn clear(&mut self) {
        self.name.clear();
        self.content.clear();
        self.state = FileState::Open;
        self.gaps = false;
        self.part_of = None;
        self.needs = FileNeeds::default();
        self.start.clear();
        self.magic.clear();
        if let Some(hashers) = self.hashers.as_deref_mut() {
            hashers.start(Digests::default());
        }
        self.kept.close();
    }

    /// One of its buffers; `None` before anything has come of it.
    pub(in crate::app_layer) fn buffer(&self, part: FilePart) -> Option<BufferBytes<'_>> {
        let view = self.content.view()?;
        match part {
            FilePart::Data => Some(view),
            FilePart::Name => (!self.name.is_empty()).then(|| BufferBytes::whole(&self.name)),
            FilePart::Magic => (!self.magic.is_empty()).then(|| BufferBytes::whole(&self.magic)),
        }
    }

    /// Something has come of it.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.content.view().is_some()
    }

    /// Its name, as far as [`MAX_FILE_NAME`] goes; empty where it has none.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Bytes that have come, those that are missing in between included.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.content.len()
    }

    /// How it came to its end, or that it has not.
    #[must_use]
    pub fn state(&self) -> FileState {
        self.state
    }

    /// Bytes of it were missing.
    #[must_use]
    pub fn has_gaps(&self) -> bool {
        self.gaps
    }

    /// Where in a larger file this part of it starts.
    #[must_use]
    pub fn part_of(&self) -> Option<u64> {
        self.part_of
    }

    /// All of it has come, and it is no part of a larger one: its size and digests say something.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.state == FileState::Closed && self.part_of.is_none()
    }

    /// What kind of file it is, where that was wanted.
    #[must_use]
    pub fn magic(&self) -> Option<&[u8]> {
        (!self.magic.is_empty()).then_some(&self.magic[..])
    }

    /// A digest of all of it, where it was wanted.
    #[must_use]
    pub fn digest(&self, algorithm: Algorithm) -> Option<&[u8]> {
        self.hashers.as_deref()?.digest(algorithm)
    }

    /// Its bytes, where they were wanted, and whether they are all that has come.
    #[must_use]
    pub fn kept(&self) -> Option<(&[u8], bool)> {
        self.kept.bytes()
    }
}

#[cfg(test)]
mod tests;
