//! The node as the verbs see it: the kernel of the plugin's network namespace and the pod's.
//!
//! A trait, so that the verbs' order of steps and their rollback are tested against every failure of the
//! kernel without one; [`Node`] is the real thing and adds nothing but opening the kernel on first use.

use std::cell::RefCell;
use std::path::Path;

use weir_datapath::attachment::{Attachment, AttachmentKey};
use weir_datapath::kernel::{AntiSpoof, Kernel, KernelError, WiredInterface};
use weir_datapath::netns::{self, PeerError, PeerLink};
use weir_datapath::support::{self, Missing};

/// What the verbs ask of the node. Errors and limits are those of `weir_datapath`.
pub trait Host {
    /// Finds the host side of a pod's interface.
    ///
    /// # Errors
    /// [`PeerError`].
    fn peer_of(&self, netns: &Path, ifname: &str) -> Result<PeerLink, PeerError>;

    /// Whether the plugin's network namespace has an interface of this name.
    fn has_interface(&self, ifname: &str) -> bool;

    /// Brings the node's shared parts up and wires an attachment, in one transaction.
    ///
    /// # Errors
    /// [`KernelError`].
    fn attach(&self, attachment: &Attachment, anti_spoof: AntiSpoof) -> Result<(), KernelError>;

    /// Sets an attachment's host interface down, if it is still there.
    ///
    /// # Errors
    /// [`KernelError`].
    fn silence(&self, attachment: &Attachment) -> Result<(), KernelError>;

    /// Removes an attachment from the kernel; `false`: nothing was there.
    ///
    /// # Errors
    /// [`KernelError`].
    fn detach(&self, attachment: &Attachment) -> Result<bool, KernelError>;

    /// Removes an attachment whose record is lost; `false`: nothing was there.
    ///
    /// # Errors
    /// [`KernelError`].
    fn detach_key(&self, key: &AttachmentKey) -> Result<bool, KernelError>;

    /// What weir has on one host interface.
    ///
    /// # Errors
    /// [`KernelError`].
    fn wired_interface(&self, host_ifname: &str) -> Result<Option<WiredInterface>, KernelError>;

    /// What weir has on all host interfaces.
    ///
    /// # Errors
    /// [`KernelError`].
    fn wired(&self) -> Result<Vec<WiredInterface>, KernelError>;

    /// Whether an enforcer answers for held frames now.
    ///
    /// # Errors
    /// [`KernelError`].
    fn lease_alive(&self) -> Result<bool, KernelError>;

    /// What the node lacks to run weir.
    fn missing(&self) -> Vec<Missing>;
}

/// The node that the process runs on.
#[derive(Debug, Default)]
pub struct Node {
    kernel: RefCell<Option<Kernel>>,
}

impl Node {
    fn with_kernel<T>(
        &self,
        act: impl FnOnce(&mut Kernel) -> Result<T, KernelError>,
    ) -> Result<T, KernelError> {
        let mut slot = self.kernel.borrow_mut();
        match slot.as_mut() {
            Some(kernel) => act(kernel),
            None => act(slot.insert(Kernel::open()?)),
        }
    }
}

impl Host for Node {
    fn peer_of(&self, netns: &Path, ifname: &str) -> Result<PeerLink, PeerError> {
        netns::peer_of(netns, ifname)
    }

    fn has_interface(&self, ifname: &str) -> bool {
        nix::net::if_::if_nametoindex(ifname).is_ok()
    }

    fn attach(&self, attachment: &Attachment, anti_spoof: AntiSpoof) -> Result<(), KernelError> {
        self.with_kernel(|kernel| {
            kernel.ensure_node()?;
            kernel.attach(attachment, anti_spoof)
        })
    }

    fn silence(&self, attachment: &Attachment) -> Result<(), KernelError> {
        self.with_kernel(|kernel| kernel.silence(attachment))
    }

    fn detach(&self, attachment: &Attachment) -> Result<bool, KernelError> {
        self.with_kernel(|kernel| kernel.detach(attachment))
    }

    fn detach_key(&self, key: &AttachmentKey) -> Result<bool, KernelError> {
        self.with_kernel(|kernel| kernel.detach_key(key))
    }

    fn wired_interface(&self, host_ifname: &str) -> Result<Option<WiredInterface>, KernelError> {
        self.with_kernel(|kernel| kernel.wired_interface(host_ifname))
    }

    fn wired(&self) -> Result<Vec<WiredInterface>, KernelError> {
        self.with_kernel(Kernel::wired)
    }

    fn lease_alive(&self) -> Result<bool, KernelError> {
        self.with_kernel(Kernel::lease_alive)
    }

    fn missing(&self) -> Vec<Missing> {
        support::probe()
    }
}
