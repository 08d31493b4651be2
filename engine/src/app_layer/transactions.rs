//! The transactions of a parser: a bounded queue whose elements are used again.

use std::collections::VecDeque;

/// Retired transactions that are kept: what most flows have at hand at once.
const SPARE: usize = 16;

/// Transactions in order, oldest first; at most as many as the limit it was made with. Some
/// retired ones are kept and handed out again, so that a warm queue allocates nothing.
#[derive(Debug)]
pub struct Transactions<T> {
    live: VecDeque<T>,
    spare: Vec<T>,
    limit: usize,
    next_id: u64,
}

impl<T: Default> Transactions<T> {
    /// An empty queue of at most `limit` transactions.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            live: VecDeque::new(),
            spare: Vec::new(),
            limit,
            next_id: 0,
        }
    }

    /// Opens a transaction. `clear` gets one that may have been used before, to empty it, and its number
    /// within the flow. `None` when the queue is full.
    pub fn open(&mut self, clear: impl FnOnce(&mut T, u64)) -> Option<&mut T> {
        if self.is_full() {
            return None;
        }
        let mut transaction = self.spare.pop().unwrap_or_default();
        clear(&mut transaction, self.next_id);
        self.next_id += 1;
        self.live.push_back(transaction);
        self.live.back_mut()
    }

    /// Drops the oldest.
    pub fn retire(&mut self) {
        self.remove(0);
    }

    /// Drops one of them.
    pub fn remove(&mut self, index: usize) {
        if let Some(gone) = self.live.remove(index)
            && self.spare.len() < SPARE
        {
            self.spare.push(gone);
        }
    }

    /// Where the one of a number is, as `number` tells it.
    #[must_use]
    pub fn position(&self, wanted: u64, number: impl Fn(&T) -> u64) -> Option<usize> {
        self.live.binary_search_by_key(&wanted, number).ok()
    }

    /// Drops all and starts numbering anew. `shrink` gets each one that is kept, to give up memory that few
    /// flows need.
    pub fn reset(&mut self, shrink: impl FnMut(&mut T)) {
        while !self.live.is_empty() {
            self.retire();
        }
        self.spare.iter_mut().for_each(shrink);
        self.next_id = 0;
    }

    /// Number of transactions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.live.len()
    }

    /// True when no more can be opened.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.live.len() >= self.limit
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// One of them, oldest first.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&T> {
        self.live.get(index)
    }

    /// One of them, to change.
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.live.get_mut(index)
    }

    /// The newest.
    pub fn last_mut(&mut self) -> Option<&mut T> {
        self.live.back_mut()
    }

    /// All, oldest first.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.live.iter_mut()
    }

    /// All, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.live.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_on_and_the_limit_holds() {
        let mut queue: Transactions<u64> = Transactions::new(2);
        for expected in 0..2 {
            assert_eq!(queue.open(|tx, id| *tx = id).copied(), Some(expected));
        }
        assert!(queue.open(|_, _| ()).is_none());
        queue.retire();
        assert_eq!(queue.open(|tx, id| *tx = id).copied(), Some(2));
        assert_eq!(queue.iter().copied().collect::<Vec<_>>(), [1, 2]);
        queue.reset(|_| ());
        assert!(queue.is_empty());
        assert_eq!(queue.open(|tx, id| *tx = id).copied(), Some(0));
    }
}
