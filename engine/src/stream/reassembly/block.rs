//! The memory of one direction: bytes by offset, in one block.
//!
//! The bytes kept are one run of offsets, from `base` to the highest one written. They lie in the block in
//! order. When the run reaches the block's end, or enough is free at the start, it is not moved: the block is
//! *turned*. What comes then is written to the block's start, behind a copy of the last bytes in front of it, so that a
//! view of these and what follows is contiguous; older bytes stay at the block's end until they are given
//! up.
//!
//! ```text
//! not turned   [ free | base ............... end | free ]
//! turned       [ front ....... end | free | base ... front (.. end at the turn) ]
//! ```
//!
//! So a long stream costs one copy of each byte, and takes little more memory than is kept of it, which
//! keeps it in the processor's caches.

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Block {
    bytes: Vec<u8>,
    base: i64,
    /// First offset of the part that ends with the highest one; `base` where the block is not turned.
    front: i64,
    /// Index of `front`.
    head: usize,
    /// Where the older bytes lie, while the block is turned.
    tail: Option<Tail>,
}

/// Older bytes at the end of a turned block.
#[derive(Clone, Copy, Debug)]
struct Tail {
    /// Index of `base`.
    start: usize,
    /// Offset behind the last of them: the last ones are in front of the newer bytes too.
    until: i64,
}

impl Block {
    /// Bytes of memory.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// First offset kept.
    pub(super) fn base(&self) -> i64 {
        self.base
    }

    /// The bytes `from..to` where they lie in one piece; `None` also where they are not kept.
    pub(super) fn contiguous(&self, from: i64, to: i64) -> Option<&[u8]> {
        match self.pieces(from, to)? {
            (first, []) => Some(first),
            ([], second) => Some(second),
            _ => None,
        }
    }

    /// The bytes `from..to`, in two pieces; `None` where they are not kept.
    pub(super) fn pieces(&self, from: i64, to: i64) -> Option<(&[u8], &[u8])> {
        if from < self.base || to < from {
            return None;
        }
        match self.tail.filter(|_| from < self.front) {
            Some(tail) => {
                let turn = to.min(tail.until);
                let first = self.at(tail.start + index(from - self.base), index(turn - from))?;
                let second = self.at(self.head + index(turn - self.front), index(to - turn))?;
                Some((first, second))
            }
            None => {
                let bytes = self.at(self.head + index(from - self.front), index(to - from))?;
                Some((bytes, &[]))
            }
        }
    }

    /// First offset from which on all bytes lie in one piece.
    pub(super) fn front(&self) -> i64 {
        self.front
    }

    fn at(&self, start: usize, length: usize) -> Option<&[u8]> {
        self.bytes.get(start..start + length)
    }

    /// Writes bytes at an offset not in front of [`front`](Self::front), where there is room for them.
    pub(super) fn write(&mut self, at: i64, bytes: &[u8]) {
        let start = self.head + index(at - self.front);
        if let Some(room) = self.bytes.get_mut(start..start + bytes.len()) {
            room.copy_from_slice(bytes);
        }
    }

    /// Whether there is room up to offset `end`.
    pub(super) fn fits(&self, end: i64) -> bool {
        let room = self.tail.map_or(self.bytes.len(), |tail| tail.start);
        self.head + index(end - self.front) <= room
    }

    /// Turns the block where that makes room up to offset `end`; `last` is the highest offset written, and
    /// at most `window` bytes in front of it are copied. False where it is turned or does not make room.
    pub(super) fn turn(&mut self, last: i64, end: i64, window: usize) -> bool {
        let kept = index(last - self.base);
        let copied = kept.min(window);
        let front = last - length_of(copied);
        if self.tail.is_some() || index(end - front) > self.head {
            return false;
        }
        let start = self.head + kept - copied;
        self.bytes.copy_within(start..start + copied, 0);
        self.tail = Some(Tail {
            start: self.head,
            until: last,
        });
        self.front = front;
        self.head = 0;
        self.settle();
        true
    }

    /// Moves the bytes up to offset `last` to the start of a block that is not turned.
    pub(super) fn slide(&mut self, last: i64) {
        debug_assert!(self.tail.is_none(), "a turned block does not slide");
        let kept = index(last - self.base);
        self.bytes.copy_within(self.head..self.head + kept, 0);
        self.head = 0;
    }

    /// Free bytes at the start, while the block is not turned.
    pub(super) fn free_in_front(&self) -> usize {
        if self.is_turned() { 0 } else { self.head }
    }

    /// True while older bytes lie behind newer ones.
    pub(super) fn is_turned(&self) -> bool {
        self.tail.is_some()
    }

    /// Gives up the bytes in front of `base`.
    pub(super) fn release(&mut self, base: i64) {
        if let Some(tail) = &mut self.tail {
            tail.start += index(base - self.base);
        } else {
            self.head += index(base - self.base);
            self.front = base;
        }
        self.base = base;
        self.settle();
    }

    /// A block is no longer turned when all its older bytes are given up.
    fn settle(&mut self) {
        if self.tail.is_some() && self.base >= self.front {
            self.tail = None;
            self.head += index(self.base - self.front);
            self.front = self.base;
        }
    }

    /// Begins anew at `base`, with nothing kept.
    pub(super) fn restart(&mut self, base: i64) {
        self.tail = None;
        self.head = 0;
        self.base = base;
        self.front = base;
    }

    /// Its memory.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Takes `bytes` for its memory instead, the run up to `last` copied behind `gap` free bytes, so that
    /// it begins so many offsets earlier. Returns the old memory.
    pub(super) fn exchange(&mut self, mut bytes: Vec<u8>, last: i64, gap: usize) -> Vec<u8> {
        if let Some((first, second)) = self.pieces(self.base, last) {
            let mut rest = bytes.get_mut(gap..).unwrap_or_default();
            for piece in [first, second] {
                let Some((target, behind)) = rest.split_at_mut_checked(piece.len()) else {
                    break;
                };
                target.copy_from_slice(piece);
                rest = behind;
            }
        }
        self.restart(self.base - length_of(gap));
        std::mem::replace(&mut self.bytes, bytes)
    }
}

/// A number of bytes as a distance of offsets.
pub(super) fn length_of(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// An offset difference that is never negative, as an index.
pub(super) fn index(distance: i64) -> usize {
    usize::try_from(distance).unwrap_or(0)
}
