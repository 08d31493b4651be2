//! Calls of the plugin, and pods made by hand.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use weir_tests::command::{Finished, Run};
use weir_tests::netns::Netns;
use weir_tests::node::{Node, binary};
use weir_tests::scratch::unique;

/// One call: variables and stdin, nothing else of the caller's environment.
pub(crate) struct Call {
    variables: Vec<(String, String)>,
    stdin: Vec<u8>,
    wrapper: Vec<String>,
}

impl Call {
    pub(crate) fn new(command: &str) -> Self {
        Self {
            variables: Vec::new(),
            stdin: Vec::new(),
            wrapper: Vec::new(),
        }
        .with("CNI_COMMAND", command)
        .with("CNI_PATH", "/opt/cni/bin")
    }

    /// A call about `eth0` of a pod.
    pub(crate) fn about(command: &str, pod: &HandMade) -> Self {
        Self::new(command)
            .with("CNI_CONTAINERID", &pod.id)
            .with("CNI_NETNS", &pod.ns.path().display().to_string())
            .with("CNI_IFNAME", "eth0")
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self
    }

    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    pub(crate) fn config(self, config: &Value) -> Self {
        self.stdin(config.to_string())
    }

    /// Started by `command` instead of directly.
    pub(crate) fn through(mut self, command: &[&str]) -> Self {
        self.wrapper = command.iter().map(|part| (*part).to_owned()).collect();
        self
    }

    pub(crate) fn command(&self) -> Result<Command> {
        let plugin = binary("weir-cni")?;
        let mut command = match self.wrapper.split_first() {
            None => Command::new(plugin),
            Some((program, arguments)) => {
                let mut command = Command::new(program);
                command.args(arguments).arg(plugin);
                command
            }
        };
        command
            .env_clear()
            .envs(self.variables.iter().cloned())
            .current_dir("/");
        if !self.wrapper.is_empty() {
            command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        }
        Ok(command)
    }

    pub(crate) fn run(&self, node: &Node) -> Result<Finished> {
        let mut command = self.command()?;
        node.ns
            .run(|| Run::new(&mut command).stdin(&self.stdin).finish())
    }

    /// Runs a call that must succeed; returns stdout.
    pub(crate) fn succeed(&self, node: &Node) -> Result<String> {
        let finished = self.run(node)?;
        ensure!(
            finished.status.success(),
            "{:?}: {finished}",
            self.variables
        );
        Ok(finished.stdout)
    }

    /// Runs a call that must succeed and print nothing.
    pub(crate) fn succeed_silently(&self, node: &Node) -> Result<()> {
        let stdout = self.succeed(node)?;
        ensure!(stdout.is_empty(), "{:?} printed {stdout}", self.variables);
        Ok(())
    }

    /// Runs a call that must fail with one error object; returns it.
    pub(crate) fn fail(&self, node: &Node) -> Result<Refusal> {
        let finished = self.run(node)?;
        ensure!(
            !finished.status.success(),
            "{:?} succeeded: {finished}",
            self.variables
        );
        let object: Value = serde_json::from_str(&finished.stdout)
            .with_context(|| format!("no error object: {finished}"))?;
        ensure!(
            finished.stdout.lines().count() == 1,
            "more than one line: {finished}"
        );
        let text = |name| {
            object
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        Ok(Refusal {
            version: text("cniVersion"),
            code: object
                .get("code")
                .and_then(Value::as_u64)
                .context("no code")?,
            message: text("msg"),
            details: text("details"),
        })
    }

    /// Runs a call that must fail with `code` and a message that holds `parts`.
    pub(crate) fn refused(&self, node: &Node, code: u64, parts: &[&str]) -> Result<()> {
        let refusal = self.fail(node)?;
        ensure!(
            refusal.code == code,
            "{:?}: expected {code}: {refusal:?}",
            self.variables
        );
        for part in parts {
            ensure!(
                refusal.message.contains(part),
                "{part:?} is not in {refusal:?}"
            );
        }
        Ok(())
    }
}

/// An error object.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) version: String,
    pub(crate) code: u64,
    pub(crate) message: String,
    pub(crate) details: String,
}

/// A configuration of network `net` on this node.
pub(crate) fn config(node: &Node, version: &str, members: &Value) -> Value {
    let mut config = json!({
        "cniVersion": version, "name": "net", "type": "weir-cni", "runDir": node.run_dir(),
    });
    if let (Some(config), Some(members)) = (config.as_object_mut(), members.as_object()) {
        config.extend(members.clone());
    }
    config
}

/// The same with the pod's `prevResult`.
pub(crate) fn add_config(node: &Node, pod: &HandMade, members: &Value) -> Value {
    let mut config = config(node, "1.1.0", members);
    config["prevResult"] = pod.result("1.1.0");
    config
}

/// A pod made without a main plugin: a routed veth with /32 and /128 addresses, as Calico makes.
pub(crate) struct HandMade {
    pub(crate) id: String,
    pub(crate) ns: Netns,
    pub(crate) host_ifname: String,
    pub(crate) mac: String,
    address: u8,
}

impl HandMade {
    pub(crate) fn routed(node: &Node, host_ifname: &str, address: u8) -> Result<Self> {
        let id = unique("pod");
        let ns = Netns::create(&id)?;
        node.ns.sh(&format!(
            "ip link add {host_ifname} type veth peer name eth0 netns {id}
             ip link set {host_ifname} up; ip route add 10.77.0.{address}/32 dev {host_ifname}"
        ))?;
        ns.sh(&format!(
            "ip addr add 10.77.0.{address}/32 dev eth0; ip link set eth0 up"
        ))?;
        let links: Value = serde_json::from_str(&ns.sh("ip -j link show eth0")?)?;
        let mac = links[0]["address"]
            .as_str()
            .context("MAC of eth0")?
            .to_owned();
        Ok(Self {
            id,
            ns,
            host_ifname: host_ifname.to_owned(),
            mac,
            address,
        })
    }

    /// What the main plugin would have answered, with what only some plugins send.
    pub(crate) fn result(&self, version: &str) -> Value {
        let mut result = json!({
            "cniVersion": version,
            "interfaces": [
                {"name": self.host_ifname},
                {"name": "eth0", "mac": self.mac, "sandbox": self.ns.path()},
            ],
            "ips": [
                {"address": format!("10.77.0.{}/32", self.address), "interface": 1},
                {"address": format!("fd77::{:x}/128", self.address), "interface": 1},
            ],
            "routes": [{"dst": "0.0.0.0/0", "gw": "169.254.1.1"}],
            "dns": {},
            "example.org/unknown": {"z": 1.50, "a": [null, 18_446_744_073_709_551_615_u64]},
        });
        if version < "1.0.0" {
            result["ips"][0]["version"] = json!("4");
            result["ips"][1]["version"] = json!("6");
        }
        result
    }

    pub(crate) fn address4(&self) -> String {
        format!("10.77.0.{}", self.address)
    }
}
