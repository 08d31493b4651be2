//! Where a body ends (RFC 9112 section 6), whatever its content coding.

use super::chunked::{Chunked, Step};

/// How a body is framed, and where in it the bytes at hand are.
#[derive(Debug, Default)]
pub(super) struct Body {
    framing: Framing,
    chunked: Chunked,
    /// The last chunk has come.
    last: bool,
}

/// How a body is framed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes are left.
    Length(u64),
    Chunked,
    /// All that comes until the end of the stream.
    #[default]
    UntilClose,
}

/// What comes behind the bytes that were taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// More of the body.
    Body,
    /// The end of the message.
    End,
    /// Trailers.
    Trailers,
}

impl Body {
    /// Starts a body.
    pub(super) fn start(&mut self, framing: Framing) {
        self.framing = framing;
        self.chunked.clear();
        self.last = false;
    }

    /// Takes what is the body's of `bytes`, handing its content to `put`. Returns how many bytes were
    /// taken, what comes next, and whether the chunked coding turned out to be none.
    pub(super) fn take(&mut self, bytes: &[u8], put: &mut dyn FnMut(&[u8])) -> (usize, Next, bool) {
        match self.framing {
            Framing::UntilClose => {
                put(bytes);
                (bytes.len(), Next::Body, false)
            }
            Framing::Length(left) => {
                let now = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                put(&bytes[..now]);
                let left = left - now as u64;
                self.framing = Framing::Length(left);
                let next = if left == 0 { Next::End } else { Next::Body };
                (now, next, false)
            }
            Framing::Chunked => self.take_chunked(bytes, put),
        }
    }

    fn take_chunked(&mut self, bytes: &[u8], put: &mut dyn FnMut(&[u8])) -> (usize, Next, bool) {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            match self.chunked.step(rest) {
                Step::Coding(taken) => at += taken,
                Step::Data(taken) => {
                    put(&rest[..taken]);
                    at += taken;
                }
                Step::Last(taken) => {
                    self.last = true;
                    return (at + taken, Next::Trailers, false);
                }
                Step::Invalid { kept } => {
                    put(self.chunked.invalid_line());
                    put(&rest[kept.min(rest.len())..]);
                    self.start(Framing::UntilClose);
                    return (bytes.len(), Next::Body, true);
                }
            }
        }
        (at, Next::Body, false)
    }

    /// Steps over bytes that are missing; `false`: the place in the body is lost.
    pub(super) fn skip(&mut self, missing: u64) -> bool {
        match &mut self.framing {
            Framing::UntilClose => true,
            Framing::Length(left) => match left.checked_sub(missing) {
                Some(rest) => {
                    *left = rest;
                    true
                }
                None => false,
            },
            Framing::Chunked => false,
        }
    }

    /// All that was announced has come.
    pub(super) fn is_whole(&self) -> bool {
        match self.framing {
            Framing::UntilClose => true,
            Framing::Length(left) => left == 0,
            Framing::Chunked => self.last,
        }
    }

    /// A chunk had an extension, since this was asked last.
    pub(super) fn has_extension(&mut self) -> bool {
        self.chunked.take_extension()
    }

    /// Nothing of it is left.
    pub(super) fn is_over(&self) -> bool {
        self.framing == Framing::Length(0)
    }
}
