//! The shapes of EVE records: field names and order as Suricata's documentation ("EVE JSON Format")
//! gives them, and weir's own `src_pod`, `dest_pod` and `would_drop`.

use std::net::IpAddr;

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};
use weir_engine::detect::TargetEnd;
use weir_engine::event::{Anomaly, AnomalyKind, Ends, FlowDirection, FlowSummary};
use weir_engine::frame::LinkType;

use super::eve_time::EveTime;
use super::eve_value::{Base64, Contexts, Known, Metadata, Printable};
use super::pods::PodIdentity;

/// What every record starts with.
#[derive(Serialize)]
pub(super) struct Header<'a> {
    pub(super) timestamp: EveTime,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) flow_id: Option<u64>,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) pcap_cnt: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) in_iface: Option<&'a str>,
    pub(super) event_type: &'static str,
    #[serde(skip_serializing_if = "no_vlan", serialize_with = "vlan")]
    pub(super) vlan: [u16; 3],
    #[serde(flatten)]
    pub(super) ends: Option<Tuple>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) src_pod: Option<&'a PodIdentity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dest_pod: Option<&'a PodIdentity>,
}

/// Addresses, ports and protocol.
#[derive(Serialize)]
pub(super) struct Tuple {
    src_ip: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_port: Option<u16>,
    dest_ip: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_port: Option<u16>,
    proto: Proto,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_type: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_code: Option<u8>,
}

impl From<Ends> for Tuple {
    fn from(ends: Ends) -> Self {
        let ports = matches!(ends.protocol, 6 | 17 | 132);
        Self {
            src_ip: ends.source,
            src_port: ports.then_some(ends.source_port),
            dest_ip: ends.destination,
            dest_port: ports.then_some(ends.destination_port),
            proto: Proto(ends.protocol),
            icmp_type: ends.icmp.map(|(kind, _)| kind),
            icmp_code: ends.icmp.map(|(_, code)| code),
        }
    }
}

/// An IANA protocol number, by its name where it has a common one.
pub(super) struct Proto(u8);

impl Serialize for Proto {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = match self.0 {
            1 => "ICMP",
            2 => "IGMP",
            4 => "IPIP",
            6 => "TCP",
            17 => "UDP",
            41 => "IPv6",
            47 => "GRE",
            50 => "ESP",
            51 => "AH",
            58 => "IPv6-ICMP",
            89 => "OSPF",
            132 => "SCTP",
            number => return serializer.collect_str(&format_args!("{number:03}")),
        };
        serializer.serialize_str(name)
    }
}

/// An alert.
#[derive(Serialize)]
pub(super) struct AlertRecord<'a> {
    #[serde(flatten)]
    pub(super) header: Header<'a>,
    pub(super) pkt_src: &'static str,
    pub(super) alert: AlertBody<'a>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) would_drop: bool,
    pub(super) verdict: VerdictBody,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) app_proto: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) metadata: Option<Known<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) direction: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) flow: Option<FlowInAlert>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tx_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) payload: Option<Base64<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) payload_printable: Option<Printable<'a>>,
}

/// A packet that is recorded whole.
#[derive(Serialize)]
pub(super) struct PacketRecord<'a> {
    #[serde(flatten)]
    pub(super) header: Header<'a>,
    pub(super) packet: Base64<'a>,
    pub(super) packet_info: PacketInfo,
}

/// How to read it: link type as captures have it, number and name.
#[derive(Serialize)]
pub(super) struct PacketInfo {
    linktype: u16,
    linktype_name: &'static str,
}

impl PacketInfo {
    pub(super) fn new(link: LinkType) -> Self {
        let (linktype, linktype_name) = match link {
            LinkType::Ethernet => (1, "EN10MB"),
            LinkType::RawIp => (12, "RAW"),
            LinkType::LinuxSll => (113, "LINUX_SLL"),
            LinkType::LinuxSll2 => (276, "LINUX_SLL2"),
            LinkType::Null => (0, "NULL"),
            LinkType::Loop => (108, "LOOP"),
            LinkType::Ppp => (9, "PPP"),
            LinkType::CiscoHdlc => (104, "C_HDLC"),
        };
        Self {
            linktype,
            linktype_name,
        }
    }
}

/// Which signature.
#[derive(Serialize)]
pub(super) struct AlertBody<'a> {
    pub(super) action: &'static str,
    pub(super) gid: u32,
    pub(super) signature_id: u32,
    pub(super) rev: u32,
    pub(super) signature: &'a str,
    pub(super) category: &'a str,
    pub(super) severity: u8,
    #[serde(skip_serializing_if = "Metadata::is_empty")]
    pub(super) metadata: Metadata<'a>,
    #[serde(skip_serializing_if = "Contexts::is_empty")]
    pub(super) context: Contexts<'a>,
    #[serde(flatten)]
    pub(super) roles: Option<Roles>,
}

/// Who attacks whom, as the signature sees it.
#[derive(Serialize)]
pub(super) struct Roles {
    source: Endpoint,
    target: Endpoint,
}

#[derive(Serialize)]
struct Endpoint {
    ip: IpAddr,
    #[serde(skip_serializing_if = "is_zero_port")]
    port: u16,
}

impl Roles {
    pub(super) fn new(ends: &Ends, target: TargetEnd) -> Self {
        let source = Endpoint {
            ip: ends.source,
            port: ends.source_port,
        };
        let destination = Endpoint {
            ip: ends.destination,
            port: ends.destination_port,
        };
        match target {
            TargetEnd::Destination => Self {
                source,
                target: destination,
            },
            TargetEnd::Source => Self {
                source: destination,
                target: source,
            },
        }
    }
}

/// An anomaly.
#[derive(Serialize)]
pub(super) struct AnomalyRecord<'a> {
    #[serde(flatten)]
    header: Header<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tx_id: Option<u64>,
    anomaly: AnomalyBody<'a>,
}

/// What is not as it should be.
#[derive(Serialize)]
struct AnomalyBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    app_proto: Option<&'a str>,
    #[serde(rename = "type")]
    kind: &'static str,
    event: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer: Option<&'static str>,
}

impl<'a> AnomalyRecord<'a> {
    pub(super) fn new(header: Header<'a>, anomaly: &Anomaly<'a>) -> Self {
        let (kind, layer) = match anomaly.kind {
            AnomalyKind::Decode => ("decode", None),
            AnomalyKind::Stream => ("stream", None),
            AnomalyKind::Recognition => ("applayer", Some("proto_detect")),
            AnomalyKind::Parser { .. } => ("applayer", Some("proto_parser")),
        };
        let (app_proto, tx_id) = match anomaly.kind {
            AnomalyKind::Parser {
                app_proto,
                transaction,
            } => (Some(app_proto), Some(transaction)),
            _ => (None, None),
        };
        Self {
            header,
            tx_id,
            anomaly: AnomalyBody {
                app_proto,
                kind,
                event: anomaly.event,
                layer,
            },
        }
    }
}

/// What a transaction's record starts with.
#[derive(Serialize)]
pub(super) struct TransactionHead<'a> {
    #[serde(flatten)]
    pub(super) header: Header<'a>,
    pub(super) tx_id: u64,
    pub(super) app_proto: &'a str,
}

/// What befell the packet.
#[derive(Serialize)]
pub(super) struct VerdictBody {
    pub(super) action: &'static str,
}

/// The flow of an alert or drop.
#[derive(Serialize)]
pub(super) struct FlowInAlert {
    pkts_toserver: u64,
    pkts_toclient: u64,
    bytes_toserver: u64,
    bytes_toclient: u64,
    start: EveTime,
    src_ip: IpAddr,
    dest_ip: IpAddr,
    #[serde(skip_serializing_if = "is_zero_port")]
    src_port: u16,
    #[serde(skip_serializing_if = "is_zero_port")]
    dest_port: u16,
}

impl From<FlowSummary> for FlowInAlert {
    fn from(flow: FlowSummary) -> Self {
        Self {
            pkts_toserver: flow.to_server.packets,
            pkts_toclient: flow.to_client.packets,
            bytes_toserver: flow.to_server.bytes,
            bytes_toclient: flow.to_client.bytes,
            start: EveTime(flow.start),
            src_ip: flow.ends.source,
            dest_ip: flow.ends.destination,
            src_port: flow.ends.source_port,
            dest_port: flow.ends.destination_port,
        }
    }
}

/// A drop.
#[derive(Serialize)]
pub(super) struct DropRecord<'a> {
    #[serde(flatten)]
    pub(super) header: Header<'a>,
    pub(super) drop: DropBody,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) alert: Option<AlertBody<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) would_drop: bool,
    pub(super) verdict: VerdictBody,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) direction: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) flow: Option<FlowInAlert>,
}

/// Why.
#[derive(Serialize)]
pub(super) struct DropBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) len: Option<usize>,
    pub(super) reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) detail: Option<&'static str>,
}

/// The end of a flow.
#[derive(Serialize)]
pub(super) struct FlowRecord<'a> {
    #[serde(flatten)]
    pub(super) header: Header<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) app_proto: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) metadata: Option<Known<'a>>,
    pub(super) flow: FlowBody,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tcp: Option<TcpBody>,
}

/// A flow that ended.
#[derive(Serialize)]
pub(super) struct FlowBody {
    pub(super) pkts_toserver: u64,
    pub(super) pkts_toclient: u64,
    pub(super) bytes_toserver: u64,
    pub(super) bytes_toclient: u64,
    pub(super) start: EveTime,
    pub(super) end: EveTime,
    pub(super) age: u64,
    pub(super) state: &'static str,
    pub(super) reason: &'static str,
    pub(super) alerted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) action: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bypass: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) exception_policy: Option<[ExceptionBody; 1]>,
}

/// An exception that a flow met, and what was done.
#[derive(Serialize)]
pub(super) struct ExceptionBody {
    pub(super) target: &'static str,
    pub(super) policy: &'static str,
}

/// TCP flags of a flow.
#[derive(Serialize)]
pub(super) struct TcpBody {
    tcp_flags: Hex,
    tcp_flags_ts: Hex,
    tcp_flags_tc: Hex,
    #[serde(flatten)]
    set: FlagNames,
    state: &'static str,
}

impl TcpBody {
    pub(super) fn new(to_server: u8, to_client: u8, state: &'static str) -> Self {
        let both = to_server | to_client;
        Self {
            tcp_flags: Hex(both),
            tcp_flags_ts: Hex(to_server),
            tcp_flags_tc: Hex(to_client),
            set: FlagNames(both),
            state,
        }
    }
}

struct Hex(u8);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:02x}", self.0))
    }
}

/// `"syn": true` and so on, for the flags that are set.
struct FlagNames(u8);

impl Serialize for FlagNames {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let names = ["fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr"];
        for (bit, name) in names.iter().enumerate() {
            if self.0 & 1 << bit != 0 {
                map.serialize_entry(name, &true)?;
            }
        }
        map.end()
    }
}

/// EVE's name of a direction.
pub(super) fn direction(direction: FlowDirection) -> &'static str {
    match direction {
        FlowDirection::ToServer => "to_server",
        FlowDirection::ToClient => "to_client",
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it by reference"
)]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it by reference"
)]
fn is_zero_port(value: &u16) -> bool {
    *value == 0
}

fn no_vlan(vlan: &[u16; 3]) -> bool {
    vlan.iter().all(|&id| id == 0)
}

fn vlan<S: Serializer>(vlan: &[u16; 3], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(vlan.iter().filter(|&&id| id != 0))
}
