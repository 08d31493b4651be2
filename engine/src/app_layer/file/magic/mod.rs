//! What kind of file it is, in the words of libmagic, with which rules compare.
//!
//! Not libmagic: a table of the kinds that matter on networks, and their descriptions as version 5.45
//! gives them, or the start of these where it would go on at length. It looks at the first [`WANTED`]
//! bytes, once they (or the whole file) are there, so that the cut never matters. What the table does not
//! know is text, by its characters, or `data`.
//!
//! - [`signatures`]: kinds told by bytes in a fixed place, with a description that is always the same;
//! - [`archives`], [`images`], [`programs`]: kinds whose description says more;
//! - [`text`]: what is left.

mod archives;
mod images;
mod programs;
mod signatures;
mod text;

use std::io::Write as _;

/// Bytes of a file that are looked at.
pub(super) const WANTED: usize = 1024;

/// Writes the description of a file that starts with `bytes` into `out`, which is empty.
pub(super) fn describe(bytes: &[u8], out: &mut Vec<u8>) {
    let known = archives::describe(bytes, out)
        || images::describe(bytes, out)
        || programs::describe(bytes, out)
        || signatures::describe(bytes, out);
    if !known {
        text::describe(bytes, out);
    }
}

/// Appends a text; true, so that it can end a description.
fn say(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) -> bool {
    // Writing into a vector cannot fail.
    out.write_fmt(text).is_ok()
}

fn little16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn little32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn big16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn big32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests;
