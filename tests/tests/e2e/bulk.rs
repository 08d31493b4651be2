//! Super-frames: what the kernel hands over as 64 KiB stays that, and its content is whole.

use anyhow::{Result, ensure};
use weir_tests::node::Main;
use weir_tests::pod::Family;
use weir_tests::traffic::transfer;

use crate::lab::{Lab, RULES, prevent, seen};

/// Size of each transfer.
const MEGABYTES: usize = 48;

/// Frames that carry this much on average can only be super-frames: an Ethernet frame holds 1,448 bytes of it.
const LEAST_BYTES_PER_FRAME: u64 = 6_000;

#[test]
fn bulk_transfers_keep_their_content_and_their_super_frames() -> Result<()> {
    for main in [Main::Bridge, Main::Ptp] {
        let options = weir_tests::enforcer::Options::rules(RULES);
        let lab = Lab::with("bulk", main, &prevent(), &options)?;
        for family in Family::BOTH {
            let before = lab.settle()?;
            let listener = lab.b.ns.listen(lab.b.at(family, 5001)?)?;
            let client = lab.a.ns.connect(lab.b.at(family, 5001)?)?;
            transfer(client, listener.accept()?.0, MEGABYTES)?;
            let after = lab.settle()?;
            let bytes = after.counter("frames.bytes")? - before.counter("frames.bytes")?;
            let to_server = bytes_least();
            ensure!(bytes >= to_server, "{bytes} bytes inspected of {to_server}");
            // Acknowledgements are frames too, hence the generous bound.
            let frames = seen(&after)? - seen(&before)?;
            ensure!(
                bytes / frames > LEAST_BYTES_PER_FRAME / 2,
                "{bytes} bytes in {frames} frames"
            );
            let dropped = after.growth(&before, "dropped.");
            ensure!(
                dropped.is_empty(),
                "{main:?} {family:?} dropped: {dropped:?}"
            );
        }
    }
    Ok(())
}

#[test]
fn eight_parallel_connections_keep_their_content() -> Result<()> {
    let options = weir_tests::enforcer::Options::rules(RULES).flags(&["--workers", "2"]);
    let lab = Lab::with("parallel", Main::Bridge, &prevent(), &options)?;
    let listener = lab.b.ns.listen(lab.b.at(Family::V4, 5001)?)?;
    let mut transfers = Vec::new();
    for _ in 0..8 {
        let client = lab.a.ns.connect(lab.b.at(Family::V4, 5001)?)?;
        let server = listener.accept()?.0;
        transfers.push(std::thread::spawn(move || transfer(client, server, 8)));
    }
    for outcome in transfers {
        outcome.join().expect("transfer panicked")?;
    }
    Ok(())
}

fn bytes_least() -> u64 {
    u64::try_from(MEGABYTES << 20).unwrap_or(u64::MAX)
}
