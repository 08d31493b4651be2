//! Everything weir keeps in the kernel: table `netdev weir`, the capture pair, the lease.
//!
//! A [`Kernel`] belongs to the network namespace of the thread that opened it and may be moved to
//! another thread. All calls block; none waits for anything but the kernel.

mod antispoof;
mod attach;
mod error;
mod lease;
mod node;
mod reconcile;
mod rules;
mod status;
mod watch;

pub use error::KernelError;
pub use reconcile::Reconciled;
pub use watch::RuleWatch;

use crate::attachment::AttachmentKey;
use crate::layout::TABLE;
use crate::link::Links;
use crate::nft::Nft;
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
    /// Bytes; the link-layer header counts for frames to the pod only (nft counts what the hook sees).
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
    nft: Nft,
    links: Links,
    renews_in_place: bool,
}

impl Kernel {
    /// Opens the netlink sockets in the calling thread's network namespace.
    ///
    /// # Errors
    /// [`KernelError::Socket`].
    pub fn open() -> Result<Self, KernelError> {
        let nft = Nft::open(TABLE).map_err(|error| KernelError::Socket(error.into_io()))?;
        Ok(Self {
            nft,
            links: Links::open()?,
            renews_in_place: lease::renews_in_place(),
        })
    }
}
