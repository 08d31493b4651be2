//! Any bytes as a capture file: no panic, an end, and bounded memory.
#![no_main]

use std::io::Cursor;
use std::path::Path;

use libfuzzer_sys::fuzz_target;

/// The reader as `weir replay` has it; the enforcer is a program, not a library.
#[path = "../../enforcer/src/replay"]
mod replay {
    pub(crate) mod capture_file;
    mod link_type;
}

use replay::capture_file::{CaptureFile, MAX_RECORD};

fuzz_target!(|data: &[u8]| {
    let Ok(mut file) = CaptureFile::read(Path::new("input"), Cursor::new(data.to_vec())) else {
        return;
    };
    let mut frame = Vec::new();
    let mut frames = 0;
    while let Ok(Some(_)) = file.next(&mut frame) {
        frames += 1;
        assert!(frame.len() <= MAX_RECORD);
        // A record has a header of at least 12 bytes.
        assert!(frames <= data.len() / 12);
    }
});
