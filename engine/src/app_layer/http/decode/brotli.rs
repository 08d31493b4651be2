//! Brotli (RFC 7932).

use std::fmt::{Debug, Formatter, Result as FormatResult};

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};

/// Bytes that are decoded at a time.
const OUTPUT: usize = 16 << 10;

/// A brotli stream being decoded. Large windows (beyond 16 MiB) are refused.
pub(super) struct Brotli {
    state: BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>,
    output: Vec<u8>,
    over: bool,
}

impl Default for Brotli {
    fn default() -> Self {
        let alloc = StandardAlloc::default;
        Self {
            state: BrotliState::new_strict(alloc(), alloc(), alloc()),
            output: vec![0; OUTPUT],
            over: false,
        }
    }
}

impl Debug for Brotli {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> FormatResult {
        formatter.debug_struct("Brotli").finish_non_exhaustive()
    }
}

impl Brotli {
    /// Decodes `bytes`; what follows the stream is shown as it is. An error says how many bytes at the end
    /// were not decoded.
    pub(super) fn decode(
        &mut self,
        bytes: &[u8],
        put: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<(), usize> {
        let (mut left, mut at, mut total) = (bytes.len(), 0, 0);
        while !self.over {
            let (mut room, mut given) = (self.output.len(), 0);
            let result = BrotliDecompressStream(
                &mut left,
                &mut at,
                bytes,
                &mut room,
                &mut given,
                &mut self.output,
                &mut total,
                &mut self.state,
            );
            let wanted = given == 0 || put(self.output.get(..given).unwrap_or_default());
            match result {
                BrotliResult::ResultFailure => return Err(left),
                // A full buffer hides that there is more to give.
                BrotliResult::NeedsMoreInput if wanted && room == 0 => {}
                BrotliResult::NeedsMoreInput => return Ok(()),
                BrotliResult::NeedsMoreOutput if wanted => {}
                BrotliResult::NeedsMoreOutput => return Ok(()),
                BrotliResult::ResultSuccess => self.over = true,
            }
        }
        let rest = bytes.get(at..).unwrap_or_default();
        if !rest.is_empty() {
            put(rest);
        }
        Ok(())
    }
}
