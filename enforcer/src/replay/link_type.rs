//! Link types by their number in capture files (tcpdump.org's LINKTYPE registry).

use std::fmt;

use weir_engine::frame::LinkType;

/// The number of a link type, as a capture file gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct LinkNumber(u16);

impl LinkNumber {
    /// From the header of a pcap file or interface: the upper half holds the frame check sequence's
    /// length and reserved bits.
    pub(crate) fn from_pcap(field: i32) -> Self {
        let [low, high, _, _] = field.to_le_bytes();
        Self(u16::from_le_bytes([low, high]))
    }

    /// How weir reads it.
    ///
    /// # Errors
    ///
    /// With the number when it does not.
    pub(crate) fn known(self) -> Result<LinkType, Self> {
        Ok(match self.0 {
            0 => LinkType::Null,
            1 => LinkType::Ethernet,
            9 | 50 => LinkType::Ppp,
            12 | 14 | 101 | 228 | 229 => LinkType::RawIp,
            104 => LinkType::CiscoHdlc,
            108 => LinkType::Loop,
            113 => LinkType::LinuxSll,
            276 => LinkType::LinuxSll2,
            _ => return Err(self),
        })
    }
}

impl fmt::Display for LinkNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
