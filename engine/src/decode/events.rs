//! A set of decode events, without allocation.

use super::DecodeEvent;

const WORDS: usize = 3;
const BITS: usize = u64::BITS as usize;

/// A set of events, in no memory but its own 24 bytes: an event that occurs twice in a packet is
/// there once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Events([u64; WORDS]);

/// Most events that there can be.
pub(crate) const MAX_EVENTS: usize = WORDS * BITS;

const _: () = assert!(
    DecodeEvent::ALL.len() <= MAX_EVENTS,
    "more events than bits"
);

/// Word and bit of an event.
const fn place(event: DecodeEvent) -> (usize, u64) {
    let number = event as usize;
    (number / BITS, 1 << (number % BITS))
}

impl Events {
    /// No event.
    pub const NONE: Self = Self([0; WORDS]);

    /// Adds an event.
    pub fn insert(&mut self, event: DecodeEvent) {
        let (word, bit) = place(event);
        self.0[word] |= bit;
    }

    /// True when the event is among them.
    #[must_use]
    pub fn contains(self, event: DecodeEvent) -> bool {
        let (word, bit) = place(event);
        self.0[word] & bit != 0
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::NONE
    }

    /// Number of events.
    #[must_use]
    pub fn len(self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The events, in the order of their numbers.
    pub fn iter(self) -> impl Iterator<Item = DecodeEvent> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let word = left.iter().position(|word| *word != 0)?;
            let bit = left[word].trailing_zeros() as usize;
            left[word] &= left[word] - 1;
            DecodeEvent::ALL.get(word * BITS + bit).copied()
        })
    }
}

impl Extend<DecodeEvent> for Events {
    fn extend<I: IntoIterator<Item = DecodeEvent>>(&mut self, events: I) {
        for event in events {
            self.insert(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_gives_back_what_went_in_once_and_in_order() {
        let mut events = Events::NONE;
        assert!(events.is_empty());
        events.insert(DecodeEvent::ErspanVersion);
        events.insert(DecodeEvent::EthernetTooSmall);
        events.insert(DecodeEvent::ErspanVersion);
        assert_eq!(events.len(), 2);
        assert!(events.contains(DecodeEvent::EthernetTooSmall));
        assert!(!events.contains(DecodeEvent::Ipv4TooSmall));
        assert_eq!(
            events.iter().collect::<Vec<_>>(),
            [DecodeEvent::EthernetTooSmall, DecodeEvent::ErspanVersion]
        );
    }

    #[test]
    fn every_event_fits_the_set() {
        let mut events = Events::NONE;
        events.extend(DecodeEvent::ALL.iter().copied());
        assert_eq!(events.len(), DecodeEvent::ALL.len());
        assert!(events.iter().eq(DecodeEvent::ALL.iter().copied()));
    }
}
