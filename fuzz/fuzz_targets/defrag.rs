//! Fragments of one datagram in any order, with any overlap: no panic, bounded memory, every held
//! fragment settled once, and a completed datagram made of bytes that were sent.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use weir_engine::decode::decode;
use weir_engine::defrag::{Accepted, Defrag, DefragLimits};
use weir_engine::frame::{LinkType, Mode};
use weir_fuzz::frames::meta;

/// Bytes of input that make one fragment: what to send, where, how long, of which datagram.
const STEP: usize = 5;

fuzz_target!(|data: &[u8]| {
    let Some((flags, steps)) = data.split_first() else {
        return;
    };
    let mode = if flags & 1 == 0 {
        Mode::Prevent
    } else {
        Mode::Detect
    };
    let limits = DefragLimits {
        datagrams: 4,
        fragments: 8,
        bytes: 4096,
        timeout: Duration::from_nanos(64),
        refuse_tiny_first: flags & 2 == 0,
        ..DefragLimits::default()
    };
    let mut defrag = Defrag::new(limits, [1, 2]);
    let (mut held, mut settled) = (0usize, 0usize);
    for (clock, step) in steps.chunks_exact(STEP).enumerate() {
        let frame = fragment(step, flags & 4 != 0);
        let meta = meta(clock as u64, mode);
        let Ok(mut packet) = decode(&frame, LinkType::RawIp) else {
            continue;
        };
        let accepted = defrag.accept(&mut packet, &meta, &mut |_| settled += 1);
        match accepted {
            Accepted::Held => held += 1,
            Accepted::Complete(datagram) => {
                settled += datagram.held().count();
                let _ = datagram.decode();
                defrag.recycle(datagram);
            }
            Accepted::Whole | Accepted::Watched | Accepted::Refused { .. } => {}
        }
        assert!(defrag.counters().active <= 4);
    }
    defrag.clear(&mut |_| settled += 1);
    assert_eq!(held, settled, "every held fragment is settled exactly once");
});

/// A raw IP fragment: block offset, length, flags and data by `step`.
fn fragment(step: &[u8], v6: bool) -> Vec<u8> {
    let more = step[3] & 1;
    let offset = u16::from(step[0]) * if step[3] & 2 == 0 { 1 } else { 32 };
    let len = usize::from(step[1]) * if step[3] & 4 == 0 { 1 } else { 4 };
    let id = step[2] % 6;
    let data = vec![step[4]; len];
    let [high, low] = offset.to_be_bytes();
    let mut frame = Vec::new();
    if v6 {
        let [offset_high, offset_low] = (offset << 3).to_be_bytes();
        let [len_high, len_low] = ((len + 8) as u16).to_be_bytes();
        frame.extend([0x60, 0, 0, 0, len_high, len_low, 44, 64]);
        frame.extend([1; 32]);
        frame.extend([17, 0, offset_high, offset_low | more, 0, 0, 0, id]);
    } else {
        let [len_high, len_low] = ((len + 20) as u16).to_be_bytes();
        frame.extend([
            0x45,
            0,
            len_high,
            len_low,
            0,
            id,
            (high & 0x1f) | more << 5,
            low,
        ]);
        frame.extend([64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    }
    frame.extend(data);
    frame
}
