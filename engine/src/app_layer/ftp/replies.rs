//! The replies of a transaction, line by line.

use super::{REPLIES, REPLY};

/// A reply code.
pub(super) type Code = [u8; 3];

/// Lines of replies, and the codes of the replies that they belong to.
#[derive(Debug, Default)]
pub(super) struct Replies {
    text: Vec<u8>,
    /// Where each line ends in `text`.
    ends: Vec<usize>,
    codes: Vec<Code>,
    /// A line was longer than what is kept of one.
    pub(super) truncated: bool,
}

/// Capacity that is kept for the next transaction.
const KEPT: usize = 4096;

impl Replies {
    /// Adds a line.
    pub(super) fn push(&mut self, line: &[u8]) {
        self.text.extend_from_slice(line);
        self.ends.push(self.text.len());
    }

    /// A reply of this code has begun.
    pub(super) fn begin(&mut self, code: Code) {
        self.codes.push(code);
    }

    /// The transaction takes no more.
    pub(super) fn is_full(&self) -> bool {
        self.ends.len() >= REPLIES || self.text.len() >= REPLY
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn codes(&self) -> usize {
        self.codes.len()
    }

    pub(super) fn line(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)?;
        let start = match index.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.text.get(start..end)
    }

    pub(super) fn code(&self, index: usize) -> Option<&[u8]> {
        self.codes.get(index).map(|code| &code[..])
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.text.shrink_to(KEPT);
        self.ends.clear();
        self.codes.clear();
        self.truncated = false;
    }
}

/// A line of a reply that has a code: the code, whether further lines follow, and the text.
pub(super) fn coded(line: &[u8]) -> Option<(Code, bool, &[u8])> {
    let (code, rest) = line.split_first_chunk::<3>()?;
    if !code.iter().all(u8::is_ascii_digit) {
        return None;
    }
    match rest.split_first() {
        None => Some((*code, false, rest)),
        Some((b' ', text)) => Some((*code, false, text)),
        Some((b'-', text)) => Some((*code, true, text)),
        Some(_) => None,
    }
}
