//! What a fragment may look like, seen alone.

use std::ops::Range;

use crate::decode::DecodeEvent;
use crate::frame::Mode;
use crate::packet::{Fragment, Network, Packet};

use super::parts::MAX_LEN;

const IPV6_HEADER: usize = 40;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// What to check besides what is always wrong.
#[derive(Clone, Copy)]
pub(super) struct Checks {
    pub(super) mode: Mode,
    pub(super) refuse_tiny_first: bool,
}

/// Why a fragment is not kept.
pub(super) struct Unsound {
    pub(super) event: DecodeEvent,
    /// Its whole datagram is refused with it.
    pub(super) whole: bool,
}

/// Where the fragment's data belongs in its datagram.
///
/// Receivers ignore an IPv6 fragment of odd length (RFC 8200, 4.5) and an empty one, so these are refused
/// alone. They disagree about an IPv4 one of odd length; in detect mode it is cut to a multiple of 8, as
/// Linux does.
pub(super) fn check(
    packet: &Packet<'_>,
    fragment: Fragment,
    checks: Checks,
) -> Result<Range<usize>, Unsound> {
    let v6 = packet.network == Network::Ipv6;
    let prevent = checks.mode == Mode::Prevent;
    let mut len = packet.payload().len();
    let odd = if fragment.more { len % 8 } else { 0 };
    if !v6 && !prevent {
        len -= odd;
    }
    if len == 0 || (odd != 0 && (v6 || prevent)) {
        return Err(Unsound {
            event: if v6 {
                DecodeEvent::Ipv6FragInvalidLength
            } else {
                DecodeEvent::Ipv4FragInvalidLength
            },
            whole: odd != 0 && !v6,
        });
    }
    let start = usize::from(fragment.offset);
    let end = start + len;
    if end + counted_headers(packet, fragment) > MAX_LEN {
        return Err(Unsound {
            event: if v6 {
                DecodeEvent::Ipv6FragTooLarge
            } else {
                DecodeEvent::Ipv4FragTooLarge
            },
            whole: prevent,
        });
    }
    let tiny = prevent && checks.refuse_tiny_first && start == 0 && !has_transport(packet);
    if tiny {
        return Err(Unsound {
            event: if v6 {
                DecodeEvent::Ipv6FragFirstTooSmall
            } else {
                DecodeEvent::Ipv4FragFirstTooSmall
            },
            whole: true,
        });
    }
    Ok(start..end)
}

/// Header bytes that count towards the length field of the whole packet.
fn counted_headers(packet: &Packet<'_>, fragment: Fragment) -> usize {
    match packet.network {
        Network::Ipv6 => fragment.header.saturating_sub(packet.l3 + IPV6_HEADER),
        _ => packet.l4 - packet.l3,
    }
}

/// True when a first fragment has the whole transport header, as far as weir reads it.
fn has_transport(packet: &Packet<'_>) -> bool {
    let mut data = packet.payload();
    let mut protocol = packet.protocol;
    if packet.network == Network::Ipv6 {
        // Options, routing and authentication headers may follow (RFC 7112: all of them).
        while let 0 | 43 | 51 | 60 = protocol {
            let (Some(next), Some(units)) = (data.first(), data.get(1)) else {
                return false;
            };
            let unit = if protocol == 51 { 4 } else { 8 };
            protocol = *next;
            match data.get(8 + usize::from(*units) * unit..) {
                Some(rest) => data = rest,
                None => return false,
            }
        }
    }
    match protocol {
        TCP => data
            .get(12)
            .is_some_and(|offset| data.len() >= 20.max(usize::from(offset >> 4) * 4)),
        UDP | 1 | 58 => data.len() >= 8,
        _ => true,
    }
}
