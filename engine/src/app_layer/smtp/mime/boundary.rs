//! Lines that part the content of a multipart (RFC 2046 section 5.1.1).

/// Bytes of a boundary that are kept, its two dashes included; a longer one is known by these.
pub(super) const KEPT: usize = 250;
/// Bytes of a line that may be a boundary which are kept: of white space behind it there may be more.
pub(super) const HELD: usize = 256;

/// Whether a line is a boundary, and if so, the last.
pub(super) fn closes(boundary: &[u8], line: &[u8]) -> Option<bool> {
    let rest = line.strip_prefix(boundary)?.trim_ascii_end();
    match rest {
        b"" => Some(false),
        b"--" => Some(true),
        _ if boundary.len() >= KEPT => Some(rest.ends_with(b"--")),
        _ => None,
    }
}

/// Whether what follows the first [`HELD`] bytes of a line leaves it a boundary.
pub(super) fn goes_on(boundary: &[u8], held: &[u8], rest: &[u8]) -> bool {
    let padding = rest.iter().all(u8::is_ascii_whitespace);
    (padding || boundary.len() >= KEPT) && closes(boundary, held).is_some()
}
