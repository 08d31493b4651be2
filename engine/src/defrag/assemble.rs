//! The one packet that fragments stand for.
//!
//! It is made without a link layer (raw IP): lengths that link headers carry would not fit it.
//! IPv4: the first fragment's header, options included, with the total length, no fragment bits, and
//! its checksum. IPv6: the first fragment's headers up to the fragment header, which is taken out
//! (RFC 8200, 4.5).

use crate::decode::checksum;
use crate::packet::Network;

use super::overlap::OverlapPolicy;
use super::parts::{MAX_LEN, Part, Parts};

const IPV6_HEADER: usize = 40;

/// Writes the datagram of `total` data bytes to `to`. `false` when it would be too large, or its first
/// fragment is not there.
pub(super) fn assemble(
    parts: &Parts,
    total: usize,
    policy: OverlapPolicy,
    to: &mut Vec<u8>,
) -> bool {
    to.clear();
    let Some(first) = parts.first(policy) else {
        return false;
    };
    let written = match first.network {
        Network::Ipv6 => ipv6_headers(parts, first, total, to),
        _ => ipv4_header(parts, first, total, to),
    };
    if written.is_none() {
        return false;
    }
    let headers = to.len();
    to.resize(headers + total, 0);
    parts.write_data(to.get_mut(headers..).unwrap_or_default(), policy);
    true
}

fn ipv4_header(parts: &Parts, first: &Part, total: usize, to: &mut Vec<u8>) -> Option<()> {
    let header = parts
        .frame(first)
        .get(first.l3..Parts::data_range(first).start)?;
    let len = header.len() + total;
    let len = u16::try_from(len).ok().filter(|_| len <= MAX_LEN)?;
    to.extend_from_slice(header);
    to.get_mut(2..4)?.copy_from_slice(&len.to_be_bytes());
    to.get_mut(6..8)?.fill(0);
    to.get_mut(10..12)?.fill(0);
    let field = checksum::finish(checksum::sum(to));
    to.get_mut(10..12)?.copy_from_slice(&field);
    Some(())
}

fn ipv6_headers(parts: &Parts, first: &Part, total: usize, to: &mut Vec<u8>) -> Option<()> {
    let headers = parts.frame(first).get(first.l3..first.fragment.header)?;
    let len = headers.len().checked_sub(IPV6_HEADER)? + total;
    let len = u16::try_from(len).ok()?;
    let named_at = first.fragment.named_at.checked_sub(first.l3)?;
    to.extend_from_slice(headers);
    to.get_mut(4..6)?.copy_from_slice(&len.to_be_bytes());
    *to.get_mut(named_at)? = first.protocol;
    Some(())
}
