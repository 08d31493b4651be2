//! Finds the host side of a pod's interface by looking from inside the pod's network namespace.

use std::io;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};

/// The host side of a pod's interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerLink {
    /// Name of the host interface, in the caller's network namespace.
    pub ifname: String,
    /// Index of the host interface.
    pub ifindex: u32,
    /// MAC address of the interface inside the pod, as `aa:bb:cc:dd:ee:ff`.
    pub pod_mac: String,
    /// IPv6 link-local address of the interface inside the pod, if it has one.
    pub link_local: Option<Ipv6Addr>,
    /// Kind of the interface inside the pod: `veth`.
    pub kind: String,
}

/// Why there is no host side that weir could use.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// The path is no network namespace.
    #[error("network namespace `{path}`: {source}; the container may be gone already")]
    NoNetns {
        /// Path as given.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// The namespace is the caller's own.
    #[error(
        "network namespace `{path}` is the host's own: a host-network pod has no interface of its own to inspect; exclude it or set `\"onUnsupported\": \"skip\"`"
    )]
    HostNetwork {
        /// Path as given.
        path: PathBuf,
    },
    /// No interface of this name inside.
    #[error(
        "network namespace `{path}` has no interface `{ifname}`; check that the main plugin runs before weir in the chain"
    )]
    NoInterface {
        /// Path as given.
        path: PathBuf,
        /// Interface name.
        ifname: String,
    },
    /// The interface is not a veth.
    #[error(
        "interface `{ifname}` is of kind `{kind}`, weir needs a veth (main plugins bridge, ptp, Calico and others make one); set `\"onUnsupported\": \"skip\"` to run such pods uninspected"
    )]
    NotVeth {
        /// Interface name.
        ifname: String,
        /// Link kind; `physical` where the kernel names none.
        kind: String,
    },
    /// The other end is in another namespace than the caller's.
    #[error(
        "the peer of interface `{ifname}` is not in the host's network namespace (peer index {peer}); weir must run in the namespace that the main plugin connects pods to"
    )]
    PeerElsewhere {
        /// Interface name.
        ifname: String,
        /// Peer index in the namespace it is in.
        peer: u32,
    },
    /// The scratch thread did not answer in time.
    #[error("no answer from network namespace `{path}` within {seconds} s")]
    Timeout {
        /// Path as given.
        path: PathBuf,
        /// Limit in seconds.
        seconds: u64,
    },
    /// Netlink trouble.
    #[error("interface `{ifname}`: {source}")]
    Netlink {
        /// Interface name.
        ifname: String,
        /// Cause.
        source: io::Error,
    },
    /// This part of the datapath is not written yet.
    #[error("not available in this build: {0}")]
    NotBuilt(&'static str),
}

/// Finds the host interface behind `ifname` of the network namespace at `netns`. The caller's thread stays
/// in its namespace; a scratch thread enters the other one.
///
/// # Errors
/// [`PeerError`].
pub fn peer_of(_netns: &Path, _ifname: &str) -> Result<PeerLink, PeerError> {
    Err(PeerError::NotBuilt("netns::peer_of"))
}
