//! TCP sequence numbers: 32 bits that wrap. They have no order and no plain difference, so none is
//! offered; distances are signed and meaningful within 2 GiB (RFC 9293, 3.4).

/// A TCP sequence or acknowledgement number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SeqNumber(u32);

impl SeqNumber {
    /// As read from a header.
    #[must_use]
    pub fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number `bytes` further on.
    #[must_use]
    pub fn advance(self, bytes: i64) -> Self {
        // Sequence space is modulo 2^32: the upper bits fall away on purpose.
        #[expect(clippy::cast_possible_truncation, reason = "modulo 2^32 by definition")]
        #[expect(
            clippy::cast_sign_loss,
            reason = "two's complement is the arithmetic wanted"
        )]
        Self(self.0.wrapping_add(bytes as u32))
    }

    /// Signed distance from `from` to `self`.
    #[must_use]
    pub fn distance(self, from: Self) -> i64 {
        i64::from(self.0.wrapping_sub(from.0).cast_signed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_hold_across_the_wrap() {
        let before = SeqNumber::new(u32::MAX - 9);
        let after = before.advance(20);
        assert_eq!(after, SeqNumber::new(10));
        assert_eq!(after.distance(before), 20);
        assert_eq!(before.distance(after), -20);
        assert_eq!(before.advance(-5).distance(before), -5);
        assert_eq!(before.advance(1 << 32), before);
    }
}
