//! The pod's interface on the host, or the reason why weir cannot hook it.
//!
//! The kernel is asked from the pod's side (peer index and namespace); `prevResult` is not trusted for it.

use std::path::Path;

use weir_datapath::netns::{Bypass, PeerError, PeerLink};

use crate::host::Host;

/// Interface that Cilium's agent makes on each node.
const CILIUM_HOST: &str = "cilium_host";

/// Prefix of the host interfaces that Cilium makes for pods.
const CILIUM_PREFIX: &str = "lxc";

/// Why there is no host interface to hook.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The pod's network is of a sort that weir cannot inspect; `onUnsupported` decides.
    #[error("{0}")]
    Unsupported(#[source] PeerError),
    /// The datapath goes past the host interface's hooks; `onUnsupported` decides.
    #[error(
        "the pod's host interface {ifname:?} is Cilium's, whose eBPF datapath may redirect frames past it (bpf_redirect_peer), uninspected: use a main plugin that forwards through the host's stack, or set \"onUnsupported\": \"skip\" to run such pods without weir"
    )]
    Cilium {
        /// Name of the host interface.
        ifname: String,
    },
    /// Something on the host interface comes before weir's hook; `onUnsupported` decides.
    #[error(
        "the pod's host interface {ifname:?} has {bypass}, which comes before weir and may carry frames past it, uninspected: take the plugin that adds it out of the chain (bandwidth with an ingress limit, or a main plugin with an eBPF datapath; `tc filter show dev {ifname} ingress`, `bpftool net`), or set \"onUnsupported\": \"skip\" to run such pods without weir"
    )]
    Bypassed {
        /// Name of the host interface.
        ifname: String,
        /// What it has.
        bypass: Bypass,
    },
    /// The pod's network is not as it must be at this point.
    #[error("{0}")]
    Broken(#[source] PeerError),
}

impl LinkError {
    /// Whether `onUnsupported` applies.
    #[must_use]
    pub fn is_unsupported(&self) -> bool {
        !matches!(self, Self::Broken(_))
    }
}

/// Finds the host side of `ifname` in the container's network namespace.
///
/// # Errors
/// There is none that weir can hook.
pub fn find(host: &dyn Host, netns: &Path, ifname: &str) -> Result<PeerLink, LinkError> {
    let link = host.peer_of(netns, ifname).map_err(|error| match error {
        PeerError::HostNetwork { .. }
        | PeerError::NotVeth { .. }
        | PeerError::PeerElsewhere { .. } => LinkError::Unsupported(error),
        _ => LinkError::Broken(error),
    })?;
    if link.ifname.starts_with(CILIUM_PREFIX) && host.has_interface(CILIUM_HOST) {
        return Err(LinkError::Cilium {
            ifname: link.ifname,
        });
    }
    if let Some(bypass) = link.bypass {
        return Err(LinkError::Bypassed {
            ifname: link.ifname,
            bypass,
        });
    }
    Ok(link)
}
