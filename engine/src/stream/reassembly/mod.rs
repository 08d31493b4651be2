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
//! One block of memory holds everything ([`block`]), so that the view is contiguous and in-order bytes
//! are copied once. It turns where it can, early in a large block; else it slides or grows, and only when
//! half of it would be live or has been consumed: amortised O(1) per byte, whatever the order.

mod block;

use super::pool::BufferPool;
use block::{Block, index, length_of};

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
    /// Bytes in front of the fresh ones that are shown at most.
    pub(crate) window: usize,
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

/// A block larger than this is exchanged for a smaller one when little of it was in use for long.
const SHRINK_ABOVE: usize = 1 << 20;

/// For long: while so many times the block's length came. What is kept drops to nearly nothing with every
/// burst of acknowledgements and is back a moment later; a block exchanged each time would cost more copies
/// than the stream.
const SHRINK_AFTER: usize = 4;

/// A block turns before its end is reached when so many windows, and half of what is kept, are free at its
/// start: memory written a moment ago is still in the processor's caches, the rest of a large block is not.
/// Windows, because one is copied at each turn. Half, because a turned block that is too small after all is
/// copied: at least half as much has come since.
const TURN_EARLY: usize = 4;

/// One direction's bytes.
#[derive(Debug, Default)]
pub(crate) struct Reassembly {
    block: Block,
    /// Where the stream begins, as far as it was seen without a break.
    start: i64,
    next: i64,
    /// How far the stream is contiguous with what was stored last; `next` once committed.
    pending: i64,
    pieces: Vec<Piece>,
    /// The most bytes kept since the stream was at `measured`.
    peak: usize,
    measured: i64,
}

impl Reassembly {
    /// First offset not yet inspected.
    pub(crate) fn next(&self) -> i64 {
        self.next
    }

    /// First offset still kept.
    pub(crate) fn base(&self) -> i64 {
        self.block.base()
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
        self.block.len() > 0
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
        let start = at.max(self.base());
        if start >= end {
            return Ok(Stored::default());
        }
        let out_of_order = start > self.pending;
        if out_of_order && !self.has_room_for_piece(start, end, space.pieces) {
            return Err(Full::Direction);
        }
        let Space {
            bytes,
            window,
            pieces,
            pool,
        } = space;
        self.make_room(end, (bytes, window), pool)?;
        if end <= self.next && self.block.contiguous(start, end).is_none() {
            // It is shown again, in one piece. Rare: it came twice and lies over the turn.
            self.change_block(self.live() * 2, pool)?;
        }
        let fresh = payload.get(index(start - at)..).unwrap_or_default();
        let mut stored = Stored {
            out_of_order,
            ..Stored::default()
        };
        if start == self.next && self.pieces.is_empty() {
            self.block.write(start, fresh);
        } else {
            self.merge(start, fresh, compare_from, &mut stored);
        }
        if out_of_order {
            if self.pieces.capacity() == 0 {
                self.pieces = pool.take_pieces(pieces);
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
        let from = at.max(self.base()).max(compare_from);
        let end = at + length(payload);
        if from >= end {
            return;
        }
        let Some(target) = payload.get_mut(index(from - at)..) else {
            return;
        };
        if let Some((first, second)) = self.block.pieces(from, end)
            && let Some((front, back)) = target.split_at_mut_checked(first.len())
        {
            front.copy_from_slice(first);
            back.copy_from_slice(second);
        }
    }

    /// The window in front of the fresh bytes (at most `window` bytes, and no more than
    /// [`Space::window`]), and the fresh bytes; index of the first fresh one; offset of the first byte.
    pub(crate) fn view(&self, window: usize) -> (&[u8], usize, i64) {
        let from = self.block.front().max(self.next - length_of(window));
        let bytes = self.block.contiguous(from, self.pending);
        debug_assert!(bytes.is_some(), "what is shown lies in one piece");
        let bytes = bytes.unwrap_or_default();
        (bytes, index(self.next - from).min(bytes.len()), from)
    }

    /// Inspected bytes again: at most `window` in front of `start..end`, the segment stored last, and
    /// those; index of the first of them; offset of the first byte.
    pub(crate) fn view_of(
        &self,
        (start, end): (i64, i64),
        window: usize,
    ) -> Option<(&[u8], usize, i64)> {
        let mut from = self.base().max(start - length_of(window));
        if self.block.contiguous(from, end).is_none() {
            from = from.max(self.block.front().min(start));
        }
        let bytes = self.block.contiguous(from, end)?;
        Some((bytes, index(start - from), from))
    }

    /// The first piece that reaches beyond `looked`; index of the first byte behind that; offset of the
    /// first byte.
    pub(crate) fn island(&self, looked: Option<i64>) -> Option<(&[u8], usize, i64)> {
        let mut pieces = self.pieces.iter();
        let piece = pieces.find(|piece| looked.is_none_or(|looked| piece.end > looked))?;
        let bytes = self.block.contiguous(piece.start, piece.end)?;
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
        if to > self.base() {
            self.block.release(to);
        }
        self.shrink(pool);
    }

    /// Exchanges a large block of which little was in use for long.
    fn shrink(&mut self, pool: &mut BufferPool) {
        let length = self.block.len();
        if length <= SHRINK_ABOVE || index(self.next - self.measured) < SHRINK_AFTER * length {
            return;
        }
        let live = self.live();
        let peak = std::mem::replace(&mut self.peak, live).max(live);
        self.measured = self.next;
        if peak * 16 < length {
            // Without memory for a smaller one the large one stays.
            let _ = self.change_block(peak * 4, pool);
        }
    }

    /// Takes the bytes up to `offset` as received elsewhere: the stream goes on there, and nothing in
    /// front of it is contiguous with it.
    pub(crate) fn skip_to(&mut self, offset: i64) {
        self.start = offset;
        self.next = offset;
        self.pending = offset;
        self.pieces.retain(|piece| piece.end > offset);
        if self.pieces.is_empty() {
            self.block.restart(offset);
        } else {
            self.block.release(offset);
        }
        self.extend();
    }

    /// True while bytes in front of everything kept would be in front of everything seen.
    pub(crate) fn is_whole(&self) -> bool {
        self.base() == self.start
    }

    /// Lets the stream begin at `offset` instead, in front of everything seen: what was inspected so far
    /// becomes a piece, to be inspected again with what comes in front of it.
    pub(crate) fn begin_earlier(&mut self, offset: i64, space: Space<'_>) -> Result<(), Full> {
        let live = self.live();
        let base = self.base();
        let front = index(base - offset);
        if front + live > space.bytes {
            return Err(Full::Direction);
        }
        if self.pieces.capacity() == 0 {
            self.pieces = space.pool.take_pieces(space.pieces);
        }
        let room = space.pool.take((front + live) * 2).ok_or(Full::Memory)?;
        let last = self.last();
        space.pool.give(self.block.exchange(room, last, front));
        if self.next > base {
            self.insert_piece(base, self.next);
        }
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
        pool.give(std::mem::take(&mut self.block).into_bytes());
        pool.give_pieces(std::mem::take(&mut self.pieces));
        self.block.restart(self.next);
        self.pending = self.next;
    }

    /// One past the highest byte kept.
    fn last(&self) -> i64 {
        let end = self.pieces.last().map_or(self.next, |piece| piece.end);
        end.max(self.pending)
    }

    fn live(&self) -> usize {
        index(self.last() - self.base())
    }

    /// Whether the bytes kept from offset `from` on begin with those.
    fn has(&self, from: i64, bytes: &[u8]) -> bool {
        self.block
            .pieces(from, from + length(bytes))
            .is_some_and(|(first, second)| {
                let (front, back) = bytes.split_at(first.len());
                front == first && back == second
            })
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
                        self.block.write(at, part(at, to));
                        at = to;
                        continue;
                    }
                }
            };
            let to = known.min(end);
            stored.overlap = true;
            let from = at.max(compare_from).min(to);
            stored.conflict |= !self.has(from, part(from, to));
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

    /// Makes room up to offset `end`, within `bound` bytes; `window` bytes are to stay in one piece with
    /// what comes.
    fn make_room(
        &mut self,
        end: i64,
        (bound, window): (usize, usize),
        pool: &mut BufferPool,
    ) -> Result<(), Full> {
        let last = self.last();
        let end = end.max(last);
        let needed = index(end - self.base());
        let in_order = self.pieces.is_empty();
        if in_order && self.block.free_in_front() >= TURN_EARLY * window + needed / 2 {
            self.block.turn(last, end, window);
        }
        if self.block.fits(end) {
            self.peak = self.peak.max(needed);
            return Ok(());
        }
        if needed > bound {
            return Err(Full::Direction);
        }
        self.peak = self.peak.max(needed);
        if in_order && self.block.turn(last, end, window) {
            return Ok(());
        }
        if needed <= self.block.len() / 2 && !self.block.is_turned() {
            self.block.slide(last);
            return Ok(());
        }
        if self.block.len() == 0 {
            return self.change_block(needed, pool);
        }
        self.change_block(needed * 2, pool)
    }

    fn change_block(&mut self, size: usize, pool: &mut BufferPool) -> Result<(), Full> {
        let room = pool.take(size).ok_or(Full::Memory)?;
        let last = self.last();
        pool.give(self.block.exchange(room, last, 0));
        Ok(())
    }
}

fn length(bytes: &[u8]) -> i64 {
    length_of(bytes.len())
}
