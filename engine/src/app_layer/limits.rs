//! Every bound of the application layer, in one place.

/// Bounds on memory and work. Each one that is hit is an event of its protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one direction after which a protocol that is still not recognised is given up.
    pub probe: usize,
    /// Transactions that one flow may hold (pipelining).
    pub transactions: usize,
    /// Bytes of a line, header or other field that a parser may have to keep until it is whole.
    pub field: usize,
    /// Bytes of one direction's head (request line and headers) that a parser may keep.
    pub head: usize,
    /// Bytes of a streaming buffer that are kept behind what was inspected, so that a match may straddle.
    pub tail: usize,
    /// Bytes that a compressed body may grow to, and how many times its own size.
    pub decompressed: usize,
    /// See `decompressed`.
    pub decompress_ratio: usize,
    /// Bytes that whole files may take, while rules may ask to store them.
    pub kept_files: usize,
    /// Bytes of one of them; of a longer one its start is stored.
    pub kept_file: usize,
    /// Idle parsers kept per protocol.
    pub pooled: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            probe: 4096,
            transactions: 256,
            field: 18_000,
            head: 65_536,
            tail: 4096,
            decompressed: 16 << 20,
            decompress_ratio: 2048,
            kept_files: 64 << 20,
            kept_file: 8 << 20,
            pooled: 1024,
        }
    }
}
