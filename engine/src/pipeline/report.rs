//! Records for the output: alerts, drops.

use crate::app_layer::{AppView, Transaction};
use crate::detect::{Excerpt, Hit, HitSource, Outcome, StreamView};
use crate::event::{
    Alert, Disposition, Drop, Ends, FlowDirection, FlowSummary, Output, TaggedPacket,
};
use crate::frame::{FrameMeta, LinkType, Mode};
use crate::packet::{Packet, Transport};

use super::ruling::{Condemned, Culprit};

/// Bytes of a stream that an alert shows, and how many of them lie in front of the match.
const SHOWN: usize = 4096;
const SHOWN_BEFORE: usize = 1024;

/// Type and code of an ICMP packet.
pub(super) fn icmp(packet: &Packet<'_>) -> Option<(u8, u8)> {
    match packet.transport {
        Transport::Icmp4(icmp) | Transport::Icmp6(icmp) => Some((icmp.kind, icmp.code)),
        _ => None,
    }
}

/// The ends of a packet, as on the wire.
pub(super) fn ends(packet: &Packet<'_>) -> Ends {
    let (source_port, destination_port) = packet.ports();
    Ends {
        source: packet.source,
        source_port,
        destination: packet.destination,
        destination_port,
        protocol: packet.protocol,
        icmp: icmp(packet),
    }
}

/// Hands over a packet that a signature asked to record.
pub(super) fn tagged(
    (packet, meta): (&Packet<'_>, &FrameMeta),
    flow: Option<FlowSummary>,
    output: &mut dyn Output,
) {
    let own_frame = packet.tunnel_depth == 0 && !packet.reassembled;
    let (bytes, link) = if own_frame {
        (packet.frame, meta.link)
    } else {
        let bytes = packet.frame.get(packet.l3..packet.payload_end);
        (bytes.unwrap_or_default(), LinkType::RawIp)
    };
    output.tagged(&TaggedPacket {
        frame: meta,
        ends: ends(packet),
        vlan: packet.vlan,
        flow,
        bytes,
        link,
    });
}

/// What the alerts of one packet have in common.
pub(super) struct Scene<'a> {
    pub(super) packet: &'a Packet<'a>,
    pub(super) meta: &'a FrameMeta,
    pub(super) flow: Option<FlowSummary>,
    pub(super) direction: Option<FlowDirection>,
    pub(super) stream: Option<StreamView<'a>>,
    /// Application protocol of the flow, once it is known.
    pub(super) app_proto: Option<&'static str>,
    pub(super) app: Option<AppView<'a>>,
    pub(super) condemned: bool,
    /// What was captured of the flow.
    pub(super) captured: &'a [(Excerpt, Excerpt)],
}

impl Scene<'_> {
    /// Hands every alert over.
    pub(super) fn alert(&self, outcome: &Outcome, output: &mut dyn Output) {
        for hit in outcome.hits() {
            let signature = outcome.signature(hit.signature);
            output.alert(&Alert {
                frame: self.meta,
                ends: ends(self.packet),
                vlan: self.packet.vlan,
                direction: self.direction,
                flow: self.flow,
                signature: &signature.meta,
                priority: signature.priority,
                category: &signature.category,
                action: signature.action,
                disposition: self.disposition(),
                payload: self.payload(hit),
                app_proto: self.app_proto,
                remarks: outcome.remarks(hit),
                flow_variables: self.captured,
                target: signature.target,
                transaction: self.transaction(hit),
            });
        }
    }

    fn transaction(&self, hit: &Hit) -> Option<&dyn Transaction> {
        match (hit.source, self.app) {
            (HitSource::Transaction { index }, Some(app)) => app.transactions().nth(index),
            _ => None,
        }
    }

    fn disposition(&self) -> Disposition {
        match (self.condemned, self.meta.mode) {
            (false, _) => Disposition::Allowed,
            (true, Mode::Prevent) => Disposition::Blocked,
            (true, Mode::Detect) => Disposition::WouldDrop,
        }
    }

    fn payload(&self, hit: &Hit) -> &[u8] {
        match (hit.source, &self.stream) {
            (HitSource::Stream { offset }, Some(stream)) => {
                let from = offset.saturating_sub(SHOWN_BEFORE).min(stream.bytes.len());
                let to = stream.bytes.len().min(from + SHOWN);
                stream.bytes.get(from..to).unwrap_or_default()
            }
            _ => self.packet.payload(),
        }
    }
}

/// Hands the record of a dropped frame over.
pub(super) fn drop(
    condemned: &Condemned,
    culprit: Option<&Culprit>,
    meta: &FrameMeta,
    output: &mut dyn Output,
) {
    output.drop(&Drop {
        frame: meta,
        ends: culprit.map(|culprit| culprit.ends),
        flow: culprit.and_then(|culprit| culprit.flow),
        direction: culprit.and_then(|culprit| culprit.direction),
        reason: condemned.reason,
        detail: condemned.detail,
        signature: condemned
            .signature
            .as_ref()
            .map(|signature| &signature.meta),
        acted: meta.mode == Mode::Prevent,
    });
}
