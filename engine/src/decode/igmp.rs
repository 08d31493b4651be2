//! IGMP (RFC 2236, RFC 9776): checked for form only; it has no ports. A message of version 3 is all
//! header; behind the eight bytes of older ones comes the payload.

use crate::packet::{Packet, Transport};

use super::bytes::{byte, u16_at};
use super::link::rest;
use super::{DecodeEvent, Step};

const HEADER: usize = 8;
const V3_QUERY: usize = 12;
const GROUP_RECORD: usize = 8;
const QUERY: u8 = 0x11;
const V3_REPORT: u8 = 0x22;

/// The IGMP message at `packet.l4`.
pub(super) fn decode(packet: &mut Packet<'_>) -> Step {
    packet.transport = Transport::Other(super::transport::IGMP);
    let message = rest(packet, packet.l4);
    let event = match byte(message, 0) {
        Some(V3_REPORT) if message.len() < HEADER => Some(DecodeEvent::IgmpV3TooSmall),
        _ if message.len() < HEADER => Some(DecodeEvent::IgmpTooSmall),
        Some(V3_REPORT) if !report_fits(message) => Some(DecodeEvent::IgmpMalformed),
        _ if is_v3_query(message) => query(message),
        _ => None,
    };
    packet.events.extend(event);
    let v3 = matches!(byte(message, 0), Some(V3_REPORT)) || is_v3_query(message);
    let header = if v3 { message.len() } else { HEADER };
    packet.payload_start = (packet.l4 + header).min(packet.payload_end);
    Ok(())
}

/// A query longer than version 2's is one of version 3.
fn is_v3_query(message: &[u8]) -> bool {
    byte(message, 0) == Some(QUERY) && message.len() > HEADER
}

fn query(message: &[u8]) -> Option<DecodeEvent> {
    if message.len() < V3_QUERY {
        return Some(DecodeEvent::IgmpV3TooSmall);
    }
    let sources = usize::from(u16_at(message, 10)?);
    (message.len() < V3_QUERY + sources * 4).then_some(DecodeEvent::IgmpMalformed)
}

/// True when the group records that the report announces are inside it.
fn report_fits(message: &[u8]) -> bool {
    let records = u16_at(message, 6).unwrap_or_default();
    let mut at = HEADER;
    // Each record is at least 8 bytes, so this ends within the message.
    for _ in 0..records {
        let (Some(auxiliary), Some(sources)) = (byte(message, at + 1), u16_at(message, at + 2))
        else {
            return false;
        };
        at += GROUP_RECORD + usize::from(sources) * 4 + usize::from(auxiliary) * 4;
        if at > message.len() {
            return false;
        }
    }
    true
}
