//! Segments of one connection in any order, with any flags, overlap and checksum, through a whole engine:
//! no panic, bounded memory, no frame changes its length, and no flow outlives the engine.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use weir_engine::detect::{CompileEnv, Limits, NoClassifications, NoVariables, RuleSet};
use weir_engine::event::{Alert, Drop, FlowEnd, Output};
use weir_engine::frame::{FrameMeta, Mode, Timestamp};
use weir_engine::pipeline::{Engine, EngineConfig, RuleSets};
use weir_engine::stream::StreamLimits;
use weir_engine::verdict::Verdict;
use weir_fuzz::frames::meta;

/// Bytes of input that make one segment: who, flags, sequence, acknowledgement, length, letter.
const STEP: usize = 6;
const HEADERS: usize = 40;
const MEMORY: usize = 1 << 20;

const SYN: u8 = 0x02;

struct Quiet;

impl Output for Quiet {
    fn alert(&mut self, _: &Alert<'_>) {}
    fn drop(&mut self, _: &Drop<'_>) {}
    fn flow(&mut self, _: &FlowEnd<'_>) {}
    fn release(&mut self, _: &[u8], _: &FrameMeta) {}
}

fn rules() -> Arc<RuleSet> {
    let parsed = weir_policies::parse(
        r#"alert tcp any any -> any any (msg:"s"; content:"aab"; stream-event:pkt_retransmission; sid:1;)
alert tcp any any -> any any (msg:"p"; content:"aab"; sid:2;)"#,
    );
    let env = CompileEnv::new(&NoVariables, &NoClassifications, Limits::default());
    RuleSet::compile(parsed.rules.iter().map(|rule| (rule, "fuzz")), &env).rule_set
}

fuzz_target!(|data: &[u8]| {
    let Some((flags, steps)) = data.split_first() else {
        return;
    };
    let mode = if flags & 1 == 0 {
        Mode::Prevent
    } else {
        Mode::Detect
    };
    let mut config = if flags & 2 == 0 {
        EngineConfig::inline()
    } else {
        EngineConfig::default()
    };
    config.ignore_checksums = true;
    config.flow.flows = 16;
    config.stream = StreamLimits {
        memcap: MEMORY,
        per_direction: 4096,
        window: 64,
        pieces: 4,
        one_sided: 256,
    };
    let mut engine = Engine::new(config, RuleSets::new(rules(), Vec::new()), [1, 2]);
    for (clock, step) in steps.chunks_exact(STEP).enumerate() {
        let mut frame = segment(step);
        let length = frame.len();
        let meta = meta(clock as u64 * 1_000_000, mode);
        let verdict = engine.process(&mut frame, &meta, &mut Quiet);
        assert_ne!(verdict, Verdict::Held);
        assert_eq!(frame.len(), length);
        assert!(engine.counters().streams.memory <= MEMORY as u64 * 2);
    }
    engine.finish(Timestamp(u64::MAX / 2), &mut Quiet);
    assert_eq!(engine.counters().flows.active, 0);
});

/// A raw IPv4 frame with the segment that `step` says.
fn segment(step: &[u8]) -> Vec<u8> {
    let from_client = step[0] & 1 == 0;
    let base = |client: bool| if client { u32::MAX - 20 } else { 5000 };
    let syn = u32::from(step[1] & SYN != 0);
    let seq = base(from_client)
        .wrapping_add(u32::from(step[2]))
        .wrapping_sub(syn);
    let ack = base(!from_client).wrapping_add(u32::from(step[3]));
    let payload = vec![b'a' + step[5] % 3; usize::from(step[4] % 32)];
    let (ports, ends) = if from_client {
        ([0x9c, 0x40, 0, 80], [10, 0, 0, 1, 10, 0, 0, 2])
    } else {
        ([0, 80, 0x9c, 0x40], [10, 0, 0, 2, 10, 0, 0, 1])
    };
    let total = u16::try_from(HEADERS + payload.len()).unwrap_or(u16::MAX);
    let mut frame = vec![0x45, 0];
    frame.extend(total.to_be_bytes());
    frame.extend([0, 1, 0x40, 0, 64, 6, 0, 0]);
    frame.extend(ends);
    frame.extend(ports);
    frame.extend(seq.to_be_bytes());
    frame.extend(ack.to_be_bytes());
    frame.extend([0x50, step[1], 0xff, 0xff, 0, 0, 0, step[0] >> 4]);
    frame.extend(payload);
    frame
}
