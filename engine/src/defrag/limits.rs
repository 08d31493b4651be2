//! Every bound of the defragmentation stage, in one place.

use std::time::Duration;

use super::OverlapPolicy;

/// Size and times of a worker's fragment table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DefragLimits {
    /// Unfinished datagrams that are followed at once.
    pub datagrams: usize,
    /// Fragments of one datagram, copies included.
    pub fragments: usize,
    /// Bytes of all fragments that are kept, frames as they came. The table's memory stays below about
    /// twice this.
    pub bytes: usize,
    /// How long a datagram may be unfinished, from its first fragment.
    pub timeout: Duration,
    /// Whose reading of overlapping fragments to follow in detect mode. In prevent mode such a datagram
    /// is not delivered.
    pub overlap: OverlapPolicy,
    /// Refuse, in prevent mode, a first fragment without the whole transport header.
    pub refuse_tiny_first: bool,
}

impl Default for DefragLimits {
    fn default() -> Self {
        Self {
            datagrams: 4096,
            fragments: 1024,
            bytes: 8 << 20,
            timeout: Duration::from_secs(30),
            overlap: OverlapPolicy::default(),
            refuse_tiny_first: true,
        }
    }
}
