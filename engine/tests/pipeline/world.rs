//! A test language: one engine between a client and a server.
//!
//! ```text
//! let mut world = World::prevent(RULE);
//! world.handshake();
//! world.send(client().at(0).data(b"att")).passes(&[("tcp.bytes", 3)]);
//! world.send(client().at(3).data(b"ack")).drops(DropReason::Rule, &[]);
//! ```
//!
//! Every expectation names the verdict *and* every counter that moves besides those that move with
//! each frame of that verdict; the counters of detection are left to its own tests.

use std::net::IpAddr;
use std::sync::Arc;

use weir_engine::detect::{CompileEnv, Limits, NoClassifications, NoVariables, RuleSet};
use weir_engine::event::{
    Alert, Disposition, Drop as DropRecord, FlowEnd, Output, TaggedPacket, TransactionRecord,
};
use weir_engine::frame::{
    AttachmentId, ChecksumState, FrameMeta, LinkType, Mode, RuleSetId, Timestamp, WireDirection,
};
use weir_engine::pipeline::{Engine, EngineConfig, RuleSets};
use weir_engine::verdict::{DropReason, Verdict};

use super::wire::{self, ACK, FIN, PSH, RST, SYN, Tcp, URG};

pub(crate) const CLIENT_PORT: u16 = 40_000;
pub(crate) const SERVER_PORT: u16 = 8080;

/// What the engine reported.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    pub(crate) alerts: Vec<(u32, Disposition)>,
    pub(crate) drops: Vec<(DropReason, Option<&'static str>, bool)>,
    pub(crate) flows: Vec<(u64, &'static str, &'static str)>,
    pub(crate) released: Vec<Vec<u8>>,
    /// Frames that signatures asked to record.
    pub(crate) tagged: Vec<Vec<u8>>,
    /// Records of transactions.
    pub(crate) records: usize,
}

impl Output for Recorder {
    fn alert(&mut self, alert: &Alert<'_>) {
        self.alerts.push((alert.signature.sid, alert.disposition));
    }

    fn tagged(&mut self, packet: &TaggedPacket<'_>) {
        self.tagged.push(packet.bytes.to_vec());
    }

    fn drop(&mut self, drop: &DropRecord<'_>) {
        self.drops.push((drop.reason, drop.detail, drop.acted));
    }

    fn flow(&mut self, flow: &FlowEnd<'_>) {
        self.flows.push((flow.flow.id, flow.state, flow.reason));
    }

    fn transaction(&mut self, _: &TransactionRecord<'_>) {
        self.records += 1;
    }

    fn release(&mut self, frame: &[u8], _: &FrameMeta) {
        self.released.push(frame.to_vec());
    }
}

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// A segment in terms of the conversation: offsets are those of the stream, 0 behind the SYN.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    side: Side,
    at: i64,
    ack: Option<i64>,
    flags: u8,
    window: u16,
    urgent: u16,
    options: Vec<u8>,
    payload: Vec<u8>,
    bad_checksum: bool,
    isn: Option<u32>,
}

/// A segment of the client: ACK, at offset 0, acknowledging offset 0.
pub(crate) fn client() -> Segment {
    Segment::new(Side::Client)
}

/// A segment of the server.
pub(crate) fn server() -> Segment {
    Segment::new(Side::Server)
}

impl Segment {
    fn new(side: Side) -> Self {
        Self {
            side,
            at: 0,
            ack: Some(0),
            flags: 0,
            window: 64_000,
            urgent: 0,
            options: Vec::new(),
            payload: Vec::new(),
            bad_checksum: false,
            isn: None,
        }
    }

    pub(crate) fn syn(mut self) -> Self {
        self.flags |= SYN;
        self.ack = None;
        self
    }

    pub(crate) fn syn_ack(mut self) -> Self {
        self.flags |= SYN;
        self.ack = Some(0);
        self
    }

    pub(crate) fn fin(mut self) -> Self {
        self.flags |= FIN;
        self
    }

    pub(crate) fn rst(mut self) -> Self {
        self.flags |= RST;
        self
    }

    pub(crate) fn at(mut self, offset: i64) -> Self {
        self.at = offset;
        self
    }

    pub(crate) fn ack(mut self, offset: i64) -> Self {
        self.ack = Some(offset);
        self
    }

    pub(crate) fn no_ack(mut self) -> Self {
        self.ack = None;
        self
    }

    pub(crate) fn window(mut self, window: u16) -> Self {
        self.window = window;
        self
    }

    pub(crate) fn urgent(mut self, pointer: u16) -> Self {
        self.flags |= URG;
        self.urgent = pointer;
        self
    }

    pub(crate) fn data(mut self, payload: &[u8]) -> Self {
        self.payload = payload.to_vec();
        self.flags |= PSH;
        self
    }

    pub(crate) fn options(mut self, options: &[u8]) -> Self {
        self.options.extend(options);
        self
    }

    pub(crate) fn timestamp(self, value: u32) -> Self {
        let mut option = vec![8, 10];
        option.extend(value.to_be_bytes());
        option.extend([0; 4]);
        self.options(&option)
    }

    pub(crate) fn window_scale(self, shift: u8) -> Self {
        self.options(&[3, 3, shift])
    }

    pub(crate) fn fast_open(self) -> Self {
        self.options(&[34, 10, 1, 2, 3, 4, 5, 6, 7, 8])
    }

    pub(crate) fn bad_checksum(mut self) -> Self {
        self.bad_checksum = true;
        self
    }

    /// Uses another initial sequence number than the conversation's.
    pub(crate) fn isn(mut self, isn: u32) -> Self {
        self.isn = Some(isn);
        self
    }
}

/// One engine, a client and a server.
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) output: Recorder,
    pub(crate) now: Timestamp,
    pub(crate) mode: Mode,
    /// The rules that its frames are judged by.
    pub(crate) rules: RuleSetId,
    pub(crate) checksum: ChecksumState,
    pub(crate) gso_size: Option<u16>,
    pub(crate) client: IpAddr,
    pub(crate) server: IpAddr,
    pub(crate) ports: (u16, u16),
    pub(crate) isns: (u32, u32),
}

/// The rules of that text, compiled.
pub(crate) fn compile(text: &str) -> Arc<RuleSet> {
    let parsed = weir_policies::parse(text);
    assert!(parsed.diagnostics.is_empty(), "{:?}", parsed.diagnostics);
    let env = CompileEnv::new(&NoVariables, &NoClassifications, Limits::default());
    let compiled = RuleSet::compile(parsed.rules.iter().map(|rule| (rule, "test")), &env);
    assert!(compiled.refused.is_empty(), "{:?}", compiled.refused);
    compiled.rule_set
}

impl World {
    pub(crate) fn with(config: EngineConfig, rules: &str, mode: Mode) -> Self {
        let rules = RuleSets::new(compile(rules), Vec::new());
        Self {
            engine: Engine::new(config, rules, [11, 22]),
            output: Recorder::default(),
            now: Timestamp(1_000_000_000_000),
            mode,
            rules: RuleSetId(0),
            checksum: ChecksumState::Final,
            gso_size: None,
            client: IpAddr::from([10, 0, 0, 1]),
            server: IpAddr::from([10, 0, 0, 2]),
            ports: (CLIENT_PORT, SERVER_PORT),
            isns: (1000, 5000),
        }
    }

    pub(crate) fn prevent(rules: &str) -> Self {
        Self::with(EngineConfig::inline(), rules, Mode::Prevent)
    }

    pub(crate) fn detect(rules: &str) -> Self {
        Self::with(EngineConfig::inline(), rules, Mode::Detect)
    }

    /// A complete handshake without options.
    pub(crate) fn handshake(&mut self) {
        self.send(client().syn()).passes(&FLOW_BEGINS);
        self.send(server().syn_ack()).passes(&[]);
        self.send(client()).passes(&[("tcp.handshakes", 1)]);
    }

    /// A complete handshake in which both sides offer timestamps, 100 and 900.
    pub(crate) fn handshake_with_timestamps(&mut self) {
        self.send(client().syn().timestamp(100))
            .passes(&FLOW_BEGINS);
        self.send(server().syn_ack().timestamp(900)).passes(&[]);
        self.send(client().timestamp(100))
            .passes(&[("tcp.handshakes", 1)]);
    }

    /// Ends every flow.
    pub(crate) fn finish(&mut self) {
        self.output = Recorder::default();
        self.engine.finish(self.now, &mut self.output);
    }

    pub(crate) fn pass_seconds(&mut self, seconds: u64) {
        self.now.0 += seconds * 1_000_000_000;
    }

    /// The ends of what a side sends.
    pub(crate) fn ends(&self, side: Side) -> (IpAddr, IpAddr) {
        match side {
            Side::Client => (self.client, self.server),
            Side::Server => (self.server, self.client),
        }
    }

    pub(crate) fn tcp(&self, segment: &Segment) -> Tcp {
        let (mine, theirs) = match segment.side {
            Side::Client => self.isns,
            Side::Server => (self.isns.1, self.isns.0),
        };
        let seq = wrap(segment.isn.unwrap_or(mine), segment.at + 1);
        let syn = u32::from(segment.flags & SYN != 0);
        let (client_port, server_port) = self.ports;
        Tcp {
            ports: match segment.side {
                Side::Client => (client_port, server_port),
                Side::Server => (server_port, client_port),
            },
            seq: seq.wrapping_sub(syn),
            ack: segment.ack.map_or(0, |ack| wrap(theirs, ack + 1)),
            flags: segment.flags | segment.ack.map_or(0, |_| ACK),
            window: segment.window,
            urgent: segment.urgent,
            options: segment.options.clone(),
            payload: segment.payload.clone(),
            bad_checksum: segment.bad_checksum,
        }
    }

    pub(crate) fn frame(&self, segment: &Segment) -> Vec<u8> {
        let ends = self.ends(segment.side);
        wire::frame(ends, 6, &self.tcp(segment).bytes(ends))
    }

    pub(crate) fn send(&mut self, segment: Segment) -> Sent<'_> {
        let frame = self.frame(&segment);
        self.send_frame(frame, true)
    }

    /// Hands a frame in; `tcp` says that it meets TCP tracking unless it is dropped before.
    pub(crate) fn send_frame(&mut self, mut frame: Vec<u8>, tcp: bool) -> Sent<'_> {
        let meta = FrameMeta {
            at: self.now,
            link: LinkType::Ethernet,
            checksum: self.checksum,
            gso_size: self.gso_size,
            attachment: AttachmentId(7),
            direction: WireDirection::ToPod,
            mode: self.mode,
            rules: self.rules,
            number: 0,
        };
        let sent = frame.clone();
        let before = self.engine.counters().clone();
        self.output = Recorder::default();
        let verdict = self.engine.process(&mut frame, &meta, &mut self.output);
        let delta = self.engine.counters().since(&before);
        Sent {
            world: self,
            sent,
            frame,
            verdict,
            delta,
            tcp,
        }
    }
}

/// What a flow's first packet moves.
pub(crate) const FLOW_BEGINS: [(&str, u64); 2] = [("flow.active", 1), ("flow.created", 1)];

fn wrap(isn: u32, offset: i64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    isn.wrapping_add(offset as u32)
}

/// A frame that the engine has judged.
#[must_use = "say what is expected of it"]
pub(crate) struct Sent<'w> {
    pub(crate) world: &'w mut World,
    sent: Vec<u8>,
    pub(crate) frame: Vec<u8>,
    pub(crate) verdict: Verdict,
    delta: Vec<(String, u64)>,
    tcp: bool,
}

impl Sent<'_> {
    /// Delivered unchanged.
    pub(crate) fn passes(self, counts: &[(&str, u64)]) {
        assert_eq!(self.frame, self.sent, "the frame was rewritten");
        self.expect(Verdict::Pass, &[("frames.passed", 1)], counts);
    }

    /// Delivered with another payload; the length and the checksum are right.
    pub(crate) fn passes_as(self, payload: &[u8], counts: &[(&str, u64)]) {
        assert_eq!(self.frame.len(), self.sent.len());
        assert!(self.frame.ends_with(payload), "{:?}", self.frame);
        let ends = (self.source(26), self.source(30));
        if self.world.checksum == ChecksumState::Final {
            assert!(wire::tcp_checksum_is_right(&self.frame, ends));
        } else {
            let field = wire::LINK + 20 + 16;
            assert_eq!(self.frame[field..field + 2], self.sent[field..field + 2]);
        }
        let basis = [("frames.passed", 1), ("frames.rewritten", 1)];
        self.expect(Verdict::Pass, &basis, counts);
    }

    fn source(&self, at: usize) -> IpAddr {
        let octets: [u8; 4] = self.frame[at..at + 4].try_into().unwrap();
        IpAddr::from(octets)
    }

    /// Dropped for that reason, with one drop record of it.
    pub(crate) fn drops(self, reason: DropReason, counts: &[(&str, u64)]) {
        assert_eq!(self.world.output.drops.len(), 1, "{:?}", self.world.output);
        assert_eq!(self.world.output.drops[0].0, reason);
        assert!(self.world.output.drops[0].2);
        let name = format!("dropped.{}", reason.name());
        self.expect(Verdict::Drop(reason), &[(&name, 1)], counts);
    }

    /// Dropped as what the receiver would not take, because of that event.
    pub(crate) fn refused(self, event: &'static str, counts: &[(&str, u64)]) {
        let drops = &self.world.output.drops;
        assert_eq!(
            drops[..],
            [(DropReason::StreamInvalid, Some(event), true)],
            "delta {:?}",
            self.delta
        );
        let mut counts = counts.to_vec();
        counts.push((event, 1));
        let basis = [("dropped.stream_invalid", 1)];
        self.expect(Verdict::Drop(DropReason::StreamInvalid), &basis, &counts);
    }

    /// Delivered, though prevent mode would have dropped it for that reason.
    pub(crate) fn would_drop(self, reason: DropReason, counts: &[(&str, u64)]) {
        assert_eq!(self.frame, self.sent, "detect mode rewrites nothing");
        assert_eq!(self.world.output.drops.len(), 1);
        assert_eq!(self.world.output.drops[0].0, reason);
        assert!(!self.world.output.drops[0].2);
        let name = format!("would_drop.{}", reason.name());
        self.expect(Verdict::Pass, &[(&name, 1), ("frames.passed", 1)], counts);
    }

    /// Held as a fragment.
    pub(crate) fn held(self, counts: &[(&str, u64)]) {
        self.expect(Verdict::Held, &[("frames.held", 1)], counts);
    }

    fn expect(self, verdict: Verdict, basis: &[(&str, u64)], counts: &[(&str, u64)]) {
        let mut expected: Vec<(String, u64)> = Vec::new();
        let each = [
            ("frames.seen", 1),
            ("frames.bytes", self.sent.len() as u64),
            ("tcp.segments", u64::from(self.tcp)),
        ];
        for (name, value) in each.iter().chain(basis).chain(counts) {
            match expected.iter_mut().find(|(known, _)| known == name) {
                Some((_, known)) => *known = known.wrapping_add(*value),
                None => expected.push(((*name).to_owned(), *value)),
            }
        }
        expected.retain(|(_, value)| *value != 0);
        let mut found = self.delta.clone();
        found.retain(|(name, _)| !name.starts_with("detect.") && name != "tcp.memory");
        expected.sort();
        found.sort();
        assert_eq!(
            (self.verdict, found),
            (verdict, expected),
            "left: what the engine did; drops {:?}",
            self.world.output.drops
        );
    }
}
