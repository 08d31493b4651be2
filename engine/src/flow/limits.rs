//! Every bound of the flow stage, in one place.

use std::time::Duration;

/// Size and times of a worker's flow table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowLimits {
    /// Flows that are followed at once. The table is reserved at start and never grows.
    pub flows: usize,
    /// What a new flow meets when every entry is an established flow.
    pub when_full: FlowExceptionPolicy,
    /// How long a flow may be silent, by protocol and state.
    pub timeouts: FlowTimeouts,
    /// Flows that one call of [`advance`](crate::pipeline::Engine::advance) may end; the rest follows
    /// with the next. A packet never meets a flow that has timed out, ended or not.
    pub expire_batch: usize,
}

impl Default for FlowLimits {
    fn default() -> Self {
        Self {
            flows: 65_536,
            when_full: FlowExceptionPolicy::default(),
            timeouts: FlowTimeouts::default(),
            expire_batch: 8192,
        }
    }
}

/// What to do with a packet of a new flow when the table holds nothing but established flows. Flows
/// that are closed or not yet established always give way, the oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum FlowExceptionPolicy {
    /// The established flow that was idle longest gives way; should it speak again it is picked up
    /// midstream.
    #[default]
    EvictIdlest,
    /// The packet is dropped ([`FlowMemcap`](crate::verdict::DropReason::FlowMemcap)).
    DropNew,
}

/// Silence after which a flow ends, by protocol and state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowTimeouts {
    /// TCP, handshake not complete.
    pub tcp_new: Duration,
    /// TCP, established.
    pub tcp_established: Duration,
    /// TCP, closed by FIN or RST.
    pub tcp_closed: Duration,
    /// UDP, one side seen.
    pub udp_new: Duration,
    /// UDP, both sides seen.
    pub udp_established: Duration,
    /// ICMP, one side seen.
    pub icmp_new: Duration,
    /// ICMP, both sides seen.
    pub icmp_established: Duration,
    /// Others, one side seen.
    pub other_new: Duration,
    /// Others, both sides seen.
    pub other_established: Duration,
    /// Flows that a signature ended. Long, since the sender's TCP goes on trying for many minutes.
    pub dropped: Duration,
}

impl Default for FlowTimeouts {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            tcp_new: seconds(60),
            tcp_established: seconds(600),
            tcp_closed: seconds(60),
            udp_new: seconds(30),
            udp_established: seconds(300),
            icmp_new: seconds(30),
            icmp_established: seconds(300),
            other_new: seconds(30),
            other_established: seconds(300),
            dropped: seconds(900),
        }
    }
}
