//! MPLS label stack (RFC 3032).
//!
//! What the labels carry is nowhere written: the first nibble is taken for it, as routers do
//! (RFC 4928): 4 and 6 are IP, 0 is a pseudowire control word in front of Ethernet.

use crate::packet::Packet;

use super::bytes::{byte, u32_at};
use super::link::{ethernet, other, rest};
use super::{DecodeEvent, MAX_LINK_LAYERS, Step, ipv4, ipv6};

const LABEL: usize = 4;

/// The labels at `at` and what they carry.
pub(super) fn decode(packet: &mut Packet<'_>, mut at: usize) -> Step {
    for _ in 0..MAX_LINK_LAYERS {
        let entry = u32_at(rest(packet, at), 0).ok_or(DecodeEvent::MplsTooSmall)?;
        at += LABEL;
        if entry & 0x100 == 0 {
            continue;
        }
        return match entry >> 12 {
            0 => ipv4::decode(packet, at),
            2 => ipv6::decode(packet, at),
            1 => reserved(packet, at, DecodeEvent::MplsRouterAlert),
            3 => reserved(packet, at, DecodeEvent::MplsImplicitNull),
            4..=15 => reserved(packet, at, DecodeEvent::MplsReserved),
            _ => by_nibble(packet, at),
        };
    }
    Err(DecodeEvent::TooManyLayers)
}

fn reserved(packet: &mut Packet<'_>, at: usize, event: DecodeEvent) -> Step {
    packet.events.insert(event);
    by_nibble(packet, at)
}

fn by_nibble(packet: &mut Packet<'_>, at: usize) -> Step {
    const CONTROL_WORD: usize = 4;
    let first = byte(rest(packet, at), 0).ok_or(DecodeEvent::MplsPacketTooSmall)?;
    match first >> 4 {
        4 => ipv4::decode(packet, at),
        6 => ipv6::decode(packet, at),
        0 => ethernet(packet, at + CONTROL_WORD),
        _ => {
            packet.events.insert(DecodeEvent::MplsUnknownPayload);
            other(packet, at)
        }
    }
}
