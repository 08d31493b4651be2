//! What TCP tracking reads of one segment.

use crate::packet::{TcpHeader, TcpOptions};

use super::SeqNumber;

/// Bits of TCP header byte 13.
pub mod flags {
    /// FIN
    pub const FIN: u8 = 0x01;
    /// SYN
    pub const SYN: u8 = 0x02;
    /// RST
    pub const RST: u8 = 0x04;
    /// PSH
    pub const PSH: u8 = 0x08;
    /// ACK
    pub const ACK: u8 = 0x10;
    /// URG
    pub const URG: u8 = 0x20;
}

/// One segment: header fields in stream terms.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    /// Sequence number of the first payload byte: behind the SYN, where there is one.
    pub(crate) start: SeqNumber,
    /// Acknowledgement, where the ACK flag is set.
    pub(crate) ack: Option<SeqNumber>,
    /// Acknowledgement field without the ACK flag.
    pub(crate) broken_ack: bool,
    /// Header byte 13.
    pub(crate) flags: u8,
    /// Window field, unscaled.
    pub(crate) window: u16,
    /// Options.
    pub(crate) options: TcpOptions,
    /// Payload bytes.
    pub(crate) length: i64,
}

impl Segment {
    /// Reads a header in front of `payload` bytes.
    #[must_use]
    pub fn new(tcp: &TcpHeader, payload: usize) -> Self {
        let sequence = SeqNumber::new(tcp.sequence);
        let syn = tcp.flags & flags::SYN != 0;
        let acknowledges = tcp.flags & flags::ACK != 0;
        Self {
            start: if syn { sequence.advance(1) } else { sequence },
            ack: acknowledges.then(|| SeqNumber::new(tcp.acknowledgement)),
            broken_ack: !acknowledges && tcp.acknowledgement != 0,
            flags: tcp.flags,
            window: tcp.window,
            options: tcp.options,
            length: i64::try_from(payload).unwrap_or(i64::MAX),
        }
    }

    pub(crate) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}
