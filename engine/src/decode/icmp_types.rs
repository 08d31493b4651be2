//! Which ICMP types and codes exist (IANA's registries of ICMP and `ICMPv6` parameters).

use crate::packet::IcmpHeader;

use super::DecodeEvent;

/// What is wrong with the type or code of an ICMP message.
pub(super) fn judge4(header: IcmpHeader) -> Option<DecodeEvent> {
    let last_code = match header.kind {
        // Echo, source quench, timestamp, information, address mask, router solicitation.
        0 | 4 | 8 | 10 | 13..=18 => 0,
        3 => 15,
        5 => 3,
        // Router advertisement: 0, or 16 in Mobile IP.
        9 if header.code == 16 => 16,
        9 => 0,
        11 => 1,
        12 => 2,
        // Extended echo (RFC 8335).
        42 => 0,
        43 => 4,
        _ => return Some(DecodeEvent::Icmpv4UnknownType),
    };
    (header.code > last_code).then_some(DecodeEvent::Icmpv4UnknownCode)
}

/// What is wrong with the type or code of an `ICMPv6` message.
pub(super) fn judge6(header: IcmpHeader) -> Option<DecodeEvent> {
    let last_code = match header.kind {
        1 => 8,
        2 => 0,
        3 => 1,
        4 => 10,
        // Private experimentation (RFC 4443, 2.1).
        100 | 101 | 200 | 201 => return Some(DecodeEvent::Icmpv6Experimentation),
        // Echo, multicast listener, neighbour and router discovery, inverse discovery, MLDv2.
        128..=137 | 141..=143 => 0,
        // Router renumbering: reset is 255.
        138 if header.code == 255 => 255,
        138 => 1,
        139 | 140 => 2,
        // Mobility, certification path, multicast router discovery and later ones.
        144..=156 | 159 | 160 => 1,
        157 | 158 => 4,
        161 => 4,
        _ => return Some(DecodeEvent::Icmpv6UnassignedType),
    };
    (header.code > last_code).then_some(DecodeEvent::Icmpv6UnknownCode)
}
