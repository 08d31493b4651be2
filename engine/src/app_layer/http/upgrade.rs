//! What follows an upgrade: whether it is what was agreed on (RFC 9110 section 7.8).
//!
//! Only HTTP/2 (`h2c`) is told by its first bytes; what follows any other upgrade is recognised anew,
//! unjudged.

use super::text::contains;
use super::transaction::Request;
use crate::app_layer::HandOver;
use crate::event::FlowDirection::{self, ToClient, ToServer};

/// What a client of HTTP/2 sends first (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Length of a frame's header, where its type is, and the type that a server sends first.
const FRAME_HEADER: usize = 9;
const FRAME_TYPE: usize = 3;
const SETTINGS: u8 = 4;

/// The first bytes behind an upgrade whose protocol can be told.
#[derive(Debug, Default)]
pub(super) struct Upgrade {
    expected: bool,
    /// What has come, to the server and to the client.
    come: [Vec<u8>; 2],
    /// The request that HTTP/2 answers.
    handed: Option<Box<HandOver>>,
}

/// Whether the first bytes are what was agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// That cannot be told yet.
    More,
    /// They are, or nothing was agreed on that can be told.
    Fits,
    /// They are not.
    Differs,
}

impl Upgrade {
    /// The server agreed on what the field `Upgrade` says.
    pub(super) fn agreed(&mut self, to: Option<&[u8]>) {
        self.clear();
        self.handed = None;
        self.expected = to.is_some_and(|to| contains(to, b"h2c"));
    }

    /// HTTP/2 answers the request, if it was agreed on.
    pub(super) fn hand_over(&mut self, request: &Request) {
        let field = |name| request.head.value(name).unwrap_or_default().to_vec();
        self.handed = self.expected.then(|| {
            Box::new(HandOver {
                method: request.method().to_vec(),
                target: request.raw_uri().to_vec(),
                host: request.raw_host().unwrap_or_default().to_vec(),
                settings: field(b"http2-settings"),
            })
        });
    }

    /// Hands over the request.
    pub(super) fn take_handed(&mut self) -> Option<Box<HandOver>> {
        self.handed.take()
    }

    /// Something has come of a direction that cannot be judged yet.
    pub(super) fn is_begun(&self, direction: FlowDirection) -> bool {
        !self.come[direction.index()].is_empty()
    }

    /// What comes next is to be judged.
    pub(super) fn is_expected(&self) -> bool {
        self.expected
    }

    /// Judges what comes next. Returns how many bytes at the end of what came were judged, too: those of
    /// earlier calls included.
    pub(super) fn judge(
        &mut self,
        direction: FlowDirection,
        bytes: &[u8],
        eof: bool,
    ) -> (Judgement, usize) {
        if !self.expected {
            return (Judgement::Fits, bytes.len());
        }
        let come = &mut self.come[direction.index()];
        come.extend_from_slice(bytes);
        let judgement = match direction {
            ToServer => preface(come),
            ToClient => settings(come),
        };
        let judgement = match judgement {
            Judgement::More if eof => Judgement::Differs,
            judgement => judgement,
        };
        if judgement == Judgement::Differs {
            self.handed = None;
        }
        let length = come.len();
        if judgement != Judgement::More {
            self.clear();
        }
        (judgement, length)
    }

    /// Forgets it.
    pub(super) fn clear(&mut self) {
        self.expected = false;
        self.come.iter_mut().for_each(Vec::clear);
    }
}

fn preface(bytes: &[u8]) -> Judgement {
    let seen = bytes.len().min(PREFACE.len());
    match (bytes.get(..seen) == PREFACE.get(..seen), seen) {
        (false, _) => Judgement::Differs,
        (true, seen) if seen == PREFACE.len() => Judgement::Fits,
        (true, _) => Judgement::More,
    }
}

fn settings(bytes: &[u8]) -> Judgement {
    // A frame as long as 64 KiB would be no server's settings.
    let long = bytes.first().is_some_and(|byte| *byte != 0);
    let other = bytes.get(FRAME_TYPE).is_some_and(|byte| *byte != SETTINGS);
    if long || other {
        Judgement::Differs
    } else if bytes.len() >= FRAME_HEADER {
        Judgement::Fits
    } else {
        Judgement::More
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_is_judged_whatever_the_cut() {
        let cases: [(FlowDirection, &[u8], Judgement); 5] = [
            (ToServer, PREFACE, Judgement::Fits),
            (ToServer, b"PRI * HTTP/1.1\r\n", Judgement::Differs),
            (ToClient, b"\0\0\x06\x04\0\0\0\0\0", Judgement::Fits),
            (ToClient, b"HTTP/1.1 200 OK", Judgement::Differs),
            (ToClient, b"\0\0\x06\x01\0", Judgement::Differs),
        ];
        for (direction, bytes, expected) in cases {
            let mut upgrade = Upgrade::default();
            upgrade.agreed(Some(b"h2c"));
            let whole = upgrade.judge(direction, bytes, false).0;
            upgrade.agreed(Some(b"h2c"));
            let mut piecewise = Judgement::More;
            for byte in bytes {
                if piecewise == Judgement::More {
                    piecewise = upgrade.judge(direction, &[*byte], false).0;
                }
            }
            assert_eq!((whole, piecewise), (expected, expected));
        }
        let mut upgrade = Upgrade::default();
        upgrade.agreed(Some(b"websocket"));
        assert_eq!(upgrade.judge(ToClient, b"x", false), (Judgement::Fits, 1));
        upgrade.agreed(Some(b"h2c"));
        assert_eq!(
            upgrade.judge(ToClient, b"\0", true),
            (Judgement::Differs, 1)
        );
    }
}
