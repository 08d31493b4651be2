//! A warm engine allocates nothing: a mixed workload is run twice, and the second run is counted.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed assumption of a test is a failed test"
)]

#[path = "pipeline/wire.rs"]
mod wire;
#[path = "pipeline/world.rs"]
#[expect(dead_code, reason = "shared with the pipeline's tests")]
mod world;

use weir_engine::event::{Alert, Drop as DropRecord, FlowEnd, Output, TaggedPacket};
use weir_engine::frame::{
    AttachmentId, ChecksumState, FrameMeta, LinkType, Mode, RuleSetId, Timestamp, WireDirection,
};
use weir_engine::verdict::Verdict;

use world::{Side, World, client, server};

const RULES: &str = "\
drop tcp any any -> any any (msg:\"drop\"; flow:established; content:\"attack\"; sid:1;)
alert tcp any any -> any any (msg:\"alert\"; flow:established; content:\"hello\"; nocase; sid:2;)
alert tcp any any -> any any (msg:\"regex\"; content:\"GET\"; pcre:\"/GET [a-z]+x/\"; sid:3;)
alert udp any any -> any any (msg:\"udp\"; content:\"query\"; threshold:type limit, track by_src, count 1, seconds 60; sid:4;)
alert tcp any any -> any any (msg:\"bits\"; content:\"one\"; flowbits:set,one; noalert; sid:5;)
alert tcp any any -> any any (msg:\"bits\"; content:\"two\"; flowbits:isset,one; sid:6;)
alert dns any any -> any any (msg:\"linear capture\"; dns.query; pcrexform:\"(w+)[.]example\"; content:\"www\"; sid:8;)
alert dns any any -> any any (msg:\"backtracking capture\"; dns.query; pcrexform:\"(?=w)(w+)\"; content:\"www\"; sid:9;)
alert dns any any -> any any (msg:\"chain\"; dns.query; to_lowercase; strip_whitespace; compress_whitespace; dotprefix; url_decode; xor:\"00\"; subslice:0; content:\".www\"; sid:10;)
alert dns any any -> any any (msg:\"domain\"; dns.query; domain; content:\"example\"; sid:11;)
alert dns any any -> any any (msg:\"digest\"; dns.query; to_sha256; to_sha1; to_md5; bsize:16; entropy:>0; sid:12;)
alert dns any any -> any any (msg:\"decode\"; dns.query; from_base64:mode rfc2045; bsize:>0; sid:13;)
alert dns any any -> any any (msg:\"inflate\"; dns.query; zlib_deflate; bsize:0; sid:14;)
alert udp any any -> any any (msg:\"pcre captures\"; pcre:\"/q(u)(?=e)/, pkt:a\"; tag:session,3,packets; tag:host,9,seconds,src; sid:15;)
alert tcp any any -> any any (msg:\"event\"; stream-event:reassembly_overlap_different_data; sid:7;)";

/// Flows of one run.
const FLOWS: u16 = 200;

/// Counts, and keeps nothing.
#[derive(Default)]
struct Tally {
    alerts: usize,
    /// Alerts by the last digits of their sids.
    sids: [usize; 16],
    tagged: usize,
    drops: usize,
    flows: usize,
    released: usize,
}

impl Output for Tally {
    fn alert(&mut self, alert: &Alert<'_>) {
        self.alerts += 1;
        self.sids[alert.signature.sid as usize % 16] += 1;
    }
    fn tagged(&mut self, _: &TaggedPacket<'_>) {
        self.tagged += 1;
    }
    fn drop(&mut self, _: &DropRecord<'_>) {
        self.drops += 1;
    }
    fn flow(&mut self, _: &FlowEnd<'_>) {
        self.flows += 1;
    }
    fn release(&mut self, _: &[u8], _: &FrameMeta) {
        self.released += 1;
    }
}

/// What one client does: handshake, data in and out of order, a conflicting retransmission, an attack
/// from some, an orderly end from others; a datagram, one in fragments, a ping.
fn conversation(world: &World, number: u16) -> Vec<Vec<u8>> {
    let large = vec![b'x'; 1400];
    let mut segments = vec![
        client().syn().timestamp(1),
        server().syn_ack().timestamp(1),
        client().timestamp(2),
        client().timestamp(2).data(b"GET abcx hello one two"),
        server().timestamp(2).ack(22).data(&large),
        client().timestamp(3).at(22 + 1400).ack(1400).data(&large),
        client().timestamp(3).at(22).ack(1400).data(&large),
        client().timestamp(4).at(22).ack(1400).data(b"different"),
        server().timestamp(4).at(1400).ack(2822),
        client().at(70_000).ack(1400).data(b"out of window"),
    ];
    if number.is_multiple_of(3) {
        segments.push(client().timestamp(5).at(2822).ack(1400).data(b"attack"));
    } else {
        segments.push(client().timestamp(5).at(2822).ack(1400).fin());
        segments.push(server().timestamp(5).at(1400).ack(2823).fin());
        segments.push(client().timestamp(5).at(2823).ack(1401));
    }
    let mut frames: Vec<Vec<u8>> = segments
        .iter()
        .map(|segment| world.frame(segment))
        .collect();
    let ends = world.ends(Side::Client);
    let datagram = wire::udp(ends, world.ports, b"query and some more bytes of it");
    frames.push(wire::frame(ends, 17, &datagram));
    let question = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\x03com\0\0\x01\0\x01";
    let question = wire::udp(ends, (world.ports.0, 53), question);
    frames.push(wire::frame(ends, 17, &question));
    frames.extend(wire::fragments(ends, 17, &datagram, &[16, 24]));
    frames.push(wire::frame(
        ends,
        1,
        &wire::icmp(8, 0, &number.to_be_bytes()),
    ));
    frames
}

fn run(isn: u32) -> Vec<Vec<u8>> {
    let mut world = World::prevent("");
    world.isns = (isn, isn + 5000);
    (0..FLOWS)
        .flat_map(|number| {
            world.ports.0 = 10_000 + number;
            conversation(&world, number)
        })
        .collect()
}

fn feed(world: &mut World, frames: &mut [Vec<u8>], at: Timestamp, output: &mut Tally) -> usize {
    let meta = FrameMeta {
        at,
        link: LinkType::Ethernet,
        checksum: ChecksumState::Final,
        gso_size: None,
        attachment: AttachmentId(1),
        direction: WireDirection::ToPod,
        mode: Mode::Prevent,
        rules: RuleSetId(0),
        number: 0,
    };
    let mut passed = 0;
    for frame in frames {
        passed += usize::from(world.engine.process(frame, &meta, output) == Verdict::Pass);
    }
    passed
}

/// Runs that warm the engine: enough for every slot of the flow table that is in use to have served
/// every kind of flow, so that what a slot keeps for its flows has its room.
const WARM_UP: u32 = 80;

#[test]
fn a_warm_engine_allocates_nothing() {
    let mut world = World::prevent(RULES);
    let at = |run: u32| Timestamp(1_000_000_000_000 + u64::from(run) * 2_000_000_000_000);
    let mut first = 0;
    for number in 0..WARM_UP {
        let mut tally = Tally::default();
        first = feed(
            &mut world,
            &mut run(number * 70_000),
            at(number),
            &mut tally,
        );
        world.engine.advance(at(number + 1), &mut tally);
    }
    let mut frames = run(900_000);
    let mut tally = Tally::default();
    let mut passed = 0;
    let spent = allocation_counter::measure(|| {
        passed = feed(&mut world, &mut frames, at(WARM_UP), &mut tally);
        world.engine.advance(at(WARM_UP + 1), &mut tally);
    });
    assert_eq!(first, passed);
    assert!(tally.alerts > 100 && tally.drops > 100 && tally.released > 100);
    assert!(tally.flows > 100 && tally.tagged > 100);
    assert!(
        tally.sids[8..].iter().all(|count| *count > 100),
        "{:?}",
        tally.sids
    );
    assert_eq!(spent.count_total, 0, "{spent:?}");
}
