//! HTTP/2 (RFC 9113): recognised, so that rules may ask for it and it is not taken for something else. Its
//! frames are not read: it has no transactions, and rules on them are refused.

use crate::event::FlowDirection::{self, ToClient, ToServer};

use super::{BufferSpec, Input, Limits, Parser, Probe, Progress, Protocol, Start, Status};
use super::{Transaction, Transports};

/// HTTP/2.
pub(super) static HTTP2: Http2 = Http2;

#[derive(Debug)]
pub(super) struct Http2;

/// What a client begins with (section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes of a frame's header (section 4.1): length, type, flags, stream.
const HEADER: usize = 9;

/// Type of the frame that a server begins with, and bytes of one setting in it (section 6.5).
const SETTINGS: u8 = 4;
const SETTING: usize = 6;

/// Settings that one frame may well have.
const MOST: usize = 32;

impl Protocol for Http2 {
    fn name(&self) -> &'static str {
        "http2"
    }

    fn transports(&self) -> Transports {
        Transports::Tcp
    }

    fn buffers(&self) -> &'static [BufferSpec] {
        &[]
    }

    fn events(&self) -> &'static [&'static str] {
        &[]
    }

    fn probe(&self, start: &Start<'_>) -> Probe {
        match start.direction {
            ToServer => {
                let seen = start.bytes.len().min(PREFACE.len());
                match (
                    start.bytes[..seen] == PREFACE[..seen],
                    seen == PREFACE.len(),
                ) {
                    (true, true) => Probe::Yes,
                    (true, false) => Probe::More,
                    (false, _) => Probe::No,
                }
            }
            ToClient => probe_settings(start.bytes),
        }
    }

    fn opens(&self) -> Option<FlowDirection> {
        Some(ToServer)
    }

    fn complete(&self, _: FlowDirection) -> Progress {
        0
    }

    fn open(&self, _: &Limits) -> Box<dyn Parser> {
        Box::new(Unread)
    }
}

/// A frame of settings on the connection, the first of them a known one.
fn probe_settings(bytes: &[u8]) -> Probe {
    let Some(&[high, middle, low, kind, flags, stream @ ..]) = bytes.first_chunk::<HEADER>() else {
        let plausible = bytes.iter().take(2).all(|byte| *byte == 0)
            && bytes.get(3).is_none_or(|kind| *kind == SETTINGS)
            && bytes.iter().skip(4).all(|byte| *byte == 0);
        return if plausible { Probe::More } else { Probe::No };
    };
    let length = usize::from(low);
    let settings = (high, middle, kind, flags, stream) == (0, 0, SETTINGS, 0, [0; 4])
        && length.is_multiple_of(SETTING)
        && length <= MOST * SETTING;
    match bytes.get(HEADER..HEADER + 2) {
        _ if !settings => Probe::No,
        _ if length == 0 => Probe::Yes,
        None => Probe::More,
        Some([0, 1..=9]) => Probe::Yes,
        Some(_) => Probe::No,
    }
}

/// Reads nothing.
#[derive(Debug)]
struct Unread;

impl Parser for Unread {
    fn parse(&mut self, _: &Input<'_>) -> Status {
        Status::Opaque
    }

    fn gap(&mut self, _: FlowDirection, _: u64) -> Status {
        Status::Opaque
    }

    fn len(&self) -> usize {
        0
    }

    fn transaction(&self, _: usize) -> Option<&dyn Transaction> {
        None
    }

    fn inspected(&mut self, _: FlowDirection) {}

    fn retire(&mut self) {}

    fn reset(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(direction: FlowDirection, bytes: &[u8]) -> Probe {
        HTTP2.probe(&Start {
            direction,
            bytes,
            datagram: false,
            other: &[],
            server_port: 80,
        })
    }

    #[test]
    fn the_preface_and_the_first_settings_are_recognised() {
        for cut in 1..PREFACE.len() {
            assert_eq!(probe(ToServer, &PREFACE[..cut]), Probe::More);
        }
        assert_eq!(probe(ToServer, PREFACE), Probe::Yes);
        assert_eq!(probe(ToServer, b"PRI /x HTTP/1.1\r\n"), Probe::No);
        let settings = b"\0\0\x0c\x04\0\0\0\0\0\0\x03\0\0\0\x64\0\x04\0\0\xff\xff";
        for cut in 1..11 {
            assert_eq!(probe(ToClient, &settings[..cut]), Probe::More, "{cut}");
        }
        assert_eq!(probe(ToClient, settings), Probe::Yes);
        assert_eq!(probe(ToClient, b"\0\0\0\x04\0\0\0\0\0"), Probe::Yes);
        for other in [
            &b"\0\0\x0d\x04\0\0\0\0\0\0\x03"[..],
            b"\0\0\x0c\x04\0\0\0\0\x01\0\x03",
            b"\0\0\x0c\x04\0\0\0\0\0\x77\x03",
            b"\0\x01",
        ] {
            assert_eq!(probe(ToClient, other), Probe::No, "{other:?}");
        }
    }
}
