//! Flow and stream stage of one packet: which flow it belongs to and what it is to its stream.

use crate::event::{FlowDirection, Output};
use crate::flow::{self, EndReason, FlowIndex, FlowKey, Insertion, Side};
use crate::frame::{FrameMeta, Mode, Timestamp};
use crate::packet::{Packet, TcpHeader, Transport};
use crate::stream::{
    Admission, Arrival, Delivery, Pickup, Segment, StreamEvent, StreamEvents, UrgentPolicy, flags,
};
use crate::verdict::DropReason;

use super::Engine;
use super::exception::Exception;
use super::ruling::Condemned;

/// Flows asked for their windows before a segment is given up for lack of memory.
const RECLAIM_TRIES: usize = 8;

/// What tracking says of a packet.
#[derive(Debug, Default)]
pub(super) struct Tracked {
    pub(super) flow: Option<(FlowIndex, FlowDirection)>,
    /// Its payload is part of the stream.
    pub(super) in_stream: bool,
    /// The segment met the stream: it is to be concluded.
    pub(super) segment: Option<Segment>,
    pub(super) events: StreamEvents,
    /// Its bytes differ from their first copy.
    pub(super) conflict: bool,
    /// Its urgent flag is to be cleared.
    pub(super) urgent: bool,
    /// The application layer has taken its bytes.
    pub(super) parsed: bool,
    /// It uncovered bytes of the other direction, beyond a hole.
    pub(super) uncovered: bool,
    /// It seems to have ended the flow by a reset.
    pub(super) reset: bool,
    /// An exception policy says that it is not to be inspected.
    pub(super) uninspected: bool,
    /// Why it must not be delivered.
    pub(super) refused: Option<Condemned>,
}

impl Tracked {
    /// A packet that belongs to no flow and must not be delivered.
    pub(super) fn refused(condemned: Condemned) -> Self {
        Self {
            refused: Some(condemned),
            ..Self::default()
        }
    }

    fn refuse(&mut self, reason: DropReason, event: StreamEvent) {
        self.events.insert(event);
        self.refused = Some(Condemned::new(reason, Some(event.name())));
    }
}

/// There is no room for another flow.
#[derive(Clone, Copy, Debug)]
struct TableFull;

impl Engine {
    /// Finds the packet's flow or begins one, counts it in, and takes its segment into the stream.
    pub(super) fn track(
        &mut self,
        packet: &Packet<'_>,
        meta: &FrameMeta,
        output: &mut dyn Output,
    ) -> Tracked {
        let mut tracked = Tracked::default();
        match self.find_flow(packet, meta, output) {
            Ok(found) => tracked.flow = found,
            Err(TableFull) => {
                tracked.refused = self.except(Exception::FlowMemcap, (None, meta));
                tracked.uninspected = self.passes_uninspected(Exception::FlowMemcap, meta);
            }
        }
        let Some((index, direction)) = tracked.flow else {
            return tracked;
        };
        if let Some(flow) = self.flows.get_mut(index) {
            flow.count(
                direction,
                wire_packets(packet, meta),
                packet.frame.len() as u64,
                meta,
            );
        }
        if self.is_out_of_tracking(index, meta) {
            return tracked;
        }
        if let Transport::Tcp(tcp) = &packet.transport {
            self.track_segment((packet, tcp), meta, &mut tracked, output);
        } else if let Some(flow) = self.flows.get_mut(index)
            && flow.key().protocol() == packet.protocol
            && flow.both_sides_seen()
        {
            flow.phase = flow::Phase::Established;
        }
        tracked
    }

    /// The flow of a packet; a new one where there is none. An ICMP error belongs to the flow of the
    /// packet that it is about.
    fn find_flow(
        &mut self,
        packet: &Packet<'_>,
        meta: &FrameMeta,
        output: &mut dyn Output,
    ) -> Result<Option<(FlowIndex, FlowDirection)>, TableFull> {
        if let Some((key, quoted)) = flow::related(packet)
            && let Some(index) = self.find_live(&key, meta.at, output)
            && let Some(flow) = self.flows.get(index)
        {
            self.counters.flows.icmp_related += 1;
            return Ok(Some((index, quoted.other().direction(flow.client))));
        }
        let Some((key, sender)) = FlowKey::of(packet) else {
            return Ok(None);
        };
        if let Some(index) = self.find_live(&key, meta.at, output)
            && let Some(flow) = self.flows.get(index)
        {
            return Ok(Some((index, sender.direction(flow.client))));
        }
        self.create_flow(packet, (key, sender), meta, output)
            .map(Some)
    }

    /// The flow of that key, unless it has fallen silent: then it ends here.
    fn find_live(
        &mut self,
        key: &FlowKey,
        at: Timestamp,
        output: &mut dyn Output,
    ) -> Option<FlowIndex> {
        let index = self.flows.find(key)?;
        if !self.flows.timed_out(index, at) {
            return Some(index);
        }
        let (mut rest, flows) = self.rest();
        flows.remove(index, EndReason::Timeout, &mut |flow, reason| {
            rest.end(flow, (reason, at), output);
        });
        self.counters.flows.timed_out += 1;
        self.count_active();
        None
    }

    fn create_flow(
        &mut self,
        packet: &Packet<'_>,
        (key, sender): (FlowKey, Side),
        meta: &FrameMeta,
        output: &mut dyn Output,
    ) -> Result<(FlowIndex, FlowDirection), TableFull> {
        let client = flow::client(packet, sender);
        let (mut rest, flows) = self.rest();
        let insertion = flows.insert(key, client, meta.at, &mut |flow, reason| {
            rest.end(flow, (reason, meta.at), output);
        });
        let counters = &mut self.counters.flows;
        let index = match insertion {
            Insertion::Created(index) => {
                self.full = false;
                index
            }
            Insertion::EvictedNew(index) => {
                counters.evicted_new += 1;
                index
            }
            Insertion::EvictedEstablished(index) => {
                counters.evicted_established += 1;
                index
            }
            Insertion::Refused => {
                counters.refused += 1;
                self.note_full();
                return Err(TableFull);
            }
        };
        counters.created += 1;
        if !matches!(insertion, Insertion::Created(_)) {
            self.note_full();
        }
        self.count_active();
        if let Some(flow) = self.flows.get_mut(index) {
            flow.set_icmp(super::report::icmp(packet));
        }
        Ok((index, sender.direction(client)))
    }

    /// The table is full; once per time that it became so it is an emergency.
    fn note_full(&mut self) {
        if !std::mem::replace(&mut self.full, true) {
            self.counters.flows.emergencies += 1;
        }
    }

    pub(super) fn count_active(&mut self) {
        self.counters.flows.active = self.flows.active() as u64;
    }

    fn track_segment(
        &mut self,
        (packet, tcp): (&Packet<'_>, &TcpHeader),
        meta: &FrameMeta,
        tracked: &mut Tracked,
        output: &mut dyn Output,
    ) {
        self.counters.streams.segments += 1;
        let segment = Segment::new(tcp, packet.payload().len());
        let urgent = segment.has(flags::URG);
        if urgent && self.config.urgent == UrgentPolicy::Drop {
            tracked.refuse(DropReason::StreamInvalid, StreamEvent::Urgent);
            return;
        }
        tracked.urgent = urgent;
        let admission = self.admit(&segment, meta, tracked, output);
        if self.is_refused_midstream(admission, meta, tracked) {
            return;
        }
        match admission {
            Admission::Taken => self.reassemble(packet, meta, segment, tracked),
            Admission::Refused(event) => tracked.refuse(DropReason::StreamInvalid, event),
            Admission::NoEffect
            | Admission::Untracked
            | Admission::Midstream
            | Admission::Restart => {}
        }
        if let Some((index, direction)) = tracked.flow
            && let Some(flow) = self.flows.get_mut(index)
        {
            tracked.reset = segment.has(flags::RST) && flow.tcp.phase() == flow::Phase::Closed;
            let report = (&mut tracked.events, &mut self.counters.streams);
            tracked.uncovered = flow.tcp.give_up_hole(direction.opposite(), report);
        }
        if let Some((index, _)) = tracked.flow
            && let Some(flow) = self.flows.get_mut(index)
        {
            flow.phase = flow.tcp.phase();
        }
    }

    /// Asks the flow about a segment; begins the flow anew where the segment opens a new connection.
    fn admit(
        &mut self,
        segment: &Segment,
        meta: &FrameMeta,
        tracked: &mut Tracked,
        output: &mut dyn Output,
    ) -> Admission {
        let admission = self.ask(segment, meta, tracked);
        if admission != Admission::Restart {
            return admission;
        }
        self.restart_flow(segment, meta, tracked, output);
        self.ask(segment, meta, tracked)
    }

    fn ask(&mut self, segment: &Segment, meta: &FrameMeta, tracked: &mut Tracked) -> Admission {
        let Some((index, direction)) = tracked.flow else {
            return Admission::Untracked;
        };
        let Some(flow) = self.flows.get_mut(index) else {
            return Admission::Untracked;
        };
        let arrival = Arrival {
            direction,
            at: meta.at,
            pickup: Pickup {
                midstream: self.config.midstream,
                one_sided: self.config.async_oneside,
            },
            epoch: self.epoch,
        };
        let before = (flow.tcp.established(), flow.tcp.handshake_seen());
        let admission = flow.tcp.admit(segment, &arrival, &mut tracked.events);
        let after = (flow.tcp.established(), flow.tcp.handshake_seen());
        if !before.0 && after.0 {
            self.counters.streams.handshakes += u64::from(after.1);
            self.counters.streams.midstream += u64::from(!after.1);
        }
        admission
    }

    fn restart_flow(
        &mut self,
        segment: &Segment,
        meta: &FrameMeta,
        tracked: &mut Tracked,
        output: &mut dyn Output,
    ) {
        let Some((index, direction)) = tracked.flow else {
            return;
        };
        let length = self.frame_length;
        let (mut rest, flows) = self.rest();
        let Some(flow) = flows.get_mut(index) else {
            return;
        };
        let syn_itself = segment.has(flags::SYN) && segment.ack.is_none();
        let pending = flow.tcp.pending().filter(|_| !syn_itself);
        let opener = pending.map_or(direction, |pending| pending.opener);
        let client = Side::sending(opener, flow.client);
        let sender = Side::sending(direction, flow.client);
        rest.end(flow, (EndReason::Forced, meta.at), output);
        self.flows.renew(index, client, meta.at);
        self.counters.flows.reused += 1;
        self.counters.flows.created += 1;
        let direction = sender.direction(client);
        tracked.flow = Some((index, direction));
        if let Some(flow) = self.flows.get_mut(index) {
            flow.count(direction, 1, length, meta);
            if let Some(pending) = pending {
                flow.tcp.begin_pending(pending);
            }
        }
    }

    fn reassemble(
        &mut self,
        packet: &Packet<'_>,
        meta: &FrameMeta,
        segment: Segment,
        tracked: &mut Tracked,
    ) {
        let Some((index, direction)) = tracked.flow else {
            return;
        };
        for tries in 0..=RECLAIM_TRIES {
            let Some(flow) = self.flows.get_mut(index) else {
                return;
            };
            let report = (&mut tracked.events, &mut self.counters.streams);
            let payload = packet.payload();
            let delivery =
                flow.tcp
                    .reassemble((direction, &segment), payload, &mut self.memory, report);
            tracked.segment = Some(segment);
            let memory = match delivery {
                Delivery::Stream { conflict } => {
                    tracked.in_stream = true;
                    tracked.conflict = conflict;
                    return;
                }
                Delivery::Unverified => return,
                Delivery::Full { memory } => memory,
            };
            if memory && tries + 1 < RECLAIM_TRIES && self.reclaim(index) {
                continue;
            }
            if self.is_refused_room(index, meta, tracked) || tries == RECLAIM_TRIES {
                break;
            }
            // It is delivered anyway: what cannot be kept must not stop the rest.
            if let Some(flow) = self.flows.get_mut(index) {
                flow.tcp.skip_hole(direction, &segment);
            }
        }
        tracked
            .refused
            .get_or_insert_with(|| Condemned::new(DropReason::StreamMemcap, None));
    }

    /// Asks the exception policy about a segment that cannot be kept; true when it is not delivered.
    fn is_refused_room(
        &mut self,
        index: FlowIndex,
        meta: &FrameMeta,
        tracked: &mut Tracked,
    ) -> bool {
        if meta.mode == Mode::Detect {
            return false;
        }
        let exception = Exception::ReassemblyMemcap;
        tracked.refused = self.except(exception, (Some(index), meta));
        tracked.uninspected =
            self.is_out_of_tracking(index, meta) || self.passes_uninspected(exception, meta);
        tracked.refused.is_some()
    }

    /// Whether an exception policy took the flow out of tracking, or dropped the rest of it.
    fn is_out_of_tracking(&self, index: FlowIndex, meta: &FrameMeta) -> bool {
        self.flows.get(index).is_some_and(|flow| {
            flow.bypassed || (flow.given_up.is_some() && meta.mode == Mode::Prevent)
        })
    }

    /// Takes memory back from the flow whose buffers were used longest ago; false when nobody is left
    /// to ask.
    fn reclaim(&mut self, wanting: FlowIndex) -> bool {
        let Some(idlest) = self.flows.idlest_buffers() else {
            return false;
        };
        if idlest != wanting
            && let Some(flow) = self.flows.get_mut(idlest)
            && flow.tcp.shed(&mut self.memory.pool)
        {
            self.counters.streams.windows_reclaimed += 1;
        }
        let holds = self
            .flows
            .get(idlest)
            .is_some_and(|flow| flow.tcp.holds_memory());
        self.flows.touch_buffers(idlest, holds);
        true
    }
}

/// Packets on the wire that a frame stands for.
fn wire_packets(packet: &Packet<'_>, meta: &FrameMeta) -> u64 {
    let payload = packet.payload().len();
    match meta.gso_size {
        Some(size) if size > 0 => payload.div_ceil(usize::from(size)).max(1) as u64,
        _ => 1,
    }
}
