//! Network namespaces: made, entered by a scratch thread, unmade.
//!
//! Never through `ip netns exec`, which unshares mounts and remounts `/sys`: container runtimes then find
//! no cgroups. A thread that has entered a namespace is used once and ends, so no caller's thread ever
//! changes its namespace. Sockets stay in the namespace they were opened in, whichever thread uses them.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};

use crate::command;

/// Where `ip netns` looks for names, so that `ip -n NAME` works on what a test made.
const NETNS_DIR: &str = "/run/netns";

/// How long a TCP connection may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Fails unless the process may create network namespaces.
///
/// # Errors
/// When not root.
pub fn require_root() -> Result<()> {
    if !nix::unistd::geteuid().is_root() {
        bail!(
            "the end-to-end tests create network namespaces and need root: run scripts/test as root"
        );
    }
    Ok(())
}

/// A network namespace with a name, removed on drop.
#[derive(Debug)]
pub struct Netns {
    name: String,
    path: PathBuf,
}

impl Netns {
    /// Makes a namespace `name` with its loopback up and IPv6 quiet (no duplicate address detection, no
    /// router solicitations), so that frames can be counted.
    ///
    /// # Errors
    /// When not root, or when the name is taken.
    pub fn create(name: &str) -> Result<Self> {
        require_root()?;
        fs::create_dir_all(NETNS_DIR)?;
        let path = Path::new(NETNS_DIR).join(name);
        File::create_new(&path).with_context(|| format!("network namespace {name}"))?;
        let namespace = Self {
            name: name.to_owned(),
            path,
        };
        let target = namespace.path.clone();
        on_scratch_thread(move || -> Result<()> {
            unshare(CloneFlags::CLONE_NEWNET).context("unshare(CLONE_NEWNET): root is needed")?;
            mount(
                Some("/proc/thread-self/ns/net"),
                &target,
                None::<&str>,
                MsFlags::MS_BIND,
                None::<&str>,
            )
            .context("bind mount of the namespace")?;
            quiet_ipv6()
        })?;
        namespace.sh("ip link set lo up")?;
        Ok(namespace)
    }

    /// The name under `/run/netns`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The path that CNI calls `CNI_NETNS`.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `work` on a fresh thread inside the namespace.
    ///
    /// # Errors
    /// When the namespace cannot be entered, or what `work` returns.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let handle = File::open(&self.path)
            .with_context(|| format!("network namespace {} is gone", self.name))?;
        on_scratch_thread(move || {
            setns(&handle, CloneFlags::CLONE_NEWNET).context("setns: root is needed")?;
            drop(handle);
            work()
        })
    }

    /// Runs a shell script inside the namespace and returns what it printed.
    ///
    /// # Errors
    /// When any command of it fails.
    pub fn sh(&self, script: &str) -> Result<String> {
        self.run(|| command::sh(script))
            .with_context(|| format!("in {}", self.name))
    }

    /// Loads an nft script inside the namespace.
    ///
    /// # Errors
    /// What nft says.
    pub fn nft(&self, script: &str) -> Result<()> {
        self.run(|| {
            command::Run::new(Command::new("nft").args(["-f", "-"]))
                .stdin(script.as_bytes())
                .succeed()
                .map(drop)
        })
        .with_context(|| format!("nft in {}:\n{script}", self.name))
    }

    /// Writes a sysctl of the namespace, e.g. `net.ipv4.ip_forward`.
    ///
    /// # Errors
    /// When the kernel does not have it.
    pub fn sysctl(&self, key: &str, value: &str) -> Result<()> {
        self.run(|| write_sysctl(key, value))
    }

    /// Opens a TCP listener inside the namespace.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn listen(&self, address: impl Into<SocketAddr>) -> Result<TcpListener> {
        let address = address.into();
        self.run(|| TcpListener::bind(address).context("listen"))
            .with_context(|| format!("{address} in {}", self.name))
    }

    /// Connects from inside the namespace.
    ///
    /// # Errors
    /// When it is refused, or not answered within [`CONNECT_TIMEOUT`].
    pub fn connect(&self, address: impl Into<SocketAddr>) -> Result<TcpStream> {
        self.connect_within(address, CONNECT_TIMEOUT)
    }

    /// Connects from inside the namespace, waiting at most `limit`.
    ///
    /// # Errors
    /// When it is refused, or not answered within `limit`.
    pub fn connect_within(
        &self,
        address: impl Into<SocketAddr>,
        limit: Duration,
    ) -> Result<TcpStream> {
        let address = address.into();
        let stream = self
            .run(|| TcpStream::connect_timeout(&address, limit).context("connect"))
            .with_context(|| format!("to {address} from {}", self.name))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Opens a UDP socket inside the namespace.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn udp(&self, address: impl Into<SocketAddr>) -> Result<UdpSocket> {
        let address = address.into();
        self.run(|| UdpSocket::bind(address).context("bind"))
            .with_context(|| format!("udp {address} in {}", self.name))
    }

    /// Names of the devices inside the namespace, sorted.
    ///
    /// # Errors
    /// When `ip` cannot list them.
    pub fn devices(&self) -> Result<Vec<String>> {
        let listing = self.sh("ip -j link show")?;
        let links: serde_json::Value = serde_json::from_str(&listing)?;
        let mut names: Vec<String> = links
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|link| link.get("ifname")?.as_str().map(str::to_owned))
            .collect();
        names.sort();
        Ok(names)
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Unmounts and removes a namespace's file; whatever is already gone is fine.
pub(crate) fn remove(path: &Path) {
    let _unmounted = umount2(path, MntFlags::MNT_DETACH);
    let _removed = fs::remove_file(path);
}

/// Paths of all named namespaces.
pub(crate) fn named() -> Vec<PathBuf> {
    fs::read_dir(NETNS_DIR)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect()
}

fn on_scratch_thread<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    std::thread::scope(|scope| match scope.spawn(work).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

fn quiet_ipv6() -> Result<()> {
    for scope in ["all", "default"] {
        write_sysctl(&format!("net.ipv6.conf.{scope}.accept_dad"), "0")?;
        write_sysctl(&format!("net.ipv6.conf.{scope}.router_solicitations"), "0")?;
        let report = format!("net.ipv6.conf.{scope}.mldv2_unsolicited_report_interval");
        write_sysctl(&report, "1")?;
    }
    Ok(())
}

fn write_sysctl(key: &str, value: &str) -> Result<()> {
    let path = Path::new("/proc/sys").join(key.replace('.', "/"));
    fs::write(&path, value).with_context(|| format!("{}={value}", path.display()))
}
