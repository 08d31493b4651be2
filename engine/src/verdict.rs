//! What befalls a frame, and why.

/// What the caller must do with the frame it handed in.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Deliver it. The engine may have rewritten its bytes in place (first copy of overlapping data
    /// wins, also on the wire); its length is unchanged.
    Pass,
    /// Do not deliver it.
    Drop(DropReason),
    /// Do not deliver it and tell the sides that [`RejectSides`] names.
    Reject(RejectSides),
    /// The engine has taken a copy (a fragment of an unfinished datagram) and will release or drop it
    /// later: do not deliver it now.
    Held,
}

/// Whom a reject tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RejectSides {
    /// The sender of the frame.
    pub source: bool,
    /// Its receiver.
    pub destination: bool,
}

/// Why a frame is not delivered. Every value has a counter and a stable name; the names are part of
/// the operator's interface (`weir status`, EVE `drop.reason`, metrics).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[non_exhaustive]
pub enum DropReason {
    /// A drop or reject signature matched it.
    Rule,
    /// It belongs to a flow that a drop signature ended.
    FlowDropped,
    /// A header is malformed; the decode event says which.
    Decode,
    /// Its L4 or IPv4 header checksum is wrong.
    Checksum,
    /// Fragments that overlap, leave the datagram, or come in an impossible order.
    Fragment,
    /// The fragment table or its memory is full.
    FragmentMemcap,
    /// The fragment's datagram was not completed in time.
    FragmentTimeout,
    /// The flow table is full and the exception policy says drop.
    FlowMemcap,
    /// A TCP segment that the receiver would not take, or must not (out of window, bad ACK, PAWS).
    StreamInvalid,
    /// Out-of-order data that the reassembly memory cannot keep until it is in order.
    StreamMemcap,
    /// A TCP flow whose beginning was not seen, and the exception policy says drop.
    StreamMidstream,
    /// A parser of the application layer gave the flow up, and the exception policy says drop.
    AppLayerError,
}

impl DropReason {
    /// Every reason, in counter order.
    pub const ALL: [Self; 12] = [
        Self::Rule,
        Self::FlowDropped,
        Self::Decode,
        Self::Checksum,
        Self::Fragment,
        Self::FragmentMemcap,
        Self::FragmentTimeout,
        Self::FlowMemcap,
        Self::StreamInvalid,
        Self::StreamMemcap,
        Self::StreamMidstream,
        Self::AppLayerError,
    ];

    /// Stable name, lower case with underscores.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::FlowDropped => "flow_dropped",
            Self::Decode => "decode",
            Self::Checksum => "checksum",
            Self::Fragment => "fragment",
            Self::FragmentMemcap => "fragment_memcap",
            Self::FragmentTimeout => "fragment_timeout",
            Self::FlowMemcap => "flow_memcap",
            Self::StreamInvalid => "stream_invalid",
            Self::StreamMemcap => "stream_memcap",
            Self::StreamMidstream => "stream_midstream",
            Self::AppLayerError => "applayer_error",
        }
    }
}
