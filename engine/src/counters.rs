//! What an engine counts. One [`Counters`] per worker, written by it alone; whoever shows them takes a
//! copy and adds the workers' up.
//!
//! Names are part of the operator's interface (`weir status`, EVE `stats`, metrics): lower case,
//! groups separated by dots. Every value only grows, except those that [`Counters::for_each`] marks as
//! gauges.

use crate::decode::DecodeEvent;
use crate::defrag::DefragCounters;
use crate::detect::DetectCounters;
use crate::frame::Mode;
use crate::stream::StreamEvent;
use crate::verdict::DropReason;

/// Number of drop reasons.
const REASONS: usize = DropReason::ALL.len();

/// Everything one engine counts.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Counters {
    /// Frames and their fate.
    pub frames: FrameCounters,
    /// Flow table.
    pub flows: FlowCounters,
    /// Fragments.
    pub defrag: DefragCounters,
    /// TCP tracking and reassembly.
    pub streams: StreamCounters,
    /// Detection, all rule sets together.
    pub detect: DetectCounters,
    /// Stream events raised, by [`StreamEvent`] number.
    stream_events: EventCounts<64>,
    /// Decode events raised, by their number.
    decode_events: EventCounts<{ crate::decode::MAX_EVENTS }>,
}

/// Frames and their fate. While nothing is held, `seen` = passed + released + steered + all dropped
/// (rejected ones are among [`DropReason::Rule`]).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct FrameCounters {
    /// Frames handed in.
    pub seen: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Frames that are not IP (ARP, LLDP, ...): passed.
    pub not_ip: u64,
    /// Frames let through at once.
    pub passed: u64,
    /// Fragments held until their datagram is complete.
    pub held: u64,
    /// Held fragments let through later.
    pub released: u64,
    /// Fragments handed, with their datagram, to the worker that owns the flow.
    pub steered: u64,
    /// Frames whose bytes were rewritten.
    pub rewritten: u64,
    /// Frames dropped and answered with a reject.
    pub rejected: u64,
    /// Frames dropped, by reason (held fragments included), in the order of [`DropReason::ALL`].
    pub dropped: [u64; REASONS],
    /// Frames that prevent mode would have dropped, by reason.
    pub would_drop: [u64; REASONS],
}

/// What the flow table counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct FlowCounters {
    /// Flows begun.
    pub created: u64,
    /// Flows followed now (gauge).
    pub active: u64,
    /// Flows that ended by silence.
    pub timed_out: u64,
    /// Flows replaced by a new connection of the same addresses and ports.
    pub reused: u64,
    /// Flows that gave way to new ones while closed or not yet established.
    pub evicted_new: u64,
    /// Established flows that gave way to new ones.
    pub evicted_established: u64,
    /// Packets of new flows that found no room.
    pub refused: u64,
    /// Times that the table became full after it had room.
    pub emergencies: u64,
    /// ICMP errors that were joined to the flow they are about.
    pub icmp_related: u64,
    /// Connections that others had agreed on (FTP's for data) and that are no longer expected, for want of room: they
    /// are recognised by content, if at all.
    pub expected_evicted: u64,
}

/// What TCP tracking counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct StreamCounters {
    /// Segments that met TCP tracking.
    pub segments: u64,
    /// Streams whose handshake was seen.
    pub handshakes: u64,
    /// Streams picked up midstream.
    pub midstream: u64,
    /// Segments that came out of order and were kept.
    pub out_of_order: u64,
    /// Segments with bytes that were already known.
    pub retransmitted: u64,
    /// Segments whose bytes differed from the first copy.
    pub conflicts: u64,
    /// Times that bytes which the receiver has, but which were never seen here, were skipped.
    pub gaps: u64,
    /// Bytes inspected in order.
    pub bytes: u64,
    /// Retransmissions of bytes that are no longer kept: inspected as packets.
    pub unverified: u64,
    /// Segments whose urgent flag was cleared.
    pub urgent_cleared: u64,
    /// Windows of idle flows given up for memory.
    pub windows_reclaimed: u64,
    /// Bytes of stream buffers in use or kept ready (gauge).
    pub memory: u64,
}

/// Counts by event number.
#[derive(Clone, Debug, PartialEq, Eq)]
struct EventCounts<const N: usize>([u64; N]);

impl<const N: usize> Default for EventCounts<N> {
    fn default() -> Self {
        Self([0; N])
    }
}

impl<const N: usize> EventCounts<N> {
    fn add(&mut self, number: usize) {
        if let Some(count) = self.0.get_mut(number) {
            *count += 1;
        }
    }

    fn get(&self, number: usize) -> u64 {
        self.0.get(number).copied().unwrap_or_default()
    }
}

impl Counters {
    /// Calls `each` with the name and value of every counter, always in the same order.
    pub fn for_each(&self, mut each: impl FnMut(&str, u64)) {
        self.frames.for_each(&mut each);
        self.flows.for_each(&mut each);
        for_each_defrag(&self.defrag, &mut each);
        self.streams.for_each(&mut each);
        for_each_detect(&self.detect, &mut each);
        for event in DecodeEvent::ALL {
            each(event.name(), self.decode_event(*event));
        }
        for event in StreamEvent::ALL {
            each(event.name(), self.stream_event(*event));
        }
    }

    /// How often a decode event was raised.
    #[must_use]
    pub fn decode_event(&self, event: DecodeEvent) -> u64 {
        self.decode_events.get(event as usize)
    }

    /// How often a stream event was raised.
    #[must_use]
    pub fn stream_event(&self, event: StreamEvent) -> u64 {
        self.stream_events.get(event as usize)
    }

    /// Frames dropped for that reason.
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.frames
            .dropped
            .get(reason as usize)
            .copied()
            .unwrap_or_default()
    }

    /// Frames that prevent mode would have dropped for that reason.
    #[must_use]
    pub fn would_drop(&self, reason: DropReason) -> u64 {
        self.frames
            .would_drop
            .get(reason as usize)
            .copied()
            .unwrap_or_default()
    }

    /// Every counter that differs from `earlier`, with its growth (for gauges: its new value minus the
    /// old, wrapping).
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Vec<(String, u64)> {
        let mut before = Vec::new();
        earlier.for_each(|_, value| before.push(value));
        let mut before = before.into_iter();
        let mut changed = Vec::new();
        self.for_each(|name, value| {
            let grown = value.wrapping_sub(before.next().unwrap_or_default());
            if grown != 0 {
                changed.push((name.to_owned(), grown));
            }
        });
        changed
    }

    pub(crate) fn raise_stream(&mut self, event: StreamEvent) {
        self.stream_events.add(event as usize);
    }

    pub(crate) fn raise_decode(&mut self, event: DecodeEvent) {
        self.decode_events.add(event as usize);
    }
}

impl FrameCounters {
    /// Counts a frame that is dropped, or in detect mode would be.
    pub(crate) fn count_drop(&mut self, reason: DropReason, mode: Mode) {
        let counts = match mode {
            Mode::Prevent => &mut self.dropped,
            Mode::Detect => &mut self.would_drop,
        };
        if let Some(count) = counts.get_mut(reason as usize) {
            *count += 1;
        }
    }

    fn for_each(&self, each: &mut impl FnMut(&str, u64)) {
        each("frames.seen", self.seen);
        each("frames.bytes", self.bytes);
        each("frames.not_ip", self.not_ip);
        each("frames.passed", self.passed);
        each("frames.held", self.held);
        each("frames.released", self.released);
        each("frames.steered", self.steered);
        each("frames.rewritten", self.rewritten);
        each("frames.rejected", self.rejected);
        for (reason, count) in DropReason::ALL.iter().zip(self.dropped) {
            each(&format!("dropped.{}", reason.name()), count);
        }
        for (reason, count) in DropReason::ALL.iter().zip(self.would_drop) {
            each(&format!("would_drop.{}", reason.name()), count);
        }
    }
}

impl FlowCounters {
    fn for_each(&self, each: &mut impl FnMut(&str, u64)) {
        each("flow.created", self.created);
        each("flow.active", self.active);
        each("flow.timed_out", self.timed_out);
        each("flow.reused", self.reused);
        each("flow.evicted_new", self.evicted_new);
        each("flow.evicted_established", self.evicted_established);
        each("flow.refused", self.refused);
        each("flow.emergencies", self.emergencies);
        each("flow.icmp_related", self.icmp_related);
        each("flow.expected_evicted", self.expected_evicted);
    }
}

impl StreamCounters {
    fn for_each(&self, each: &mut impl FnMut(&str, u64)) {
        each("tcp.segments", self.segments);
        each("tcp.handshakes", self.handshakes);
        each("tcp.midstream", self.midstream);
        each("tcp.out_of_order", self.out_of_order);
        each("tcp.retransmitted", self.retransmitted);
        each("tcp.conflicts", self.conflicts);
        each("tcp.gaps", self.gaps);
        each("tcp.bytes", self.bytes);
        each("tcp.unverified", self.unverified);
        each("tcp.urgent_cleared", self.urgent_cleared);
        each("tcp.windows_reclaimed", self.windows_reclaimed);
        each("tcp.memory", self.memory);
    }
}

fn for_each_defrag(defrag: &DefragCounters, each: &mut impl FnMut(&str, u64)) {
    each("defrag.fragments", defrag.fragments);
    each("defrag.reassembled", defrag.reassembled);
    each("defrag.refused", defrag.refused);
    each("defrag.timed_out", defrag.timed_out);
    each("defrag.evicted", defrag.evicted);
    each("defrag.no_room", defrag.no_room);
    each("defrag.active", defrag.active);
}

/// Every counter of the detection stage, by name. Listed here once: a new one that is left out does not
/// build.
macro_rules! detect_counters {
    ($($field:ident)+) => {
        fn for_each_detect(detect: &DetectCounters, each: &mut impl FnMut(&str, u64)) {
            let DetectCounters { $($field),+ } = detect;
            $(each(concat!("detect.", stringify!($field)), *$field);)+
        }

        /// Adds up what two detectors counted.
        pub(crate) fn add_detect(sum: &mut DetectCounters, other: &DetectCounters) {
            $(sum.$field += other.$field;)+
        }
    };
}

detect_counters! {
    packets evaluated matched alerts_suppressed match_steps_exceeded pcre_errors
    flow_variables_full thresholds_evicted host_bits_evicted tagged_hosts_evicted data_full
}

/// True for the counters that may also fall.
#[must_use]
pub fn is_gauge(name: &str) -> bool {
    matches!(name, "flow.active" | "defrag.active" | "tcp.memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_each_change_is_told() {
        let mut counters = Counters::default();
        let earlier = counters.clone();
        let mut names = Vec::new();
        counters.for_each(|name, _| names.push(name.to_owned()));
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
        counters.frames.dropped[DropReason::Checksum as usize] += 2;
        counters.raise_stream(StreamEvent::InvalidAck);
        assert_eq!(
            counters.since(&earlier),
            [
                ("dropped.checksum".to_owned(), 2),
                ("stream.pkt_invalid_ack".to_owned(), 1)
            ]
        );
        assert_eq!(counters.dropped(DropReason::Checksum), 2);
    }
}
