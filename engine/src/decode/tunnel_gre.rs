//! GRE headers (RFC 1701, 2784, 2890; version 1 RFC 2637) and ERSPAN in them.

use crate::packet::Packet;

use super::bytes::{byte, u16_at};
use super::link::{self, rest};
use super::{DecodeEvent, Events, MAX_LINK_LAYERS, Step, ppp};

const CHECKSUM: u16 = 0x8000;
const ROUTING: u16 = 0x4000;
const KEY: u16 = 0x2000;
const SEQUENCE: u16 = 0x1000;
const STRICT_ROUTE: u16 = 0x0800;
const RECURSION: u16 = 0x0700;
const ACKNOWLEDGEMENT: u16 = 0x0080;
const VERSION: u16 = 0x0007;

const ERSPAN: u16 = 0x88be;
const ERSPAN_HEADER: usize = 8;

/// What a GRE header says of what it carries.
pub(super) struct Carried {
    kind: u16,
    len: usize,
    sequenced: bool,
}

/// Reads the header that `bytes` start with. `None`, with an event, when it cannot be followed.
pub(super) fn header(bytes: &[u8], events: &mut Events) -> Option<Carried> {
    let read = match (u16_at(bytes, 0), u16_at(bytes, 2)) {
        (Some(flags), Some(kind)) => match flags & VERSION {
            0 => version0(bytes, flags, kind),
            1 => version1(bytes, flags, kind),
            _ => Err(DecodeEvent::GreWrongVersion),
        },
        _ => Err(DecodeEvent::GreTooSmall),
    };
    read.map_err(|event| events.insert(event)).ok()
}

fn version0(bytes: &[u8], flags: u16, kind: u16) -> Result<Carried, DecodeEvent> {
    if flags & RECURSION != 0 {
        return Err(DecodeEvent::Gre0Recursion);
    }
    if flags & 0x00f8 != 0 {
        return Err(DecodeEvent::Gre0Flags);
    }
    let mut len = 4;
    for (flag, size) in [(CHECKSUM | ROUTING, 4), (KEY, 4), (SEQUENCE, 4)] {
        if flags & flag != 0 {
            len += size;
        }
    }
    if flags & ROUTING != 0 {
        len = source_routes(bytes, len)?;
    }
    if len > bytes.len() {
        return Err(DecodeEvent::Gre0HeaderTooBig);
    }
    Ok(Carried {
        kind,
        len,
        sequenced: flags & SEQUENCE != 0,
    })
}

/// Skips the source route entries at `at`; an entry of family and length 0 ends them.
fn source_routes(bytes: &[u8], mut at: usize) -> Result<usize, DecodeEvent> {
    for _ in 0..MAX_LINK_LAYERS {
        let family = u16_at(bytes, at).ok_or(DecodeEvent::Gre0HeaderTooBig)?;
        let len = byte(bytes, at + 3).ok_or(DecodeEvent::Gre0HeaderTooBig)?;
        at += 4;
        match (family, len) {
            (0, 0) => return Ok(at),
            (_, 0) => return Err(DecodeEvent::Gre0MalformedSre),
            _ => at += usize::from(len),
        }
    }
    Err(DecodeEvent::TooManyLayers)
}

fn version1(bytes: &[u8], flags: u16, kind: u16) -> Result<Carried, DecodeEvent> {
    use DecodeEvent as E;
    let refused = [
        (flags & CHECKSUM != 0, E::Gre1Checksum),
        (flags & ROUTING != 0, E::Gre1Route),
        (flags & STRICT_ROUTE != 0, E::Gre1Ssr),
        (flags & RECURSION != 0, E::Gre1Recursion),
        (flags & 0x0078 != 0, E::Gre1Flags),
        (kind != link::PPP, E::Gre1WrongProtocol),
        (flags & KEY == 0, E::Gre1NoKey),
    ];
    if let Some((_, event)) = refused.into_iter().find(|(wrong, _)| *wrong) {
        return Err(event);
    }
    let mut len = 8;
    for flag in [SEQUENCE, ACKNOWLEDGEMENT] {
        if flags & flag != 0 {
            len += 4;
        }
    }
    if len > bytes.len() {
        return Err(E::Gre1HeaderTooBig);
    }
    Ok(Carried {
        kind,
        len,
        sequenced: flags & SEQUENCE != 0,
    })
}

/// Decodes what the GRE header at `at` carries into `packet`.
pub(super) fn carried(packet: &mut Packet<'_>, carried: Carried, at: usize) -> Step {
    let next = at + carried.len;
    match carried.kind {
        link::TRANSPARENT_ETHERNET => link::ethernet(packet, next),
        ERSPAN if carried.sequenced => erspan2(packet, next),
        // Type I has no header of its own.
        ERSPAN => mirrored(packet, next),
        // PPTP acknowledgements carry nothing.
        link::PPP if rest(packet, next).is_empty() => link::other(packet, next),
        link::PPP => ppp::hdlc(packet, next),
        kind => link::ether_type(packet, kind, next),
    }
}

fn erspan2(packet: &mut Packet<'_>, at: usize) -> Step {
    let header = rest(packet, at)
        .first_chunk::<ERSPAN_HEADER>()
        .ok_or(DecodeEvent::ErspanTooSmall);
    let event = match header {
        Ok(header) if header[0] >> 4 == 1 => return mirrored(packet, at + ERSPAN_HEADER),
        Ok(_) => DecodeEvent::ErspanVersion,
        Err(event) => event,
    };
    packet.events.insert(event);
    link::other(packet, at)
}

/// The mirrored frame at `at`.
fn mirrored(packet: &mut Packet<'_>, at: usize) -> Step {
    link::ethernet(packet, at).map_err(|event| match event {
        DecodeEvent::VlanTooManyLayers => DecodeEvent::ErspanTooManyVlans,
        other => other,
    })
}
