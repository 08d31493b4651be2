//! The little of netlink that weir needs: attributes, messages, a blocking request socket.
//!
//! Owner: whoever holds the socket; nothing here is shared. A socket belongs to the network namespace
//! of the thread that opened it. The kernel handles a request inside the `send` that brings it, so that
//! every answer is queued before `send` returns: receiving never waits, and a missing answer is an error
//! instead of a hang. Unknown attributes are skipped, so that newer kernels do no harm.

mod attributes;
mod socket;

pub(crate) use attributes::{Attributes, Writer, find, read_str};
pub(crate) use socket::{Answer, NetlinkError, Socket};

/// Request is the first of possibly many parts.
pub(crate) const REQUEST: u16 = 0x1;
/// Answer success too.
pub(crate) const ACK: u16 = 0x4;
/// The dump met a concurrent change.
pub(crate) const DUMP_INTERRUPTED: u16 = 0x10;
/// Send the whole table.
pub(crate) const DUMP: u16 = 0x300;
/// Replace what exists.
pub(crate) const REPLACE: u16 = 0x100;
/// Fail if it exists.
pub(crate) const EXCLUSIVE: u16 = 0x200;
/// Create what does not exist.
pub(crate) const CREATE: u16 = 0x400;
/// Add at the end of the list.
pub(crate) const APPEND: u16 = 0x800;

/// Length of `nlmsghdr`.
pub(crate) const HEADER: usize = 16;
