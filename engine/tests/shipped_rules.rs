//! The shipped rules through the whole engine: every case of every signature fires or stays silent,
//! whole and cut in two at every byte; what a rule drops does not pass.
//!
//! One engine serves all cases; each gets a client of its own and a clock hours ahead, so that no
//! state of another's reaches it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "pipeline/wire.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "shared with the pipeline's tests, which use all of it"
)]
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::Deserialize;
use weir_engine::detect::{CompileEnv, Limits, NoClassifications, NoVariables, RuleSet};
use weir_engine::event::{Alert, Drop as DropRecord, FlowEnd, Output};
use weir_engine::frame::{
    AttachmentId, ChecksumState, FrameMeta, LinkType, Mode, RuleSetId, Timestamp, WireDirection,
};
use weir_engine::pipeline::{Engine, EngineConfig, RuleSets};
use weir_engine::verdict::{DropReason, Verdict};
use weir_policies::rule::ast::{Action, Rule};
use weir_policies::shipped::{CASES, RULE_FILES};

use wire::{ACK, PSH, SYN, Tcp};

/// Longer than any threshold's window.
const BETWEEN_CASES: u64 = 7200 * 1_000_000_000;
/// Between two packets of a case.
const BETWEEN_PACKETS: u64 = 1_000_000;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    sid: u32,
    fires: Vec<Traffic>,
    silent: Vec<Traffic>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Traffic {
    protocol: Option<String>,
    address: Option<IpAddr>,
    port: Option<u16>,
    direction: Option<String>,
    before: Vec<Traffic>,
    flags: Option<String>,
    answer: Option<String>,
    icmp: Option<(u8, u8)>,
    repeat: Option<u16>,
    text: Option<String>,
    hex: Option<String>,
}

/// A message of a conversation.
#[derive(Clone, Debug)]
struct Message {
    to_server: bool,
    payload: Vec<u8>,
}

impl Traffic {
    fn message(&self) -> Option<Message> {
        let payload = match (&self.text, &self.hex) {
            (Some(text), _) => text.clone().into_bytes(),
            (None, Some(hex)) => bytes(hex),
            (None, None) => return None,
        };
        Some(Message {
            to_server: self.direction.as_deref() != Some("to_client"),
            payload,
        })
    }

    fn messages(&self) -> Vec<Message> {
        let all = self.before.iter().chain([self]);
        all.filter_map(Traffic::message).collect()
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: String = hex.split_whitespace().collect();
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

fn flag_bits(letters: &str) -> u8 {
    letters
        .chars()
        .map(|letter| "FSRPAUEC".find(letter).map_or(0, |bit| 1 << bit))
        .sum()
}

/// Sids that alerted.
#[derive(Debug, Default)]
struct Recorder {
    alerts: BTreeSet<u32>,
}

impl Output for Recorder {
    fn alert(&mut self, alert: &Alert<'_>) {
        self.alerts.insert(alert.signature.sid);
    }

    fn drop(&mut self, _: &DropRecord<'_>) {}

    fn flow(&mut self, _: &FlowEnd<'_>) {}

    fn release(&mut self, _: &[u8], _: &FrameMeta) {}
}

/// What became of some traffic.
#[derive(Debug)]
struct Seen {
    alerts: BTreeSet<u32>,
    /// Why the last frame was dropped, if it was.
    last: Option<DropReason>,
}

/// An engine with all shipped rules, and a fresh client for each piece of traffic.
struct Lab {
    engine: Engine,
    now: u64,
    clients: u16,
    mode: Mode,
    output: Recorder,
    last: Option<DropReason>,
}

impl Lab {
    fn new(mode: Mode) -> Self {
        let rules = rules();
        let env = CompileEnv::new(&NoVariables, &NoClassifications, Limits::default());
        let compiled = RuleSet::compile(rules.iter().map(|rule| (rule, "shipped")), &env);
        assert_eq!(compiled.refused, []);
        assert_eq!(compiled.rule_set.len(), rules.len());
        let sets = RuleSets::new(compiled.rule_set, Vec::new());
        Self {
            engine: Engine::new(EngineConfig::inline(), sets, [3, 4]),
            now: 1_000_000_000_000,
            clients: 0,
            mode,
            output: Recorder::default(),
            last: None,
        }
    }

    /// Sends the traffic of a case; `cut` splits its last message in two there.
    fn run(&mut self, traffic: &Traffic, cut: Option<usize>) -> Seen {
        self.now += BETWEEN_CASES;
        self.clients += 1;
        self.output = Recorder::default();
        self.last = None;
        let server = traffic.address.unwrap_or(IpAddr::from([10, 0, 0, 2]));
        let [high, low] = self.clients.to_be_bytes();
        let client = match server {
            IpAddr::V4(_) => IpAddr::from([10, 9, high, low]),
            IpAddr::V6(_) => IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 9, self.clients]),
        };
        let port = traffic.port.unwrap_or(80);
        let ends = (client, server);
        match (&traffic.flags, traffic.icmp, traffic.protocol.as_deref()) {
            (Some(flags), ..) => self.bare_tcp(ends, port, flags, traffic),
            (None, Some(kind), _) => self.bare_icmp(ends, kind, traffic.repeat.unwrap_or(1)),
            (None, None, Some("udp")) => {
                let payload = traffic.message().unwrap().payload;
                let body = wire::udp(ends, (40_000, port), &payload);
                self.send(&wire::frame(ends, 17, &body));
            }
            _ => self.conversation(ends, port, traffic.messages(), cut),
        }
        Seen {
            alerts: std::mem::take(&mut self.output.alerts),
            last: self.last,
        }
    }

    fn send(&mut self, frame: &[u8]) {
        self.now += BETWEEN_PACKETS;
        let meta = FrameMeta {
            at: Timestamp(self.now),
            link: LinkType::Ethernet,
            checksum: ChecksumState::Final,
            gso_size: None,
            attachment: AttachmentId(7),
            direction: WireDirection::ToPod,
            mode: self.mode,
            rules: RuleSetId(0),
            number: 0,
        };
        let mut frame = frame.to_vec();
        self.last = match self.engine.process(&mut frame, &meta, &mut self.output) {
            Verdict::Pass | Verdict::Held => None,
            Verdict::Drop(reason) => Some(reason),
            Verdict::Reject(_) => Some(DropReason::Rule),
        };
    }

    fn bare_tcp(&mut self, ends: (IpAddr, IpAddr), port: u16, flags: &str, traffic: &Traffic) {
        for step in 0..traffic.repeat.unwrap_or(1) {
            let ports = (40_000 + step, port + step);
            let probe = segment(ports, (1000, 0), flag_bits(flags), &[]);
            self.send(&wire::frame(ends, 6, &probe.bytes(ends)));
            if let Some(answer) = &traffic.answer {
                let ends = (ends.1, ends.0);
                let answer = segment((ports.1, ports.0), (0, 1001), flag_bits(answer), &[]);
                self.send(&wire::frame(ends, 6, &answer.bytes(ends)));
            }
        }
    }

    fn bare_icmp(&mut self, ends: (IpAddr, IpAddr), kind: (u8, u8), repeat: u16) {
        for step in 0..repeat {
            let mut rest = vec![0, 1];
            rest.extend(step.to_be_bytes());
            if kind.0 == 3 {
                // The datagram that could not be delivered went the other way.
                let back = (ends.1, ends.0);
                let datagram = wire::udp(back, (50_000, 9000 + step), b"x");
                rest = vec![0; 4];
                rest.extend(&wire::frame(back, 17, &datagram)[wire::LINK..]);
            }
            let message = wire::icmp(kind.0, kind.1, &rest);
            self.send(&wire::frame(ends, 1, &message));
        }
    }

    /// Handshake and messages.
    fn conversation(
        &mut self,
        ends: (IpAddr, IpAddr),
        port: u16,
        messages: Vec<Message>,
        cut: Option<usize>,
    ) {
        let mut talk = Talk {
            ends,
            ports: (40_000, port),
            next: [1000, 5000],
        };
        self.send(&talk.frame(true, SYN, &[]));
        self.send(&talk.frame(false, SYN | ACK, &[]));
        self.send(&talk.frame(true, ACK, &[]));
        let last = messages.len() - 1;
        for (index, message) in messages.iter().enumerate() {
            let cut = cut.filter(|_| index == last).unwrap_or(0);
            let (head, tail) = message.payload.split_at(cut);
            for part in [head, tail] {
                if !part.is_empty() {
                    self.send(&talk.frame(message.to_server, ACK | PSH, part));
                }
            }
        }
    }
}

/// Both sides of a connection.
struct Talk {
    ends: (IpAddr, IpAddr),
    ports: (u16, u16),
    /// Next sequence number of client and server.
    next: [u32; 2],
}

impl Talk {
    fn frame(&mut self, to_server: bool, flags: u8, payload: &[u8]) -> Vec<u8> {
        let (ends, ports, me) = if to_server {
            (self.ends, self.ports, 0)
        } else {
            ((self.ends.1, self.ends.0), (self.ports.1, self.ports.0), 1)
        };
        let ack = if flags & ACK == 0 {
            0
        } else {
            self.next[1 - me]
        };
        let tcp = segment(ports, (self.next[me], ack), flags, payload);
        self.next[me] += u32::from(flags & SYN != 0) + u32::try_from(payload.len()).unwrap();
        wire::frame(ends, 6, &tcp.bytes(ends))
    }
}

fn segment(ports: (u16, u16), numbers: (u32, u32), flags: u8, payload: &[u8]) -> Tcp {
    Tcp {
        ports,
        seq: numbers.0,
        ack: numbers.1,
        flags,
        window: 64_000,
        urgent: 0,
        options: Vec::new(),
        payload: payload.to_vec(),
        bad_checksum: false,
    }
}

fn rules() -> Vec<Rule> {
    RULE_FILES
        .iter()
        .flat_map(|(_, text)| weir_policies::parse(text).rules)
        .collect()
}

fn cases() -> Vec<Case> {
    serde_saphyr::from_str(CASES).unwrap()
}

#[test]
fn every_case_fires_or_stays_silent() {
    let mut lab = Lab::new(Mode::Detect);
    let mut wrong = Vec::new();
    for case in cases() {
        for traffic in &case.fires {
            if !lab.run(traffic, None).alerts.contains(&case.sid) {
                wrong.push((case.sid, "should fire", format!("{traffic:?}")));
            }
        }
        for traffic in &case.silent {
            if lab.run(traffic, None).alerts.contains(&case.sid) {
                wrong.push((case.sid, "should stay silent", format!("{traffic:?}")));
            }
        }
    }
    assert_eq!(wrong, []);
}

#[test]
fn a_message_cut_in_two_fires_wherever_it_is_cut() {
    let mut lab = Lab::new(Mode::Detect);
    let mut missed: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for case in cases() {
        for traffic in &case.fires {
            let stream = traffic.protocol.is_none();
            let Some(message) = traffic.message().filter(|_| stream) else {
                continue;
            };
            for cut in 1..message.payload.len() {
                if !lab.run(traffic, Some(cut)).alerts.contains(&case.sid) {
                    missed.entry(case.sid).or_default().push(cut);
                }
            }
        }
    }
    assert_eq!(missed, BTreeMap::new());
}

#[test]
fn what_a_rule_drops_does_not_pass() {
    let drops: BTreeSet<u32> = rules()
        .iter()
        .filter(|rule| rule.action == Action::Drop)
        .map(|rule| rule.meta.sid)
        .collect();
    assert!(drops.len() > 40);
    let mut lab = Lab::new(Mode::Prevent);
    let mut wrong = Vec::new();
    for case in cases().iter().filter(|case| drops.contains(&case.sid)) {
        for traffic in &case.fires {
            let seen = lab.run(traffic, None);
            if seen.last.is_none() {
                wrong.push((case.sid, seen.last));
            }
        }
    }
    assert_eq!(wrong, []);
}

#[test]
fn near_misses_of_rules_that_drop_pass() {
    let mut lab = Lab::new(Mode::Prevent);
    let mut dropped = Vec::new();
    for case in cases() {
        for traffic in &case.silent {
            // What goes before may be an attack of its own.
            if traffic.message().is_none() || !traffic.before.is_empty() {
                continue;
            }
            let seen = lab.run(traffic, None);
            if seen.last.is_some() {
                dropped.push((case.sid, seen.alerts));
            }
        }
    }
    assert_eq!(dropped, []);
}
