//! The bound on the work that one signature may cause on one buffer, and its scratch memory.

use crate::detect::matcher::RegularError;
use crate::detect::outcome::{REMARKS, Remark};
use crate::detect::program::MAX_VARIABLES;
use crate::detect::transform::{Inflater, Transform};

/// Bytes that one evaluation may search: this many times the buffer's length and [`SEARCH_FLOOR`].
const SEARCH_FACTOR: usize = 4;
/// Bytes that one evaluation may search in any case.
const SEARCH_FLOOR: usize = 1 << 14;
/// Most bytes that `base64_decode` decodes at once.
pub(super) const BASE64_INPUT: usize = 1 << 16;

/// Scratch memory of the evaluator, and what is left of the work that the evaluation at hand may do.
#[derive(Debug)]
pub(in crate::detect) struct Work {
    match_steps: u32,
    steps_left: u32,
    bytes_left: usize,
    exceeded: bool,
    /// Evaluations that were given up, since the start.
    pub(in crate::detect) steps_exceeded: u64,
    /// Regular expressions that ended in an error, since the start.
    pub(in crate::detect) pcre_errors: u64,
    /// Values that a full set did not take, since the start.
    pub(in crate::detect) data_full: u64,
    /// What the signature at hand has to say, should it match.
    remarks: Vec<Remark>,
    /// Variables are set by what stands before their use, in the same evaluation or in that of an earlier buffer of
    /// the signature at hand.
    pub(super) variables: [u64; MAX_VARIABLES],
    /// A match must reach beyond this index.
    pub(super) fresh_from: Option<usize>,
    /// Where the bytes at hand start in the data that offsets, depths and sizes are said of.
    pub(super) origin: u64,
    /// A match was found that does not: where it starts.
    pub(super) stale: Option<usize>,
    /// Where the match that was found starts.
    pub(super) first: usize,
    pub(super) decoded: Vec<u8>,
    /// Two, of which one is read while the other is written.
    transformed: [Vec<u8>; 2],
    inflater: Inflater,
}

impl Work {
    /// All memory in place. `match_steps` bounds one evaluation.
    pub(in crate::detect) fn new(match_steps: u32) -> Self {
        Self {
            match_steps,
            steps_left: 0,
            bytes_left: 0,
            exceeded: false,
            steps_exceeded: 0,
            pcre_errors: 0,
            data_full: 0,
            remarks: Vec::with_capacity(REMARKS),
            variables: [0; MAX_VARIABLES],
            fresh_from: None,
            origin: 0,
            stale: None,
            first: 0,
            decoded: Vec::with_capacity(BASE64_INPUT),
            transformed: [Vec::new(), Vec::new()],
            inflater: Inflater::default(),
        }
    }

    /// Applies transforms to `bytes`, one after the other, and hands the result to `then`: not where an expression
    /// gave up, which is counted.
    pub(in crate::detect) fn transformed(
        &mut self,
        transforms: &[Transform],
        bytes: &[u8],
        then: impl FnOnce(&[u8], &mut Self),
    ) {
        let [mut from, mut to] = std::mem::take(&mut self.transformed);
        from.clear();
        from.extend_from_slice(bytes);
        let applied = transforms.iter().try_for_each(|transform| {
            transform.apply(&from, &mut to, &mut self.inflater)?;
            std::mem::swap(&mut from, &mut to);
            Ok::<_, RegularError>(())
        });
        match applied {
            Ok(()) => then(&from, self),
            Err(RegularError) => self.pcre_errors += 1,
        }
        self.transformed = [from, to];
    }

    /// Keeps a remark for the alert; one too many is left out.
    pub(super) fn remark(&mut self, remark: Remark) {
        if self.remarks.len() < REMARKS {
            self.remarks.push(remark);
        }
    }

    /// The remarks so far.
    pub(in crate::detect) fn remarks(&self) -> &[Remark] {
        &self.remarks
    }

    /// The remarks since the last time.
    pub(in crate::detect) fn take_remarks(&mut self) -> std::vec::Drain<'_, Remark> {
        self.remarks.drain(..)
    }

    /// Starts an evaluation on a buffer of `length` bytes.
    pub(super) fn begin(&mut self, length: usize) {
        self.steps_left = self.match_steps;
        self.bytes_left = length
            .saturating_mul(SEARCH_FACTOR)
            .saturating_add(SEARCH_FLOOR);
        self.exceeded = false;
    }

    /// Takes one step that looks at `bytes` bytes at most; false when there is none left.
    pub(super) fn spend(&mut self, bytes: usize) -> bool {
        match (
            self.steps_left.checked_sub(1),
            self.bytes_left.checked_sub(bytes),
        ) {
            (Some(steps), Some(bytes)) => {
                self.steps_left = steps;
                self.bytes_left = bytes;
                true
            }
            _ => {
                if !self.exceeded {
                    self.exceeded = true;
                    self.steps_exceeded += 1;
                }
                false
            }
        }
    }
}
