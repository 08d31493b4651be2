//! `gunzip` and `zlib_deflate`: decompressed (RFC 1950, 1951, 1952), up to a size.

use flate2::{Decompress, FlushDecompress};

use super::OUTPUT;

/// Bytes that it gives unless the rule says otherwise.
const DEFAULT_SIZE: usize = 1024;

/// Options of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::detect) struct Inflate {
    envelope: Envelope,
    max_size: usize,
}

/// What is around the compressed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Envelope {
    Gzip,
    Zlib,
}

/// Memory of the decompression, for one worker.
#[derive(Debug)]
pub(in crate::detect) struct Inflater(Decompress);

impl Default for Inflater {
    fn default() -> Self {
        Self(Decompress::new(true))
    }
}

/// Reads `max-size number`.
pub(super) fn read(envelope: Envelope, value: Option<&str>) -> Result<Inflate, String> {
    let mut inflate = Inflate {
        envelope,
        max_size: DEFAULT_SIZE,
    };
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return Ok(inflate);
    };
    let number = value.strip_prefix("max-size").map(str::trim);
    let number = number.and_then(|number| number.parse().ok());
    inflate.max_size = number.ok_or_else(|| format!("`{value}` is not `max-size number`"))?;
    if !(1..=OUTPUT).contains(&inflate.max_size) {
        return Err(format!("max-size may be 1 to {OUTPUT}"));
    }
    Ok(inflate)
}

impl Inflate {
    /// What can be decompressed; nothing where it is not of the format.
    pub(super) fn apply(self, input: &[u8], out: &mut Vec<u8>, inflater: &mut Inflater) {
        let (body, zlib) = match self.envelope {
            Envelope::Gzip => (gzip_body(input), false),
            Envelope::Zlib => (Some(input), true),
        };
        let Some(body) = body else {
            return;
        };
        let Inflater(decompress) = inflater;
        decompress.reset(zlib);
        out.resize(self.max_size, 0);
        let end = FlushDecompress::Finish;
        // What came before an error, or before the room was full, counts.
        let _ = decompress.decompress(body, out, end);
        let made = usize::try_from(decompress.total_out()).unwrap_or(usize::MAX);
        out.truncate(made);
    }
}

/// Behind the header of a gzip member.
fn gzip_body(input: &[u8]) -> Option<&[u8]> {
    let (header, mut rest) = input.split_at_checked(10)?;
    let [0x1f, 0x8b, 8, flags, ..] = header else {
        return None;
    };
    let [checked, extra, name, comment] = [2, 4, 8, 16].map(|bit| flags & bit != 0);
    if extra {
        let (length, behind) = rest.split_first_chunk::<2>()?;
        rest = behind.get(usize::from(u16::from_le_bytes(*length))..)?;
    }
    for _ in 0..usize::from(name) + usize::from(comment) {
        let end = rest.iter().position(|byte| *byte == 0)?;
        rest = rest.get(end + 1..)?;
    }
    if checked {
        rest = rest.get(2..)?;
    }
    Some(rest)
}
