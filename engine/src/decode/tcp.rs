//! TCP header and options (RFC 9293, RFC 7323, RFC 2018, RFC 7413).
//!
//! Options are read as receivers read them: an option that leaves the header ends the list, one of the
//! wrong length for its kind is skipped, of two equal ones the last counts.

use crate::packet::{Packet, TcpHeader, TcpOptions, Transport};

use super::bytes::{byte, u16_at, u32_at};
use super::link::rest;
use super::{DecodeEvent, Events, Step};

/// Header length without options.
const HEADER: usize = 20;
/// Two no-operations and a timestamp option, as nearly every segment has it.
const ALIGNED_TIMESTAMP: u32 = 0x0101_080a;
/// The greatest window shift (RFC 7323, 2.3).
const MAX_WINDOW_SHIFT: u8 = 14;
/// Magic of the experimental Fast Open option (RFC 7413 drafts).
const FAST_OPEN_MAGIC: u16 = 0xf989;

/// The TCP header at `packet.l4`.
#[inline]
pub(super) fn decode(packet: &mut Packet<'_>) -> Step {
    let segment = rest(packet, packet.l4);
    let header = segment
        .first_chunk::<HEADER>()
        .ok_or(DecodeEvent::TcpTooSmall)?;
    let header_len = usize::from(header[12] >> 4) * 4;
    if header_len < HEADER || header_len > segment.len() {
        return Err(DecodeEvent::TcpHeaderLenTooSmall);
    }
    let options = segment.get(HEADER..header_len).unwrap_or_default();
    packet.transport = Transport::Tcp(TcpHeader {
        source: u16::from_be_bytes([header[0], header[1]]),
        destination: u16::from_be_bytes([header[2], header[3]]),
        sequence: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
        acknowledgement: u32::from_be_bytes([header[8], header[9], header[10], header[11]]),
        flags: header[13],
        window: u16::from_be_bytes([header[14], header[15]]),
        urgent: u16::from_be_bytes([header[18], header[19]]),
        options: read_options(options, &mut packet.events),
    });
    packet.payload_start = packet.l4 + header_len;
    Ok(())
}

fn read_options(options: &[u8], events: &mut Events) -> TcpOptions {
    let mut read = TcpOptions::default();
    if options.is_empty() {
        return read;
    }
    if options.len() == 12 && u32_at(options, 0) == Some(ALIGNED_TIMESTAMP) {
        read.timestamps = u32_at(options, 4).zip(u32_at(options, 8));
        return read;
    }
    let mut left = options;
    let mut seen = 0u64;
    while let Some(&kind) = left.first() {
        match kind {
            0 => break,
            1 => left = left.get(1..).unwrap_or_default(),
            _ => {
                let len = usize::from(byte(left, 1).unwrap_or_default());
                let (2.., Some(option)) = (len, left.get(..len)) else {
                    events.insert(DecodeEvent::TcpInvalidOptLen);
                    break;
                };
                if let Some(event) = read_option(&mut read, kind, option, &mut seen) {
                    events.insert(event);
                }
                left = left.get(len..).unwrap_or_default();
            }
        }
    }
    read
}

/// Reads one option, kind and length bytes included.
fn read_option(
    read: &mut TcpOptions,
    kind: u8,
    option: &[u8],
    seen: &mut u64,
) -> Option<DecodeEvent> {
    match (kind, option.len()) {
        (2, 4) => read.mss = u16_at(option, 2),
        (3, 3) => read.window_scale = byte(option, 2).map(|shift| shift.min(MAX_WINDOW_SHIFT)),
        (4, 2) => read.sack_permitted = true,
        // SACK: empty ones are seen in the wild and mean nothing.
        (5, len) if len % 8 == 2 && len <= 34 => {}
        (8, 10) => read.timestamps = u32_at(option, 2).zip(u32_at(option, 6)),
        (34, 2 | 6..=18) => read.fast_open = true,
        (254, 4..) if u16_at(option, 2) == Some(FAST_OPEN_MAGIC) => read.fast_open = true,
        (2..=5 | 8, _) => return Some(DecodeEvent::TcpOptInvalidLen),
        // Unknown kinds, and Fast Open cookies of odd lengths (ignored, RFC 7413, 4.1.1).
        _ => return None,
    }
    let bit = 1u64.checked_shl(u32::from(kind))?;
    let again = *seen & bit != 0;
    *seen |= bit;
    again.then_some(DecodeEvent::TcpOptDuplicate)
}
