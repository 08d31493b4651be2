//! Several files in one message: those of a form, those of a mail.

use super::{File, FileService, MAX_FILES};

/// Files in order. Memory is kept for their next use.
#[derive(Debug, Default)]
pub(in crate::app_layer) struct Files {
    files: Vec<File>,
    used: usize,
}

impl Files {
    /// A file begins. One too many goes on with the last, which is no file of its own any more.
    pub(in crate::app_layer) fn open(&mut self, name: &[u8], service: &FileService) {
        if self.used == MAX_FILES {
            if let Some(last) = self.last() {
                last.spill();
            }
            return;
        }
        if self.used == self.files.len() {
            self.files.push(File::default());
        }
        if let Some(file) = self.files.get_mut(self.used) {
            file.clear();
            file.open(name, service);
            self.used += 1;
        }
    }

    /// How many there are.
    pub(in crate::app_layer) fn len(&self) -> usize {
        self.used
    }

    /// The file that began last.
    pub(in crate::app_layer) fn last(&mut self) -> Option<&mut File> {
        let last = self.used.checked_sub(1)?;
        self.files.get_mut(last)
    }

    pub(in crate::app_layer) fn get(&self, index: usize) -> Option<&File> {
        self.files.get(..self.used)?.get(index)
    }

    /// Of files that are over, gives up memory beyond what they hold; `all`: the last is over, too.
    pub(in crate::app_layer) fn shrink(&mut self, all: bool) {
        let over = self.used.saturating_sub(usize::from(!all));
        self.files.iter_mut().take(over).for_each(File::shrink);
    }

    /// What is fresh has been inspected.
    pub(in crate::app_layer) fn inspected(&mut self, tail: usize) {
        for file in self.files.iter_mut().take(self.used) {
            file.inspected(tail);
        }
    }

    /// Nothing will follow.
    pub(in crate::app_layer) fn finish(&mut self, whole: bool) {
        for file in self.files.iter_mut().take(self.used) {
            file.finish(whole);
        }
    }

    pub(in crate::app_layer) fn clear(&mut self) {
        for file in self.files.iter_mut().take(self.used) {
            file.clear();
        }
        self.used = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app_layer::{Algorithm, Digests, FileMemory, FileNeeds, FileState};

    #[test]
    fn a_file_that_others_are_shown_in_says_nothing_of_itself() {
        let service = FileService {
            needs: FileNeeds {
                hashes: Digests::of(Algorithm::Sha256),
                magic: false,
                keep: true,
            },
            memory: FileMemory::new(1 << 20, 1 << 16),
        };
        let mut files = Files::default();
        for _ in 0..MAX_FILES + 2 {
            files.open(b"f", &service);
            let file = files.last().unwrap();
            file.push(b"abc");
            file.finish(true);
        }
        let whole = files.get(MAX_FILES - 2).unwrap();
        assert!(whole.is_whole() && whole.digest(Algorithm::Sha256).is_some());
        let last = files.get(MAX_FILES - 1).unwrap();
        assert_eq!((last.state(), last.size()), (FileState::Truncated, 9));
        assert_eq!(last.digest(Algorithm::Sha256), None);
        assert_eq!(last.kept(), Some((&b"abc"[..], false)));
        assert!(files.get(MAX_FILES).is_none());
    }
}
