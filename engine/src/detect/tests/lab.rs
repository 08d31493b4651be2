//! A detector with one flow, fed with frames made here.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use weir_policies::vars::Vars;

use crate::app_layer::{AppFlow, Feed, ParserPool, Peers, Window};
use crate::decode::decode;
use crate::detect::{
    Adjustments, CompileEnv, Compiled, DataRoom, DataSet, DataSource, DataSpec, Detector, Effect,
    FlowState, FlowView, Hit, Inspection, Limits, Loaded, NoClassifications, Note, Remark,
    Reputation, RuleSet, StreamView, Variables,
};
use crate::event::{FlowDirection, Volume};
use crate::frame::{
    AttachmentId, ChecksumState, FrameMeta, LinkType, Mode, RuleSetId, Timestamp, WireDirection,
};

pub(super) const CLIENT: [u8; 4] = [10, 0, 0, 1];
pub(super) const SERVER: [u8; 4] = [10, 0, 0, 2];

struct TestVars(Vars);

impl Variables for TestVars {
    fn address(&self, name: &str) -> Option<&weir_policies::rule::ast::AddressExpr> {
        self.0.address(name)
    }

    fn port(&self, name: &str) -> Option<&weir_policies::rule::ast::PortExpr> {
        self.0.port(name)
    }
}

/// The client is 50 `bad`; its network is 5 `good`.
fn reputation() -> Reputation {
    use weir_policies::ip_reputation::{categories, scores};
    let (categories, _) = categories("1,bad,\n2,good,\n3,nobody,");
    let (scores, _) = scores("10.0.0.1,1,50\n10.0.0.0/24,2,5");
    Reputation::new(&categories, &scores).0
}

/// Sets by name; what is loaded is in the name of its file: words, each with its note behind `=`.
#[derive(Default)]
struct TestSets(RefCell<HashMap<String, Arc<DataSet>>>);

impl DataSource for TestSets {
    fn open(&self, spec: &DataSpec, rule_file: &str) -> Result<Arc<DataSet>, String> {
        assert_eq!(rule_file, "test.rules");
        if let Some(set) = self.0.borrow().get(&spec.name) {
            return Ok(Arc::clone(set));
        }
        let kind = spec.kind.ok_or("it lacks a type")?;
        let words = spec.load.as_deref().unwrap_or_default().split('+');
        let words = words.filter(|word| !word.is_empty());
        let loaded: Vec<Loaded> = words
            .map(|word| {
                let (value, note) = word.split_once('=').unwrap_or((word, ""));
                let note = match (note, note.parse()) {
                    ("", _) => Note::None,
                    (_, Ok(number)) => Note::Reputation(number),
                    (text, Err(_)) => Note::Json(text.into()),
                };
                let value = kind.read_plain(value).unwrap();
                Loaded { value, note }
            })
            .collect();
        let room = DataRoom {
            entries: 4,
            bytes: 1024,
        };
        let set = Arc::new(DataSet::new(kind, room, [5, 6], &loaded).ok_or("too large")?);
        self.0
            .borrow_mut()
            .insert(spec.name.clone(), Arc::clone(&set));
        Ok(set)
    }
}

/// Compiles rule text; the parser must accept all of it.
pub(super) fn compile(text: &str) -> Compiled {
    compile_adjusted(text, "")
}

/// The same, with the lines of a `threshold.config`.
fn compile_adjusted(text: &str, config: &str) -> Compiled {
    let parsed = weir_policies::parse(text);
    assert!(parsed.diagnostics.is_empty(), "{:?}", parsed.diagnostics);
    let mut vars = Vars::new();
    vars.set_address("HOME_NET", "[10.0.0.0/8,fd00::/8]")
        .unwrap();
    vars.set_address("EXTERNAL_NET", "!$HOME_NET").unwrap();
    vars.set_port("HTTP_PORTS", "[80,8080]").unwrap();
    let vars = TestVars(vars);
    let (entries, errors) = weir_policies::threshold_config::parse(config);
    assert_eq!(errors, []);
    let (adjustments, errors) = Adjustments::new(&entries, &vars);
    assert_eq!(errors, []);
    let env = CompileEnv {
        adjustments: Some(&adjustments),
        data: Some(&TestSets::default()),
        reputation: Some(&reputation()),
        ..CompileEnv::new(&vars, &NoClassifications, Limits::default())
    };
    RuleSet::compile(parsed.rules.iter().map(|rule| (rule, "test.rules")), &env)
}

/// Compiles rules that must all load.
pub(super) fn rules(text: &str) -> Arc<RuleSet> {
    let compiled = compile(text);
    assert!(compiled.refused.is_empty(), "{:?}", compiled.refused);
    compiled.rule_set
}

/// One flow under inspection.
pub(super) struct Lab {
    pub(super) detector: Detector,
    pub(super) flow: FlowState,
    pub(super) view: Option<FlowView>,
    pub(super) mode: Mode,
    /// Payload bytes of the segments that frames stand for.
    pub(super) gso_size: Option<u16>,
    pub(super) now: Timestamp,
    pub(super) events: Vec<&'static str>,
    app: AppFlow,
    parsers: ParserPool,
    /// What each direction has sent, where it is fed as a stream.
    sent: [Vec<u8>; 2],
    /// Whether the last packet is to be recorded.
    pub(super) tagged: bool,
    /// What the last packet asked for.
    pub(super) effect: Effect,
    pub(super) hits: Vec<Hit>,
    /// What they said beside themselves.
    pub(super) remarks: Vec<Remark>,
}

pub(super) fn established() -> FlowView {
    FlowView {
        direction: FlowDirection::ToServer,
        established: true,
        start: Timestamp(0),
        to_server: Volume::default(),
        to_client: Volume::default(),
        stream_bytes: [0, 0],
    }
}

impl Lab {
    pub(super) fn new(text: &str) -> Self {
        Self::with_limits(text, Limits::default())
    }

    pub(super) fn with_limits(text: &str, limits: Limits) -> Self {
        Self::with_rules(rules(text), limits)
    }

    /// With the lines of a `threshold.config`.
    pub(super) fn adjusted(text: &str, config: &str) -> Self {
        let compiled = compile_adjusted(text, config);
        assert!(compiled.refused.is_empty(), "{:?}", compiled.refused);
        Self::with_rules(compiled.rule_set, Limits::default())
    }

    fn with_rules(rules: Arc<RuleSet>, limits: Limits) -> Self {
        Self {
            detector: Detector::new(rules, limits, [3, 4]),
            flow: FlowState::default(),
            view: Some(established()),
            mode: Mode::Prevent,
            gso_size: None,
            now: Timestamp(1_000_000_000),
            events: Vec::new(),
            app: AppFlow::default(),
            parsers: ParserPool::new(crate::app_layer::Limits::default()),
            sent: [Vec::new(), Vec::new()],
            tagged: false,
            effect: Effect::None,
            hits: Vec::new(),
            remarks: Vec::new(),
        }
    }

    /// Turns the flow: later packets go to the client.
    pub(super) fn direction(&mut self, direction: FlowDirection) {
        if let Some(view) = &mut self.view {
            view.direction = direction;
        }
    }

    fn inspect(&mut self, frame: &[u8], stream: Option<StreamView<'_>>) -> Vec<u32> {
        let packet = match decode(frame, LinkType::RawIp) {
            Ok(packet) => packet,
            Err(error) => error.packet,
        };
        let meta = FrameMeta {
            at: self.now,
            link: LinkType::RawIp,
            checksum: ChecksumState::Partial,
            gso_size: self.gso_size,
            attachment: AttachmentId(0),
            direction: WireDirection::ToPod,
            mode: self.mode,
            rules: RuleSetId(0),
            number: 0,
        };
        let inspection = Inspection {
            packet: &packet,
            meta: &meta,
            flow: self.view,
            stream,
            app: self.view.is_some().then(|| self.app.view()),
            extent: crate::detect::Extent::Packet,
            events: &self.events,
        };
        let flow = self.view.is_some().then_some(&mut self.flow);
        let outcome = self.detector.inspect(&inspection, flow);
        self.tagged = outcome.is_tagged();
        self.effect = outcome.effect();
        self.hits = outcome.hits().to_vec();
        let remarks = outcome.hits().iter().flat_map(|hit| outcome.remarks(hit));
        self.remarks = remarks.cloned().collect();
        let sid = |hit: &Hit| outcome.signature(hit.signature).meta.sid;
        outcome.hits().iter().map(sid).collect()
    }

    /// Inspects a frame whose payload is part of no stream: the sids that fired.
    pub(super) fn packet(&mut self, frame: &[u8]) -> Vec<u32> {
        self.inspect(frame, None)
    }

    /// Sends a datagram through the application layer: the sids that fired.
    pub(super) fn datagram(&mut self, direction: FlowDirection, payload: &[u8]) -> Vec<u32> {
        self.direction(direction);
        let window = Window {
            offset: 0,
            bytes: payload,
        };
        self.feed(direction, (window, 0), true);
        let frame = match direction {
            FlowDirection::ToServer => udp((CLIENT, 1024), (SERVER, 53), payload),
            FlowDirection::ToClient => udp((SERVER, 53), (CLIENT, 1024), payload),
        };
        let fired = self.inspect(&frame, None);
        self.app.settle(direction, |_, _| ());
        fired
    }

    /// Sends bytes of a stream through the application layer: the sids that fired.
    pub(super) fn send(&mut self, direction: FlowDirection, bytes: &[u8]) -> Vec<u32> {
        self.direction(direction);
        let side = direction as usize;
        let fresh_from = self.sent[side].len();
        self.sent[side].extend_from_slice(bytes);
        let sent = std::mem::take(&mut self.sent[side]);
        let window = Window {
            offset: 0,
            bytes: &sent,
        };
        self.feed(direction, (window, fresh_from), false);
        let fired = self.stream(&sent, fresh_from, 0);
        self.sent[side] = sent;
        self.app.settle(direction, |_, _| ());
        fired
    }

    fn feed(
        &mut self,
        direction: FlowDirection,
        (window, fresh_from): (Window<'_>, usize),
        datagram: bool,
    ) {
        let feed = Feed {
            direction,
            window,
            fresh_from,
            other: Window {
                offset: 0,
                bytes: &self.sent[1 - direction as usize],
            },
            eof: false,
            datagram,
            from_start: true,
            peers: Peers::of_port(53),
            at: self.now,
        };
        let needs = self.detector.rules().file_needs();
        self.parsers.want_files(needs);
        assert_eq!(self.app.feed(&feed, &mut self.parsers), 0);
    }

    /// Inspects a segment that makes `window[fresh_from..]` contiguous.
    pub(super) fn stream(&mut self, window: &[u8], fresh_from: usize, offset: u64) -> Vec<u32> {
        let to_client = self.view.map(|view| view.direction) == Some(FlowDirection::ToClient);
        let payload = window.get(fresh_from..).unwrap_or_default();
        let frame = if to_client {
            tcp((SERVER, 80), (CLIENT, 1024), 0x18, payload)
        } else {
            tcp((CLIENT, 1024), (SERVER, 80), 0x18, payload)
        };
        let view = StreamView {
            bytes: window,
            fresh_from,
            window_offset: offset,
            eof: false,
        };
        self.inspect(&frame, Some(view))
    }
}

fn ipv4(protocol: u8, source: [u8; 4], destination: [u8; 4], segment: &[u8]) -> Vec<u8> {
    let total = u16::try_from(20 + segment.len()).unwrap();
    let mut frame = vec![0x45, 0x10];
    frame.extend(total.to_be_bytes());
    frame.extend([0x12, 0x34, 0x40, 0, 61, protocol, 0, 0]);
    frame.extend(source);
    frame.extend(destination);
    frame.extend(segment);
    frame
}

pub(super) fn ipv6(protocol: u8, segment: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x60, 0, 0, 0];
    frame.extend(u16::try_from(segment.len()).unwrap().to_be_bytes());
    frame.extend([protocol, 64]);
    frame.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    frame.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    frame.extend(segment);
    frame
}

pub(super) fn tcp_segment(source: u16, destination: u16, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut segment = Vec::new();
    segment.extend(source.to_be_bytes());
    segment.extend(destination.to_be_bytes());
    segment.extend(1000u32.to_be_bytes());
    segment.extend(2000u32.to_be_bytes());
    segment.extend([0x60, flags, 0x10, 0, 0, 0, 0, 0]);
    segment.extend([2, 4, 0x05, 0xb4]);
    segment.extend(payload);
    segment
}

pub(super) fn tcp(
    (source, source_port): ([u8; 4], u16),
    (destination, destination_port): ([u8; 4], u16),
    flags: u8,
    payload: &[u8],
) -> Vec<u8> {
    let segment = tcp_segment(source_port, destination_port, flags, payload);
    ipv4(6, source, destination, &segment)
}

fn udp(
    (source, source_port): ([u8; 4], u16),
    (destination, destination_port): ([u8; 4], u16),
    payload: &[u8],
) -> Vec<u8> {
    let mut segment = Vec::new();
    segment.extend(source_port.to_be_bytes());
    segment.extend(destination_port.to_be_bytes());
    segment.extend(u16::try_from(8 + payload.len()).unwrap().to_be_bytes());
    segment.extend([0, 0]);
    segment.extend(payload);
    ipv4(17, source, destination, &segment)
}

/// Client to server, port 80, PSH and ACK.
pub(super) fn request(payload: &[u8]) -> Vec<u8> {
    tcp((CLIENT, 1024), (SERVER, 80), 0x18, payload)
}

/// Client to server, port 53.
pub(super) fn datagram(payload: &[u8]) -> Vec<u8> {
    let mut segment = Vec::new();
    segment.extend(1024u16.to_be_bytes());
    segment.extend(53u16.to_be_bytes());
    segment.extend(u16::try_from(8 + payload.len()).unwrap().to_be_bytes());
    segment.extend([0, 0]);
    segment.extend(payload);
    ipv4(17, CLIENT, SERVER, &segment)
}

/// ICMP from client to server.
pub(super) fn icmp(kind: u8, code: u8, rest: &[u8]) -> Vec<u8> {
    let mut segment = vec![kind, code, 0, 0];
    segment.extend(rest);
    ipv4(1, CLIENT, SERVER, &segment)
}

/// Whether one rule with these options fires on a UDP payload.
pub(super) fn fires(options: &str, payload: &[u8]) -> bool {
    let rule = format!("alert udp any any -> any any ({options} sid:1;)");
    !Lab::new(&rule).packet(&datagram(payload)).is_empty()
}
