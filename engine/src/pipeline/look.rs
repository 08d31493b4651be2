//! One look of the signatures at a packet, or at bytes of a stream that no packet at hand brought, and
//! the alerts that follow from it.

use crate::detect::{Extent, FlowView, Inspection, StreamView};
use crate::event::{FlowDirection, Output};
use crate::flow::Flow;
use crate::frame::FrameMeta;
use crate::packet::Packet;
use crate::stream::{Segment, Tcp};

use super::detectors::Detectors;
use super::report::{self, Scene};
use super::ruling::{Condemned, Ruling};

/// Which bytes of the stream are looked at.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shown {
    /// None.
    Nothing,
    /// What has become contiguous, behind the window.
    Fresh,
    /// Bytes that a retransmission brought again, as they are known.
    Again(Segment),
    /// The first bytes beyond a hole that were not looked at.
    Island,
}

/// What is looked at.
#[derive(Clone, Copy)]
pub(super) struct Look<'a> {
    pub(super) packet: &'a Packet<'a>,
    pub(super) meta: &'a FrameMeta,
    /// Its direction in its flow.
    pub(super) direction: Option<FlowDirection>,
    pub(super) shown: Shown,
    pub(super) extent: Extent,
    pub(super) events: &'a [&'static str],
    /// Bytes of the stream in front of the fresh ones.
    pub(super) window: usize,
}

impl Look<'_> {
    fn stream<'t>(&self, tcp: &'t Tcp) -> Option<StreamView<'t>> {
        let direction = self.direction?;
        match self.shown {
            Shown::Nothing => None,
            Shown::Fresh => Some(tcp.view(direction, self.window)),
            Shown::Again(segment) => tcp.view_again(direction, &segment, self.window),
            Shown::Island => tcp.island(direction),
        }
    }

    /// Asks the signatures and reports their alerts. `refused`: why the packet must not be delivered,
    /// whatever they say.
    pub(super) fn take(
        &self,
        detectors: &mut Detectors,
        mut flow: Option<&mut Flow>,
        refused: Ruling,
        output: &mut dyn Output,
    ) -> Ruling {
        let view = flow
            .as_deref()
            .zip(self.direction)
            .map(|(flow, direction)| flow_view(flow, direction));
        let (mut stream, mut state, mut app) = (None, None, None);
        if let Some(flow) = flow.as_deref_mut() {
            stream = self.stream(&flow.tcp);
            state = Some(&mut flow.detect);
            app = Some(flow.app.view());
        }
        let app_proto = app.as_ref().and_then(|app| app.name());
        let inspection = Inspection {
            packet: self.packet,
            meta: self.meta,
            flow: view,
            stream,
            app,
            extent: self.extent,
            events: self.events,
        };
        let outcome = detectors
            .get_mut(self.meta.rules)
            .inspect(&inspection, state);
        let ruling = Condemned::by_rules(outcome).or(refused);
        if outcome.is_tagged() {
            let flow = flow.as_deref().map(Flow::summary);
            report::tagged((self.packet, self.meta), flow, output);
        }
        if outcome.hits().is_empty() {
            return ruling;
        }
        let known = flow.as_deref();
        let scene = Scene {
            packet: self.packet,
            meta: self.meta,
            flow: known.map(Flow::summary),
            direction: self.direction,
            stream: known.and_then(|flow| self.stream(&flow.tcp)),
            app_proto,
            app: known.map(|flow| flow.app.view()),
            condemned: ruling.is_some(),
            captured: known.map(|flow| flow.detect.captured()).unwrap_or_default(),
        };
        scene.alert(outcome, output);
        if let Some(flow) = flow {
            flow.alerted = true;
        }
        ruling
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
