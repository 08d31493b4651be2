//! Anomalies for the output: of a packet, and of a transaction whose record is made.

use crate::app_layer::{FlowEvent, ProtocolId, Transaction};
use crate::event::{Anomaly, AnomalyKind, Output};
use crate::flow::Flow;
use crate::frame::FrameMeta;
use crate::packet::Packet;

use super::report::ends;

/// Hands over the events of a packet, by their full names.
pub(super) fn report(
    names: &[&'static str],
    (packet, meta): (&Packet<'_>, &FrameMeta),
    flow: Option<&Flow>,
    output: &mut dyn Output,
) {
    for name in names {
        output.anomaly(&Anomaly {
            at: meta.at,
            frame: Some(meta),
            ends: packet.is_ip().then(|| ends(packet)),
            flow: flow.map(Flow::summary),
            attachments: flow.map(Flow::attachments).unwrap_or_default(),
            kind: kind(name),
            event: name,
        });
    }
}

fn kind(name: &str) -> AnomalyKind {
    if FlowEvent::named(name).is_some() {
        AnomalyKind::Recognition
    } else if name.starts_with("stream.") {
        AnomalyKind::Stream
    } else {
        AnomalyKind::Decode
    }
}

/// Hands over the events of a transaction; `common` is what they share.
pub(super) fn report_transaction(
    protocol: ProtocolId,
    transaction: &dyn Transaction,
    common: &Anomaly<'_>,
    output: &mut dyn Output,
) {
    let names = protocol.protocol().events();
    for event in transaction.events() {
        let Some(event) = names.get(usize::from(event.0)) else {
            continue;
        };
        output.anomaly(&Anomaly {
            kind: AnomalyKind::Parser {
                app_proto: protocol.protocol().name(),
                transaction: transaction.id(),
            },
            event,
            ..*common
        });
    }
}
