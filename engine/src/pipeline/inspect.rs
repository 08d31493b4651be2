//! Detection stage of one packet, and what follows from it.

use crate::app_layer::FlowEvent;
use crate::detect::Extent;
use crate::event::Output;
use crate::flow::{Class, Flow};
use crate::frame::{FrameMeta, Mode};
use crate::packet::Packet;

use super::Engine;
use super::anomaly;
use super::application;
use super::exception::Exception;
use super::look::{Look, Shown};
use super::report;
use super::ruling::{Condemned, Culprit, Ruling};
use super::tracking::Tracked;

impl Engine {
    /// Inspects a tracked packet, reports its alerts, concludes its segment.
    pub(super) fn inspect(
        &mut self,
        packet: &Packet<'_>,
        meta: &FrameMeta,
        mut tracked: Tracked,
        output: &mut dyn Output,
    ) -> Ruling {
        let ruling = match self.already_dropped(meta, &tracked) {
            Some(condemned) => Some(condemned),
            None if tracked.uninspected => tracked.refused.take(),
            None => self.detect(packet, meta, &mut tracked, output),
        };
        let dropped = ruling.is_some();
        self.conclude(meta, &tracked, dropped);
        if dropped && self.culprit.is_none() {
            let flow = tracked.flow.and_then(|(index, _)| self.flows.get(index));
            self.culprit = Some(Culprit {
                ends: report::ends(packet),
                flow: flow.map(Flow::summary),
                direction: tracked.flow.map(|(_, direction)| direction),
            });
        }
        ruling
    }

    /// A flow that a signature or an exception policy ended is dropped uninspected. Nothing ends a flow
    /// in detect mode.
    fn already_dropped(&self, meta: &FrameMeta, tracked: &Tracked) -> Ruling {
        let (index, _) = tracked.flow?;
        let flow = self.flows.get(index)?;
        if meta.mode == Mode::Detect {
            return None;
        }
        let by_signature = flow.detect.dropped_by().map(Condemned::by_flow);
        // The packet that the policy was applied to says so itself.
        let given_up = flow.given_up.filter(|_| !tracked.uninspected);
        by_signature.or_else(|| given_up.map(Condemned::by_exception))
    }

    /// Feeds the application layer and asks the signatures, again as long as the packet brings more
    /// transactions than can be held at once.
    fn detect(
        &mut self,
        packet: &Packet<'_>,
        meta: &FrameMeta,
        tracked: &mut Tracked,
        output: &mut dyn Output,
    ) -> Ruling {
        let mut names = std::mem::take(&mut self.event_names);
        names.clear();
        self.raise_events(packet, tracked, &mut names);
        let mut extent = Extent::Packet;
        let mut ruling = None;
        loop {
            let unread = self.feed((packet, meta), tracked, &mut names);
            if self.note_failure(meta, tracked) {
                break;
            }
            let now = self.look((packet, meta), tracked, (&names, extent), output);
            // What one part of the bytes condemns does not end the reading of the others: they may be
            // delivered all the same (in detect mode), or be sent again and not be fresh any more.
            ruling = ruling.or(now);
            if unread == 0 {
                break;
            }
            extent = Extent::Transactions;
        }
        let flow = tracked.flow.and_then(|(index, _)| self.flows.get(index));
        anomaly::report(&names, (packet, meta), flow, output);
        self.event_names = names;
        ruling.or_else(|| self.look_at_the_rest(meta, tracked, output))
    }

    /// Hands what the packet brings to the application layer; returns how many bytes that has left. What is
    /// odd about how it is recognised goes to `names`.
    fn feed(
        &mut self,
        (packet, meta): (&Packet<'_>, &FrameMeta),
        tracked: &mut Tracked,
        names: &mut Vec<&'static str>,
    ) -> usize {
        let window = self.config.stream.window;
        let Some((index, direction)) = tracked.flow else {
            return 0;
        };
        let Some(flow) = self.flows.get_mut(index) else {
            return 0;
        };
        let wanted = tracked.refused.is_none() || Self::is_inspected_corrupt(packet, meta);
        if !wanted || !flow.app.wants_bytes() {
            return 0;
        }
        let peers = application::peers(flow);
        let stream = tracked.in_stream.then(|| flow.tcp.view(direction, window));
        let brings = (&flow.tcp, stream);
        let ends = (window, peers);
        let Some(feed) = application::feed(packet, brings, (direction, meta), ends) else {
            return 0;
        };
        let rules = self.detectors.get_mut(meta.rules).rules();
        self.parsers.want_files(rules.file_needs());
        let unread = flow.app.feed(&feed, &mut self.parsers);
        self.counters.flows.expected_evicted = self.parsers.crowded_out();
        tracked.parsed = flow.app.has_parser();
        names.extend(flow.app.take_events().map(FlowEvent::name));
        unread
    }

    /// Asks the exception policy about a parser that gave the flow up. Returns whether the packet passes
    /// uninspected.
    fn note_failure(&mut self, meta: &FrameMeta, tracked: &mut Tracked) -> bool {
        let Some((index, _)) = tracked.flow else {
            return false;
        };
        let flow = self.flows.get_mut(index);
        if !flow.is_some_and(|flow| flow.app.take_failure()) {
            return false;
        }
        let exception = Exception::AppLayerError;
        let refused = self.except(exception, (Some(index), meta));
        tracked.refused = tracked.refused.take().or(refused);
        tracked.refused.is_none() && self.passes_uninspected(exception, meta)
    }

    /// Asks the signatures about the packet and what it brought.
    fn look(
        &mut self,
        (packet, meta): (&Packet<'_>, &FrameMeta),
        tracked: &mut Tracked,
        (events, extent): (&[&'static str], Extent),
        output: &mut dyn Output,
    ) -> Ruling {
        let look = Look {
            packet,
            meta,
            direction: tracked.flow.map(|(_, direction)| direction),
            shown: self.shown(meta, tracked),
            extent,
            events,
            window: self.config.stream.window,
        };
        let mut flow = tracked
            .flow
            .and_then(|(index, _)| self.flows.get_mut(index));
        let refused = tracked.refused.take();
        let ruling = look.take(&mut self.detectors, flow.as_deref_mut(), refused, output);
        if let (Some(flow), Some(direction)) = (flow, look.direction) {
            application::settle(flow, direction, meta.at, output);
        }
        ruling
    }

    /// In line a retransmission is inspected like what it repeats: the receiver may take either.
    fn shown(&self, meta: &FrameMeta, tracked: &Tracked) -> Shown {
        if !tracked.in_stream {
            return Shown::Nothing;
        }
        let again = tracked.segment.filter(|segment| {
            meta.mode == Mode::Prevent
                && tracked.flow.is_some_and(|(index, direction)| {
                    let flow = self.flows.get(index);
                    flow.is_some_and(|flow| flow.tcp.is_again(direction, segment))
                })
        });
        again.map_or(Shown::Fresh, Shown::Again)
    }

    /// Looks at bytes of the flow that the packet did not bring, but made certain: those beyond a hole.
    fn look_at_the_rest(
        &mut self,
        meta: &FrameMeta,
        tracked: &Tracked,
        output: &mut dyn Output,
    ) -> Ruling {
        let (index, direction) = tracked.flow?;
        if !tracked.uncovered && !tracked.reset {
            return None;
        }
        let (mut rest, flows) = self.rest();
        let flow = flows.get_mut(index)?;
        if tracked.uncovered {
            let ruling = rest.uncovered(flow, direction.opposite(), meta, output);
            if ruling.is_some() {
                return ruling;
            }
        }
        if tracked.reset {
            return rest.islands(flow, meta, output);
        }
        None
    }

    /// Counts the packet's events and gives their names.
    fn raise_events(
        &mut self,
        packet: &Packet<'_>,
        tracked: &Tracked,
        names: &mut Vec<&'static str>,
    ) {
        for event in packet.events.iter() {
            self.counters.raise_decode(event);
            names.push(event.name());
        }
        for event in tracked.events.iter() {
            self.counters.raise_stream(event);
            names.push(event.name());
        }
    }

    /// Ends the packet's part in its flow.
    fn conclude(&mut self, meta: &FrameMeta, tracked: &Tracked, dropped: bool) {
        let Some((index, direction)) = tracked.flow else {
            return;
        };
        let Some(flow) = self.flows.get_mut(index) else {
            return;
        };
        // What a parser has taken is the first copy of its bytes, even if this segment is dropped: a
        // retransmission brings the same or is made to.
        let delivered = !dropped || meta.mode == Mode::Detect || tracked.parsed;
        if tracked.segment.is_some() {
            flow.tcp.conclude(
                direction,
                delivered,
                &mut self.memory,
                &mut self.counters.streams,
            );
        }
        flow.dropped |= dropped && meta.mode == Mode::Prevent;
        let ended = (flow.detect.dropped_by().is_some() || flow.given_up.is_some())
            && meta.mode == Mode::Prevent;
        let class = if ended {
            Class::Dropped
        } else {
            Class::of(flow.key().protocol(), flow.phase)
        };
        if ended {
            flow.tcp.recycle(&mut self.memory.pool);
        }
        let holds = flow.tcp.holds_memory();
        self.flows.touch(index, class);
        self.flows.touch_buffers(index, holds);
    }
}
