//! What is handed to the detector: a packet, its flow, and the stream bytes it completed.

use crate::app_layer::AppView;
use crate::event::{FlowDirection, Volume};
use crate::frame::{FrameMeta, Timestamp};
use crate::packet::Packet;

/// One packet and all that is known with it.
#[derive(Clone, Copy, Debug)]
pub struct Inspection<'a> {
    /// The packet. For a frame that could not be decoded to IP, one with unspecified addresses and
    /// [`Transport::None`](crate::packet::Transport::None): it meets only rules on events.
    pub packet: &'a Packet<'a>,
    /// Its frame.
    pub meta: &'a FrameMeta,
    /// The flow it belongs to, where it belongs to one.
    pub flow: Option<FlowView>,
    /// The stream that the packet's payload was accepted into. `None`: it was accepted into none
    /// (not TCP, flow not picked up, segment refused), so that its own payload is all there is.
    /// `Some` with `fresh_from == bytes.len()`: nothing became contiguous with this packet.
    pub stream: Option<StreamView<'a>>,
    /// The flow's application layer, the bytes of this packet taken in; `None` where the packet belongs to
    /// no flow.
    pub app: Option<AppView<'a>>,
    /// What of it is of interest.
    pub extent: Extent,
    /// Full names of the decode and stream events it raised, as `decode-event` and `stream-event`
    /// write them with their prefix: `decoder.ipv4.pkt_too_small`, `stream.pkt_invalid_ack`; and of those
    /// of its flow's recognition, as `app-layer-event` writes them.
    pub events: &'a [&'static str],
}

/// What of a packet is inspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Extent {
    /// All of it.
    #[default]
    Packet,
    /// The stream's bytes and transactions: the packet only stands for its flow and direction.
    Stream,
    /// Transactions: the rest was inspected before (it brought more than could be held at once).
    Transactions,
}

/// What signatures ask of a flow, as it is with this packet counted in.
#[derive(Clone, Copy, Debug)]
pub struct FlowView {
    /// Direction of this packet.
    pub direction: FlowDirection,
    /// TCP: the handshake is complete. Others: both sides were seen.
    pub established: bool,
    /// First packet of the flow.
    pub start: Timestamp,
    /// Packets and bytes to the server so far.
    pub to_server: Volume,
    /// Packets and bytes to the client so far.
    pub to_client: Volume,
    /// Stream bytes by sequence number so far, to the server and to the client.
    pub stream_bytes: [u64; 2],
}

/// A contiguous window of one direction of a TCP stream.
#[derive(Clone, Copy, Debug)]
pub struct StreamView<'a> {
    /// The tail of what was inspected before, then the fresh bytes.
    pub bytes: &'a [u8],
    /// Index in `bytes` of the first fresh one.
    pub fresh_from: usize,
    /// Offset in the stream of `bytes[0]`; the first byte behind the SYN (of the pick-up, for
    /// midstream) is 0.
    pub window_offset: u64,
    /// This direction has ended: nothing will follow.
    pub eof: bool,
}
