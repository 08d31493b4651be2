//! Options of the hop-by-hop and destination options headers (RFC 8200, 4.2).

use super::bytes::byte;
use super::ipv6::HOP_BY_HOP;
use super::{DecodeEvent, Events, Step};

const PAD1: u8 = 0;
const PADN: u8 = 1;

/// Checks the options that fill `options`, of a header of type `kind`.
pub(super) fn check(kind: u8, options: &[u8], events: &mut Events) -> Step {
    let hop = kind == HOP_BY_HOP;
    let mut only_padding = true;
    let mut left = options;
    while let Some(&option) = left.first() {
        if option == PAD1 {
            left = left.get(1..).unwrap_or_default();
            continue;
        }
        let len = usize::from(byte(left, 1).ok_or(DecodeEvent::Ipv6InvalidOptionLen)?);
        left = left
            .get(2 + len..)
            .ok_or(DecodeEvent::Ipv6InvalidOptionLen)?;
        if option == PADN {
            if len == 0 {
                events.insert(DecodeEvent::Ipv6ZeroLenPadN);
            }
            continue;
        }
        only_padding = false;
        match known_len(option) {
            Some(right) if right != len => return Err(DecodeEvent::Ipv6InvalidOptionLen),
            Some(_) => {}
            None if hop => events.insert(DecodeEvent::Ipv6HopUnknownOption),
            None => events.insert(DecodeEvent::Ipv6DestUnknownOption),
        }
    }
    match (only_padding, hop) {
        (true, true) => events.insert(DecodeEvent::Ipv6HopOnlyPadding),
        (true, false) => events.insert(DecodeEvent::Ipv6DestOnlyPadding),
        (false, _) => {}
    }
    Ok(())
}

/// Length of the options that have a fixed one: router alert (RFC 2711), jumbo payload (RFC 2675), home
/// address (RFC 6275), tunnel encapsulation limit (RFC 2473).
fn known_len(option: u8) -> Option<usize> {
    match option {
        4 => Some(1),
        5 => Some(2),
        0xc2 => Some(4),
        0xc9 => Some(16),
        _ => None,
    }
}
