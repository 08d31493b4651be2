//! The decoded view of a frame: offsets into its bytes, checked once, and the fields that the later
//! stages ask for. Borrowed from the frame; owns nothing.

use std::net::IpAddr;

/// Transport protocol of a packet, by IANA protocol number where it is not one of the named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// TCP (6).
    Tcp(TcpHeader),
    /// UDP (17).
    Udp {
        /// Source port.
        source: u16,
        /// Destination port.
        destination: u16,
    },
    /// ICMP (1).
    Icmp4(IcmpHeader),
    /// `ICMPv6` (58).
    Icmp6(IcmpHeader),
    /// Any other protocol: no ports.
    Other(u8),
    /// No transport header is present (a later fragment, no IP at all).
    None,
}

/// The TCP fields that the flow and stream stages use, host byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TcpHeader {
    /// Source port.
    pub source: u16,
    /// Destination port.
    pub destination: u16,
    /// Sequence number of the first byte (or of SYN/FIN).
    pub sequence: u32,
    /// Acknowledgement number; meaningful when ACK is set.
    pub acknowledgement: u32,
    /// Header byte 13: FIN 0x01, SYN 0x02, RST 0x04, PSH 0x08, ACK 0x10, URG 0x20, ECE 0x40, CWR 0x80.
    pub flags: u8,
    /// Advertised window, unscaled.
    pub window: u16,
    /// Urgent pointer.
    pub urgent: u16,
    /// Options that matter to reassembly.
    pub options: TcpOptions,
}

/// TCP options that the stream stage needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct TcpOptions {
    /// Maximum segment size (kind 2).
    pub mss: Option<u16>,
    /// Window scale shift (kind 3), capped at 14.
    pub window_scale: Option<u8>,
    /// SACK permitted (kind 4).
    pub sack_permitted: bool,
    /// Timestamps (kind 8): value and echo reply.
    pub timestamps: Option<(u32, u32)>,
    /// TCP Fast Open cookie request or cookie (kind 34, or 254 with the magic).
    pub fast_open: bool,
}

/// The ICMP fields that matching uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IcmpHeader {
    /// Type.
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// Identifier of an echo request or reply.
    pub id: Option<u16>,
    /// Sequence of an echo request or reply.
    pub sequence: Option<u16>,
}

/// A decoded packet.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// The whole frame, link layer included.
    pub frame: &'a [u8],
    /// VLAN ids, outermost first; 0 where there is none.
    pub vlan: [u16; 3],
    /// Offset of the IP header in `frame`.
    pub l3: usize,
    /// Offset of the transport header in `frame`.
    pub l4: usize,
    /// Offset of the payload in `frame`.
    pub payload_start: usize,
    /// Offset just behind the payload: link padding is not part of it.
    pub payload_end: usize,
    /// Source address.
    pub source: IpAddr,
    /// Destination address.
    pub destination: IpAddr,
    /// IANA number of the transport protocol.
    pub protocol: u8,
    /// Transport header.
    pub transport: Transport,
    /// True when the packet was put together from fragments.
    pub reassembled: bool,
}

impl<'a> Packet<'a> {
    /// The bytes above the transport header (above the IP header for [`Transport::Other`]).
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.frame
            .get(self.payload_start..self.payload_end)
            .unwrap_or_default()
    }

    /// Source and destination port; 0 where the transport has none.
    #[must_use]
    pub fn ports(&self) -> (u16, u16) {
        match self.transport {
            Transport::Tcp(tcp) => (tcp.source, tcp.destination),
            Transport::Udp {
                source,
                destination,
            } => (source, destination),
            _ => (0, 0),
        }
    }
}
