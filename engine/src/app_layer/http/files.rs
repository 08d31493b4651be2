//! The files of a request whose body is a form (`multipart/form-data`), and names of files.

use super::content::Content;
use super::text::{Span, split_while};
use super::uri::Parts;

/// Files that one request may have; the bytes of further ones are shown in the last.
const FILES: usize = 64;

/// Bytes of a file's name that are kept.
pub(super) const NAME: usize = 1024;

/// Files in order. Memory is kept for their next use.
#[derive(Debug, Default)]
pub(super) struct Files {
    names: Vec<u8>,
    files: Vec<(Span, Content)>,
    used: usize,
}

impl Files {
    /// A file begins.
    pub(super) fn open(&mut self, name: &[u8]) {
        if self.used == FILES {
            return;
        }
        let from = self.names.len();
        self.names.extend_from_slice(name);
        let name = Span::new(from, self.names.len());
        if self.used == self.files.len() {
            self.files.push((name, Content::default()));
        } else if let Some(file) = self.files.get_mut(self.used) {
            file.0 = name;
        }
        self.used += 1;
    }

    /// The file that began last.
    pub(super) fn last(&mut self) -> Option<&mut Content> {
        let last = self.used.checked_sub(1)?;
        self.files.get_mut(last).map(|(_, content)| content)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.used == 0
    }

    pub(super) fn len(&self) -> usize {
        self.used
    }

    pub(super) fn content(&self, index: usize) -> Option<&Content> {
        let used = self.files.get(..self.used)?;
        used.get(index).map(|(_, content)| content)
    }

    pub(super) fn name(&self, index: usize) -> Option<&[u8]> {
        let used = self.files.get(..self.used)?;
        used.get(index).map(|(name, _)| name.of_buffer(&self.names))
    }

    /// What is fresh has been inspected.
    pub(super) fn inspected(&mut self, tail: usize) {
        for (_, content) in self.files.iter_mut().take(self.used) {
            content.inspected(tail);
        }
    }

    /// Nothing will follow.
    pub(super) fn finish(&mut self) {
        for (_, content) in self.files.iter_mut().take(self.used) {
            content.finish();
        }
    }

    pub(super) fn clear(&mut self) {
        for (_, content) in self.files.iter_mut().take(self.used) {
            content.clear();
        }
        self.used = 0;
        self.names.clear();
    }
}

/// The name of a file that goes by its URI: the last segment of the path.
pub(super) fn file_name<'a>(parts: &Parts, uri: &'a [u8]) -> &'a [u8] {
    let name = parts.last_segment(uri);
    name.get(..NAME).unwrap_or(name)
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
