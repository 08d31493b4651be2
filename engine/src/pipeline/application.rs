//! The application layer's part of a packet: bytes in, transactions out.

use std::net::SocketAddr;

use crate::app_layer::{AppFlow, Feed, ParserPool, Peers, ProtocolId, Transaction, Window};
use crate::detect::{FlowState, MAX_STORING, StreamView};
use crate::event::{
    Anomaly, AnomalyKind, FileRecord, FlowDirection, FlowSummary, Output, TransactionContext,
    TransactionRecord,
};
use crate::flow::Flow;
use crate::frame::{AttachmentId, FrameMeta, Timestamp};
use crate::packet::{Packet, Transport};
use crate::stream::Tcp;

use super::anomaly;

/// What every record of a flow's transactions has in common.
struct Records<'a> {
    at: Timestamp,
    flow: FlowSummary,
    attachments: [AttachmentId; 2],
    detect: &'a FlowState,
    output: &'a mut dyn Output,
}

impl Records<'_> {
    fn context<'t>(
        &self,
        protocol: ProtocolId,
        transaction: &'t dyn Transaction,
    ) -> TransactionContext<'t> {
        TransactionContext {
            at: self.at,
            flow: self.flow,
            attachments: self.attachments,
            app_proto: protocol.protocol().name(),
            transaction,
        }
    }

    fn add(&mut self, protocol: ProtocolId, transaction: &dyn Transaction) {
        if !self.detect.is_silent(transaction.id()) {
            self.output.transaction(&TransactionRecord {
                of: self.context(protocol, transaction),
                keep: self.detect.keeps(),
            });
        }
        let anomaly = Anomaly {
            at: self.at,
            frame: None,
            ends: Some(self.flow.ends),
            flow: Some(self.flow),
            attachments: self.attachments,
            kind: AnomalyKind::Recognition,
            event: "",
        };
        anomaly::report_transaction(protocol, transaction, &anomaly, self.output);
        for direction in FlowDirection::BOTH {
            self.add_files(protocol, transaction, direction);
        }
    }

    fn add_files(
        &mut self,
        protocol: ProtocolId,
        transaction: &dyn Transaction,
        direction: FlowDirection,
    ) {
        let files = (0..).map_while(|index| transaction.file(direction, index));
        for (index, file) in files.enumerate() {
            let (mut sids, mut known) = ([0; MAX_STORING], 0);
            for sid in self.detect.storing(transaction.id(), direction, index) {
                let twice = sids.iter().take(known).any(|other| *other == sid);
                if let Some(slot) = sids.get_mut(known).filter(|_| !twice) {
                    *slot = sid;
                    known += 1;
                }
            }
            self.output.file(&FileRecord {
                of: self.context(protocol, transaction),
                direction,
                file,
                store: self.detect.stores(transaction.id(), direction, index),
                sids: sids.get(..known).unwrap_or_default(),
            });
        }
    }
}

/// The application layer of a flow, and what records of it take.
fn records<'a>(
    flow: &'a mut Flow,
    at: Timestamp,
    output: &'a mut dyn Output,
) -> (&'a mut AppFlow, Records<'a>) {
    let (summary, attachments) = (flow.summary(), flow.attachments());
    let records = Records {
        at,
        flow: summary,
        attachments,
        detect: &flow.detect,
        output,
    };
    (&mut flow.app, records)
}

/// The ends of a flow.
pub(super) fn peers(flow: &Flow) -> Peers {
    let end = |side| {
        let endpoint = flow.key().endpoint(side);
        SocketAddr::new(endpoint.address, endpoint.port)
    };
    Peers {
        client: end(flow.client),
        server: end(flow.client.other()),
    }
}

/// What the packet brings to its flow's application layer: fresh bytes of the stream, its end, or a
/// datagram. `None`: nothing.
pub(super) fn feed<'a>(
    packet: &Packet<'a>,
    (tcp, stream): (&'a Tcp, Option<StreamView<'a>>),
    (direction, meta): (FlowDirection, &FrameMeta),
    (window, peers): (usize, Peers),
) -> Option<Feed<'a>> {
    match packet.transport {
        Transport::Udp { .. } => Some(Feed {
            direction,
            window: Window {
                offset: 0,
                bytes: packet.payload(),
            },
            fresh_from: 0,
            other: Window::default(),
            eof: false,
            datagram: true,
            from_start: true,
            peers,
            at: meta.at,
        }),
        Transport::Tcp(_) => {
            let stream = stream.filter(|view| view.fresh_from < view.bytes.len() || view.eof)?;
            let brings = (tcp, stream);
            Some(feed_stream(brings, (direction, meta), (window, peers)))
        }
        _ => None,
    }
}

/// What fresh bytes of a stream, or its end, bring to the application layer.
pub(super) fn feed_stream<'a>(
    (tcp, stream): (&'a Tcp, StreamView<'a>),
    (direction, meta): (FlowDirection, &FrameMeta),
    (window, peers): (usize, Peers),
) -> Feed<'a> {
    let other = tcp.view(direction.opposite(), window);
    Feed {
        direction,
        window: part(&stream),
        fresh_from: stream.fresh_from,
        other: part(&other),
        eof: stream.eof,
        datagram: false,
        from_start: tcp.handshake_seen(),
        peers,
        at: meta.at,
    }
}

fn part<'a>(view: &StreamView<'a>) -> Window<'a> {
    Window {
        offset: view.window_offset,
        bytes: view.bytes,
    }
}

/// A packet has been inspected: reports the transactions that are complete.
pub(super) fn settle(
    flow: &mut Flow,
    direction: FlowDirection,
    at: Timestamp,
    output: &mut dyn Output,
) {
    let (app, mut records) = records(flow, at, output);
    app.settle(direction, |protocol, transaction| {
        records.add(protocol, transaction)
    });
}

/// The flow ends: reports what is left.
pub(super) fn close(
    flow: &mut Flow,
    at: Timestamp,
    parsers: &mut ParserPool,
    output: &mut dyn Output,
) {
    let (app, mut records) = records(flow, at, output);
    app.close(parsers, |protocol, transaction| {
        records.add(protocol, transaction)
    });
}
