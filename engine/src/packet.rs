//! The decoded view of a frame: offsets into its bytes, checked once, and the fields that the later
//! stages ask for. Borrowed from the frame; owns nothing.

use std::net::{IpAddr, Ipv4Addr};

use crate::decode::Events;

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
    /// SCTP (132).
    Sctp {
        /// Source port.
        source: u16,
        /// Destination port.
        destination: u16,
        /// Offset in the frame just behind the last chunk.
        end: usize,
    },
    /// ICMP (1).
    Icmp4(IcmpHeader),
    /// `ICMPv6` (58).
    Icmp6(IcmpHeader),
    /// Any other protocol: no ports.
    Other(u8),
    /// No transport header was decoded (a fragment, no IP at all, or too malformed).
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
    /// Identifier, in the types that have one: echo; in `ICMPv4` also timestamp, information and
    /// address mask, requests and replies.
    pub id: Option<u16>,
    /// Sequence number, in the same types.
    pub sequence: Option<u16>,
}

/// What the link layer carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Network {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
    /// ARP, a header long enough for Ethernet and IPv4 addresses.
    Arp,
    /// Nothing that weir looks into.
    #[default]
    Other,
}

/// The place of a fragment in its datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fragment {
    /// Identification: 16 bits in IPv4, 32 in IPv6.
    pub id: u32,
    /// Offset of its data in the datagram, in bytes (a multiple of 8).
    pub offset: u16,
    /// More fragments follow.
    pub more: bool,
    /// IPv6: offset in the frame of the fragment header. IPv4: of the IP header.
    pub header: usize,
    /// IPv6: offset in the frame of the byte that names the fragment header. IPv4: of the IP header.
    pub named_at: usize,
}

bitflags::bitflags! {
    /// Which IPv6 extension headers a packet has.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
    pub struct Extensions: u8 {
        /// Hop-by-hop options (0).
        const HOP_BY_HOP = 0x01;
        /// Routing (43).
        const ROUTING = 0x02;
        /// Fragment (44), atomic ones included.
        const FRAGMENT = 0x04;
        /// Destination options (60).
        const DESTINATION = 0x08;
        /// Authentication (51).
        const AUTHENTICATION = 0x10;
    }
}

/// A decoded packet.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// The whole frame, link layer included.
    pub frame: &'a [u8],
    /// VLAN ids, outermost first; 0 where there is none.
    pub vlan: [u16; 3],
    /// Number of VLAN tags, 0 to 3 (a priority tag has id 0).
    pub vlan_layers: u8,
    /// What the link layer carried.
    pub network: Network,
    /// Offset of the IP header in `frame`.
    pub l3: usize,
    /// Offset of the transport header in `frame`.
    pub l4: usize,
    /// Offset of the payload in `frame`.
    pub payload_start: usize,
    /// Offset just behind the payload: link padding is not part of it.
    pub payload_end: usize,
    /// Source address; unspecified where there is no IP header.
    pub source: IpAddr,
    /// Destination address; unspecified where there is no IP header.
    pub destination: IpAddr,
    /// IANA number of the transport protocol.
    pub protocol: u8,
    /// TTL or hop limit.
    pub ttl: u8,
    /// Type of service or traffic class, DSCP and ECN together.
    pub tos: u8,
    /// IPv4 identification; 0 for IPv6.
    pub ip_id: u16,
    /// IPv4 flags as on the wire: more fragments 1, don't fragment 2, reserved 4; 0 for IPv6.
    pub ip_flags: u8,
    /// Set when this is one fragment of several. The payload is then the fragment's data and the
    /// transport [`Transport::None`]. Atomic fragments (RFC 6946) are no fragments.
    pub fragment: Option<Fragment>,
    /// IPv6 extension headers present.
    pub extensions: Extensions,
    /// Transport header.
    pub transport: Transport,
    /// Tunnels around this packet: 0 for the packet that the frame itself carries.
    pub tunnel_depth: u8,
    /// True when the packet was put together from fragments.
    pub reassembled: bool,
    /// Deviations met while decoding it.
    pub events: Events,
}

impl<'a> Packet<'a> {
    /// A packet of which nothing is decoded yet: unspecified addresses, no transport, no payload.
    #[must_use]
    pub fn undecoded(frame: &'a [u8]) -> Self {
        const UNSPECIFIED: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        Self {
            frame,
            vlan: [0; 3],
            vlan_layers: 0,
            network: Network::Other,
            l3: frame.len(),
            l4: frame.len(),
            payload_start: frame.len(),
            payload_end: frame.len(),
            source: UNSPECIFIED,
            destination: UNSPECIFIED,
            protocol: 0,
            ttl: 0,
            tos: 0,
            ip_id: 0,
            ip_flags: 0,
            fragment: None,
            extensions: Extensions::empty(),
            transport: Transport::None,
            tunnel_depth: 0,
            reassembled: false,
            events: Events::NONE,
        }
    }

    /// True when it has an IP header that could be read.
    #[must_use]
    pub fn is_ip(&self) -> bool {
        matches!(self.network, Network::Ipv4 | Network::Ipv6)
    }

    /// The bytes above the transport header (above the IP header for [`Transport::Other`]).
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.frame
            .get(self.payload_start..self.payload_end)
            .unwrap_or_default()
    }

    /// The IP header, IPv4 options and IPv6 extension headers included; empty without IP.
    #[must_use]
    pub fn ip_header(&self) -> &'a [u8] {
        if !self.is_ip() {
            return &[];
        }
        self.frame.get(self.l3..self.l4).unwrap_or_default()
    }

    /// The options of the IPv4 header; empty for IPv6.
    #[must_use]
    pub fn ip_options(&self) -> &'a [u8] {
        if self.network != Network::Ipv4 {
            return &[];
        }
        self.ip_header().get(20..).unwrap_or_default()
    }

    /// The transport header, TCP options included; empty where it was not decoded.
    #[must_use]
    pub fn transport_header(&self) -> &'a [u8] {
        self.frame
            .get(self.l4..self.payload_start)
            .unwrap_or_default()
    }

    /// The options of the TCP header, as on the wire; empty for other transports.
    #[must_use]
    pub fn tcp_options(&self) -> &'a [u8] {
        match self.transport {
            Transport::Tcp(_) => self.transport_header().get(20..).unwrap_or_default(),
            _ => &[],
        }
    }

    /// Everything above the IP header: the bytes that an L4 checksum covers.
    #[must_use]
    pub fn segment(&self) -> &'a [u8] {
        let end = match self.transport {
            Transport::Sctp { end, .. } => end,
            _ => self.payload_end,
        };
        self.frame.get(self.l4..end).unwrap_or_default()
    }

    /// Source and destination port; 0 where the transport has none.
    #[must_use]
    pub fn ports(&self) -> (u16, u16) {
        match self.transport {
            Transport::Tcp(tcp) => (tcp.source, tcp.destination),
            Transport::Udp {
                source,
                destination,
            }
            | Transport::Sctp {
                source,
                destination,
                ..
            } => (source, destination),
            _ => (0, 0),
        }
    }
}
