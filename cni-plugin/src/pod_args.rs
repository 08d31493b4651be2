//! What `CNI_ARGS` says about the pod.
//!
//! `K=V;K=V` in any order. Read leniently: podman gives a name only, ctr and cnitool give nothing, and a
//! runtime may add keys of its own; none of that is a reason to refuse a container. Values longer than
//! [`MAX_VALUE`] are dropped, so a namespace that is not known stays unknown and may loosen nothing.

use weir_datapath::attachment::Pod;

/// Longest value that is kept, in bytes: Kubernetes' limit for object names.
pub const MAX_VALUE: usize = 253;

/// Reads the pod's identity from `CNI_ARGS`. Of a key given twice the last counts.
#[must_use]
pub fn pod_from_args(args: &str) -> Pod {
    let mut pod = Pod::default();
    for pair in args.split(';') {
        let Some((key, value)) = pair.split_once('=') else {
            continue;
        };
        let field = match key.trim() {
            "K8S_POD_NAME" => &mut pod.name,
            "K8S_POD_NAMESPACE" => &mut pod.namespace,
            "K8S_POD_UID" => &mut pod.uid,
            _ => continue,
        };
        let value = value.trim();
        *field = (!value.is_empty() && value.len() <= MAX_VALUE).then(|| value.to_owned());
    }
    pod
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_is_read_from_what_runtimes_send() {
        let long = format!("K8S_POD_NAMESPACE={}", "n".repeat(MAX_VALUE + 1));
        for (args, name, namespace, uid) in [
            ("", None, None, None),
            ("IgnoreUnknown=1;K8S_POD_NAME=c1", Some("c1"), None, None),
            (
                "K8S_POD_UID=u;IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;K8S_POD_INFRA_CONTAINER_ID=c",
                Some("web-0"),
                Some("shop"),
                Some("u"),
            ),
            (
                "K8S_POD_NAME=c1;MAC=02:00:00:00:00:01;IP=10.0.0.1",
                Some("c1"),
                None,
                None,
            ),
            (
                ";;=;K8S_POD_NAME;K8S_POD_NAMESPACE=;x==y; K8S_POD_UID = u ",
                None,
                None,
                Some("u"),
            ),
            ("K8S_POD_NAME=a=b", Some("a=b"), None, None),
            (
                "K8S_POD_NAMESPACE=a;K8S_POD_NAMESPACE=b",
                None,
                Some("b"),
                None,
            ),
            (long.as_str(), None, None, None),
        ] {
            let pod = pod_from_args(args);
            let read = (
                pod.name.as_deref(),
                pod.namespace.as_deref(),
                pod.uid.as_deref(),
            );
            assert_eq!(read, (name, namespace, uid), "{args:?}");
        }
    }
}
