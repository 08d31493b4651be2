//! How many answers a worker may send: who makes it reject must not make it flood a third party.
//!
//! A token bucket of one second's tokens, kept as the time at which it would be full again.

use weir_engine::frame::Timestamp;

/// The depth of the bucket in time.
const DEPTH: u64 = 1_000_000_000;

/// The tokens of one worker.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    /// Nanoseconds that one answer costs; `None`: no answers at all.
    cost: Option<u64>,
    full_at: u64,
}

impl Allowance {
    /// At most `per_second` answers a second, and as many at once.
    #[must_use]
    pub fn new(per_second: u32) -> Self {
        Self {
            cost: DEPTH.checked_div(u64::from(per_second)),
            full_at: 0,
        }
    }

    /// Takes a token; false when there is none.
    #[must_use]
    pub fn take(&mut self, now: Timestamp) -> bool {
        let Some(cost) = self.cost else {
            return false;
        };
        // A clock that was set back empties the bucket at most.
        let limit = now.0.saturating_add(DEPTH);
        self.full_at = self.full_at.clamp(now.0, limit);
        let after = self.full_at.saturating_add(cost);
        let granted = after <= limit;
        if granted {
            self.full_at = after;
        }
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn granted(allowance: &mut Allowance, at: u64, asked: u32) -> u32 {
        (0..asked)
            .map(|_| u32::from(allowance.take(Timestamp(at))))
            .sum()
    }

    #[test]
    fn a_full_bucket_is_one_seconds_answers_and_refills_evenly() {
        let mut allowance = Allowance::new(10);
        let start = 1_700_000_000 * SECOND;
        assert_eq!(granted(&mut allowance, start, 100), 10);
        assert_eq!(granted(&mut allowance, start + SECOND / 10 - 1, 100), 0);
        assert_eq!(granted(&mut allowance, start + SECOND / 2, 100), 5);
        assert_eq!(granted(&mut allowance, start + 100 * SECOND, 100), 10);
    }

    #[test]
    fn a_clock_that_is_set_back_costs_at_most_a_second() {
        let mut allowance = Allowance::new(10);
        assert_eq!(granted(&mut allowance, 1000 * SECOND, 100), 10);
        assert_eq!(granted(&mut allowance, 10 * SECOND, 100), 0);
        assert_eq!(granted(&mut allowance, 11 * SECOND, 100), 10);
    }

    #[test]
    fn none_means_none() {
        assert_eq!(granted(&mut Allowance::new(0), 5, 3), 0);
        assert_eq!(granted(&mut Allowance::new(u32::MAX), 5, 3), 3);
    }
}
