//! Rules, a zero byte, and the payload of a datagram: no panic in compiling or in matching, and the datagram comes
//! to the same twice.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_engine::decode::decode;
use weir_engine::detect::{
    CompileEnv, Detector, Effect, Extent, Inspection, Limits, NoClassifications, NoVariables,
    RuleSet,
};
use weir_engine::frame::{
    AttachmentId, ChecksumState, FrameMeta, LinkType, Mode, RuleSetId, Timestamp, WireDirection,
};

/// An IPv4 datagram from port 1024 to port 53 with that payload.
fn datagram(payload: &[u8]) -> Vec<u8> {
    let length = |bytes: usize| {
        u16::try_from(bytes + payload.len())
            .unwrap_or(0)
            .to_be_bytes()
    };
    let mut frame = vec![0x45, 0];
    frame.extend(length(28));
    frame.extend([
        0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 4, 0, 0, 53,
    ]);
    frame.extend(length(8));
    frame.extend([0, 0]);
    frame.extend(payload);
    frame
}

fuzz_target!(|data: &[u8]| {
    let at = data
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(data.len());
    let (text, payload) = data.split_at(at);
    let payload = payload.get(..payload.len().min(60_000)).unwrap_or_default();
    let parsed = weir_policies::parse_bytes(text);
    let limits = Limits {
        thresholds: 16,
        host_bits: 16,
        tagged_hosts: 16,
        ..Limits::default()
    };
    let env = CompileEnv::new(&NoVariables, &NoClassifications, limits);
    let rules = parsed.rules.iter().map(|rule| (rule, "fuzz.rules"));
    let compiled = RuleSet::compile(rules, &env);
    let frame = datagram(payload.get(1..).unwrap_or_default());
    let Ok(packet) = decode(&frame, LinkType::RawIp) else {
        return;
    };
    let meta = FrameMeta {
        at: Timestamp(1_000_000_000_000),
        link: LinkType::RawIp,
        checksum: ChecksumState::Partial,
        gso_size: None,
        attachment: AttachmentId(0),
        direction: WireDirection::ToPod,
        mode: Mode::Prevent,
        rules: RuleSetId(0),
        number: 0,
    };
    let inspection = Inspection {
        packet: &packet,
        meta: &meta,
        flow: None,
        stream: None,
        app: None,
        extent: Extent::Packet,
        events: &[],
    };
    let look = || {
        let mut detector = Detector::new(compiled.rule_set.clone(), limits, [1, 2]);
        let outcome = detector.inspect(&inspection, None);
        (outcome.hits().to_vec(), outcome.effect())
    };
    let (hits, effect) = look();
    assert_eq!(look(), (hits, effect));
    if effect != Effect::None {
        assert!(!compiled.rule_set.is_empty());
    }
});
