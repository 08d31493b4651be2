//! A node: its namespace, its scratch directory, its conflists.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::cni::{ANNOTATIONS_CAPABILITY, Network, REFERENCE_PLUGINS};
use crate::netns::Netns;
use crate::scratch::{Scratch, unique};
use crate::sweep;

/// How many nodes may be alive at once in a test process: tests share few cores, and measure deadlines.
const NODES_AT_ONCE: usize = 3;

static SEATS: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

/// The main plugin of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Main {
    /// Pods on one bridge, the bridge is their gateway.
    Bridge,
    /// Each pod behind a routed point-to-point veth.
    Ptp,
}

/// A node in a network namespace of its own.
#[derive(Debug)]
pub struct Node {
    /// Its network namespace.
    pub ns: Arc<Netns>,
    number: u8,
    scratch: Scratch,
    _seat: Seat,
}

impl Node {
    /// A node that forwards; pod subnets are those of [`Node::numbered`] with number 1.
    ///
    /// # Errors
    /// When not root.
    pub fn new(label: &str) -> Result<Self> {
        Self::numbered(label, 1)
    }

    /// A node whose pods live in `10.<100 + number>.0.0/16` and `fd00:<number>::/64`.
    ///
    /// # Errors
    /// When not root.
    pub fn numbered(label: &str, number: u8) -> Result<Self> {
        crate::netns::require_root()?;
        sweep::once();
        let seat = Seat::take();
        Self::seated(label, number, seat)
    }

    /// A second node for the same test: it shares the first one's seat.
    ///
    /// # Errors
    /// When not root.
    pub fn companion(label: &str, number: u8) -> Result<Self> {
        Self::seated(label, number, Seat(false))
    }

    fn seated(label: &str, number: u8, seat: Seat) -> Result<Self> {
        let name = unique(label);
        let scratch = Scratch::create(&name)?;
        let ns = Netns::create(&name)?;
        for key in ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"] {
            ns.sysctl(key, "1")?;
        }
        Ok(Self {
            ns: Arc::new(ns),
            number,
            scratch,
            _seat: seat,
        })
    }

    /// Weir's run directory on this node.
    #[must_use]
    pub fn run_dir(&self) -> PathBuf {
        self.scratch.path().join("run")
    }

    /// Scratch files of this node.
    #[must_use]
    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// Gateway address of the pods, on the node's bridge.
    #[must_use]
    pub fn gateway4(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, self.second_octet(), 0, 1)
    }

    /// Gateway address of the pods, on the node's bridge.
    #[must_use]
    pub fn gateway6(&self) -> Ipv6Addr {
        Ipv6Addr::new(0xfd00, self.number.into(), 0, 0, 0, 0, 0, 1)
    }

    /// The pods' subnet of an address's family, as text.
    #[must_use]
    pub fn subnet(&self, family: IpAddr) -> String {
        match family {
            IpAddr::V4(_) => format!("10.{}.0.0/16", self.second_octet()),
            IpAddr::V6(_) => format!("fd00:{}::/64", self.number),
        }
    }

    /// The entry of `weir-cni` with this node's run directory and the options of `options`.
    #[must_use]
    pub fn weir_entry(&self, options: &Value) -> Value {
        let mut entry = json!({
            "type": "weir-cni",
            "runDir": self.run_dir(),
            "capabilities": { ANNOTATIONS_CAPABILITY: true },
        });
        if let (Some(entry), Some(options)) = (entry.as_object_mut(), options.as_object()) {
            entry.extend(options.clone());
        }
        entry
    }

    /// A network with a real main plugin and then `weir-cni` with `options`.
    #[must_use]
    pub fn weir_network(&self, main: Main, options: &Value) -> Network {
        self.network(main, "1.0.0", vec![self.weir_entry(options)])
    }

    /// A network with a real main plugin and the chained plugins given.
    #[must_use]
    pub fn network(&self, main: Main, version: &str, chained: Vec<Value>) -> Network {
        let mut plugins = vec![self.main_entry(main)];
        plugins.extend(chained);
        let conflist = json!({
            "cniVersion": version,
            "name": format!("net-{}", self.ns.name()),
            "plugins": plugins,
        });
        self.network_from(conflist)
    }

    /// A network from any conflist.
    #[must_use]
    pub fn network_from(&self, conflist: Value) -> Network {
        Network::new(
            Arc::clone(&self.ns),
            conflist,
            vec![bin_dir(), PathBuf::from(REFERENCE_PLUGINS)],
        )
    }

    /// Configuration of a main plugin with both address families.
    #[must_use]
    pub fn main_entry(&self, main: Main) -> Value {
        let ipam = json!({
            "type": "host-local",
            "dataDir": self.scratch.path().join("ipam"),
            "ranges": [
                [{"subnet": self.subnet(Ipv4Addr::UNSPECIFIED.into())}],
                [{"subnet": self.subnet(Ipv6Addr::UNSPECIFIED.into())}],
            ],
            "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}],
        });
        match main {
            Main::Bridge => json!({
                "type": "bridge", "bridge": "br0", "isGateway": true, "ipMasq": false,
                "hairpinMode": true, "ipam": ipam,
            }),
            Main::Ptp => json!({"type": "ptp", "ipMasq": false, "ipam": ipam}),
        }
    }

    fn second_octet(&self) -> u8 {
        self.number.saturating_add(100)
    }
}

/// Directory of the binaries under test: `WEIR_BIN_DIR`, or the target directory this test was built into.
#[must_use]
pub fn bin_dir() -> PathBuf {
    if let Some(directory) = std::env::var_os("WEIR_BIN_DIR") {
        return directory.into();
    }
    let executable = std::env::current_exe().unwrap_or_default();
    let own = executable.parent().unwrap_or(Path::new("."));
    if own.ends_with("deps") {
        own.parent().unwrap_or(own).to_owned()
    } else {
        own.to_owned()
    }
}

/// A binary under test.
///
/// # Errors
/// When it has not been built.
pub fn binary(name: &str) -> Result<PathBuf> {
    let path = bin_dir().join(name);
    if !path.is_file() {
        bail!(
            "{} is not there: run cargo build --workspace, or set WEIR_BIN_DIR",
            path.display()
        );
    }
    path.canonicalize().context("binary under test")
}

/// Permission to have a node alive; given back on drop.
#[derive(Debug)]
struct Seat(bool);

impl Seat {
    fn take() -> Self {
        let (taken, freed) = &SEATS;
        let mut count = taken.lock().unwrap_or_else(PoisonError::into_inner);
        while *count >= NODES_AT_ONCE {
            count = freed.wait(count).unwrap_or_else(PoisonError::into_inner);
        }
        *count += 1;
        Self(true)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.0 {
            let (taken, freed) = &SEATS;
            *taken.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
            freed.notify_one();
        }
    }
}
