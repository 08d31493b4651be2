//! Flows of one protocol and state share one silence after which they end.

use std::time::Duration;

use super::limits::FlowTimeouts;
use super::state::Phase;

/// Protocol and state, as far as timeouts and eviction care.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Class {
    /// TCP closed by FIN or RST.
    TcpClosed,
    /// TCP, handshake not complete.
    TcpNew,
    /// UDP, one side seen.
    UdpNew,
    /// ICMP, one side seen.
    IcmpNew,
    /// Others, one side seen.
    OtherNew,
    /// TCP established.
    TcpEstablished,
    /// UDP, both sides seen.
    UdpEstablished,
    /// ICMP, both sides seen.
    IcmpEstablished,
    /// Others, both sides seen.
    OtherEstablished,
    /// Ended by a signature: all its packets are dropped.
    Dropped,
}

impl Class {
    /// Number of classes.
    pub const COUNT: usize = 10;
    /// All of them.
    pub const ALL: [Self; Self::COUNT] = [
        Self::TcpClosed,
        Self::TcpNew,
        Self::UdpNew,
        Self::IcmpNew,
        Self::OtherNew,
        Self::TcpEstablished,
        Self::UdpEstablished,
        Self::IcmpEstablished,
        Self::OtherEstablished,
        Self::Dropped,
    ];

    /// Class of a flow of that IANA protocol in that phase.
    #[must_use]
    pub fn of(protocol: u8, phase: Phase) -> Self {
        let new = phase == Phase::New;
        match protocol {
            6 => match phase {
                Phase::New => Self::TcpNew,
                Phase::Established => Self::TcpEstablished,
                Phase::Closed => Self::TcpClosed,
            },
            17 if new => Self::UdpNew,
            17 => Self::UdpEstablished,
            1 | 58 if new => Self::IcmpNew,
            1 | 58 => Self::IcmpEstablished,
            _ if new => Self::OtherNew,
            _ => Self::OtherEstablished,
        }
    }

    /// True for flows that give way to new ones before any established flow does.
    #[must_use]
    pub fn is_expendable(self) -> bool {
        matches!(
            self,
            Self::TcpClosed | Self::TcpNew | Self::UdpNew | Self::IcmpNew | Self::OtherNew
        )
    }

    /// Silence after which a flow of this class ends.
    #[must_use]
    pub fn timeout(self, timeouts: &FlowTimeouts) -> Duration {
        match self {
            Self::TcpClosed => timeouts.tcp_closed,
            Self::TcpNew => timeouts.tcp_new,
            Self::UdpNew => timeouts.udp_new,
            Self::IcmpNew => timeouts.icmp_new,
            Self::OtherNew => timeouts.other_new,
            Self::TcpEstablished => timeouts.tcp_established,
            Self::UdpEstablished => timeouts.udp_established,
            Self::IcmpEstablished => timeouts.icmp_established,
            Self::OtherEstablished => timeouts.other_established,
            Self::Dropped => timeouts.dropped,
        }
    }
}
