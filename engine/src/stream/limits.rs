//! Every bound of the stream stage, in one place.

/// Bounds on memory and work of TCP tracking, per worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamLimits {
    /// Bytes that all stream buffers of the worker may take together. When it is reached, the windows
    /// of the flows that were idle longest are given up; where that does not suffice the segment is
    /// dropped ([`StreamMemcap`](crate::verdict::DropReason::StreamMemcap)).
    pub memcap: usize,
    /// Bytes kept of one direction of a flow: the window, what is not yet acknowledged, and what came
    /// out of order. Beyond it segments are dropped (`StreamMemcap`); TCP sends them again.
    pub per_direction: usize,
    /// Bytes in front of the fresh ones that signatures see: the longest reach of a match over
    /// segment bounds.
    pub window: usize,
    /// Separate runs of out-of-order bytes per direction.
    pub pieces: usize,
    /// Bytes not yet acknowledged that are kept where no acknowledgement can be seen (one-sided
    /// flows); older ones are taken as received.
    pub one_sided: usize,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self {
            memcap: 256 << 20,
            per_direction: 8 << 20,
            window: 16 << 10,
            pieces: 256,
            one_sided: 256 << 10,
        }
    }
}

/// What to do with urgent data, which a receiver's application may or may not read in line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum UrgentPolicy {
    /// Clear the urgent flag and pointer on the wire (prevent mode), so that every receiver reads the
    /// byte in line, as it is inspected.
    #[default]
    Inline,
    /// Drop segments with the urgent flag.
    Drop,
}
