//! Deflate (RFC 1951), bare or as zlib (RFC 1950).

use std::fmt::{Debug, Formatter, Result};

use flate2::{Decompress, FlushDecompress, Status};

/// Bytes that are decoded at a time.
const OUTPUT: usize = 16 << 10;

/// A deflate stream being decoded. Memory comes with the first one and is kept.
#[derive(Default)]
pub(super) struct Inflate {
    inner: Option<Box<(Decompress, [u8; OUTPUT])>>,
}

/// How decoding went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inflated {
    /// All is taken, and it goes on.
    More,
    /// The stream is over.
    End,
    /// This is no such stream.
    Failed,
}

impl Debug for Inflate {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        formatter.debug_struct("Inflate").finish_non_exhaustive()
    }
}

impl Inflate {
    /// Starts a stream.
    pub(super) fn start(&mut self, zlib: bool) {
        match &mut self.inner {
            Some(inner) => inner.0.reset(zlib),
            None => self.inner = Some(Box::new((Decompress::new(zlib), [0; OUTPUT]))),
        }
    }

    /// Decodes `bytes`. Returns what was not taken.
    pub(super) fn decode<'b>(
        &mut self,
        bytes: &'b [u8],
        put: &mut dyn FnMut(&[u8]) -> bool,
    ) -> (&'b [u8], Inflated) {
        let Some((stream, output)) = self.inner.as_deref_mut() else {
            return (bytes, Inflated::Failed);
        };
        let mut rest = bytes;
        loop {
            let (taken, given) = (stream.total_in(), stream.total_out());
            let status = stream.decompress(rest, output, FlushDecompress::None);
            let taken = usize::try_from(stream.total_in() - taken).unwrap_or(usize::MAX);
            let given = usize::try_from(stream.total_out() - given).unwrap_or(usize::MAX);
            rest = rest.get(taken..).unwrap_or_default();
            let wanted = given == 0 || put(output.get(..given).unwrap_or_default());
            match status {
                Err(_) => return (rest, Inflated::Failed),
                Ok(Status::StreamEnd) => return (rest, Inflated::End),
                Ok(_) if !wanted || (taken == 0 && given == 0) => return (&[], Inflated::More),
                Ok(_) if rest.is_empty() && given < OUTPUT => return (&[], Inflated::More),
                Ok(_) => {}
            }
        }
    }
}
