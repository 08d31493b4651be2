//! Memory for stream buffers: blocks in sizes of powers of two, kept for reuse, bounded in total.

use super::reassembly::Piece;

/// Smallest block, as a power of two: 4 KiB.
const SMALLEST: u32 = 12;
/// Block sizes: 4 KiB to 64 MiB.
const SIZES: usize = 15;

/// Blocks of one worker.
#[derive(Debug)]
pub struct BufferPool {
    free: [Vec<Vec<u8>>; SIZES],
    pieces: Vec<Vec<Piece>>,
    memory: usize,
    memcap: usize,
}

impl BufferPool {
    /// A pool that never holds more than `memcap` bytes, lent blocks included.
    #[must_use]
    pub fn new(memcap: usize) -> Self {
        Self {
            free: std::array::from_fn(|_| Vec::new()),
            pieces: Vec::new(),
            memory: 0,
            memcap,
        }
    }

    /// Bytes of all blocks, lent or kept.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.memory
    }

    /// A block of at least `size` bytes, its contents arbitrary. `None` when that would exceed the
    /// bound or the largest block.
    pub(crate) fn take(&mut self, size: usize) -> Option<Vec<u8>> {
        let class = class_of(size);
        if let Some(block) = self.free.get_mut(class)?.pop() {
            return Some(block);
        }
        let size = 1usize << (SMALLEST as usize + class);
        self.make_room(size);
        if self.memory + size > self.memcap {
            return None;
        }
        self.memory += size;
        Some(vec![0; size])
    }

    /// Takes a block back.
    pub(crate) fn give(&mut self, block: Vec<u8>) {
        if block.is_empty() {
            return;
        }
        if let Some(free) = self.free.get_mut(class_of(block.len())) {
            free.push(block);
        }
    }

    /// An empty list with room for `pieces`. Lists are small and at most two per flow: not counted.
    pub(crate) fn take_pieces(&mut self, pieces: usize) -> Vec<Piece> {
        self.pieces
            .pop()
            .unwrap_or_else(|| Vec::with_capacity(pieces + 1))
    }

    /// Takes a list back.
    pub(crate) fn give_pieces(&mut self, mut pieces: Vec<Piece>) {
        if pieces.capacity() > 0 {
            pieces.clear();
            self.pieces.push(pieces);
        }
    }

    /// Gives kept blocks of other sizes back to the system until `size` fits.
    fn make_room(&mut self, size: usize) {
        for free in self.free.iter_mut().rev() {
            while self.memory + size > self.memcap
                && let Some(block) = free.pop()
            {
                self.memory -= block.len();
            }
        }
    }
}

/// Index of the smallest size that holds `size` bytes; may be beyond the largest.
fn class_of(size: usize) -> usize {
    let bits = usize::BITS - size.saturating_sub(1).leading_zeros();
    bits.saturating_sub(SMALLEST) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_large_enough_and_reused() {
        let mut pool = BufferPool::new(1 << 20);
        let block = pool.take(5000).unwrap();
        assert_eq!(block.len(), 8192);
        let address = block.as_ptr();
        pool.give(block);
        let again = pool.take(8192).unwrap();
        assert_eq!(again.as_ptr(), address);
        assert_eq!(pool.memory(), 8192);
        assert_eq!(pool.take(1).unwrap().len(), 4096);
    }

    #[test]
    fn the_bound_holds_and_idle_blocks_of_other_sizes_give_way() {
        let mut pool = BufferPool::new(16 << 10);
        let first = pool.take(8 << 10).unwrap();
        let second = pool.take(8 << 10).unwrap();
        assert!(pool.take(1).is_none());
        pool.give(first);
        assert!(pool.take(16 << 10).is_none(), "one block is still lent");
        pool.give(second);
        assert_eq!(pool.take(16 << 10).unwrap().len(), 16 << 10);
        assert_eq!(pool.memory(), 16 << 10);
        assert!(pool.take(usize::MAX / 2).is_none());
    }
}
