//! Who is behind an address or an interface, for the events that name pods.

use std::net::IpAddr;

use serde::Serialize;
use weir_engine::frame::AttachmentId;

/// A pod as events show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PodIdentity {
    /// Namespace, where the runtime gave one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name, where the runtime gave one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Uid, where the runtime gave one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// Container id.
    pub container_id: String,
    /// The pod's interface on the host side.
    pub interface: String,
    /// The node.
    pub node: String,
}

/// Looks pods up.
pub trait Pods {
    /// The pod behind a host interface.
    fn by_attachment(&self, id: AttachmentId) -> Option<&PodIdentity>;
    /// The pod of this node that has an address.
    fn by_address(&self, address: IpAddr) -> Option<&PodIdentity>;
}

/// No pods: captures that are replayed.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPods;

impl Pods for NoPods {
    fn by_attachment(&self, _: AttachmentId) -> Option<&PodIdentity> {
        None
    }

    fn by_address(&self, _: IpAddr) -> Option<&PodIdentity> {
        None
    }
}
