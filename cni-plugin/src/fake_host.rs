//! A node without a kernel, for tests of the verbs: keeps what was wired by name, fails on demand.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use weir_datapath::attachment::{Attachment, AttachmentKey};
use weir_datapath::kernel::{AntiSpoof, AttachmentCounters, KernelError, WiredInterface};
use weir_datapath::netns::{PeerError, PeerLink};
use weir_datapath::record::RecordStore;
use weir_datapath::support::Missing;
use weir_datapath::tag::KeyTag;

use crate::environment::{Command, Environment};
use crate::host::Host;
use crate::{Reply, run};

pub(crate) const HOST_IFNAME: &str = "veth7";

pub(crate) struct FakeHost {
    pub(crate) link: RefCell<Box<dyn Fn() -> Result<PeerLink, PeerError>>>,
    pub(crate) wired: RefCell<BTreeMap<String, (AttachmentKey, AntiSpoof)>>,
    pub(crate) kernel_fails: Cell<bool>,
    pub(crate) attach_panics: Cell<bool>,
    pub(crate) lease: Cell<bool>,
    pub(crate) missing: RefCell<Vec<Missing>>,
    pub(crate) devices: RefCell<Vec<String>>,
}

pub(crate) fn link() -> PeerLink {
    PeerLink {
        ifname: HOST_IFNAME.to_owned(),
        ifindex: 7,
        pod_mac: "02:00:00:00:00:07".to_owned(),
        link_local: None,
        kind: "veth".to_owned(),
        bypass: None,
    }
}

impl Default for FakeHost {
    fn default() -> Self {
        Self {
            link: RefCell::new(Box::new(|| Ok(link()))),
            wired: RefCell::default(),
            kernel_fails: Cell::new(false),
            attach_panics: Cell::new(false),
            lease: Cell::new(true),
            missing: RefCell::default(),
            devices: RefCell::new(vec!["weir-cap0".to_owned(), "weir-cap1".to_owned()]),
        }
    }
}

impl FakeHost {
    pub(crate) fn set_link(&self, link: impl Fn() -> Result<PeerLink, PeerError> + 'static) {
        *self.link.borrow_mut() = Box::new(link);
    }

    pub(crate) fn wired_names(&self) -> Vec<String> {
        self.wired.borrow().keys().cloned().collect()
    }

    fn refuse(&self) -> Result<(), KernelError> {
        if self.kernel_fails.get() {
            return Err(KernelError::Socket(io::Error::other("refused by the test")));
        }
        Ok(())
    }
}

impl Host for FakeHost {
    fn peer_of(&self, _: &Path, _: &str) -> Result<PeerLink, PeerError> {
        self.link.borrow()()
    }

    fn has_interface(&self, ifname: &str) -> bool {
        self.devices.borrow().iter().any(|device| device == ifname)
    }

    fn attach(&self, attachment: &Attachment, anti_spoof: AntiSpoof) -> Result<(), KernelError> {
        assert!(!self.attach_panics.get(), "panic asked for by the test");
        self.refuse()?;
        let value = (attachment.key.clone(), anti_spoof);
        self.wired
            .borrow_mut()
            .insert(attachment.host_ifname.clone(), value);
        Ok(())
    }

    fn silence(&self, _: &Attachment) -> Result<(), KernelError> {
        self.refuse()
    }

    fn detach(&self, attachment: &Attachment) -> Result<bool, KernelError> {
        self.refuse()?;
        let mut wired = self.wired.borrow_mut();
        let own = wired
            .get(&attachment.host_ifname)
            .is_some_and(|(key, _)| *key == attachment.key);
        Ok(own && wired.remove(&attachment.host_ifname).is_some())
    }

    fn detach_key(&self, key: &AttachmentKey) -> Result<bool, KernelError> {
        self.refuse()?;
        let mut wired = self.wired.borrow_mut();
        let before = wired.len();
        wired.retain(|_, (owner, _)| owner != key);
        Ok(wired.len() < before)
    }

    fn wired_interface(&self, host_ifname: &str) -> Result<Option<WiredInterface>, KernelError> {
        Ok(self
            .wired()?
            .into_iter()
            .find(|wired| wired.host_ifname == host_ifname))
    }

    fn wired(&self) -> Result<Vec<WiredInterface>, KernelError> {
        self.refuse()?;
        let wired = self.wired.borrow();
        Ok(wired
            .iter()
            .map(|(host_ifname, (key, _))| WiredInterface {
                host_ifname: host_ifname.clone(),
                owner: Some(KeyTag::of(key)),
                from_pod_chain: true,
                to_pod_chain: true,
                ifindex: Some(7),
                counters: AttachmentCounters::default(),
            })
            .collect())
    }

    fn lease_alive(&self) -> Result<bool, KernelError> {
        self.refuse()?;
        Ok(self.lease.get())
    }

    fn missing(&self) -> Vec<Missing> {
        self.missing.borrow().clone()
    }
}

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A run directory that goes away with the test.
pub(crate) struct RunDir(pub(crate) PathBuf);

impl RunDir {
    pub(crate) fn new() -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("weir-cni-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    pub(crate) fn store(&self) -> RecordStore {
        RecordStore::new(&self.0)
    }

    /// Keys of the records, all readable.
    pub(crate) fn records(&self) -> Vec<Attachment> {
        let (records, errors) = self.store().load_all();
        assert!(errors.is_empty(), "{errors:?}");
        records
    }

    /// A configuration of network `net` with `members` besides the usual ones.
    pub(crate) fn config(&self, members: &str) -> String {
        let separator = if members.is_empty() { "" } else { "," };
        format!(
            r#"{{"cniVersion":"1.1.0","name":"net","type":"weir-cni","runDir":{:?}{separator}{members}}}"#,
            self.0
        )
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The environment of a call for container `id`.
pub(crate) fn environment(id: &str, args: &str) -> Environment {
    [
        ("CNI_CONTAINERID", id),
        ("CNI_NETNS", "/run/netns/p"),
        ("CNI_IFNAME", "eth0"),
        ("CNI_PATH", "/opt/cni/bin"),
        ("CNI_ARGS", args),
    ]
    .into_iter()
    .collect()
}

/// Runs a verb; the result is stdout, or code and message of the error.
pub(crate) fn call(
    host: &FakeHost,
    command: Command,
    environment: &Environment,
    stdin: &str,
) -> Result<String, (u32, String)> {
    let mut buffer = Vec::new();
    match run(command, environment, stdin.as_bytes(), &mut buffer, host) {
        Ok(Reply { stdout, wiring }) => {
            if let Some(wiring) = wiring {
                wiring.keep();
            }
            Ok(String::from_utf8(stdout).unwrap())
        }
        Err(failure) => Err((failure.error.code(), failure.error.to_string())),
    }
}
