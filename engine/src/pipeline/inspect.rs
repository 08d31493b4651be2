//! Detection stage of one packet, and what follows from it.

use crate::detect::{FlowView, Inspection};
use crate::event::{FlowDirection, Output};
use crate::flow::{Class, Flow};
use crate::frame::{FrameMeta, Mode};
use crate::packet::Packet;

use super::Engine;
use super::application;
use super::report::{self, Scene};
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

    /// A flow that a signature ended is dropped uninspected. Nothing ends a flow in detect mode.
    fn already_dropped(&self, meta: &FrameMeta, tracked: &Tracked) -> Ruling {
        let (index, _) = tracked.flow?;
        let signature = self.flows.get(index)?.detect.dropped_by()?;
        (meta.mode == Mode::Prevent).then(|| Condemned::by_flow(signature))
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
        let mut ruling = None;
        let mut again = false;
        loop {
            let unread = self.inspect_once(
                (packet, meta),
                tracked,
                (&names, again),
                (&mut ruling, output),
            );
            if unread == 0 || ruling.is_some() {
                break;
            }
            again = true;
        }
        self.event_names = names;
        ruling
    }

    /// One round of it; returns how many bytes the application layer has left.
    fn inspect_once(
        &mut self,
        (packet, meta): (&Packet<'_>, &FrameMeta),
        tracked: &mut Tracked,
        (events, again): (&[&'static str], bool),
        (ruling, output): (&mut Ruling, &mut dyn Output),
    ) -> usize {
        let window = self.config.stream.window;
        let found = tracked.flow;
        let mut flow = found.and_then(|(index, _)| self.flows.get_mut(index));
        let direction = found.map(|(_, direction)| direction);
        let view = flow
            .as_ref()
            .zip(direction)
            .map(|(flow, direction)| flow_view(flow, direction));
        let mut unread = 0;
        let (mut stream, mut state, mut app) = (None, None, None);
        if let (Some(flow), Some(direction)) = (flow.as_deref_mut(), direction) {
            let server_port = flow.key().endpoint(flow.client.other()).port;
            stream = tracked.in_stream.then(|| flow.tcp.view(direction, window));
            let brings = (&flow.tcp, stream);
            if flow.app.wants_bytes()
                && (tracked.refused.is_none() || Self::is_inspected_corrupt(packet, meta))
                && let Some(feed) =
                    application::feed(packet, brings, (direction, meta), (window, server_port))
            {
                unread = flow.app.feed(&feed, &mut self.parsers);
                tracked.parsed = flow.app.has_parser();
            }
            state = Some(&mut flow.detect);
            app = Some(flow.app.view());
        }
        let app_proto = app.as_ref().and_then(|app| app.name());
        let inspection = Inspection {
            packet,
            meta,
            flow: view,
            stream,
            app,
            again,
            events,
        };
        let outcome = self
            .detectors
            .get_mut(meta.rules)
            .inspect(&inspection, state);
        *ruling = Condemned::by_rules(outcome).or_else(|| tracked.refused.take());
        let alerted = !outcome.hits().is_empty();
        if alerted {
            let flow = flow.as_deref();
            let scene = Scene {
                packet,
                meta,
                flow: flow.map(Flow::summary),
                direction,
                stream: flow
                    .zip(direction)
                    .filter(|_| tracked.in_stream)
                    .map(|(flow, direction)| flow.tcp.view(direction, window)),
                app_proto,
                condemned: ruling.is_some(),
            };
            scene.alert(outcome, output);
        }
        if let (Some(flow), Some(direction)) = (flow, direction) {
            flow.alerted |= alerted;
            application::settle(flow, direction, meta.at, output);
        }
        unread
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
        let ended = flow.detect.dropped_by().is_some() && meta.mode == Mode::Prevent;
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

fn flow_view(flow: &Flow, direction: FlowDirection) -> FlowView {
    let [to_server, to_client] = flow.volumes();
    let tcp = flow.key().protocol() == 6;
    FlowView {
        direction,
        established: if tcp {
            flow.tcp.established()
        } else {
            flow.both_sides_seen()
        },
        start: flow.start(),
        to_server,
        to_client,
        stream_bytes: flow.tcp.stream_bytes(),
    }
}
