//! The node service's installer: binary and chain entry come and go in the right order, others' keys stay.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use weir_tests::command::{Finished, Run, wait_within};
use weir_tests::node::{Main, Node, bin_dir};
use weir_tests::poll;

/// A host's CNI directories, and the installer pointed at them.
struct Host {
    node: Node,
    bin: PathBuf,
    configurations: PathBuf,
}

impl Host {
    fn new(label: &str) -> Result<Self> {
        let node = Node::new(label)?;
        let bin = node.scratch().path().join("opt-cni-bin");
        let configurations = node.scratch().path().join("net.d");
        fs::create_dir(&configurations)?;
        Ok(Self {
            node,
            bin,
            configurations,
        })
    }

    /// Writes the main plugin's configuration, with keys that weir does not know.
    fn write_conflist(&self, extra: &str) -> Result<PathBuf> {
        let mut network = self.node.network(Main::Bridge, "1.0.0", vec![]);
        network.conflist_mut()["x.example/kept"] = json!({"z": 1, "a": [extra]});
        let path = self.configurations.join("10-main.conflist");
        fs::write(&path, network.conflist().to_string())?;
        Ok(path)
    }

    fn installer(&self, verb: &str) -> Command {
        let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/install");
        let options = json!({"mode": "prevent", "failMode": "open", "runDir": self.node.run_dir()});
        let mut command = Command::new(script);
        command
            .arg(verb)
            .env("WEIR_BIN", bin_dir())
            .env("CNI_BIN_DIR", &self.bin)
            .env("CNI_CONF_DIR", &self.configurations)
            .env("WEIR_OPTIONS", options.to_string())
            .env("WEIR_WATCH", "0.2");
        command
    }

    fn run(&self, verb: &str) -> Result<Finished> {
        Run::new(&mut self.installer(verb)).finish()
    }
}

fn read(path: &PathBuf) -> Result<Value> {
    Ok(serde_json::from_str(&fs::read_to_string(path)?)?)
}

fn entries(conflist: &Value) -> usize {
    let plugins = conflist["plugins"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    plugins
        .iter()
        .filter(|plugin| plugin["type"] == json!("weir-cni"))
        .count()
}

#[test]
fn installs_once_keeps_foreign_keys_and_uninstalls() -> Result<()> {
    let host = Host::new("install")?;
    let path = host.write_conflist("first")?;
    let original = read(&path)?;
    for _ in 0..2 {
        let finished = host.run("once")?;
        ensure!(finished.status.success(), "{finished}");
        let edited = read(&path)?;
        ensure!(entries(&edited) == 1, "{edited}");
        ensure!(
            edited["plugins"][1]["type"] == json!("weir-cni"),
            "not last: {edited}"
        );
        ensure!(
            edited["x.example/kept"] == original["x.example/kept"],
            "{edited}"
        );
        ensure!(host.bin.join("weir-cni").is_file());
    }
    let left: Vec<_> = fs::read_dir(&host.configurations)?.flatten().collect();
    ensure!(left.len() == 1, "temporary files are left: {left:?}");
    // What it wrote is a conflist that works.
    let network = host.node.network_from(read(&path)?);
    let pod = weir_tests::pod::Pod::start(&network, "a")?;
    network.check(&pod.attach)?;
    network.del(&pod.attach)?;

    let finished = host.run("uninstall")?;
    ensure!(finished.status.success(), "{finished}");
    ensure!(read(&path)? == original, "{}", read(&path)?);
    ensure!(!host.bin.join("weir-cni").exists());
    Ok(())
}

#[test]
fn without_a_main_plugin_nothing_is_made_up() -> Result<()> {
    let host = Host::new("nomain")?;
    let finished = host.run("once")?;
    ensure!(!finished.status.success(), "{finished}");
    ensure!(finished.stderr.contains("main plugin"), "{finished}");
    ensure!(fs::read_dir(&host.configurations)?.count() == 0);
    Ok(())
}

#[test]
fn service_waits_for_the_main_plugin_and_follows_its_rewrites() -> Result<()> {
    let host = Host::new("serve")?;
    let mut command = host.installer("serve");
    command.arg("--run-dir").arg(host.node.run_dir());
    let log = fs::File::create(host.node.scratch().path().join("service.log"))?;
    command.stdout(log.try_clone()?).stderr(log);
    let mut service = host
        .node
        .ns
        .run(|| command.spawn().context("start the service"))?;
    let outcome = followed(&host);
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(i32::try_from(service.id())?),
        nix::sys::signal::Signal::SIGTERM,
    )?;
    let status = wait_within(&mut service, std::time::Duration::from_secs(20))?;
    let log = fs::read_to_string(host.node.scratch().path().join("service.log"))?;
    outcome.with_context(|| format!("its log:\n{log}"))?;
    ensure!(status.success(), "ended with {status}; its log:\n{log}");
    ensure!(entries(&read(&host.configurations.join("10-main.conflist"))?) == 1);
    Ok(())
}

fn followed(host: &Host) -> Result<()> {
    for content in ["first", "rewritten"] {
        let path = host.write_conflist(content)?;
        poll::until("the entry to be in the chain", || {
            // Between the main plugin's write and the installer's there may be half a file.
            Ok(read(&path)
                .is_ok_and(|conflist| entries(&conflist) == 1)
                .then_some(()))
        })?;
        ensure!(read(&path)?["x.example/kept"]["a"] == json!([content]));
    }
    Ok(())
}
