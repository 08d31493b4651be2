//! Engine events as lines of EVE JSON.
//!
//! Writes into a buffer that the caller keeps, so that nothing is allocated once it has grown. The
//! payload that an alert shows is cut at [`MAX_PAYLOAD`].

mod file;

use weir_engine::app_layer::{Fields, Transaction, record_name};
use weir_engine::event::{
    Alert, Anomaly, Disposition, Drop, Ends, FlowEnd, FlowSummary, TaggedPacket, TransactionRecord,
};
use weir_engine::frame::{AttachmentId, FrameMeta, Timestamp, WireDirection};
use weir_policies::rule::ast::{Action, Meta};

use super::eve_record::{
    self as record, AlertBody, AlertRecord, AnomalyRecord, DropBody, DropRecord, ExceptionBody,
    FlowBody, FlowRecord, Header, PacketInfo, PacketRecord, Roles, TcpBody, TransactionHead,
    VerdictBody,
};
use super::eve_time::EveTime;
use super::eve_value::{Base64, Contexts, Known, Metadata, Printable};
use super::json_fields;
use super::pods::{PodIdentity, Pods};
use crate::settings::{Eve, EveTarget, EventType};

/// Bytes of payload that one alert shows at most.
pub const MAX_PAYLOAD: usize = 4096;

/// Writes events as EVE JSON lines.
#[derive(Clone, Debug)]
pub struct EveFormatter {
    alerts: bool,
    drops: bool,
    flows: bool,
    anomalies: bool,
    files: bool,
    /// Application protocols whose transactions are written.
    protocols: Vec<&'static str>,
    /// Anything is written.
    on: bool,
    payload: bool,
    payload_printable: bool,
    tagged_packets: bool,
}

impl EveFormatter {
    /// A formatter of what `settings` asks for.
    #[must_use]
    pub fn new(settings: &Eve) -> Self {
        Self {
            alerts: settings.writes(EventType::Alert),
            drops: settings.writes(EventType::Drop),
            flows: settings.writes(EventType::Flow),
            anomalies: settings.writes(EventType::Anomaly),
            files: settings.writes(EventType::Files),
            protocols: settings.protocols().collect(),
            on: settings.to != EveTarget::Off,
            payload: settings.payload,
            payload_printable: settings.payload_printable,
            tagged_packets: settings.writes(EventType::Alert) && settings.tagged_packets,
        }
    }

    /// Appends an alert. True when a line was written.
    pub fn alert(&self, alert: &Alert<'_>, pods: &dyn Pods, into: &mut Vec<u8>) -> bool {
        if !self.alerts {
            return false;
        }
        let payload = alert.payload.get(..MAX_PAYLOAD).unwrap_or(alert.payload);
        let shown = |wanted: bool| (wanted && !payload.is_empty()).then_some(payload);
        let header = Header {
            flow_id: alert.flow.map(|flow| flow.id),
            vlan: alert.vlan,
            ..frame_header("alert", alert.frame, Some(alert.ends), pods)
        };
        let written = write_line(
            &AlertRecord {
                header,
                pkt_src: "wire/pcap",
                alert: AlertBody {
                    action: action(alert.disposition),
                    severity: alert.priority,
                    category: alert.category,
                    context: Contexts(alert.remarks),
                    roles: alert.target.map(|target| Roles::new(&alert.ends, target)),
                    ..signature(alert.signature)
                },
                would_drop: alert.disposition == Disposition::WouldDrop,
                verdict: VerdictBody {
                    action: verdict(alert.disposition, alert.action),
                },
                app_proto: alert.app_proto,
                metadata: Known::of(alert.remarks, alert.flow_variables),
                direction: alert.direction.map(record::direction),
                flow: alert.flow.map(Into::into),
                tx_id: alert.transaction.map(Transaction::id),
                payload: shown(self.payload).map(Base64),
                payload_printable: shown(self.payload_printable).map(Printable),
            },
            into,
        );
        if let (true, Some(transaction), Some(name)) = (written, alert.transaction, alert.app_proto)
        {
            add_transaction(name, transaction, into);
        }
        written
    }

    /// Appends a packet that a signature asked to record. True when a line was written.
    pub fn tagged(&self, packet: &TaggedPacket<'_>, pods: &dyn Pods, into: &mut Vec<u8>) -> bool {
        if !self.tagged_packets {
            return false;
        }
        let header = Header {
            flow_id: packet.flow.map(|flow| flow.id),
            vlan: packet.vlan,
            ..frame_header("packet", packet.frame, Some(packet.ends), pods)
        };
        write_line(
            &PacketRecord {
                header,
                packet: Base64(packet.bytes),
                packet_info: PacketInfo::new(packet.link),
            },
            into,
        )
    }

    /// Appends an anomaly. True when a line was written.
    pub fn anomaly(&self, anomaly: &Anomaly<'_>, pods: &dyn Pods, into: &mut Vec<u8>) -> bool {
        if !self.anomalies {
            return false;
        }
        let flow_id = anomaly.flow.map(|flow| flow.id);
        let header = match anomaly.frame {
            Some(frame) => Header {
                flow_id,
                ..frame_header("anomaly", frame, anomaly.ends, pods)
            },
            None => Header {
                timestamp: EveTime(anomaly.at),
                flow_id,
                pcap_cnt: 0,
                in_iface: interface(anomaly.attachments, pods),
                event_type: "anomaly",
                vlan: [0; 3],
                ends: anomaly.ends.map(Into::into),
                src_pod: anomaly.ends.and_then(|ends| pods.by_address(ends.source)),
                dest_pod: anomaly
                    .ends
                    .and_then(|ends| pods.by_address(ends.destination)),
            },
        };
        write_line(&AnomalyRecord::new(header, anomaly), into)
    }

    /// Appends a drop of a frame of `len` bytes, where that is known. True when a line was written.
    pub fn drop(
        &self,
        drop: &Drop<'_>,
        len: Option<usize>,
        pods: &dyn Pods,
        into: &mut Vec<u8>,
    ) -> bool {
        if !self.drops {
            return false;
        }
        let header = Header {
            flow_id: drop.flow.map(|flow| flow.id),
            ..frame_header("drop", drop.frame, drop.ends, pods)
        };
        write_line(
            &DropRecord {
                header,
                drop: DropBody {
                    len,
                    reason: drop.reason.name(),
                    detail: drop.detail,
                },
                alert: drop.signature.map(|meta| AlertBody {
                    action: if drop.acted { "blocked" } else { "allowed" },
                    ..signature(meta)
                }),
                would_drop: !drop.acted,
                verdict: VerdictBody {
                    action: if drop.acted { "drop" } else { "alert" },
                },
                direction: drop.direction.map(record::direction),
                flow: drop.flow.map(Into::into),
            },
            into,
        )
    }

    /// Appends the end of a flow. True when a line was written.
    pub fn flow(&self, end: &FlowEnd<'_>, pods: &dyn Pods, into: &mut Vec<u8>) -> bool {
        if !self.flows {
            return false;
        }
        let flow = &end.flow;
        let header = flow_header(("flow", end.at), flow, end.attachments, pods);
        write_line(
            &FlowRecord {
                header,
                app_proto: end.app_proto,
                metadata: Known::of(&[], end.variables),
                flow: FlowBody {
                    pkts_toserver: flow.to_server.packets,
                    pkts_toclient: flow.to_client.packets,
                    bytes_toserver: flow.to_server.bytes,
                    bytes_toclient: flow.to_client.bytes,
                    start: EveTime(flow.start),
                    end: EveTime(flow.last),
                    age: flow.last.since(flow.start).as_secs(),
                    state: end.state,
                    reason: end.reason,
                    alerted: end.alerted,
                    action: match (end.dropped, end.passed) {
                        (true, _) => Some("drop"),
                        (false, true) => Some("pass"),
                        (false, false) => None,
                    },
                    bypass: end.bypassed.then_some("local"),
                    exception_policy: end
                        .exception
                        .map(|(target, policy)| [ExceptionBody { target, policy }]),
                },
                tcp: end
                    .tcp
                    .map(|tcp| TcpBody::new(tcp.flags.0, tcp.flags.1, tcp.state)),
            },
            into,
        )
    }
}

impl EveFormatter {
    /// Appends a transaction: one of a protocol that is written, or that a signature asked to keep. True
    /// when a line was written.
    pub fn transaction(
        &self,
        record: &TransactionRecord<'_>,
        pods: &dyn Pods,
        into: &mut Vec<u8>,
    ) -> bool {
        let name = record_name(record.of.app_proto);
        let wanted = self.protocols.contains(&name) || (record.keep && self.on);
        if !wanted {
            return false;
        }
        let kind = (object_name(record.of.app_proto), record.of.at);
        let head = TransactionHead {
            header: flow_header(kind, &record.of.flow, record.of.attachments, pods),
            tx_id: record.of.transaction.id(),
            app_proto: record.of.app_proto,
        };
        if !write_line(&head, into) {
            return false;
        }
        add_object(object_name(record.of.app_proto), into, &mut |fields| {
            record.of.transaction.describe(fields);
            if record.keep {
                record.of.transaction.describe_kept(fields);
            }
        });
        add_beside(record.of.transaction, into);
        true
    }
}

/// The start of a record of a flow.
fn flow_header<'a>(
    (event_type, at): (&'static str, Timestamp),
    flow: &FlowSummary,
    attachments: [AttachmentId; 2],
    pods: &'a dyn Pods,
) -> Header<'a> {
    Header {
        timestamp: EveTime(at),
        flow_id: Some(flow.id),
        pcap_cnt: 0,
        in_iface: interface(attachments, pods),
        event_type,
        vlan: [0; 3],
        ends: Some(flow.ends.into()),
        src_pod: pods.by_address(flow.ends.source),
        dest_pod: pods.by_address(flow.ends.destination),
    }
}

/// The interface of the first attachment that is known.
fn interface(attachments: [AttachmentId; 2], pods: &dyn Pods) -> Option<&str> {
    let pod = attachments.iter().find_map(|&id| pods.by_attachment(id));
    pod.map(|pod| pod.interface.as_str())
}

fn frame_header<'a>(
    event_type: &'static str,
    frame: &FrameMeta,
    ends: Option<Ends>,
    pods: &'a dyn Pods,
) -> Header<'a> {
    let own = known(frame.attachment).and_then(|id| pods.by_attachment(id));
    let other = |address: Option<_>| address.and_then(|address| pods.by_address(address));
    let source = ends.map(|e| e.source);
    let destination = ends.map(|e| e.destination);
    // The frame's own attachment is certain; an address can be forged or translated.
    let (src_pod, dest_pod): (Option<&PodIdentity>, Option<&PodIdentity>) = match frame.direction {
        WireDirection::FromPod => (own.or_else(|| other(source)), other(destination)),
        WireDirection::ToPod => (other(source), own.or_else(|| other(destination))),
    };
    Header {
        timestamp: EveTime(frame.at),
        flow_id: None,
        pcap_cnt: frame.number,
        in_iface: own.map(|pod| pod.interface.as_str()),
        event_type,
        vlan: [0; 3],
        ends: ends.map(Into::into),
        src_pod,
        dest_pod,
    }
}

fn known(id: AttachmentId) -> Option<AttachmentId> {
    (id != AttachmentId::default()).then_some(id)
}

fn signature(meta: &Meta) -> AlertBody<'_> {
    AlertBody {
        action: "allowed",
        gid: meta.gid,
        signature_id: meta.sid,
        rev: meta.rev,
        signature: &meta.msg,
        category: "",
        severity: meta.priority.unwrap_or(3),
        metadata: Metadata(&meta.metadata),
        context: Contexts(&[]),
        roles: None,
    }
}

fn action(disposition: Disposition) -> &'static str {
    match disposition {
        Disposition::Allowed | Disposition::WouldDrop => "allowed",
        Disposition::Blocked => "blocked",
    }
}

fn verdict(disposition: Disposition, asked: Action) -> &'static str {
    match (disposition, asked) {
        (Disposition::Blocked, Action::Reject(_)) => "reject",
        (Disposition::Blocked, _) => "drop",
        (Disposition::Allowed | Disposition::WouldDrop, _) => "alert",
    }
}

/// Adds the objects of a transaction.
fn add_transaction(protocol: &str, transaction: &dyn Transaction, into: &mut Vec<u8>) {
    add_object(object_name(protocol), into, &mut |fields| {
        transaction.describe(fields);
    });
    add_beside(transaction, into);
}

/// Adds the object that a transaction has beside its protocol's, if it has one.
fn add_beside(transaction: &dyn Transaction, into: &mut Vec<u8>) {
    if let Some(name) = transaction.beside() {
        add_object(name, into, &mut |fields| {
            transaction.describe_beside(fields);
        });
    }
}

/// What records call a protocol.
fn object_name(protocol: &str) -> &str {
    match record_name(protocol) {
        "ftp-data" => "ftp_data",
        name => name,
    }
}

/// Adds an object to the line that was just written: in front of its brace and line end.
fn add_object(name: &str, into: &mut Vec<u8>, tell: &mut dyn FnMut(&mut dyn Fields)) {
    into.truncate(into.len().saturating_sub(2));
    into.extend_from_slice(b",");
    json_fields::object(into, name, tell);
    into.extend_from_slice(b"}\n");
}

/// Appends `record` and a line end. Writing to memory does not fail, and no record holds what JSON
/// cannot: should it ever, the line is taken back.
fn write_line(record: &impl serde::Serialize, into: &mut Vec<u8>) -> bool {
    let before = into.len();
    match serde_json::to_writer(&mut *into, record) {
        Ok(()) => {
            into.push(b'\n');
            true
        }
        Err(_) => {
            into.truncate(before);
            false
        }
    }
}

#[cfg(test)]
mod tests;
