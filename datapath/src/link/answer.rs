//! Reading answers attribute by attribute.
//!
//! `netlink-packet-route` refuses a message as a whole when one attribute of it is not as it expects, which is
//! what a newer kernel may send. Here such an attribute is skipped, so that the others count.

use netlink_packet_core::{Nla, NlaBuffer, NlasIterator, Parseable};
use netlink_packet_route::link::InfoKind;

/// The attributes after a fixed part of `skip` bytes; ends at the first that does not fit.
pub(super) fn attributes(payload: &[u8], skip: usize) -> impl Iterator<Item = NlaBuffer<&[u8]>> {
    let rest = payload.get(skip..).unwrap_or_default();
    NlasIterator::new(rest).map_while(Result::ok)
}

/// Kind of a device from its `IFLA_LINKINFO`; what else that holds depends on the kind and is not looked at.
pub(super) fn info_kind(link_info: &[u8]) -> Option<String> {
    let number = InfoKind::Veth.kind();
    let attribute = attributes(link_info, 0).find(|attribute| attribute.kind() == number)?;
    Some(InfoKind::parse(&attribute).ok()?.to_string())
}
