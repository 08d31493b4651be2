//! The bytes of a body or file as they come: a tail that was inspected, and what is fresh.

use crate::app_layer::BufferBytes;

/// Capacity that is kept when a content is used again.
const KEPT: usize = 64 << 10;

/// A streaming buffer. Holds what is fresh and, behind it, a tail so that a match may straddle.
#[derive(Debug, Default)]
pub(in crate::app_layer) struct Content {
    bytes: Vec<u8>,
    /// Where `bytes` starts in the whole.
    offset: u64,
    /// Index in `bytes` of the first byte that was not inspected.
    fresh_from: usize,
    /// Something has come.
    begun: bool,
    complete: bool,
}

impl Content {
    /// Appends bytes.
    pub(in crate::app_layer) fn push(&mut self, bytes: &[u8]) {
        self.begun |= !bytes.is_empty();
        self.bytes.extend_from_slice(bytes);
    }

    /// Bytes are missing: what follows does not adjoin what came before.
    pub(in crate::app_layer) fn skip(&mut self, missing: u64) {
        self.offset = self
            .offset
            .saturating_add(self.bytes.len() as u64)
            .saturating_add(missing);
        self.bytes.clear();
        self.fresh_from = 0;
    }

    /// Nothing will follow.
    pub(in crate::app_layer) fn finish(&mut self) {
        self.complete = true;
    }

    /// More will follow after all.
    pub(in crate::app_layer) fn reopen(&mut self) {
        self.complete = false;
    }

    /// What is fresh has been inspected: keeps `tail` bytes of it.
    pub(in crate::app_layer) fn inspected(&mut self, tail: usize) {
        if self.bytes.len() > tail {
            let drop = self.bytes.len() - tail;
            self.bytes.drain(..drop);
            self.offset = self.offset.saturating_add(drop as u64);
            self.bytes.shrink_to(KEPT.max(tail));
        }
        self.fresh_from = self.bytes.len();
    }

    /// Gives up memory beyond what it holds: nothing much will follow.
    pub(in crate::app_layer) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
    }

    /// Bytes so far, those that are no longer held included.
    pub(in crate::app_layer) fn len(&self) -> u64 {
        self.offset.saturating_add(self.bytes.len() as u64)
    }

    /// What there is to look into; `None` before anything has come.
    pub(in crate::app_layer) fn view(&self) -> Option<BufferBytes<'_>> {
        self.begun.then(|| BufferBytes {
            bytes: &self.bytes,
            offset: self.offset,
            fresh_from: self.fresh_from,
            complete: self.complete,
        })
    }

    /// Empties it, keeping some memory.
    pub(in crate::app_layer) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
        self.offset = 0;
        self.fresh_from = 0;
        self.begun = false;
        self.complete = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_is_kept_behind_what_was_inspected() {
        let mut content = Content::default();
        assert_eq!(content.view(), None);
        content.push(b"abcdef");
        content.inspected(2);
        content.push(b"gh");
        content.finish();
        let view = content.view().unwrap();
        assert_eq!(view.bytes, b"efgh");
        assert_eq!((view.offset, view.fresh_from, view.complete), (4, 2, true));
        content.skip(10);
        assert_eq!(content.len(), 18);
    }
}
