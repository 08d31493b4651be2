//! The verbs on a node without a kernel: order, rollback, tolerance.

mod add;
mod health;
mod removal;

use weir_datapath::netns::PeerError;

pub(super) const PREV: &str =
    r#""prevResult":{"cniVersion":"1.1.0","ips":[{"address":"10.0.0.2/24"}]}"#;

pub(super) fn annotated(annotations: &str) -> String {
    format!(r#"{PREV},"runtimeConfig":{{"io.kubernetes.cri.pod-annotations":{annotations}}}"#)
}

pub(super) fn not_veth() -> PeerError {
    PeerError::NotVeth {
        ifname: "eth0".to_owned(),
        kind: "macvlan".to_owned(),
    }
}
