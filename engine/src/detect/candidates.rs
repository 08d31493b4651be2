//! The signatures that a packet is to be tested with, collected from groups and prefilters.

use super::SignatureId;

/// Where a candidate was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// By its headers or in the packet's payload.
    Packet,
    /// In the stream.
    Stream,
    /// Both.
    Both,
}

/// A set of signatures with a place for every one of the rule set: adding never allocates.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    marks: Vec<Mark>,
    list: Vec<u32>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    packet: bool,
    stream: bool,
    /// Index in the window behind the last occurrence of the fast pattern; 0: none.
    end: usize,
}

impl Candidates {
    /// Makes place for `signatures` of them.
    pub(super) fn reserve(&mut self, signatures: usize) {
        self.clear();
        self.marks.resize(signatures, Mark::default());
        self.list.reserve(signatures);
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        for &index in &self.list {
            if let Some(mark) = self.marks.get_mut(index as usize) {
                *mark = Mark::default();
            }
        }
        self.list.clear();
    }

    pub(super) fn add_packet(&mut self, index: u32) {
        if let Some(mark) = self.mark(index) {
            mark.packet = true;
        }
    }

    pub(super) fn add_stream(&mut self, index: u32, end: usize) {
        if let Some(mark) = self.mark(index) {
            mark.stream = true;
            mark.end = mark.end.max(end);
        }
    }

    fn mark(&mut self, index: u32) -> Option<&mut Mark> {
        let mark = self.marks.get_mut(index as usize)?;
        if !mark.packet && !mark.stream {
            self.list.push(index);
        }
        Some(mark)
    }

    /// Brings them into evaluation order.
    pub(super) fn sort(&mut self) {
        self.list.sort_unstable();
    }

    /// The candidate at `position`: which, where it was found, and where its fast pattern ends.
    pub(super) fn get(&self, position: usize) -> Option<(SignatureId, Found, usize)> {
        let index = *self.list.get(position)?;
        let mark = self.marks.get(index as usize)?;
        let found = match (mark.packet, mark.stream) {
            (true, true) => Found::Both,
            (false, true) => Found::Stream,
            _ => Found::Packet,
        };
        Some((SignatureId(index), found, mark.end))
    }
}
