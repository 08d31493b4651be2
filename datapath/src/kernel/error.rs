//! What can go wrong between weir and the kernel.

use std::io;

/// Error of an operation on the nft table or the capture devices.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// The kernel refused a request.
    #[error("the kernel refused to {action}: {source}{hint}")]
    Refused {
        /// What was asked.
        action: String,
        /// The kernel's answer, its explanation included where it gives one.
        source: io::Error,
        /// What to check, or empty; starts with a separator.
        hint: &'static str,
    },
    /// A netlink socket could not be opened or used.
    #[error(
        "netlink socket: {0}; check that the process may open netlink sockets (seccomp, address families)"
    )]
    Socket(#[source] io::Error),
    /// The kernel answered with something that does not follow the protocol.
    #[error("unexpected netlink answer while trying to {action}: {detail}")]
    Protocol {
        /// What was asked.
        action: String,
        /// What was wrong with the answer.
        detail: String,
    },
    /// Others kept changing the nft rule set; nothing was changed.
    #[error(
        "the nft rule set kept changing while trying to {action} ({attempts} attempts); try again"
    )]
    Contended {
        /// What was asked.
        action: String,
        /// Attempts made.
        attempts: u32,
    },
    /// The table in the kernel was written by another build of weir.
    #[error(
        "table `netdev weir` has format {found}, this build writes {known}; drain the node, run `weir uninstall` of the build that wrote it, then start this one"
    )]
    Format {
        /// Format found in the kernel.
        found: String,
        /// Format of this build.
        known: u32,
    },
    /// [`super::Kernel::ensure_node`] has not run, or the table was removed by someone (`nft flush ruleset`).
    #[error(
        "table `netdev weir` is missing; it is created by ensure_node, and `nft flush ruleset` removes it: restart weir on this node"
    )]
    NoTable,
    /// The host interface of the record is not there, or is another device by now.
    #[error(
        "host interface `{ifname}` is not the device of index {expected} (found: {found}); the pod's interface was deleted or replaced meanwhile"
    )]
    InterfaceChanged {
        /// Name in the record.
        ifname: String,
        /// Index in the record.
        expected: u32,
        /// Index found, or `none`.
        found: String,
    },
    /// A value of the record cannot be written into rules.
    #[error("attachment record: {0}")]
    Record(String),
    /// This part of the datapath is not written yet.
    #[error("not available in this build: {0}")]
    NotBuilt(&'static str),
}
