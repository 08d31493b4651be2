//! A warm worker allocates nothing between a frame's receipt and its injection. Needs root.

use std::sync::Arc;
use std::sync::mpsc;

use arc_swap::ArcSwap;
use weir_datapath::mark::{CaptureMark, WireDirection};
use weir_engine::detect::{CompileEnv, Limits, NoClassifications, NoVariables, RuleSet};
use weir_engine::pipeline::{EngineConfig, RuleSets};
use weir_engine::verdict::Verdict;

use super::run::Worker;
use super::{PoolConfig, build};
use crate::attachments::snapshot::Snapshot;
use crate::capture::batch::Destination;
use crate::capture::socket::{InjectSocket, Receive, Wait};
use crate::capture::vnet::VnetHeader;
use crate::events::file_store::FileSink;
use crate::events::queue::{self, Chunk};
use crate::settings::Settings;
use crate::settle::{Decision, decide};
use crate::testing::{in_own_netns, ip, wait_until_running};
use crate::view::View;

const RULES: &str = "\
drop tcp any any -> any any (msg:\"drop\"; content:\"attack\"; sid:1;)
reject tcp any any -> any any (msg:\"reject\"; content:\"refuse\"; sid:2;)
alert tcp any any -> any any (msg:\"alert\"; flow:established; content:\"hello\"; nocase; sid:3;)
alert udp any any -> any any (msg:\"udp\"; content:\"query\"; sid:4;)";

/// Connections of one round.
const CONNECTIONS: u16 = 30;

/// Rounds until everything that is kept for reuse has been made.
const WARM_UP: usize = 30;

const SYN: u8 = 0x02;
const ACK: u8 = 0x10;
const FIN_ACK: u8 = 0x11;

/// What travels: virtio-net header and frame.
type Sent = (VnetHeader, Vec<u8>);

fn index_of(name: &str) -> u32 {
    nix::net::if_::if_nametoindex(name).unwrap()
}

fn pair(one: &str, other: &str) -> u32 {
    ip(&format!(
        "link add {one} mtu 65535 type veth peer name {other} mtu 65535"
    ));
    for end in [one, other] {
        std::fs::write(format!("/proc/sys/net/ipv6/conf/{end}/disable_ipv6"), "1").unwrap();
        ip(&format!("link set {end} up"));
    }
    wait_until_running(&[one, other]);
    index_of(one)
}

/// IPv4 in Ethernet, between client and server.
fn frame(to_server: bool, (protocol, fragment): (u8, u16), data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + data.len()).unwrap().to_be_bytes();
    let [high, low] = fragment.to_be_bytes();
    let (source, destination) = if to_server { (1, 2) } else { (2, 1) };
    let mut header = [
        0x45,
        0,
        length[0],
        length[1],
        0,
        7,
        high,
        low,
        64,
        protocol,
        0,
        0,
        10,
        0,
        0,
        source,
        10,
        0,
        0,
        destination,
    ];
    let words = header.chunks_exact(2);
    let sum: u32 = words
        .map(|word| u32::from(word[0]) << 8 | u32::from(word[1]))
        .sum();
    let folded = u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
    header[10..12].copy_from_slice(&(!folded).to_be_bytes());
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    frame.extend(header);
    frame.extend(data);
    frame
}

/// Unfinished checksum whose place is so far behind the transport header; super-packet if it is long.
fn vnet(checksum: u8, frame: &[u8]) -> VnetHeader {
    let gso: [u8; 5] = if frame.len() > 1514 {
        [1, 54, 0, 0xa8, 0x05]
    } else {
        [0; 5]
    };
    let [kind, header_low, header_high, size_low, size_high] = gso;
    VnetHeader::from_bytes([
        1,
        kind,
        header_low,
        header_high,
        size_low,
        size_high,
        34,
        0,
        checksum,
        0,
    ])
}

fn tcp(port: u16, to_server: bool, (sequence, ack, flags): (u32, u32, u8), payload: &[u8]) -> Sent {
    let mut segment = Vec::new();
    let ports = if to_server { [port, 80] } else { [80, port] };
    ports
        .iter()
        .for_each(|port| segment.extend(port.to_be_bytes()));
    segment.extend(sequence.to_be_bytes());
    segment.extend(ack.to_be_bytes());
    segment.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    segment.extend(payload);
    let frame = frame(to_server, (6, 0x4000), &segment);
    (vnet(16, &frame), frame)
}

/// A datagram, whole and in two fragments.
fn datagrams(port: u16) -> Vec<Sent> {
    let mut datagram = Vec::new();
    datagram.extend(port.to_be_bytes());
    datagram.extend([0, 53, 0, 40, 0, 0, 0, 0]);
    datagram.extend([b'.'; 27]);
    datagram.extend(b"query");
    let whole = frame(true, (17, 0x4000), &datagram);
    let first = frame(true, (17, 0x2000), &datagram[..16]);
    let second = frame(true, (17, 2), &datagram[16..]);
    vec![
        (vnet(6, &whole), whole),
        (VnetHeader::PLAIN, first),
        (VnetHeader::PLAIN, second),
    ]
}

/// Handshake, data in and out of order, a super-packet, a retransmission that differs, and an end.
fn connection(port: u16, isn: u32) -> Vec<Sent> {
    let (c, s) = (isn + 1, isn + 5001);
    let super_packet = [b'x'; 8000];
    let mut sent = vec![
        tcp(port, true, (isn, 0, SYN), b""),
        tcp(port, false, (isn + 5000, c, SYN | ACK), b""),
        tcp(port, true, (c, s, ACK), b""),
        tcp(port, true, (c, s, ACK), b"hello"),
        tcp(port, true, (c + 5, s, ACK), &super_packet),
        tcp(port, true, (c + 9005, s, ACK), &[b'y'; 1000]),
        tcp(port, true, (c + 8005, s, ACK), &[b'y'; 1000]),
        tcp(port, true, (c + 8005, s, ACK), &[b'z'; 1000]),
        tcp(port, false, (s, c + 10_005, ACK), b"answer"),
    ];
    let last = (c + 10_005, s + 6, ACK);
    match port % 3 {
        0 => sent.push(tcp(port, true, last, b"an attack")),
        1 => sent.push(tcp(port, true, last, b"refuse this")),
        _ => {
            sent.push(tcp(port, true, (c + 10_005, s + 6, FIN_ACK), b""));
            sent.push(tcp(port, false, (s + 6, c + 10_006, FIN_ACK), b""));
            sent.push(tcp(port, true, (c + 10_006, s + 7, ACK), b""));
        }
    }
    sent.extend(datagrams(port));
    sent
}

struct Rig {
    worker: Worker,
    inject: InjectSocket,
    events: mpsc::Receiver<Chunk>,
    mark: u32,
}

impl Rig {
    fn new() -> Self {
        let near = pair("c0", "c1");
        let pod = pair("p0", "p1");
        let settings = Settings::default();
        let parsed = weir_policies::parse(RULES);
        let env = CompileEnv::new(&NoVariables, &NoClassifications, Limits::default());
        let rules = parsed.rules.iter().map(|rule| (rule, "test"));
        let compiled = RuleSet::compile(rules, &env);
        assert!(compiled.refused.is_empty(), "{:?}", compiled.refused);
        let view = View {
            attachments: Arc::new(Snapshot::new(Vec::new(), &settings, "node")),
            rules: Arc::new(RuleSets::new(compiled.rule_set, Vec::new())),
        };
        let (sinks, events) = queue::channel(1, 64);
        let config = PoolConfig {
            settings: &settings,
            workers: 1,
            engine: EngineConfig::inline(),
            capture_end: index_of("c1"),
            view: Arc::new(ArcSwap::from_pointee(view)),
            sinks,
            files: FileSink::default(),
        };
        let worker = build(config, &[Arc::default()]).unwrap().pop().unwrap();
        Self {
            worker,
            inject: InjectSocket::open(near, 1).unwrap(),
            events,
            mark: CaptureMark::new(pod, WireDirection::ToPod).unwrap().raw(),
        }
    }

    /// Sends what the kernel would divert.
    fn divert(&mut self, sent: &[Sent]) {
        for (vnet, frame) in sent {
            let Decision::Deliver(permit) = decide(Verdict::Pass) else {
                unreachable!("what passes is delivered");
            };
            let to = Destination::Host { ifindex: self.mark };
            self.inject.send(permit, *vnet, frame, to).unwrap();
        }
    }

    /// Has the worker settle all of it; the writer writes the events then.
    fn settle(&mut self) -> allocation_counter::AllocationInfo {
        let worker = &mut self.worker;
        let spent =
            allocation_counter::measure(
                || {
                    while worker.turn(Wait::No).unwrap() != Receive::Empty {}
                },
            );
        while let Ok(chunk) = self.events.try_recv() {
            chunk.recycle();
        }
        spent
    }
}

fn round(number: usize) -> Vec<Sent> {
    let isn = 100_000 * u32::try_from(number).unwrap();
    (0..CONNECTIONS)
        .flat_map(|connection_number| connection(20_000 + connection_number, isn))
        .collect()
}

#[test]
fn a_warm_worker_allocates_nothing() {
    in_own_netns(|| {
        let mut rig = Rig::new();
        for number in 0..WARM_UP {
            rig.divert(&round(number));
            rig.settle();
        }
        let before = rig.worker.output.counters;
        let sent = round(WARM_UP);
        rig.divert(&sent);
        let spent = rig.settle();
        let after = rig.worker.output.counters;
        assert_eq!(after.captured - before.captured, sent.len() as u64);
        assert!(after.to_pod > before.to_pod, "nothing was delivered");
        assert!(after.released > before.released, "no fragment was released");
        assert!(after.reject_answers > before.reject_answers, "no answer");
        assert_eq!(spent.count_total, 0, "{spent:?}");
    });
}
