//! Bytes of one direction that wait for more: joined with what comes, taken from the front.

/// Bytes that were handed in but could not be taken yet.
#[derive(Debug, Default)]
pub(super) struct Pending {
    bytes: Vec<u8>,
}

/// Capacity that is kept for the next use.
const KEPT: usize = 4096;

impl Pending {
    /// Runs `take` over what waits and `input`, as one. It returns how many bytes it took, and anything
    /// else. What it leaves waits, if `hold`; the returned number of bytes at the end of `input` does not.
    pub(super) fn run<T>(
        &mut self,
        input: &[u8],
        take: impl FnOnce(&[u8]) -> (usize, bool, T),
    ) -> (usize, T) {
        let mut waiting = std::mem::take(&mut self.bytes);
        if waiting.is_empty() {
            let (taken, hold, result) = take(input);
            let rest = input.get(taken..).unwrap_or_default();
            if !hold {
                self.bytes = waiting;
                return (rest.len(), result);
            }
            waiting.extend_from_slice(rest);
            self.bytes = waiting;
            return (0, result);
        }
        let before = waiting.len();
        waiting.extend_from_slice(input);
        let (taken, hold, result) = take(&waiting);
        let mut unread = 0;
        if !hold {
            // Of what is left, the part that this input brought is handed back.
            unread = (waiting.len() - taken).min(input.len());
            waiting.truncate(waiting.len() - unread);
        }
        waiting.drain(..taken.min(before + input.len()).min(waiting.len()));
        waiting.shrink_to(KEPT);
        self.bytes = waiting;
        (unread, result)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
    }
}
