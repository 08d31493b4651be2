//! Calls in the shape in which each runtime sends them.

use anyhow::{Result, ensure};
use serde_json::{Map, Value, json};
use weir_tests::node::Node;

use crate::kernel_state::{ensure_nothing_attached, ensure_wired};
use crate::support::{Call, HandMade, config};

/// What one runtime puts around the configuration.
struct Runtime {
    name: &'static str,
    version: &'static str,
    args: &'static str,
    runtime_config: Option<Value>,
    /// DELs: whether `CNI_NETNS` is set, whether `prevResult` is there.
    dels: &'static [(bool, bool)],
}

fn runtimes() -> Vec<Runtime> {
    let dns = json!({"Servers": ["10.0.0.10"], "Searches": null, "Options": null});
    vec![
        Runtime {
            name: "containerd 1.6",
            version: "1.0.0",
            args: "K8S_POD_UID=u-1;IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;K8S_POD_INFRA_CONTAINER_ID=x",
            runtime_config: Some(json!({
                "bandwidth": {"IngressRate": 1_000_000, "IngressBurst": 4_294_967_295_u32},
                "dns": dns,
                "io.kubernetes.cri.pod-annotations": {"weir.dev/mode": "prevent", "team": "a"},
                "portMappings": [{"HostPort": 8080, "ContainerPort": 80, "Protocol": "tcp"}],
            })),
            dels: &[(true, true), (false, false), (false, false)],
        },
        Runtime {
            name: "containerd 2.1",
            version: "1.1.0",
            args: "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;K8S_POD_UID=u-1",
            runtime_config: Some(json!({
                "cgroupPath": "/kubepods/pod1", "dns": dns,
                "io.kubernetes.cri.pod-annotations": null,
            })),
            dels: &[(true, true), (false, false)],
        },
        Runtime {
            name: "containerd after a failed ADD",
            version: "1.0.0",
            args: "K8S_POD_NAME=web-0",
            runtime_config: None,
            dels: &[(true, false)],
        },
        Runtime {
            name: "podman",
            version: "1.0.0",
            args: "IgnoreUnknown=1;K8S_POD_NAME=c1;MAC=02:00:00:00:00:01;IP=10.77.0.1",
            runtime_config: Some(json!({
                "aliases": {"net": ["foo"]},
                "portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}],
            })),
            dels: &[(true, true)],
        },
        Runtime {
            name: "ctr",
            version: "1.0.0",
            args: "",
            runtime_config: None,
            dels: &[(false, true)],
        },
        Runtime {
            name: "cnitool",
            version: "1.1.0",
            args: "IgnoreUnknown=1;K8S_POD_NAME=a",
            runtime_config: Some(json!({"portMappings": []})),
            dels: &[(true, true), (true, false), (true, false)],
        },
    ]
}

#[test]
fn every_runtimes_calls_are_served() -> Result<()> {
    let node = Node::new("runtimes")?;
    let pod = HandMade::routed(&node, "cali1", 1)?;
    for runtime in runtimes() {
        serve(&node, &pod, &runtime).map_err(|error| error.context(runtime.name))?;
    }
    Ok(())
}

fn serve(node: &Node, pod: &HandMade, runtime: &Runtime) -> Result<()> {
    let probe = Call::new("VERSION")
        .with("CNI_NETNS", "dummy")
        .with("CNI_IFNAME", "dummy")
        .with("CNI_PATH", "dummy")
        .with("CNI_CONTAINERID", "");
    probe
        .config(&json!({"cniVersion": runtime.version}))
        .succeed(node)?;
    let base = base_config(node, runtime);
    let call = |verb: &str, prev_result: bool| {
        let mut config = base.clone();
        if prev_result {
            config["prevResult"] = pod.result(runtime.version);
        }
        Call::about(verb, pod)
            .with("CNI_ARGS", runtime.args)
            .config(&config)
    };
    let printed = call("ADD", true).succeed(node)?;
    ensure!(serde_json::from_str::<Value>(&printed)? == pod.result(runtime.version));
    ensure_wired(node, &["cali1"])?;
    call("CHECK", true)
        .with("CNI_ARGS", "")
        .succeed_silently(node)?;
    for (netns, prev_result) in runtime.dels {
        let del = call("DEL", *prev_result);
        let del = if *netns {
            del
        } else {
            del.with("CNI_NETNS", "")
        };
        del.succeed_silently(node)?;
        ensure_nothing_attached(node)?;
    }
    if runtime.version == "1.1.0" {
        let empty = |verb| {
            Call::new(verb)
                .with("CNI_CONTAINERID", "")
                .with("CNI_NETNS", "")
                .with("CNI_IFNAME", "")
                .with("CNI_ARGS", "")
                .config(&base)
        };
        empty("STATUS").succeed_silently(node)?;
        empty("GC").succeed_silently(node)?;
    }
    Ok(())
}

fn base_config(node: &Node, runtime: &Runtime) -> Value {
    let all: Map<String, Value> = [
        "portMappings",
        "bandwidth",
        "io.kubernetes.cri.pod-annotations",
    ]
    .into_iter()
    .map(|capability| (capability.to_owned(), json!(true)))
    .collect();
    let mut base = config(node, runtime.version, &json!({"capabilities": all}));
    if let Some(runtime_config) = &runtime.runtime_config {
        base["runtimeConfig"] = runtime_config.clone();
    }
    base
}
