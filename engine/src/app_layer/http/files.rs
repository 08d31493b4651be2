//! The files of a request whose body is a form (`multipart/form-data`), and parameters of fields.

use super::text::split_while;
use crate::app_layer::{File, FileService, MAX_FILES};

/// Files in order. Memory is kept for their next use.
#[derive(Debug, Default)]
pub(super) struct Files {
    files: Vec<File>,
    used: usize,
}

impl Files {
    /// A file begins. One too many goes on with the last, which is no file of its own any more.
    pub(super) fn open(&mut self, name: &[u8], service: &FileService) {
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

    /// The file that began last.
    pub(super) fn last(&mut self) -> Option<&mut File> {
        let last = self.used.checked_sub(1)?;
        self.files.get_mut(last)
    }

    pub(super) fn get(&self, index: usize) -> Option<&File> {
        self.files.get(..self.used)?.get(index)
    }

    /// What is fresh has been inspected.
    pub(super) fn inspected(&mut self, tail: usize) {
        for file in self.files.iter_mut().take(self.used) {
            file.inspected(tail);
        }
    }

    /// Nothing will follow.
    pub(super) fn finish(&mut self, whole: bool) {
        for file in self.files.iter_mut().take(self.used) {
            file.finish(whole);
        }
    }

    pub(super) fn clear(&mut self) {
        for file in self.files.iter_mut().take(self.used) {
            file.clear();
        }
        self.used = 0;
    }
}

/// The value of a parameter (`; filename="x"`) of a field; `name` is lower case, `=` included.
pub(super) fn parameter<'a>(field: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut rest = field;
    loop {
        let at = rest.iter().position(|byte| *byte == b';')?;
        let (_, after) = split_while(rest.get(at + 1..)?, |byte| byte == b' ' || byte == b'\t');
        let (head, value) = after.split_at_checked(name.len())?;
        if !head.eq_ignore_ascii_case(name) {
            rest = after;
            continue;
        }
        let value = match value.strip_prefix(b"\"") {
            Some(quoted) => split_while(quoted, |byte| byte != b'"').0,
            None => split_while(value, |byte| !matches!(byte, b';' | b' ' | b'\t')).0,
        };
        return Some(value);
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

    #[test]
    fn parameters_are_found_quoted_or_not() {
        let field = b"form-data; name=\"a;b\"; FileName=\"x y.txt\"; z=1";
        assert_eq!(parameter(field, b"filename="), Some(&b"x y.txt"[..]));
        assert_eq!(parameter(field, b"z="), Some(&b"1"[..]));
        assert_eq!(parameter(field, b"w="), None);
        assert_eq!(
            parameter(b"attachment; filename=a.pdf;x", b"filename="),
            Some(&b"a.pdf"[..])
        );
    }
}
