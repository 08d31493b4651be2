//! Every capture of the corpus through reader, decoder and defragmentation: no panic, no stall.
//!
//! `WEIR_CORPUS` names the corpus; without one the test says so, and fails where `CI` is set.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use weir_engine::decode::{self, decode};
use weir_engine::defrag::{Accepted, Defrag, DefragLimits};
use weir_engine::packet::Packet;

use super::*;

/// No capture of the corpus takes a debug build longer.
const AT_MOST: Duration = Duration::from_secs(20);

pub(super) fn corpus() -> Option<PathBuf> {
    let root = std::env::var_os("WEIR_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus"),
        PathBuf::from,
    );
    if root.is_dir() {
        return Some(root);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "no corpus at {}: set WEIR_CORPUS",
        root.display()
    );
    eprintln!("not run: no corpus at {} (set WEIR_CORPUS)", root.display());
    None
}

fn captures(under: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(under).expect("corpus folder") {
        let path = entry.expect("corpus entry").path();
        if path.is_dir() {
            captures(&path, into);
        } else if path.extension().is_some_and(|e| e != "tsv" && e != "rules") {
            into.push(path);
        }
    }
}

/// What a capture's frames were.
#[derive(Debug, Default)]
struct Tally {
    frames: u64,
    unread: u64,
    ip: u64,
    undeliverable: u64,
    fragments: u64,
    reassembled: u64,
    inner: u64,
}

fn check_offsets(packet: &Packet<'_>) {
    assert!(packet.l3 <= packet.l4, "{packet:?}");
    assert!(packet.l4 <= packet.payload_start, "{packet:?}");
    assert!(packet.payload_start <= packet.payload_end, "{packet:?}");
    assert!(packet.payload_end <= packet.frame.len(), "{packet:?}");
}

/// A packet and what it carries.
fn walk(packet: &mut Packet<'_>, tally: &mut Tally) {
    check_offsets(packet);
    tally.ip += u64::from(packet.is_ip());
    match decode::inner(packet) {
        Some(Ok(mut inner)) => {
            tally.inner += 1;
            walk(&mut inner, tally);
        }
        Some(Err(error)) => {
            tally.undeliverable += 1;
            check_offsets(&error.packet);
        }
        None => {}
    }
}

fn frame(bytes: &[u8], meta: &FrameMeta, defrag: &mut Defrag, tally: &mut Tally) {
    let mut packet = match decode(bytes, meta.link) {
        Ok(packet) => packet,
        Err(error) => {
            tally.undeliverable += 1;
            assert!(error.packet.events.contains(error.event));
            check_offsets(&error.packet);
            return;
        }
    };
    walk(&mut packet, tally);
    tally.fragments += u64::from(packet.fragment.is_some());
    if let Accepted::Complete(datagram) = defrag.accept(&mut packet, meta, &mut |_| {}) {
        tally.reassembled += 1;
        match datagram.decode() {
            Ok(mut packet) => walk(&mut packet, tally),
            Err(error) => check_offsets(&error.packet),
        }
        defrag.recycle(datagram);
    }
}

/// What comes with a frame of a capture.
pub(super) fn meta(at: Timestamp, link: LinkType, mode: Mode, number: u64) -> FrameMeta {
    FrameMeta {
        at,
        link,
        checksum: ChecksumState::Final,
        gso_size: None,
        attachment: AttachmentId::default(),
        direction: WireDirection::ToPod,
        mode,
        rules: RuleSetId::default(),
        number,
    }
}

fn read(path: &Path, mode: Mode) -> Option<Tally> {
    let mut file = CaptureFile::open(path).ok()?;
    let mut tally = Tally::default();
    let mut defrag = Defrag::new(DefragLimits::default(), SEED);
    let mut bytes = Vec::new();
    while let Ok(Some(record)) = file.next(&mut bytes) {
        tally.frames += 1;
        let Ok(link) = record.link else {
            tally.unread += 1;
            continue;
        };
        let meta = meta(record.at, link, mode, tally.frames);
        frame(&bytes, &meta, &mut defrag, &mut tally);
    }
    Some(tally)
}

#[test]
fn every_capture_is_decoded_without_panic_and_in_bounded_time() {
    let Some(corpus) = corpus() else { return };
    let mut paths = Vec::new();
    captures(&corpus.join("captures"), &mut paths);
    captures(&corpus.join("verify/data"), &mut paths);
    assert!(paths.len() > 1000, "{} captures", paths.len());
    let mut sum = Tally::default();
    let mut read_files = 0;
    for path in &paths {
        for mode in [Mode::Detect, Mode::Prevent] {
            let started = Instant::now();
            let tally = read(path, mode);
            let took = started.elapsed();
            assert!(took < AT_MOST, "{}: {took:?}", path.display());
            let Some(tally) = tally else { continue };
            read_files += usize::from(mode == Mode::Detect);
            sum.frames += tally.frames;
            sum.unread += tally.unread;
            sum.ip += tally.ip;
            sum.undeliverable += tally.undeliverable;
            sum.fragments += tally.fragments;
            sum.reassembled += tally.reassembled;
            sum.inner += tally.inner;
        }
    }
    eprintln!("{read_files} of {} files: {sum:?}", paths.len());
    assert!(read_files > 1000, "{read_files} captures could be read");
    assert!(
        sum.ip > 0 && sum.reassembled > 0 && sum.inner > 0,
        "{sum:?}"
    );
}
