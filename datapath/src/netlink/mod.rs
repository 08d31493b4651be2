//! The little of netlink that weir needs: attributes, messages, a blocking request socket.
//!
//! Owner: whoever holds the socket; nothing here is shared. A socket belongs to the network namespace
//! of the thread that opened it. The kernel handles a request inside the `send` that brings it, so that
//! every answer is queued before `send` returns: receiving never waits, and a missing answer is an error
//! instead of a hang. Unknown attributes are skipped, so that newer kernels do no harm.
//!
//! Messages about devices are crate `netlink-packet-route`'s, written by [`Writer::emit`]; those of nf_tables
//! and ethtool are written attribute by attribute.

mod attributes;
mod listener;
mod socket;

pub(crate) use attributes::{Attributes, Writer, find, read_str};
pub(crate) use listener::Listener;
pub(crate) use socket::{Answer, NetlinkError, Socket};

/// Flags of a request (`linux/netlink.h`).
pub(crate) use netlink_packet_core::{
    NLM_F_ACK as ACK, NLM_F_APPEND as APPEND, NLM_F_CREATE as CREATE, NLM_F_DUMP as DUMP,
    NLM_F_DUMP_INTR as DUMP_INTERRUPTED, NLM_F_EXCL as EXCLUSIVE, NLM_F_REPLACE as REPLACE,
    NLM_F_REQUEST as REQUEST,
};

/// Length of `nlmsghdr`.
pub(crate) const HEADER: usize = 16;
