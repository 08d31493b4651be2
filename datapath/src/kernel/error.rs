//! What can go wrong between weir and the kernel.

use std::io;

use crate::link::LinkError;
use crate::netlink::NetlinkError;
use crate::nft::NftError;

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
    /// The calling thread's name could not be read.
    #[error("/proc/thread-self/comm: {0}; check that /proc is mounted")]
    ThreadName(#[source] io::Error),
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
    /// The capture pair changes faster than it can be set up.
    #[error(
        "device `{name}` kept changing in {attempts} attempts to set it up; check what else manages it"
    )]
    Unstable {
        /// Device name.
        name: &'static str,
        /// Attempts made.
        attempts: u32,
    },
    /// A device of one of weir's names is someone else's.
    #[error("device `{name}` exists and is of kind `{kind}`, not weir's veth; rename or delete it")]
    ForeignDevice {
        /// Device name.
        name: String,
        /// Its kind.
        kind: String,
    },
    /// A value of the record cannot be written into rules.
    #[error("attachment record: {0}")]
    Record(String),
}

impl From<NftError> for KernelError {
    fn from(error: NftError) -> Self {
        refused(error.action, error.source)
    }
}

impl From<LinkError> for KernelError {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Refused {
                action,
                errno,
                text,
            } => refused(
                action,
                NetlinkError::Refused {
                    errno,
                    sequence: 0,
                    text,
                },
            ),
            LinkError::Netlink { action, source } => refused(action, source),
            LinkError::Program(source) => Self::Refused {
                action: "load the redirect program".to_owned(),
                hint: "; weir needs CONFIG_BPF_SYSCALL and CAP_BPF or CAP_SYS_ADMIN",
                source,
            },
            LinkError::Foreign { name, kind } => Self::ForeignDevice { name, kind },
            LinkError::Unstable { name, attempts } => Self::Unstable { name, attempts },
        }
    }
}

fn refused(action: String, source: NetlinkError) -> KernelError {
    match source {
        NetlinkError::Socket(error) => KernelError::Socket(error),
        NetlinkError::Protocol(detail) => KernelError::Protocol {
            action,
            detail: detail.to_owned(),
        },
        source @ NetlinkError::Refused { .. } => KernelError::Refused {
            action,
            hint: hint(source.errno().unwrap_or(0)),
            source: source.into_io(),
        },
    }
}

fn hint(errno: i32) -> &'static str {
    match errno {
        libc::EPERM | libc::EACCES => "; run as root, with CAP_NET_ADMIN in this network namespace",
        libc::EOPNOTSUPP | libc::EAFNOSUPPORT | libc::EPROTONOSUPPORT => {
            "; the kernel lacks a feature: `weir-cni` STATUS and `weir status` name what is missing"
        }
        libc::ENOMEM | libc::ENOBUFS => "; the kernel is out of memory",
        _ => "",
    }
}
