//! What the engine is told about a frame besides its bytes.

use std::fmt;

/// Nanoseconds since the Unix epoch, by the clock of whoever captured the frame (the node's, or the
/// capture file's). May step backwards; the engine tolerates it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Time from `earlier` to `self`, zero where the clock stepped back.
    #[must_use]
    pub fn since(self, earlier: Self) -> std::time::Duration {
        std::time::Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// How the first byte of a frame is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkType {
    /// Ethernet II / 802.3 (LINKTYPE 1).
    Ethernet,
    /// Raw IPv4 or IPv6, told apart by the version nibble (LINKTYPE 12, 14, 101, 228, 229).
    RawIp,
    /// Linux cooked capture (LINKTYPE 113).
    LinuxSll,
    /// Linux cooked capture v2 (LINKTYPE 276).
    LinuxSll2,
    /// BSD loopback: 4-byte address family in host order (LINKTYPE 0).
    Null,
    /// OpenBSD loopback: 4-byte address family in network order (LINKTYPE 108).
    Loop,
    /// PPP in HDLC-like framing (LINKTYPE 9, 50).
    Ppp,
    /// Cisco HDLC (LINKTYPE 104).
    CiscoHdlc,
}

/// Whether the L4 checksum of a frame is to be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChecksumState {
    /// The checksum on the wire is final: judge it.
    Final,
    /// The sender left it to the device (NEEDS_CSUM): there is nothing to judge.
    Partial,
}

/// An attachment as the engine knows it: an opaque number that events carry back to whoever fed the
/// frame. The enforcer uses the host interface index; 0 is "none" (replay).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct AttachmentId(pub u32);

/// Wire direction, seen from the pod whose host interface the frame crosses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WireDirection {
    /// The pod sent it.
    FromPod,
    /// It is on its way to the pod.
    ToPod,
}

/// Which traffic a policy says to inspect how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// Verdicts act.
    #[default]
    Prevent,
    /// Every verdict is pass; what would have been dropped says so in its events.
    Detect,
}

/// Which of the engine's compiled rule sets applies: an index that whoever configures the engine hands
/// out. Both directions of a flow carry the same one (it follows from the policies of both ends); 0 is
/// the default set. An index the engine does not hold means the default set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct RuleSetId(pub u8);

/// What comes with a frame.
#[derive(Clone, Copy, Debug)]
pub struct FrameMeta {
    /// Capture time.
    pub at: Timestamp,
    /// How to read the bytes.
    pub link: LinkType,
    /// Whether to judge the L4 checksum.
    pub checksum: ChecksumState,
    /// Payload bytes per wire segment when the frame is a GSO super-packet.
    pub gso_size: Option<u16>,
    /// Whose host interface it crosses.
    pub attachment: AttachmentId,
    /// In which direction.
    pub direction: WireDirection,
    /// Prevent or detect, by the policy of the attachment.
    pub mode: Mode,
    /// Which rules apply, by the policies of the attachments at both ends.
    pub rules: RuleSetId,
    /// Running number of the frame at its source, from 1 (EVE's `pcap_cnt`); 0 where it has none.
    pub number: u64,
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{:09}",
            self.0 / 1_000_000_000,
            self.0 % 1_000_000_000
        )
    }
}
