//! Segments of one direction to the bytes of its stream.
//!
//! Positions are 64-bit stream offsets. Known bytes are the contiguous run `base..next`, which has been
//! inspected, and *pieces* beyond a hole. The first copy of a byte wins: bytes that are known are never
//! overwritten, and a segment that brings them again with other values is told so, so that it can be
//! made equal on the wire ([`Reassembly::impose`]).
//!
//! A segment is taken in two steps. [`Reassembly::store`] keeps its bytes and computes how far the
//! stream is contiguous with them; inspection sees that through [`Reassembly::view`]; and only
//! [`Reassembly::commit`], once the frame is delivered, makes them inspected. A frame that was dropped
//! leaves no trace in what counts as inspected: its retransmission is fresh again.
//!
//! One block of memory holds everything, so that the view is contiguous and in-order bytes are copied
//! once. The block slides or grows only when more than half of it would be live or has been consumed:
//! amortised O(1) per byte, whatever the order.

use super::pool::BufferPool;

#[cfg(test)]
mod tests;

/// Bytes known beyond a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    start: i64,
    end: i64,
}

/// Room for one direction.
#[derive(Debug)]
pub(crate) struct Space<'a> {
    /// Bytes from the first kept one to the last known one.
    pub(crate) bytes: usize,
    /// Pieces.
    pub(crate) pieces: usize,
    /// Where blocks come from.
    pub(crate) pool: &'a mut BufferPool,
}

/// Why bytes cannot be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// This direction is at its bound.
    Direction,
    /// The worker's memory is at its bound.
    Memory,
}

/// What became of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Stored {
    /// Some of its bytes were known with other values.
    pub(crate) conflict: bool,
    /// Some of its bytes were known.
    pub(crate) overlap: bool,
    /// It lies beyond a hole.
    pub(crate) out_of_order: bool,
}

/// A block larger than this is exchanged for a smaller one when little of it is left in use.
const SHRINK_ABOVE: usize = 1 << 20;

/// One direction's bytes.
#[derive(Debug, Default)]
pub(crate) struct Reassembly {
    block: Vec<u8>,
    /// Index in `block` of `base`.
    head: usize,
    base: i64,
    /// Where the stream begins, as far as it was seen without a break.
    start: i64,
    next: i64,
    /// How far the stream is contiguous with what was stored last; `next` once committed.
    pending: i64,
    pieces: Vec<Piece>,
}

impl Reassembly {
    /// First offset not yet inspected.
    pub(crate) fn next(&self) -> i64 {
        self.next
    }

    /// First offset still kept.
    pub(crate) fn base(&self) -> i64 {
        self.base
    }

    /// How far the stream is contiguous with what was stored last.
    pub(crate) fn pending(&self) -> i64 {
        self.pending
    }

    /// Start of the first piece beyond a hole.
    pub(crate) fn first_piece(&self) -> Option<i64> {
        self.pieces.first().map(|piece| piece.start)
    }

    /// True while it holds a block.
    pub(crate) fn holds_memory(&self) -> bool {
        !self.block.is_empty()
    }

    /// Keeps what `payload`, at offset `at`, brings of new bytes; compares the rest from `compare_from`
    /// on.
    pub(crate) fn store(
        &mut self,
        at: i64,
        payload: &[u8],
        compare_from: i64,
        space: Space<'_>,
    ) -> Result<Stored, Full> {
        self.pending = self.next;
        self.extend();
        let end = at + length(payload);
        let start = at.max(self.base);
        if start >= end {
            return Ok(Stored::default());
        }
        let out_of_order = start > self.pending;
        if out_of_order && !self.has_room_for_piece(start, end, space.pieces) {
            return Err(Full::Direction);
        }
        self.make_room(end, space.bytes, space.pool)?;
        let fresh = payload.get(index(start - at)..).unwrap_or_default();
        let mut stored = Stored {
            out_of_order,
            ..Stored::default()
        };
        if start == self.next && self.pieces.is_empty() {
            self.write(start, fresh);
        } else {
            self.merge(start, fresh, compare_from, &mut stored);
        }
        if out_of_order {
            if self.pieces.capacity() == 0 {
                self.pieces = space.pool.take_pieces(space.pieces);
            }
            self.insert_piece(start, end);
        } else {
            self.pending = self.pending.max(end);
            self.extend();
        }
        Ok(stored)
    }

    /// Makes `payload`, at offset `at`, equal to the bytes known from `compare_from` on. Call right
    /// behind the [`store`](Self::store) of the same bytes.
    pub(crate) fn impose(&self, at: i64, payload: &mut [u8], compare_from: i64) {
        let from = at.max(self.base).max(compare_from);
        let end = at + length(payload);
        if from >= end {
            return;
        }
        let Some(target) = payload.get_mut(index(from - at)..) else {
            return;
        };
        if let Some(known) = self.slice(from, end) {
            target.copy_from_slice(known);
        }
    }

    /// The window in front of the fresh bytes (at most `window` bytes), and the fresh bytes; index of
    /// the first fresh one; offset of the first byte.
    pub(crate) fn view(&self, window: usize) -> (&[u8], usize, i64) {
        let from = self.base.max(self.next - length_of(window));
        let bytes = self.slice(from, self.pending).unwrap_or_default();
        (bytes, index(self.next - from).min(bytes.len()), from)
    }

    /// Inspected bytes again: at most `window` in front of `start..end`, and those; index of the first
    /// of them; offset of the first byte.
    pub(crate) fn view_of(
        &self,
        (start, end): (i64, i64),
        window: usize,
    ) -> Option<(&[u8], usize, i64)> {
        let from = self.base.max(start - length_of(window));
        let bytes = self.slice(from, end)?;
        Some((bytes, index(start - from), from))
    }

    /// The first piece that reaches beyond `looked`; index of the first byte behind that; offset of the
    /// first byte.
    pub(crate) fn island(&self, looked: Option<i64>) -> Option<(&[u8], usize, i64)> {
        let mut pieces = self.pieces.iter();
        let piece = pieces.find(|piece| looked.is_none_or(|looked| piece.end > looked))?;
        let bytes = self.slice(piece.start, piece.end)?;
        let fresh_from = looked.map_or(0, |looked| index(looked - piece.start));
        Some((bytes, fresh_from, piece.start))
    }

    /// Makes the fresh bytes inspected; returns how many they were.
    pub(crate) fn commit(&mut self) -> u64 {
        let fresh = self.pending - self.next;
        self.next = self.pending;
        let next = self.next;
        self.pieces.retain(|piece| piece.end > next);
        u64::try_from(fresh).unwrap_or(0)
    }

    /// Forgets that fresh bytes were stored: they were not delivered.
    pub(crate) fn roll_back(&mut self) {
        self.pending = self.next;
    }

    /// Gives up the bytes in front of `keep_from`, at most all inspected ones.
    pub(crate) fn release(&mut self, keep_from: i64, pool: &mut BufferPool) {
        let to = keep_from.min(self.next);
        if to > self.base {
            self.head += index(to - self.base);
            self.base = to;
        }
        let live = self.live();
        if self.block.len() > SHRINK_ABOVE && live * 16 < self.block.len() {
            let _ = self.change_block(live * 4, pool);
        }
    }

    /// Takes the bytes up to `offset` as received elsewhere: the stream goes on there, and nothing in
    /// front of it is contiguous with it.
    pub(crate) fn skip_to(&mut self, offset: i64) {
        self.head += index(offset - self.base);
        self.base = offset;
        self.start = offset;
        self.next = offset;
        self.pending = offset;
        self.pieces.retain(|piece| piece.end > offset);
        if self.pieces.is_empty() {
            self.head = 0;
        }
        self.extend();
    }

    /// True while bytes in front of everything kept would be in front of everything seen.
    pub(crate) fn is_whole(&self) -> bool {
        self.base == self.start
    }

    /// Lets the stream begin at `offset` instead, in front of everything seen: what was inspected so far
    /// becomes a piece, to be inspected again with what comes in front of it.
    pub(crate) fn begin_earlier(&mut self, offset: i64, space: Space<'_>) -> Result<(), Full> {
        let live = self.live();
        let front = index(self.base - offset);
        if front + live > space.bytes {
            return Err(Full::Direction);
        }
        if self.pieces.capacity() == 0 {
            self.pieces = space.pool.take_pieces(space.pieces);
        }
        let mut block = space.pool.take((front + live) * 2).ok_or(Full::Memory)?;
        let old = self.block.get(self.head..self.head + live);
        if let (Some(target), Some(old)) = (block.get_mut(front..front + live), old) {
            target.copy_from_slice(old);
        }
        space.pool.give(std::mem::replace(&mut self.block, block));
        if self.next > self.base {
            self.insert_piece(self.base, self.next);
        }
        self.head = 0;
        self.base = offset;
        self.start = offset;
        self.next = offset;
        self.pending = offset;
        Ok(())
    }

    /// Gives the window up where nothing else is kept; true if memory came back.
    pub(crate) fn shed(&mut self, unacknowledged_from: i64, pool: &mut BufferPool) -> bool {
        if !self.holds_memory() || !self.pieces.is_empty() || unacknowledged_from < self.next {
            return false;
        }
        self.recycle(pool);
        true
    }

    /// Gives all memory back; offsets stay.
    pub(crate) fn recycle(&mut self, pool: &mut BufferPool) {
        pool.give(std::mem::take(&mut self.block));
        pool.give_pieces(std::mem::take(&mut self.pieces));
        self.head = 0;
        self.base = self.next;
        self.pending = self.next;
    }

    fn live(&self) -> usize {
        let end = self.pieces.last().map_or(self.next, |piece| piece.end);
        index(end.max(self.pending) - self.base)
    }

    fn slice(&self, from: i64, to: i64) -> Option<&[u8]> {
        let start = self.head + index(from - self.base);
        self.block.get(start..start + index(to - from))
    }

    fn write(&mut self, at: i64, bytes: &[u8]) {
        let start = self.head + index(at - self.base);
        if let Some(room) = self.block.get_mut(start..start + bytes.len()) {
            room.copy_from_slice(bytes);
        }
    }

    /// Walks known and unknown parts of a segment: compares the former, keeps the latter.
    fn merge(&mut self, start: i64, bytes: &[u8], compare_from: i64, stored: &mut Stored) {
        let end = start + length(bytes);
        let part = |from: i64, to: i64| {
            bytes
                .get(index(from - start)..index(to - start))
                .unwrap_or_default()
        };
        let mut at = start;
        let mut piece = 0;
        while at < end {
            let known = if at < self.next {
                self.next
            } else {
                while self.pieces.get(piece).is_some_and(|known| known.end <= at) {
                    piece += 1;
                }
                match self.pieces.get(piece) {
                    Some(known) if known.start <= at => known.end,
                    hole => {
                        let to = hole.map_or(end, |known| known.start.min(end));
                        self.write(at, part(at, to));
                        at = to;
                        continue;
                    }
                }
            };
            let to = known.min(end);
            stored.overlap = true;
            let from = at.max(compare_from).min(to);
            stored.conflict |= self.slice(from, to) != Some(part(from, to));
            at = to;
        }
    }

    /// Extends the contiguous run over pieces that touch it.
    fn extend(&mut self) {
        for piece in &self.pieces {
            if piece.start > self.pending {
                break;
            }
            self.pending = self.pending.max(piece.end);
        }
    }

    /// Index of the first piece that ends at or behind `offset`.
    fn piece_at(&self, offset: i64) -> usize {
        self.pieces.partition_point(|piece| piece.end < offset)
    }

    fn has_room_for_piece(&self, start: i64, end: i64, pieces: usize) -> bool {
        let touches = self
            .pieces
            .get(self.piece_at(start))
            .is_some_and(|piece| piece.start <= end);
        touches || self.pieces.len() < pieces
    }

    fn insert_piece(&mut self, start: i64, end: i64) {
        let first = self.piece_at(start);
        let touching = self
            .pieces
            .iter()
            .skip(first)
            .take_while(|piece| piece.start <= end)
            .count();
        let mut merged = Piece { start, end };
        for piece in self.pieces.drain(first..first + touching) {
            merged.start = merged.start.min(piece.start);
            merged.end = merged.end.max(piece.end);
        }
        self.pieces.insert(first, merged);
    }

    fn make_room(&mut self, end: i64, bound: usize, pool: &mut BufferPool) -> Result<(), Full> {
        let needed = index(end - self.base).max(self.live());
        if self.head + needed <= self.block.len() {
            return Ok(());
        }
        if needed > bound {
            return Err(Full::Direction);
        }
        if needed <= self.block.len() / 2 {
            let live = self.live();
            self.block.copy_within(self.head..self.head + live, 0);
            self.head = 0;
            return Ok(());
        }
        if self.block.is_empty() {
            return self.change_block(needed, pool);
        }
        self.change_block(needed * 2, pool)
    }

    fn change_block(&mut self, size: usize, pool: &mut BufferPool) -> Result<(), Full> {
        let mut block = pool.take(size).ok_or(Full::Memory)?;
        let live = self.live();
        let old = self.block.get(self.head..self.head + live);
        if let (Some(target), Some(old)) = (block.get_mut(..live), old) {
            target.copy_from_slice(old);
        }
        self.head = 0;
        pool.give(std::mem::replace(&mut self.block, block));
        Ok(())
    }
}

fn length(bytes: &[u8]) -> i64 {
    length_of(bytes.len())
}

fn length_of(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// An offset difference that is never negative, as an index.
fn index(distance: i64) -> usize {
    usize::try_from(distance).unwrap_or(0)
}
