//! Everything weir keeps in the kernel: table `netdev weir`, the capture pair, the lease.
//!
//! A [`Kernel`] belongs to the network namespace of the thread that opened it and may be moved to
//! another thread. All calls block; none waits for anything but the kernel.

mod error;

use std::time::Duration;

pub use error::KernelError;

use crate::attachment::{Attachment, AttachmentKey};
use crate::tag::KeyTag;

/// Whether frames from the pod must bear its own MAC and IP addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum AntiSpoof {
    /// Frames with another source are dropped and counted.
    #[default]
    On,
    /// Source addresses are not looked at.
    Off,
}

/// Interface indexes of the capture pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeDevices {
    /// `weir-cap0`: nft diverts held frames to it.
    pub capture_kernel_end: u32,
    /// `weir-cap1`: the enforcer's sockets are on it.
    pub capture_enforcer_end: u32,
}

/// Packets and bytes that an nft counter has seen. A GSO frame counts as one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counter {
    /// Packets.
    pub packets: u64,
    /// Bytes, link-layer header included.
    pub bytes: u64,
}

/// Counters of the node, kept over attach and detach, zeroed with the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct NodeCounters {
    /// Frames that passed uninspected because no enforcer answered and the attachment fails open.
    pub fail_open: Counter,
    /// Frames dropped because no enforcer answered and the attachment fails closed.
    pub fail_closed: Counter,
    /// Frames dropped by anti-spoofing.
    pub spoofed: Counter,
    /// Frames diverted to the enforcer from a pod.
    pub held_from_pod: Counter,
    /// Frames diverted to the enforcer on their way to a pod.
    pub held_to_pod: Counter,
    /// Frames that reached the enforcer's end of the capture pair and went on past the sockets (which take
    /// copies): with a listening enforcer equal to what the sockets were offered.
    pub past_sockets: Counter,
    /// Frames on the kernel's end of the capture pair that the redirect program did not take. Not 0: the
    /// program is missing.
    pub not_redirected: Counter,
}

/// Counters of one attachment. Zero after each attach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct AttachmentCounters {
    /// Frames from the pod dropped by anti-spoofing.
    pub spoofed: Counter,
    /// Frames from the pod for a pod of this node, left to that pod's own rules.
    pub local: Counter,
    /// ARP and neighbour discovery, both directions.
    pub neighbour: Counter,
    /// Frames from the pod that were subject to inspection (held, or handled by the fail mode).
    pub from_pod: Counter,
    /// Frames to the pod that were subject to inspection (held, or handled by the fail mode).
    pub to_pod: Counter,
    /// Frames that had their verdict, both directions.
    pub settled: Counter,
}

/// One host interface that has weir's chains, as the kernel sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WiredInterface {
    /// Name of the host interface.
    pub host_ifname: String,
    /// Attachment that the chains belong to; `None` if they bear no tag of weir's.
    pub owner: Option<KeyTag>,
    /// The chain for frames from the pod exists.
    pub from_pod_chain: bool,
    /// The chain for frames to the pod exists.
    pub to_pod_chain: bool,
    /// Index of the device of that name, if there is one: chains outlive their device on newer kernels.
    pub ifindex: Option<u32>,
    /// Counters.
    pub counters: AttachmentCounters,
}

impl WiredInterface {
    /// Both chains are there, bear this key, and the device exists.
    #[must_use]
    pub fn serves(&self, key: &AttachmentKey) -> bool {
        self.from_pod_chain
            && self.to_pod_chain
            && self.ifindex.is_some()
            && self.owner.as_ref() == Some(&KeyTag::of(key))
    }
}

/// Handle on the kernel of one network namespace.
#[derive(Debug)]
pub struct Kernel {
    _private: (),
}

impl Kernel {
    /// Opens the netlink sockets in the calling thread's network namespace.
    ///
    /// # Errors
    /// [`KernelError::Socket`].
    pub fn open() -> Result<Self, KernelError> {
        Err(KernelError::NotBuilt("Kernel::open"))
    }

    /// Creates or repairs table, shared chains, capture pair and redirect program. Idempotent, cheap when
    /// all is there (no listing), safe while other processes do the same.
    ///
    /// # Errors
    /// [`KernelError`]; what was created stays, the next call goes on from there.
    pub fn ensure_node(&mut self) -> Result<NodeDevices, KernelError> {
        Err(KernelError::NotBuilt("Kernel::ensure_node"))
    }

    /// Wires an attachment in one nft transaction, replacing whatever chains its host interface name had.
    /// Needs [`Self::ensure_node`] before.
    ///
    /// # Errors
    /// [`KernelError`]; nothing was changed then.
    pub fn attach(
        &mut self,
        _attachment: &Attachment,
        _anti_spoof: AntiSpoof,
    ) -> Result<(), KernelError> {
        Err(KernelError::NotBuilt("Kernel::attach"))
    }

    /// Removes what [`Self::attach`] made for this attachment; `true` if there was something. Chains that a
    /// newer attachment has under the same interface name stay.
    ///
    /// # Errors
    /// [`KernelError`], never because there was nothing.
    pub fn detach(&mut self, _attachment: &Attachment) -> Result<bool, KernelError> {
        Err(KernelError::NotBuilt("Kernel::detach"))
    }

    /// As [`Self::detach`], for an attachment whose record is lost: searches the table.
    ///
    /// # Errors
    /// [`KernelError`], never because there was nothing.
    pub fn detach_key(&mut self, _key: &AttachmentKey) -> Result<bool, KernelError> {
        Err(KernelError::NotBuilt("Kernel::detach_key"))
    }

    /// The one interface of this name, or `None` if it has no chains of weir's. For CHECK: does not list the
    /// table.
    ///
    /// # Errors
    /// [`KernelError`].
    pub fn wired_interface(
        &mut self,
        _host_ifname: &str,
    ) -> Result<Option<WiredInterface>, KernelError> {
        Err(KernelError::NotBuilt("Kernel::wired_interface"))
    }

    /// All interfaces that have weir's chains, by name. Empty without a table.
    ///
    /// # Errors
    /// [`KernelError`].
    pub fn wired(&mut self) -> Result<Vec<WiredInterface>, KernelError> {
        Err(KernelError::NotBuilt("Kernel::wired"))
    }

    /// Takes or renews the lease: for `duration` from now the kernel hands frames to the enforcer. Costs a few
    /// microseconds.
    ///
    /// # Errors
    /// [`KernelError`].
    pub fn renew_lease(&mut self, _duration: Duration) -> Result<(), KernelError> {
        Err(KernelError::NotBuilt("Kernel::renew_lease"))
    }

    /// Gives the lease back: from now on fail modes decide.
    ///
    /// # Errors
    /// [`KernelError`].
    pub fn drop_lease(&mut self) -> Result<(), KernelError> {
        Err(KernelError::NotBuilt("Kernel::drop_lease"))
    }

    /// Whether an enforcer holds the lease now. `false` without a table.
    ///
    /// # Errors
    /// [`KernelError`].
    pub fn lease_alive(&mut self) -> Result<bool, KernelError> {
        Err(KernelError::NotBuilt("Kernel::lease_alive"))
    }

    /// The node's counters. All zero without a table.
    ///
    /// # Errors
    /// [`KernelError`].
    pub fn counters(&mut self) -> Result<NodeCounters, KernelError> {
        Err(KernelError::NotBuilt("Kernel::counters"))
    }

    /// Removes table and devices. Not an error when there are none.
    ///
    /// # Errors
    /// [`KernelError`].
    pub fn remove_node(&mut self) -> Result<(), KernelError> {
        Err(KernelError::NotBuilt("Kernel::remove_node"))
    }
}
