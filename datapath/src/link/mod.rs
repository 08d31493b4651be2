//! Devices over rtnetlink and ethtool netlink: looking one up, the capture pair, the redirect program.
//!
//! Lookups are by name or index, not by listing, as a node has hundreds of devices; but for who has to know all.

mod answer;
pub(crate) mod bypass;
mod features;
pub(crate) mod pair;
pub(crate) mod redirect;
mod request;

use std::io;

pub(crate) use request::{Link, Links};

use crate::netlink::NetlinkError;

/// What can go wrong with devices.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// The kernel refused.
    #[error("{action}: {}{}", io::Error::from_raw_os_error(*errno), text.as_ref().map(|t| format!(" ({t})")).unwrap_or_default())]
    Refused {
        /// What was asked.
        action: String,
        /// Positive errno.
        errno: i32,
        /// The kernel's words.
        text: Option<String>,
    },
    /// Socket or protocol trouble.
    #[error("{action}: {source}")]
    Netlink {
        /// What was asked.
        action: String,
        /// Cause.
        source: NetlinkError,
    },
    /// `bpf(2)` refused the redirect program.
    #[error("load the redirect program: {0}")]
    Program(#[source] io::Error),
    /// A device of one of weir's names is no veth.
    #[error("device `{name}` exists and is of kind `{kind}`, not weir's veth; rename or delete it")]
    Foreign {
        /// Device name.
        name: String,
        /// Its kind.
        kind: String,
    },
    /// Somebody keeps deleting what is created.
    #[error("the capture pair keeps changing; check what else manages device `{name}`")]
    Unstable {
        /// Device name.
        name: &'static str,
        /// Attempts made.
        attempts: u32,
    },
}

impl LinkError {
    fn new(action: &str, source: NetlinkError) -> Self {
        match source {
            NetlinkError::Refused { errno, text, .. } => Self::Refused {
                action: action.to_owned(),
                errno,
                text,
            },
            source => Self::Netlink {
                action: action.to_owned(),
                source,
            },
        }
    }

    /// The kernel's errno, if it was the kernel that refused.
    pub(crate) fn errno(&self) -> Option<i32> {
        match self {
            Self::Refused { errno, .. } => Some(*errno),
            _ => None,
        }
    }
}
