//! Bytes of a stream that no packet at hand brought: what lay beyond a hole that is given up, and the end
//! of a flow.
//!
//! A hole is given up when its receiver has acknowledged what was sent behind it; what follows is then
//! part of the stream. A reset and the end of the flow show all that lies beyond holes once, as it is,
//! without making it part of the stream: a reset may be forged, and the flow go on.
//!
//! What is looked at stands in a packet without bytes, from the sender of the stream to its receiver,
//! so that signatures on headers and on payloads of packets have no part in it.

use crate::app_layer::ParserPool;
use crate::counters::StreamCounters;
use crate::detect::Extent;
use crate::event::{FlowDirection, FlowEnd, Output};
use crate::flow::{EndReason, Flow, Side};
use crate::frame::{ChecksumState, FrameMeta, LinkType, Mode, Timestamp, WireDirection};
use crate::packet::{Network, Packet, TcpHeader, TcpOptions, Transport};
use crate::stream::{StreamMemory, flags};

use super::Engine;
use super::application;
use super::detectors::Detectors;
use super::look::{Look, Shown};
use super::ruling::Ruling;

/// What is needed to look at the rest of a flow: the engine without its flow table.
pub(super) struct Rest<'a> {
    pub(super) detectors: &'a mut Detectors,
    pub(super) memory: &'a mut StreamMemory,
    pub(super) parsers: &'a mut ParserPool,
    pub(super) counters: &'a mut StreamCounters,
    pub(super) window: usize,
}

impl Rest<'_> {
    /// Looks at what became contiguous in `direction` because a hole was given up, and makes it part of
    /// the stream unless it is to be dropped.
    pub(super) fn uncovered(
        &mut self,
        flow: &mut Flow,
        direction: FlowDirection,
        meta: &FrameMeta,
        output: &mut dyn Output,
    ) -> Ruling {
        let mut ruling = None;
        let mut extent = Extent::Stream;
        loop {
            let unread = self.feed((flow, direction), meta, false);
            let now = self.look((flow, direction), meta, (Shown::Fresh, extent), output);
            application::settle(flow, direction, meta.at, output);
            ruling = ruling.or(now);
            if unread == 0 {
                break;
            }
            extent = Extent::Transactions;
        }
        let delivered = ruling.is_none() || meta.mode == Mode::Detect || flow.app.has_parser();
        flow.tcp
            .conclude(direction, delivered, self.memory, self.counters);
        ruling
    }

    /// Looks at what lies beyond holes in both directions.
    pub(super) fn islands(
        &mut self,
        flow: &mut Flow,
        meta: &FrameMeta,
        output: &mut dyn Output,
    ) -> Ruling {
        for direction in FlowDirection::BOTH {
            while flow.tcp.island(direction).is_some() {
                let shown = (Shown::Island, Extent::Stream);
                let ruling = self.look((flow, direction), meta, shown, output);
                flow.tcp.pass_island(direction);
                if ruling.is_some() {
                    return ruling;
                }
            }
        }
        None
    }

    /// Ends a flow: looks at what is left of it, reports its end, and what is left of its application
    /// layer before, and takes its memory back.
    pub(super) fn end(
        &mut self,
        flow: &mut Flow,
        (reason, at): (EndReason, Timestamp),
        output: &mut dyn Output,
    ) {
        if flow.detect.dropped_by().is_none() && flow.given_up.is_none() {
            self.look_at_the_end(flow, at, output);
        }
        let end = flow.end(at, reason);
        application::close(flow, at, self.parsers, output);
        output.flow(&FlowEnd {
            variables: flow.detect.captured(),
            ..end
        });
        flow.tcp.recycle(&mut self.memory.pool);
    }

    /// Nothing can be dropped any more: what signatures say of it is only reported.
    fn look_at_the_end(&mut self, flow: &mut Flow, at: Timestamp, output: &mut dyn Output) {
        let mut meta = meta(flow, at);
        // Where rules were changed since, the number may be that of another set, for other pods.
        let Some(rules) = self.detectors.successor(meta.rules, &flow.detect) else {
            return;
        };
        meta.rules = rules;
        let _ = self.islands(flow, &meta, output);
        if !flow.app.has_parser() || flow.key().protocol() != 6 {
            return;
        }
        for direction in FlowDirection::BOTH {
            if flow.tcp.has_ended(direction) {
                continue;
            }
            let mut unread = self.feed((flow, direction), &meta, true);
            loop {
                let shown = (Shown::Nothing, Extent::Transactions);
                let _ = self.look((flow, direction), &meta, shown, output);
                application::settle(flow, direction, at, output);
                if unread == 0 {
                    break;
                }
                unread = self.feed((flow, direction), &meta, true);
            }
        }
    }

    /// Hands the fresh bytes of a direction, or its end, to the application layer; returns how many of
    /// them it has left.
    fn feed(
        &mut self,
        (flow, direction): (&mut Flow, FlowDirection),
        meta: &FrameMeta,
        end: bool,
    ) -> usize {
        if !flow.app.wants_bytes() {
            return 0;
        }
        let peers = application::peers(flow);
        let mut stream = flow.tcp.view(direction, self.window);
        stream.eof |= end;
        let brings = (&flow.tcp, stream);
        let feed = application::feed_stream(brings, (direction, meta), (self.window, peers));
        let rules = self.detectors.get_mut(meta.rules).rules();
        self.parsers.want_files(rules.file_needs());
        flow.app.feed(&feed, self.parsers)
    }

    fn look(
        &mut self,
        (flow, direction): (&mut Flow, FlowDirection),
        meta: &FrameMeta,
        (shown, extent): (Shown, Extent),
        output: &mut dyn Output,
    ) -> Ruling {
        let packet = packet(flow, direction);
        let look = Look {
            packet: &packet,
            meta,
            direction: Some(direction),
            shown,
            extent,
            events: &[],
            window: self.window,
        };
        look.take(self.detectors, Some(flow), None, output)
    }
}

impl Engine {
    /// The engine without its flow table, and the table.
    pub(super) fn rest(&mut self) -> (Rest<'_>, &mut crate::flow::FlowTable) {
        let rest = Rest {
            detectors: &mut self.detectors,
            memory: &mut self.memory,
            parsers: &mut self.parsers,
            counters: &mut self.counters.streams,
            window: self.config.stream.window,
        };
        (rest, &mut self.flows)
    }
}

/// A packet of `direction` that carries nothing.
fn packet(flow: &Flow, direction: FlowDirection) -> Packet<'static> {
    let sender = Side::sending(direction, flow.client);
    let (source, destination) = (
        flow.key().endpoint(sender),
        flow.key().endpoint(sender.other()),
    );
    Packet {
        network: if source.address.is_ipv4() {
            Network::Ipv4
        } else {
            Network::Ipv6
        },
        source: source.address,
        destination: destination.address,
        protocol: flow.key().protocol(),
        transport: Transport::Tcp(TcpHeader {
            source: source.port,
            destination: destination.port,
            sequence: 0,
            acknowledgement: 0,
            flags: flags::ACK,
            window: 0,
            urgent: 0,
            options: TcpOptions::default(),
        }),
        ..Packet::undecoded(&[])
    }
}

/// What comes with the end of a flow, by what came with its latest frame.
fn meta(flow: &Flow, at: Timestamp) -> FrameMeta {
    let (mode, rules) = flow.policy();
    FrameMeta {
        at,
        link: LinkType::RawIp,
        checksum: ChecksumState::Partial,
        gso_size: None,
        attachment: flow.attachments()[0],
        direction: WireDirection::ToPod,
        mode,
        rules,
        number: 0,
    }
}
