//! IPv4 options (RFC 791, RFC 1108, RFC 2113).

use super::bytes::byte;
use super::{DecodeEvent, Events, Step};

const END: u8 = 0;
const NO_OPERATION: u8 = 1;

/// What an option of a known kind must look like.
struct Shape {
    /// Smallest and greatest length, kind and length bytes included.
    len: (usize, usize),
    /// Smallest pointer, in the options that have one.
    pointer: Option<u8>,
}

const fn shape(kind: u8) -> Option<Shape> {
    let (len, pointer) = match kind {
        // Record route, loose and strict source route.
        7 | 131 | 137 => ((3, 39), Some(4)),
        // Timestamp.
        68 => ((4, 40), Some(5)),
        // Security, extended security, commercial security.
        130 | 133 => ((3, 40), None),
        134 => ((6, 40), None),
        // Stream id, router alert.
        136 | 148 => ((4, 4), None),
        _ => return None,
    };
    Some(Shape { len, pointer })
}

/// Checks the options that fill `options`.
pub(super) fn check(options: &[u8], events: &mut Events) -> Step {
    let mut left = options;
    let mut seen = [0u128; 2];
    while let Some(&kind) = left.first() {
        if kind == END {
            return Ok(());
        }
        if kind == NO_OPERATION {
            left = left.get(1..).unwrap_or_default();
            continue;
        }
        let len = byte(left, 1).ok_or(DecodeEvent::Ipv4OptEolRequired)?;
        let len = usize::from(len);
        let option = left.get(..len).ok_or(DecodeEvent::Ipv4OptMalformed)?;
        if len < 2 {
            return Err(DecodeEvent::Ipv4OptMalformed);
        }
        judge(kind, option, &mut seen, events);
        left = left.get(len..).unwrap_or_default();
    }
    Ok(())
}

fn judge(kind: u8, option: &[u8], seen: &mut [u128; 2], events: &mut Events) {
    let Some(shape) = shape(kind) else {
        events.insert(DecodeEvent::Ipv4OptUnknown);
        return;
    };
    let bit = 1u128 << (kind & 0x7f);
    let word = &mut seen[usize::from(kind >> 7)];
    if *word & bit != 0 {
        events.insert(DecodeEvent::Ipv4OptDuplicate);
    }
    *word |= bit;
    if option.len() < shape.len.0 || option.len() > shape.len.1 {
        events.insert(DecodeEvent::Ipv4OptInvalidLen);
    } else if shape
        .pointer
        .is_some_and(|least| byte(option, 2).is_none_or(|pointer| pointer < least))
    {
        events.insert(DecodeEvent::Ipv4OptInvalid);
    }
}
