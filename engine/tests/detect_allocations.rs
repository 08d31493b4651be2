//! Inspection allocates nothing once warm: a counting allocator stands in for the system's.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use weir_engine::decode::decode;
use weir_engine::detect::{
    CompileEnv, Detector, FlowState, FlowView, Inspection, Limits, NoClassifications, NoVariables,
    RuleSet, StreamView,
};
use weir_engine::event::{FlowDirection, Volume};
use weir_engine::frame::{
    AttachmentId, ChecksumState, FrameMeta, LinkType, Mode, RuleSetId, Timestamp, WireDirection,
};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// Counts the allocations of each thread.
struct Counting;

#[expect(unsafe_code, reason = "an allocator is unsafe by its interface")]
// SAFETY: every call is handed to the system's allocator as it came; counting touches a thread-local
// that is initialised at compile time and so never allocates.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are handed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are handed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const RULES: &str = "\
alert tcp any any -> any any (content:\"attack\"; nocase; content:\"here\"; distance:0; sid:1;)
alert tcp any any -> any 80 (flow:established,to_server; pcre:\"/att[a-z]+ (here|there)/i\"; sid:2;)
alert tcp any any -> any any (pcre:\"/(at)\\1?tack(?= here)/\"; sid:3;)
alert tcp any any -> any any (content:\"attack\"; flowbits:set,seen; sid:4;)
alert tcp any any -> any any (flowbits:isset,seen; dsize:>0; threshold:type limit,track by_src,count 3,seconds 60; sid:5;)
alert tcp any any -> any any (content:\"attack\"; threshold:type both,track by_flow,count 2,seconds 60; sid:6;)
alert tcp any any -> any any (content:\"attack\"; xbits:set,x,track ip_pair,expire 60; sid:7;)
alert tcp any any -> any any (byte_extract:1,0,n; content:\"a\"; distance:n; byte_test:1,>,0,0,relative; sid:8;)
alert tcp any any -> any any (content:\" \"; base64_decode:relative; base64_data; content:\"|69|\"; sid:9;)
alert tcp any any -> any any (tcp.hdr; content:\"|50|\"; sid:10;)
alert ip 10.0.0.0/8 any -> any any (sid:11;)
alert tcp any any -> any any (content:\"attack\"; content:\"never\"; sid:12;)
";

fn frame(payload: &[u8]) -> Vec<u8> {
    let total = u16::try_from(40 + payload.len()).unwrap();
    let mut frame = vec![0x45, 0];
    frame.extend(total.to_be_bytes());
    frame.extend([0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    frame.extend([
        4, 0, 0, 80, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 4, 0, 0, 0, 0, 0,
    ]);
    frame.extend(payload);
    frame
}

/// Inspects one segment that brings the last `fresh` bytes of `window`; how many signatures fired.
fn inspect(detector: &mut Detector, flow: &mut FlowState, window: &[u8], fresh: usize) -> usize {
    let frame = frame(&window[window.len() - fresh..]);
    let before = ALLOCATIONS.with(Cell::get);
    let packet = decode(&frame, LinkType::RawIp).unwrap();
    let meta = FrameMeta {
        at: Timestamp(1),
        link: LinkType::RawIp,
        checksum: ChecksumState::Partial,
        gso_size: None,
        attachment: AttachmentId(0),
        direction: WireDirection::ToPod,
        mode: Mode::Detect,
        rules: RuleSetId(0),
        number: 0,
    };
    let inspection = Inspection {
        packet: &packet,
        meta: &meta,
        flow: Some(FlowView {
            direction: FlowDirection::ToServer,
            established: true,
            start: Timestamp(0),
            to_server: Volume::default(),
            to_client: Volume::default(),
            stream_bytes: [0, 0],
        }),
        stream: Some(StreamView {
            bytes: window,
            fresh_from: window.len() - fresh,
            window_offset: 0,
            eof: false,
        }),
        app: None,
        extent: weir_engine::detect::Extent::Packet,
        events: &[],
    };
    let hits = detector.inspect(&inspection, Some(flow)).hits().len();
    let after = ALLOCATIONS.with(Cell::get);
    if after != before {
        LAST.with(|last| last.set(after - before));
    }
    hits
}

thread_local! {
    static LAST: Cell<u64> = const { Cell::new(0) };
}

#[test]
fn inspection_allocates_nothing_once_warm() {
    let parsed = weir_policies::parse(RULES);
    assert!(parsed.diagnostics.is_empty(), "{:?}", parsed.diagnostics);
    let env = CompileEnv::new(&NoVariables, &NoClassifications, Limits::default());
    let rules = parsed.rules.iter().map(|rule| (rule, "test.rules"));
    let compiled = RuleSet::compile(rules, &env);
    assert!(compiled.refused.is_empty(), "{:?}", compiled.refused);
    let mut detector = Detector::new(compiled.rule_set, Limits::default(), [1, 2]);
    let mut flow = FlowState::default();

    let round = |detector: &mut Detector, flow: &mut FlowState| {
        flow.clear();
        let mut fired = 0;
        for (window, fresh) in [
            (&b"an att"[..], 6),
            (b"an attack", 3),
            (b"an attack here", 5),
            (b"\x02an attack Zm9vaSBhdHRhY2s=", 27),
        ] {
            fired += inspect(detector, flow, window, fresh);
        }
        fired
    };
    round(&mut detector, &mut flow);
    assert_ne!(
        LAST.with(Cell::get),
        0,
        "warming up allocates, and is counted"
    );
    LAST.with(|last| last.set(0));
    for _ in 0..100 {
        let fired = round(&mut detector, &mut flow);
        assert!(fired >= 12, "the rules must be at work: {fired}");
    }
    assert_eq!(LAST.with(Cell::get), 0, "allocations in a warm round");
}
