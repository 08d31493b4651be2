//! Detection stage of one packet, and what follows from it.

use crate::detect::{FlowView, Inspection};
use crate::event::{FlowDirection, Output};
use crate::flow::{Class, Flow};
use crate::frame::{FrameMeta, Mode};
use crate::packet::Packet;

use super::Engine;
use super::report::{self, Scene};
use super::ruling::{Condemned, Ruling};
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
        let mut ruling = match self.already_dropped(meta, &tracked) {
            Some(condemned) => Some(condemned),
            None => self.detect(packet, meta, &mut tracked, output),
        };
        if let Some(condemned) = &mut ruling {
            condemned.ends = Some(report::ends(packet));
            condemned.direction = tracked.flow.map(|(_, direction)| direction);
        }
        self.conclude(meta, &tracked, &mut ruling);
        ruling
    }

    /// A flow that a signature ended is dropped uninspected. Nothing ends a flow in detect mode.
    fn already_dropped(&self, meta: &FrameMeta, tracked: &Tracked) -> Ruling {
        let (index, _) = tracked.flow?;
        let signature = self.flows.get(index)?.detect.dropped_by()?;
        (meta.mode == Mode::Prevent).then(|| Condemned::by_flow(signature))
    }

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
        let direction = tracked.flow.map(|(_, direction)| direction);
        let mut flow = tracked
            .flow
            .and_then(|(index, _)| self.flows.get_mut(index));
        let summary = flow.as_ref().map(|flow| flow.summary());
        let view = flow
            .as_ref()
            .zip(direction)
            .map(|(flow, direction)| flow_view(flow, direction));
        let window = self.config.stream.window;
        let mut alerted = false;
        let (stream, state) = match flow.as_deref_mut() {
            Some(Flow {
                tcp,
                detect,
                alerted: known,
                ..
            }) => {
                alerted = *known;
                let stream = direction
                    .filter(|_| tracked.in_stream)
                    .map(|direction| tcp.view(direction, window));
                (stream, Some(detect))
            }
            None => (None, None),
        };
        let inspection = Inspection {
            packet,
            meta,
            flow: view,
            stream,
            events: &names,
        };
        let detector = self.detectors.get_mut(meta.rules);
        let outcome = detector.inspect(&inspection, state);
        let ruling = Condemned::by_rules(outcome).or_else(|| tracked.refused.take());
        let scene = Scene {
            packet,
            meta,
            flow: summary,
            direction,
            stream,
            condemned: ruling.is_some(),
        };
        scene.alert(outcome, output);
        alerted |= !outcome.hits().is_empty();
        if let Some(flow) = flow {
            flow.alerted = alerted;
        }
        self.event_names = names;
        ruling
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
    fn conclude(&mut self, meta: &FrameMeta, tracked: &Tracked, ruling: &mut Ruling) {
        let Some((index, direction)) = tracked.flow else {
            return;
        };
        let Some(flow) = self.flows.get_mut(index) else {
            return;
        };
        let delivered = ruling.is_none() || meta.mode == Mode::Detect;
        if tracked.segment.is_some() {
            flow.tcp.conclude(
                direction,
                delivered,
                &mut self.memory,
                &mut self.counters.streams,
            );
        }
        flow.dropped |= ruling.is_some() && meta.mode == Mode::Prevent;
        if let Some(condemned) = ruling {
            condemned.flow = Some(flow.summary());
        }
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
