//! Names of flow bits, flow integers and host bits.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;

/// A variable's name, hashed: the same in every rule set, so that what a flow remembers outlives a
/// change of rules. 64 bits; the compiler refuses two names that collide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name(u64);

impl Name {
    /// The name of `text`.
    pub(crate) fn new(text: &str) -> Self {
        let mut hasher = SipHasher13::new();
        hasher.write(text.as_bytes());
        Self(hasher.finish())
    }

    /// The hash.
    pub(crate) fn value(self) -> u64 {
        self.0
    }
}
