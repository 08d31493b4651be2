//! A node with two wired pods on a bridge, in network namespaces that end with the test, and the real
//! binary inside. Needs root.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use weir_datapath::attachment::{Attachment, AttachmentKey, Pod, RECORD_VERSION, WiredPolicy};
use weir_datapath::kernel::{AntiSpoof, Kernel};
use weir_datapath::policy::{FailMode, Mode};
use weir_datapath::record::RecordStore;

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A network namespace; gone with its last process and handle.
pub(crate) struct Netns(File);

impl Netns {
    fn new() -> Self {
        let made = std::thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).expect("network namespaces need root");
            // Kernels report groups and ask for duplicates and routers for seconds after an interface came
            // up; here they do it at once and once.
            for (family, name, value) in [
                ("ipv6", "mldv2_unsolicited_report_interval", "3600000"),
                ("ipv4", "igmpv3_unsolicited_report_interval", "3600000"),
                ("ipv6", "accept_dad", "0"),
                ("ipv6", "router_solicitations", "0"),
            ] {
                let path = format!("/proc/sys/net/{family}/conf/default/{name}");
                std::fs::write(path, value).expect("sysctl");
            }
            run_ip("link set lo up");
            File::open("/proc/thread-self/ns/net").expect("own namespace")
        });
        Self(made.join().expect("namespace"))
    }

    /// Runs `work` on a thread inside.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let inside = scope.spawn(|| {
                setns(&self.0, CloneFlags::CLONE_NEWNET).expect("setns");
                work()
            });
            match inside.join() {
                Ok(value) => value,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    fn ip(&self, arguments: &str) {
        self.run(|| run_ip(arguments));
    }

    fn path(&self) -> String {
        use std::os::fd::AsRawFd as _;
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }
}

fn run_ip(arguments: &str) {
    let output = Command::new("ip")
        .args(arguments.split_whitespace())
        .output();
    let output = output.expect("ip(8)");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {stderr}");
}

/// The node, its pods, its run directory.
pub(crate) struct Lab {
    pub(crate) node: Netns,
    pub(crate) a: Netns,
    pub(crate) b: Netns,
    pub(crate) dir: PathBuf,
}

impl Lab {
    /// Wires both pods to prevent under this fail mode. Pod a has 10.7.0.1 and fd07::1, pod b the same
    /// with 2.
    pub(crate) fn new(name: &str, fail_mode: FailMode) -> Self {
        let dir = std::env::temp_dir().join(format!("weir-inline-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let lab = Self {
            node: Netns::new(),
            a: Netns::new(),
            b: Netns::new(),
            dir,
        };
        lab.node.ip("link add br0 type bridge");
        lab.node.ip("link set br0 up");
        for (name, pod, number) in [("va", &lab.a, 1), ("vb", &lab.b, 2)] {
            lab.connect(name, pod, number);
            lab.wire(name, number, fail_mode);
        }
        lab
    }

    fn connect(&self, name: &str, pod: &Netns, number: u8) {
        let (mac, path) = (mac(number), pod.path());
        self.node.ip(&format!(
            "link add {name} type veth peer name eth0 address {mac} netns {path}"
        ));
        self.node.ip(&format!("link set {name} master br0 up"));
        pod.ip("link set eth0 up");
        pod.ip(&format!("addr add 10.7.0.{number}/24 dev eth0"));
        pod.ip(&format!("addr add fd07::{number}/64 dev eth0 nodad"));
    }

    fn wire(&self, name: &str, number: u8, fail_mode: FailMode) {
        let record = |host_ifindex| Attachment {
            version: RECORD_VERSION,
            key: AttachmentKey {
                network: "lab".to_owned(),
                container_id: format!("pod{number}"),
                ifname: "eth0".to_owned(),
            },
            netns: "/".into(),
            host_ifname: name.to_owned(),
            host_ifindex,
            pod_mac: mac(number),
            link_local: None,
            ips: [format!("10.7.0.{number}"), format!("fd07::{number}")]
                .map(|ip| ip.parse().unwrap())
                .to_vec(),
            pod: Pod::default(),
            policy: WiredPolicy {
                mode: Mode::Prevent,
                fail_mode,
                rule_sets: Vec::new(),
            },
            anti_spoof: true,
        };
        self.node.run(|| {
            let record = record(nix::net::if_::if_nametoindex(name).unwrap());
            RecordStore::new(&self.run_dir()).write(&record).unwrap();
            let mut kernel = Kernel::open().unwrap();
            kernel.ensure_node().unwrap();
            kernel.attach(&record, AntiSpoof::On).unwrap();
        });
    }

    pub(crate) fn run_dir(&self) -> PathBuf {
        self.dir.join("run")
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Starts `weir enforce` with these rules.
    pub(crate) fn enforce(&self, rules: &str, flags: &[&str]) -> Enforcer {
        let rules = self.file("test.rules", rules);
        let mut command = weir();
        command.arg("enforce").arg("--run-dir").arg(self.run_dir());
        command
            .arg("--rules")
            .arg(rules)
            .arg("--eve")
            .arg(self.dir.join("eve.json"));
        command.args(flags).stderr(Stdio::piped());
        let mut child = self.node.run(|| command.spawn().unwrap());
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.starts_with("weir: ready") {
            line.clear();
            assert!(
                log.read_line(&mut line).unwrap() > 0,
                "it ended before it was ready"
            );
        }
        // What it says later must find a reader, or it would wait for one.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Enforcer(child)
    }

    /// Another command, inside the node.
    pub(crate) fn weir(&self, arguments: &[&str]) -> std::process::Output {
        let mut command = weir();
        command.args(arguments).arg("--run-dir").arg(self.run_dir());
        self.node.run(|| command.output().unwrap())
    }

    /// All counters of `weir status --json`, by dotted name.
    pub(crate) fn counters(&self) -> BTreeMap<String, u64> {
        let output = self.weir(&["status", "--json"]);
        let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let mut counters = BTreeMap::new();
        for (name, value) in status["counters"].as_object().unwrap() {
            counters.insert(name.clone(), value.as_u64().unwrap());
        }
        for (name, value) in status["kernel"].as_object().unwrap() {
            counters.insert(format!("kernel.{name}"), value["packets"].as_u64().unwrap());
        }
        counters
    }

    /// The counters once nothing moves any more.
    pub(crate) fn calm_counters(&self) -> BTreeMap<String, u64> {
        let end = Instant::now() + PATIENCE;
        let mut last = self.counters();
        loop {
            std::thread::sleep(Duration::from_millis(300));
            let now = self.counters();
            if now["capture.frames"] == last["capture.frames"] {
                return now;
            }
            assert!(Instant::now() < end, "frames keep coming");
            last = now;
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn mac(number: u8) -> String {
    format!("02:00:00:00:07:{number:02x}")
}

fn weir() -> Command {
    Command::new(env!("CARGO_BIN_EXE_weir"))
}

/// What grew, except for what tells time.
pub(crate) fn growth(
    before: &BTreeMap<String, u64>,
    after: &BTreeMap<String, u64>,
) -> BTreeMap<String, u64> {
    after
        .iter()
        .filter(|(name, _)| !name.starts_with("lease."))
        .filter_map(|(name, value)| {
            let grown = value - before.get(name).copied().unwrap_or(0).min(*value);
            (grown > 0).then(|| (name.clone(), grown))
        })
        .collect()
}

/// The running enforcer; killed when dropped.
pub(crate) struct Enforcer(Child);

impl Enforcer {
    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.0.id()).unwrap())
    }

    /// Ends it by a signal; its exit code.
    pub(crate) fn end(mut self, signal: Signal) -> Option<i32> {
        self.signal(signal);
        self.0.wait().unwrap().code()
    }
}

impl Drop for Enforcer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Pod addresses by family.
pub(crate) fn addresses() -> [(IpAddr, IpAddr); 2] {
    [("10.7.0.1", "10.7.0.2"), ("fd07::1", "fd07::2")]
        .map(|(a, b)| (a.parse().unwrap(), b.parse().unwrap()))
}

/// True when the file appears to hold the text within the time that things may take.
pub(crate) fn file_will_hold(path: &Path, text: &str) -> bool {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if std::fs::read_to_string(path).is_ok_and(|content| content.contains(text)) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}
