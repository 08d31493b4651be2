//! Real container runtimes read the conflist and call the chain themselves.
//!
//! containerd through its CRI, `ctr run --cni`, podman with its CNI backend. What none of them sends (CHECK) is
//! asked of the attachments that they made.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use weir_tests::cni::Attach;
use weir_tests::command::{Finished, Run};
use weir_tests::enforcer::{Enforcer, Options};
use weir_tests::eve::text;
use weir_tests::node::{Main, Node, bin_dir};
use weir_tests::poll;
use weir_tests::ruleset::hooked;
use weir_tests::traffic::{Answer, Collector};

use crate::lab::{ATTACK_SID, RULES, prevent};

/// The attack of [`RULES`] as a request target.
const EVIL: &str = "EVIL-BYTES-0123456789";

/// Image with busybox that [`Containerd`] has imported.
const IMAGE: &str = "localhost/weir-busybox:1";

/// A web server that logs each request it was given.
const SERVE: &str = "echo welcome > /www/index.html; exec httpd -f -vv -p 80 -h /www";

#[test]
fn containerd_starts_wires_and_removes_pods_and_the_attack_does_not_arrive() -> Result<()> {
    let node = Node::new("cri")?;
    let enforcer = Enforcer::start(&node, &Options::rules(RULES))?;
    let runtime = Containerd::up(&node, &prevent())?;
    let web = runtime.pod("web", "shop", SERVE, &[])?;
    let client = runtime.pod("client", "front", "exec sleep 1000", &[])?;
    ensure!(records(&node) == 2, "{} records", records(&node));

    let url = format!("http://{}/", text(&web, "/ip"));
    let page = runtime.exec(&client, &["wget", "-q", "-O-", &url])?;
    ensure!(page.stdout == "welcome\n", "{page}");
    let attack = format!("{url}?{EVIL}");
    let blocked = runtime.exec(&client, &["timeout", "3", "wget", "-q", "-O-", &attack])?;
    ensure!(
        !blocked.status.success(),
        "the attack was answered: {blocked}"
    );

    let alerts = enforcer.eve.wait_alerts(ATTACK_SID, 1)?;
    for (pointer, expected) in [
        ("/src_pod/name", "client"),
        ("/src_pod/namespace", "front"),
        ("/dest_pod/name", "web"),
        ("/dest_pod/namespace", "shop"),
        ("/dest_pod/uid", "uid-web"),
        ("/dest_pod/container_id", text(&web, "/pod")),
        ("/alert/action", "blocked"),
    ] {
        ensure!(
            text(&alerts[0], pointer) == expected,
            "{pointer} in {}",
            alerts[0]
        );
    }
    let again = runtime.exec(&client, &["wget", "-q", "-O-", &url])?;
    ensure!(again.stdout == "welcome\n", "{again}");
    let log = runtime.log("web")?;
    ensure!(
        log.contains("url:/") && !log.contains("EVIL"),
        "the server's log:\n{log}"
    );

    runtime.check(&node, &web, "web", "shop")?;
    for pod in [&web, &client] {
        runtime.remove(pod)?;
    }
    ensure!(records(&node) == 0, "{} records are left", records(&node));
    let hooked = hooked(&node)?;
    ensure!(hooked.is_empty(), "{hooked:?}");
    Ok(())
}

#[test]
fn containerd_reports_a_refused_add_and_nothing_is_left() -> Result<()> {
    let node = Node::new("crifail")?;
    let runtime = Containerd::up(&node, &prevent())?;
    let annotation = [("weir.dev/mode", "off")];
    let error = runtime.pod("web", "shop", SERVE, &annotation).unwrap_err();
    let error = format!("{error:#}");
    ensure!(error.contains("weir.dev/mode"), "{error}");
    ensure!(records(&node) == 0);
    let hooked = hooked(&node)?;
    ensure!(hooked.is_empty(), "{hooked:?}");
    Ok(())
}

#[test]
fn ctr_runs_a_container_through_the_chain() -> Result<()> {
    let node = Node::new("ctr")?;
    let enforcer = Enforcer::start(&node, &Options::rules(RULES))?;
    let runtime = Containerd::up(&node, &prevent())?;
    let service = host_service(&node, &runtime)?;
    let command = talk(&node, &service);
    let finished = runtime.ctr_run(&node, "job", &command)?;
    ensure!(finished.status.success(), "{finished}");
    service.wait_for(b"benign")?;
    ensure!(!service.saw(b"EVIL"), "the attack arrived");
    let alerts = enforcer.eve.wait_alerts(ATTACK_SID, 1)?;
    ensure!(
        text(&alerts[0], "/src_pod/container_id") == "default-job",
        "{}",
        alerts[0]
    );
    ensure!(
        records(&node) == 0,
        "{} records are left after DEL",
        records(&node)
    );
    Ok(())
}

#[test]
fn podman_runs_a_container_through_the_chain() -> Result<()> {
    let node = Node::new("podman")?;
    let enforcer = Enforcer::start(&node, &Options::rules(RULES))?;
    let podman = Podman::new(&node)?;
    let sleeper = podman.run(&[
        "run",
        "-d",
        "--name",
        "sleeper",
        "--rootfs",
        &podman.rootfs(),
        "/bin/sleep",
        "1000",
    ])?;
    let sleeper = sleeper.trim();
    ensure!(records(&node) == 1, "{} records", records(&node));
    let service = Collector::start(&node.ns, (node.gateway4(), 8080).into(), Answer::Nothing)?;
    podman.run(&["exec", "sleeper", "/bin/sh", "-c", &talk(&node, &service)])?;
    service.wait_for(b"benign")?;
    ensure!(!service.saw(b"EVIL"), "the attack arrived");
    let alerts = enforcer.eve.wait_alerts(ATTACK_SID, 1)?;
    ensure!(
        text(&alerts[0], "/src_pod/name") == "sleeper",
        "{}",
        alerts[0]
    );
    ensure!(
        text(&alerts[0], "/src_pod/container_id") == sleeper,
        "{}",
        alerts[0]
    );
    podman.run(&["rm", "-f", "-t", "0", "sleeper"])?;
    poll::until("podman's DEL", || Ok((records(&node) == 0).then_some(())))
}

/// A server on the node itself. The bridge that carries its address appears with the first pod.
fn host_service(node: &Node, runtime: &Containerd) -> Result<Collector> {
    let pod = runtime.pod("first", "default", "exec sleep 1000", &[])?;
    let service = Collector::start(&node.ns, (node.gateway4(), 8080).into(), Answer::Nothing)?;
    runtime.remove(&pod)?;
    Ok(service)
}

/// A shell script that sends a benign line and then the attack to a server on the node.
fn talk(node: &Node, service: &Collector) -> String {
    let to = format!("{} {}", node.gateway4(), service.port());
    format!("echo benign | timeout 5 nc -w 2 {to}; echo {EVIL} | timeout 3 nc -w 1 {to}; true")
}

fn records(node: &Node) -> usize {
    std::fs::read_dir(node.run_dir().join("attachments")).map_or(0, |entries| {
        entries
            .flatten()
            .filter(|entry| {
                entry
                    .path()
                    .extension()
                    .is_some_and(|extension| extension == "json")
            })
            .count()
    })
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../scripts/runtime")
        .join(name)
}

/// The conflist of a node as a file for a runtime.
fn conflist_file(node: &Node, weir: &Value) -> Result<PathBuf> {
    let network = node.weir_network(Main::Bridge, weir);
    node.scratch()
        .write("net.conflist", &network.conflist().to_string())
}

/// A containerd of its own on a node; taken down on drop.
struct Containerd {
    directory: PathBuf,
    socket: String,
    network: String,
}

impl Containerd {
    fn up(node: &Node, weir: &Value) -> Result<Self> {
        // Not in the node's scratch directory: containerd's socket paths are limited to 104 bytes.
        let directory = Path::new(weir_tests::sweep::RUN).join(node.ns.name());
        let runtime = Self {
            socket: directory
                .join("state/containerd.sock")
                .display()
                .to_string(),
            directory,
            network: format!("net-{}", node.ns.name()),
        };
        let conflist = conflist_file(node, weir)?;
        let mut command = Command::new(script("containerd"));
        command
            .arg("up")
            .arg(node.ns.name())
            .arg(&runtime.directory)
            .arg(conflist)
            .arg(bin_dir());
        Run::new(&mut command).succeed()?;
        Ok(runtime)
    }

    fn pod(
        &self,
        name: &str,
        namespace: &str,
        command: &str,
        annotations: &[(&str, &str)],
    ) -> Result<Value> {
        let logs = self.directory.join("logs");
        let mut cri = self.cri("pod");
        cri.args([name, namespace, IMAGE, command]).arg(logs);
        cri.args(
            annotations
                .iter()
                .map(|(key, value)| format!("{key}={value}")),
        );
        let text = Run::new(&mut cri).succeed()?;
        serde_json::from_str(&text).with_context(|| format!("cri.py printed {text}"))
    }

    fn exec(&self, pod: &Value, command: &[&str]) -> Result<Finished> {
        Run::new(self.cri("exec").arg(text(pod, "/container")).args(command)).finish()
    }

    fn remove(&self, pod: &Value) -> Result<()> {
        Run::new(self.cri("remove").arg(text(pod, "/pod")))
            .succeed()
            .map(drop)
    }

    /// The log of a pod's container.
    fn log(&self, pod: &str) -> Result<String> {
        let path = self.directory.join("logs").join(pod).join("main.log");
        std::fs::read_to_string(&path).with_context(|| path.display().to_string())
    }

    /// CHECK of what the runtime made, with the result that it cached.
    fn check(&self, node: &Node, pod: &Value, name: &str, namespace: &str) -> Result<()> {
        let id = text(pod, "/pod");
        let path = format!("/var/lib/cni/results/{}-{id}-eth0", self.network);
        let cached: Value = serde_json::from_str(&std::fs::read_to_string(&path).context(path)?)?;
        let result = &cached["result"];
        let sandbox = result["interfaces"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|interface| text(interface, "/sandbox"))
            .find(|sandbox| !sandbox.is_empty())
            .context("sandbox in the cached result")?;
        let attach = Attach::pod(id, Path::new(sandbox), name, namespace);
        let network = node.weir_network(Main::Bridge, &prevent());
        network.remember(&attach, result);
        Ok(network.check(&attach)?)
    }

    /// `ctr run --cni` in the foreground. Its CNI directories are hard-wired, so it gets a mount namespace in which
    /// they are ours.
    fn ctr_run(&self, node: &Node, id: &str, command: &str) -> Result<Finished> {
        let directory = self.directory.display();
        let script = format!(
            "mkdir -p {directory}/etc-upper {directory}/etc-work
             mount -t overlay -o lowerdir=/etc,upperdir={directory}/etc-upper,workdir={directory}/etc-work none /etc
             mkdir -p /etc/cni/net.d; mount --bind {directory}/net.d /etc/cni/net.d
             mount -t tmpfs none /opt; mkdir -p /opt/cni/bin; cp -a {directory}/bin/. /opt/cni/bin/
             ctr -a {socket} images import {directory}/busybox.tar >/dev/null
             exec ctr -a {socket} run --rm --cni {IMAGE} {id} /bin/sh -c '{command}'",
            socket = self.socket
        );
        node.ns
            .run(|| Run::new(Command::new("unshare").args(["-m", "sh", "-ec", &script])).finish())
    }

    fn cri(&self, verb: &str) -> Command {
        let mut command = Command::new("/usr/bin/python3");
        command.arg(script("cri.py")).arg(&self.socket).arg(verb);
        command
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.directory.join("logs/containerd.log"));
            eprintln!("--- containerd:\n{}", log.unwrap_or_default());
        }
        let down = Run::new(
            Command::new(script("containerd"))
                .arg("down")
                .arg(&self.directory),
        )
        .finish();
        if let Err(error) = down {
            eprintln!("containerd could not be taken down: {error:#}");
        }
    }
}

/// podman with everything of its own on a node; its containers are removed on drop.
struct Podman<'a> {
    node: &'a Node,
    network: String,
}

impl<'a> Podman<'a> {
    fn new(node: &'a Node) -> Result<Self> {
        let scratch = node.scratch();
        let base = scratch.path();
        let conflist = conflist_file(node, &prevent())?;
        let network = format!("net-{}", node.ns.name());
        let plugins = bin_dir().display().to_string();
        scratch.write(
            "containers.conf",
            &format!(
                "[containers]\ndefault_sysctls = []\ndefault_ulimits = [\"nofile=1024:4096\", \"nproc=4096:4096\"]\n\
                 [network]\nnetwork_backend = \"cni\"\ncni_plugin_dirs = [\"{plugins}\", \"/usr/lib/cni\"]\n\
                 network_config_dir = \"{base}/net.d\"\ndefault_network = \"{network}\"\n\
                 [engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\nruntime = \"runc\"\n\
                 tmp_dir = \"{base}/podman-tmp\"\n",
                base = base.display()
            ),
        )?;
        weir_tests::command::sh(&format!(
            "cd {base}; mkdir -p net.d rootfs/bin rootfs/proc rootfs/sys rootfs/dev rootfs/tmp rootfs/etc rootfs/run
             mv {conflist} net.d/10-net.conflist
             cp $(command -v busybox) rootfs/bin/busybox
             for name in sh sleep nc timeout echo true; do ln -s busybox rootfs/bin/$name; done",
            base = base.display(),
            conflist = conflist.display()
        ))?;
        Ok(Self { node, network })
    }

    fn rootfs(&self) -> String {
        self.node
            .scratch()
            .path()
            .join("rootfs")
            .display()
            .to_string()
    }

    fn run(&self, arguments: &[&str]) -> Result<String> {
        let base = self.node.scratch().path();
        let mut command = Command::new("podman");
        command
            .env("CONTAINERS_CONF", base.join("containers.conf"))
            .arg("--root")
            .arg(base.join("podman-root"))
            .arg("--runroot")
            .arg(base.join("podman-run"))
            .args(["--storage-driver", "vfs"]);
        let (verb, rest) = arguments.split_first().context("a podman command")?;
        command.arg(verb);
        if *verb == "run" {
            command.args(["--network", &self.network]);
        }
        command.args(rest);
        self.node.ns.run(|| Run::new(&mut command).succeed())
    }
}

impl Drop for Podman<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.run(&["rm", "-f", "-a", "-t", "0"]) {
            eprintln!("podman's containers could not be removed: {error:#}");
        }
    }
}
