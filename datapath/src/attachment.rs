//! The attachment record: one JSON file per attachment in `<run directory>/attachments/`.
//!
//! Written by `weir-cni` (atomically: temporary file, fsync, rename) before it touches the kernel and
//! removed after the kernel state is gone; read by the enforcer as a snapshot, then by watching the
//! directory. It survives restarts of either side in any order.

use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::policy::{FailMode, Mode};

/// Identity of an attachment: (network, container id, interface name).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttachmentKey {
    /// `name` of the network configuration.
    pub network: String,
    /// `CNI_CONTAINERID`.
    pub container_id: String,
    /// `CNI_IFNAME`, inside the container.
    pub ifname: String,
}

/// What runs behind the attachment, as far as the runtime said.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Pod {
    /// `K8S_POD_NAME`, or the container's name where the runtime gives that.
    pub name: Option<String>,
    /// `K8S_POD_NAMESPACE`.
    pub namespace: Option<String>,
    /// `K8S_POD_UID`.
    pub uid: Option<String>,
}

/// The policy the attachment was wired under. Values as the conflist writes them; the plugin has
/// validated them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WiredPolicy {
    /// `off`, `detect` or `prevent`.
    pub mode: Mode,
    /// `open` or `closed`.
    pub fail_mode: FailMode,
    /// Rule sets by name; empty: the node's default.
    #[serde(default)]
    pub rule_sets: Vec<String>,
}

/// One attachment record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attachment {
    /// Format of the record; readers refuse what they do not know.
    pub version: u32,
    /// Identity.
    #[serde(flatten)]
    pub key: AttachmentKey,
    /// Path of the container's network namespace at ADD.
    pub netns: PathBuf,
    /// Name of the pod's interface on the host side.
    pub host_ifname: String,
    /// Index of the pod's interface on the host side.
    pub host_ifindex: u32,
    /// MAC address of the interface inside the container.
    pub pod_mac: String,
    /// IPv6 link-local address of the pod's interface at ADD, if it had one: a source address that
    /// anti-spoofing allows besides [`Attachment::ips`] and the address formed from the MAC.
    #[serde(default)]
    pub link_local: Option<Ipv6Addr>,
    /// Addresses of the pod.
    pub ips: Vec<IpAddr>,
    /// What runs behind it.
    pub pod: Pod,
    /// How it was wired.
    pub policy: WiredPolicy,
    /// Whether the sources of its frames are checked. Needed to wire it again.
    #[serde(default = "checked")]
    pub anti_spoof: bool,
}

/// A record that does not say is of a pod that is checked.
fn checked() -> bool {
    true
}

/// [`Attachment::version`] that this build writes.
pub const RECORD_VERSION: u32 = 1;
