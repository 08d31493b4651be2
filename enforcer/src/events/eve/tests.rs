//! Records against the documented set of fields.

use std::net::IpAddr;

use serde_json::{Value, json};
use weir_engine::app_layer::{AppEvent, BufferBytes, BufferId, Fields, Transaction};
use weir_engine::detect::{CaptureKind, Excerpt, Remark, TargetEnd};
use weir_engine::event::{
    Alert, Anomaly, AnomalyKind, Disposition, Drop, Ends, FlowDirection, FlowEnd, FlowSummary,
    TaggedPacket, TcpEnd, TransactionContext, TransactionRecord, Volume,
};
use weir_engine::frame::{
    AttachmentId, ChecksumState, FrameMeta, LinkType, Mode, RuleSetId, Timestamp, WireDirection,
};
use weir_engine::verdict::DropReason;
use weir_policies::rule::ast::{Action, Meta};

use super::super::pods::{PodIdentity, Pods};
use super::*;

struct OnePod(PodIdentity);

impl Pods for OnePod {
    fn by_attachment(&self, id: AttachmentId) -> Option<&PodIdentity> {
        (id.0 == 7).then_some(&self.0)
    }

    fn by_address(&self, address: IpAddr) -> Option<&PodIdentity> {
        (address == IpAddr::from([10, 0, 0, 2])).then_some(&self.0)
    }
}

fn pods() -> OnePod {
    OnePod(PodIdentity {
        namespace: Some("shop".to_owned()),
        name: Some("web-0".to_owned()),
        uid: None,
        container_id: "c0ffee".to_owned(),
        interface: "veth7".to_owned(),
        node: "node1".to_owned(),
    })
}

const PROTOCOL_TCP: u8 = 6;

fn ends() -> Ends {
    Ends {
        source: IpAddr::from([10, 0, 0, 1]),
        source_port: 40_000,
        destination: IpAddr::from([10, 0, 0, 2]),
        destination_port: 80,
        protocol: PROTOCOL_TCP,
        icmp: None,
    }
}

fn frame() -> FrameMeta {
    FrameMeta {
        at: Timestamp(1_452_651_960_123_456_789),
        link: LinkType::Ethernet,
        checksum: ChecksumState::Final,
        gso_size: None,
        attachment: AttachmentId(7),
        direction: WireDirection::ToPod,
        mode: Mode::Prevent,
        rules: RuleSetId(0),
        number: 0,
    }
}

fn summary() -> FlowSummary {
    let volume = |packets, bytes| Volume { packets, bytes };
    FlowSummary {
        id: 1234,
        start: Timestamp(1_452_651_950_000_000_000),
        last: Timestamp(1_452_651_960_000_000_000),
        ends: ends(),
        to_server: volume(3, 300),
        to_client: volume(2, 200),
    }
}

fn meta() -> Meta {
    let pair = |k: &str, v: &str| (k.to_owned(), v.to_owned());
    Meta {
        sid: 2_000_001,
        gid: 1,
        rev: 4,
        msg: "a \"quoted\" name".to_owned(),
        classtype: None,
        priority: None,
        references: Vec::new(),
        metadata: vec![pair("cve", "1"), pair("tag", "x"), pair("cve", "2")],
    }
}

fn alert(meta: &Meta, disposition: Disposition, write: impl FnOnce(&Alert<'_>)) {
    write(&Alert {
        frame: &frame(),
        ends: ends(),
        vlan: [12, 0, 0],
        direction: Some(FlowDirection::ToServer),
        flow: Some(summary()),
        signature: meta,
        priority: 2,
        category: "Misc activity",
        action: Action::Drop,
        disposition,
        payload: b"GET /\x00\r\n",
        app_proto: Some("http"),
        remarks: &[],
        flow_variables: &[],
        target: None,
        transaction: None,
    });
}

fn written(write: impl FnOnce(&EveFormatter, &mut Vec<u8>) -> bool) -> Value {
    let mut line = Vec::new();
    assert!(write(&EveFormatter::new(&Eve::default()), &mut line));
    assert_eq!(line.pop(), Some(b'\n'));
    assert!(!line.contains(&b'\n'));
    serde_json::from_slice(&line).unwrap()
}

#[test]
fn alert_has_the_documented_fields() {
    let meta = meta();
    let mut record = Value::Null;
    alert(&meta, Disposition::Blocked, |alert| {
        record = written(|eve, line| eve.alert(alert, &pods(), line));
    });
    let expected = json!({
        "timestamp": "2016-01-13T02:26:00.123456+0000",
        "flow_id": 1234,
        "in_iface": "veth7",
        "event_type": "alert",
        "vlan": [12],
        "src_ip": "10.0.0.1",
        "src_port": 40000,
        "dest_ip": "10.0.0.2",
        "dest_port": 80,
        "proto": "TCP",
        "dest_pod": {
            "namespace": "shop", "name": "web-0", "container_id": "c0ffee",
            "interface": "veth7", "node": "node1"
        },
        "pkt_src": "wire/pcap",
        "alert": {
            "action": "blocked", "gid": 1, "signature_id": 2_000_001, "rev": 4,
            "signature": "a \"quoted\" name", "category": "Misc activity", "severity": 2,
            "metadata": {"cve": ["1", "2"], "tag": ["x"]}
        },
        "verdict": {"action": "drop"},
        "app_proto": "http",
        "direction": "to_server",
        "flow": {
            "pkts_toserver": 3, "pkts_toclient": 2, "bytes_toserver": 300, "bytes_toclient": 200,
            "start": "2016-01-13T02:25:50.000000+0000",
            "src_ip": "10.0.0.1", "dest_ip": "10.0.0.2", "src_port": 40000, "dest_port": 80
        },
        "payload": "R0VUIC8ADQo=",
        "payload_printable": "GET /.\r\n"
    });
    assert_eq!(record, expected);
}

#[test]
fn detect_mode_says_what_would_be_dropped() {
    let meta = meta();
    alert(&meta, Disposition::WouldDrop, |alert| {
        let record = written(|eve, line| eve.alert(alert, &pods(), line));
        assert_eq!(record["alert"]["action"], "allowed");
        assert_eq!(record["would_drop"], true);
        assert_eq!(record["verdict"]["action"], "alert");
    });
}

#[test]
fn drop_has_length_reason_and_signature() {
    let (meta, frame) = (meta(), frame());
    let drop = Drop {
        frame: &frame,
        ends: Some(Ends {
            protocol: 1,
            icmp: Some((8, 0)),
            ..ends()
        }),
        flow: None,
        direction: None,
        reason: DropReason::Rule,
        detail: None,
        signature: Some(&meta),
        acted: true,
    };
    let record = written(|eve, line| eve.drop(&drop, Some(98), &pods(), line));
    assert_eq!(record["event_type"], "drop");
    assert_eq!(record["drop"], json!({"len": 98, "reason": "rule"}));
    assert_eq!(record["alert"]["signature_id"], 2_000_001);
    assert_eq!(record["proto"], "ICMP");
    assert_eq!(
        (&record["icmp_type"], &record["icmp_code"]),
        (&json!(8), &json!(0))
    );
    assert_eq!(record.get("src_port"), None);
}

#[test]
fn flow_has_volumes_times_and_flags() {
    let end = FlowEnd {
        at: Timestamp(1_452_651_999_000_000_000),
        flow: summary(),
        state: "closed",
        reason: "timeout",
        tcp: Some(TcpEnd {
            flags: (0x1b, 0x12),
            state: "closed",
        }),
        alerted: true,
        dropped: true,
        passed: false,
        bypassed: false,
        exception: Some(("stream_midstream", "drop-flow")),
        attachments: [AttachmentId(7), AttachmentId(0)],
        app_proto: None,
        variables: &[(Excerpt::of(b"ua"), Excerpt::of(b"curl"))],
    };
    let record = written(|eve, line| eve.flow(&end, &pods(), line));
    assert_eq!(record["event_type"], "flow");
    assert_eq!(record["flow"]["age"], 10);
    assert_eq!(record["flow"]["action"], "drop");
    let exception = json!([{"target": "stream_midstream", "policy": "drop-flow"}]);
    assert_eq!(record["flow"]["exception_policy"], exception);
    assert!(record["flow"].get("bypass").is_none());
    assert_eq!(record["dest_pod"]["name"], "web-0");
    assert_eq!(record["metadata"]["flowvars"], json!([{"ua": "curl"}]));
    let tcp = json!({
        "tcp_flags": "1b", "tcp_flags_ts": "1b", "tcp_flags_tc": "12",
        "fin": true, "syn": true, "psh": true, "ack": true, "state": "closed"
    });
    assert_eq!(record["tcp"], tcp);
}

#[test]
fn types_that_are_not_asked_for_are_not_written() {
    let eve = EveFormatter::new(&Eve {
        types: vec![EventType::Drop],
        ..Eve::default()
    });
    let meta = meta();
    let mut line = Vec::new();
    alert(&meta, Disposition::Blocked, |alert| {
        assert!(!eve.alert(alert, &pods(), &mut line));
    });
    assert!(line.is_empty());
}

/// A transaction that tells a name, and a certificate when it is asked to.
#[derive(Debug)]
struct Session;

impl Transaction for Session {
    fn id(&self) -> u64 {
        3
    }

    fn progress(&self, _: FlowDirection) -> u8 {
        0
    }

    fn buffer(&self, _: BufferId, _: usize) -> Option<BufferBytes<'_>> {
        None
    }

    fn events(&self) -> &[AppEvent] {
        &[]
    }

    fn describe(&self, fields: &mut dyn Fields) {
        fields.text("sni", b"a.example");
    }

    fn beside(&self) -> Option<&'static str> {
        Some("email")
    }

    fn describe_beside(&self, fields: &mut dyn Fields) {
        fields.text("status", b"PARSE_DONE");
    }

    fn describe_kept(&self, fields: &mut dyn Fields) {
        fields.list("chain", 1, &mut |_, fields| fields.text("", b"AAEC"));
    }
}

#[test]
fn transactions_are_written_where_asked_for_and_kept_ones_in_full() {
    let record = |keep| TransactionRecord {
        of: TransactionContext {
            at: Timestamp(1_452_651_960_000_000_000),
            flow: summary(),
            attachments: [AttachmentId(7), AttachmentId(0)],
            app_proto: if keep { "ftp-data" } else { "tls" },
            transaction: &Session,
        },
        keep,
    };
    let written = |types: Vec<EventType>, keep| {
        let settings = Eve {
            types,
            ..Eve::default()
        };
        let mut line = Vec::new();
        let wrote = EveFormatter::new(&settings).transaction(&record(keep), &pods(), &mut line);
        assert_eq!(wrote, !line.is_empty());
        wrote.then(|| {
            assert_eq!(line.pop(), Some(b'\n'));
            serde_json::from_slice::<Value>(&line).unwrap()
        })
    };
    assert_eq!(written(vec![EventType::Alert, EventType::Dns], false), None);
    let tls = written(vec![EventType::Tls], false).unwrap();
    assert_eq!(tls["event_type"], "tls");
    assert_eq!(tls["tx_id"], 3);
    assert_eq!(tls["app_proto"], "tls");
    assert_eq!(tls["flow_id"], 1234);
    assert_eq!(tls["in_iface"], "veth7");
    assert_eq!(tls["tls"], json!({"sni": "a.example"}));
    assert_eq!(tls["email"], json!({"status": "PARSE_DONE"}));
    let kept = written(vec![EventType::Alert], true).unwrap();
    let names = (&kept["event_type"], &kept["app_proto"]);
    assert_eq!(names, (&json!("ftp_data"), &json!("ftp-data")));
    assert_eq!(
        kept["ftp_data"],
        json!({"sni": "a.example", "chain": ["AAEC"]})
    );
}

#[test]
fn an_alert_on_a_transaction_holds_its_object() {
    let meta = meta();
    let mut record = Value::Null;
    alert(&meta, Disposition::Allowed, |alert| {
        let alert = Alert {
            app_proto: Some("tls"),
            transaction: Some(&Session),
            ..*alert
        };
        record = written(|eve, line| eve.alert(&alert, &pods(), line));
    });
    assert_eq!(record["tx_id"], json!(3));
    assert!(
        record["tls"].is_object() && record["email"].is_object(),
        "{record}"
    );
    assert_eq!(record["alert"]["signature_id"], json!(2_000_001));
}

#[test]
fn anomalies_are_written_only_where_asked_for_and_say_what_met_them() {
    let frame = frame();
    let packet = Anomaly {
        at: frame.at,
        frame: Some(&frame),
        ends: Some(ends()),
        flow: Some(summary()),
        attachments: [AttachmentId(7), AttachmentId(0)],
        kind: AnomalyKind::Decode,
        event: "decoder.ipv4.pkt_too_small",
    };
    let wanted = EveFormatter::new(&Eve {
        types: vec![EventType::Anomaly],
        ..Eve::default()
    });
    let record = |anomaly: &Anomaly<'_>| -> Value {
        let mut line = Vec::new();
        assert!(!EveFormatter::new(&Eve::default()).anomaly(anomaly, &pods(), &mut line));
        assert!(wanted.anomaly(anomaly, &pods(), &mut line));
        serde_json::from_slice(&line).unwrap()
    };
    let decode = record(&packet);
    assert_eq!(
        decode["anomaly"],
        json!({"type": "decode", "event": "decoder.ipv4.pkt_too_small"})
    );
    assert_eq!(decode["event_type"], json!("anomaly"));
    assert_eq!(decode["src_port"], json!(40000));
    let parser = record(&Anomaly {
        frame: None,
        kind: AnomalyKind::Parser {
            app_proto: "tls",
            transaction: 3,
        },
        event: "invalid_certificate",
        ..packet
    });
    assert_eq!(
        parser["anomaly"],
        json!({
            "app_proto": "tls", "type": "applayer",
            "event": "invalid_certificate", "layer": "proto_parser",
        })
    );
    assert_eq!(
        (&parser["tx_id"], &parser["flow_id"]),
        (&json!(3), &json!(1234))
    );
}

#[test]
fn alert_tells_who_attacks_whom_and_what_was_captured_and_known() {
    let meta = meta();
    let remarks = [
        Remark::Context {
            key: "why".into(),
            json: r#"{"year":2005}"#.into(),
        },
        Remark::Captured {
            kind: CaptureKind::Flow,
            name: Excerpt::of(b"ua"),
            value: Excerpt::of(b"curl"),
        },
    ];
    let mut record = Value::Null;
    alert(&meta, Disposition::Allowed, |alert| {
        let alert = Alert {
            remarks: &remarks,
            flow_variables: &[(Excerpt::of(b"ua"), Excerpt::of(b"curl"))],
            target: Some(TargetEnd::Source),
            ..*alert
        };
        record = written(|eve, line| eve.alert(&alert, &pods(), line));
    });
    assert_eq!(record["alert"]["context"]["why"]["year"], 2005);
    assert_eq!(record["metadata"]["flowvars"][0]["ua"], "curl");
    assert_eq!(record["alert"]["target"]["ip"], record["src_ip"]);
    assert_eq!(record["alert"]["source"]["ip"], record["dest_ip"]);
    assert_eq!(record["alert"]["source"]["port"], record["dest_port"]);
}

#[test]
fn a_packet_that_is_recorded_has_its_bytes_and_how_to_read_them() {
    let packet = TaggedPacket {
        frame: &frame(),
        ends: ends(),
        vlan: [0; 3],
        flow: Some(summary()),
        bytes: b"\x00\x01\x02",
        link: LinkType::Ethernet,
    };
    let line = written(|eve, into| eve.tagged(&packet, &pods(), into));
    assert_eq!(line["event_type"], "packet");
    assert_eq!(line["flow_id"], 1234);
    assert_eq!(line["src_ip"], "10.0.0.1");
    assert_eq!(line["packet"], "AAEC");
    assert_eq!(
        line["packet_info"],
        json!({"linktype": 1, "linktype_name": "EN10MB"})
    );
    let off = Eve {
        tagged_packets: false,
        ..Eve::default()
    };
    let mut into = Vec::new();
    assert!(!EveFormatter::new(&off).tagged(&packet, &pods(), &mut into));
    assert!(into.is_empty());
}

#[test]
fn captures_and_entropies_are_shown_where_they_are_documented() {
    let captured = |kind, name: &str| Remark::Captured {
        kind,
        name: Excerpt::of(name.as_bytes()),
        value: Excerpt::of(b"v"),
    };
    let remarks = [
        captured(CaptureKind::Alert, "a"),
        captured(CaptureKind::Packet, "p"),
        captured(CaptureKind::Flow, "f"),
        Remark::Entropy {
            buffer: "file_data".into(),
            value: 4.25,
        },
    ];
    let meta = meta();
    alert(&meta, Disposition::Allowed, |alert| {
        let alert = Alert {
            remarks: &remarks,
            flow_variables: &[(Excerpt::of(b"f"), Excerpt::of(b"v"))],
            ..*alert
        };
        let line = written(|eve, into| eve.alert(&alert, &pods(), into));
        assert_eq!(line["alert"]["context"], json!({"a": "v"}));
        assert_eq!(
            line["metadata"],
            json!({
                "pktvars": [{"p": "v"}],
                "flowvars": [{"f": "v"}],
                "entropy": {"file_data": 4.25},
            })
        );
    });
}
