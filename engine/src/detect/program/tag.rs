//! `tag`: packets behind a match are recorded.

/// One `tag` of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) struct Tag {
    pub(in crate::detect) scope: TagScope,
    pub(in crate::detect) extent: TagExtent,
}

/// Whose packets are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) enum TagScope {
    /// Those of the flow.
    Session,
    /// Those from and to the source of the packet that matched.
    Source,
    /// Those from and to its destination.
    Destination,
}

/// How many of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) enum TagExtent {
    Packets(u32),
    /// Bytes of frames: the packet that reaches the number is the last.
    Bytes(u32),
    Seconds(u32),
}
