//! HTTP/2 (RFC 9113), and DNS in it (RFC 8484).
//!
//! ```text
//! bytes -> side (frames) -> block (HPACK) ------> message -> transaction
//!                       \-> content (codings) ->/        \-> DNS message
//! ```
//!
//! - [`side`]: frames of one direction; [`block`], [`hpack`]: fields; [`facts`]: what else frames say;
//! - [`message`], [`head`]: a request or response, with the content codings, forms and files of HTTP/1;
//! - [`shared`]: the streams of a connection; [`dns`]: DNS messages that they carry;
//! - [`buffers`]: what rules may ask for.
//!
//! A stream is a transaction, and so is each frame on the connection (stream 0), or on a stream that is over.
//! A connection that turned out to carry DNS is [`DOH2`]'s: rules on HTTP/2, on DNS and on both apply.
//!
//! Stated behaviour where the standards leave it open, or where peers do what they must not:
//! - frames that receivers must refuse are told by events, and what can be read of them is; the connection
//!   goes on being read;
//! - content behind the end of its message is shown in a transaction of its own;
//! - interim responses (status 1xx) are not shown;
//! - missing bytes within content are stepped over (the file has a hole); elsewhere the direction is read no
//!   more, since nothing says where a frame starts, and the tables of fields are lost. The other goes on.
//!
//! Bounds: transactions ([`Limits::transactions`]; the oldest goes first, `too_many_streams`), the fields of a
//! message ([`Limits::head`]; more of them end the reading, `reassembly_limit_reached`), the tables of HPACK
//! (64 KiB a direction), texts of fields (64 KiB), bodies being decoded (32), and a DNS message for each
//! direction of a stream (64 KiB).

mod block;
mod buffers;
mod dns;
mod event;
mod facts;
mod frame;
mod head;
mod hpack;
mod message;
mod parser;
mod record;
mod shared;
mod side;
mod transaction;

use std::sync::LazyLock;

use crate::app_layer::{
    BufferSpec, Limits, NumberSpec, Parser, Probe, Progress, Protocol, ProtocolId, Start,
    StateSpec, Transports, protocol_named,
};
use crate::event::FlowDirection::{self, ToClient, ToServer};

use parser::Http2Parser;

/// HTTP/2.
pub(super) static HTTP2: Http2 = Http2 { carries_dns: false };
/// DNS over HTTP/2: what a connection turns out to be, never what it is recognised as.
pub(super) static DOH2: Http2 = Http2 { carries_dns: true };

/// One of the two protocols.
#[derive(Debug)]
pub(super) struct Http2 {
    carries_dns: bool,
}

/// What a client begins with (section 3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Settings that a server's first frame may well have.
const MOST: usize = 32;

/// The fields are there as a whole.
const HEADERS: Progress = 1;
/// The body has begun.
const BODY: Progress = 2;
/// Fields came behind the body.
const TRAILERS: Progress = 3;
/// The message is over.
const COMPLETE: Progress = 4;

/// Progress of a message of DNS that is there.
const DNS_WHOLE: Progress = 1;

/// Steps by the names of rule hooks.
const STATES: &[StateSpec] = &[
    StateSpec::new("request_headers", ToServer, HEADERS),
    StateSpec::new("request_data", ToServer, BODY),
    StateSpec::new("request_closed", ToServer, COMPLETE),
    StateSpec::new("response_headers", ToClient, HEADERS),
    StateSpec::new("response_data", ToClient, BODY),
    StateSpec::new("response_closed", ToClient, COMPLETE),
];

/// The identity of DNS.
fn dns_protocol() -> ProtocolId {
    static DNS: LazyLock<ProtocolId> = LazyLock::new(|| known("dns"));
    *DNS
}

/// The identity of DNS over HTTP/2.
fn doh2_protocol() -> ProtocolId {
    static DOH2: LazyLock<ProtocolId> = LazyLock::new(|| known("doh2"));
    *DOH2
}

fn known(name: &str) -> ProtocolId {
    let first = ProtocolId::all().next();
    let found = protocol_named(name).or(first);
    #[expect(clippy::expect_used, reason = "the registry is not empty")]
    found.expect("the registry has protocols")
}

impl Protocol for Http2 {
    fn name(&self) -> &'static str {
        if self.carries_dns { "doh2" } else { "http2" }
    }

    fn kinds(&self) -> &'static [&'static str] {
        if self.carries_dns {
            &["http2", "dns"]
        } else {
            &[]
        }
    }

    fn record(&self) -> &'static str {
        "http"
    }

    fn transports(&self) -> Transports {
        Transports::Tcp
    }

    fn buffers(&self) -> &'static [BufferSpec] {
        if self.carries_dns {
            &[]
        } else {
            buffers::BUFFERS
        }
    }

    fn numbers(&self) -> &'static [NumberSpec] {
        if self.carries_dns {
            &[]
        } else {
            buffers::NUMBERS
        }
    }

    fn states(&self) -> &'static [StateSpec] {
        STATES
    }

    fn events(&self) -> &'static [&'static str] {
        event::EVENTS
    }

    fn probe(&self, start: &Start<'_>) -> Probe {
        match start.direction {
            _ if self.carries_dns => Probe::No,
            ToServer => probe_preface(start.bytes),
            ToClient => probe_settings(start.bytes),
        }
    }

    fn opens(&self) -> Option<FlowDirection> {
        None
    }

    fn complete(&self, _: FlowDirection) -> Progress {
        COMPLETE
    }

    fn progress_as(&self, kind: ProtocolId, progress: Progress) -> Progress {
        if kind == dns_protocol() {
            // A message of DNS is read once that of HTTP is over.
            if progress >= COMPLETE { DNS_WHOLE } else { 0 }
        } else {
            progress
        }
    }

    fn open(&self, limits: &Limits) -> Box<dyn Parser> {
        Box::new(Http2Parser::new(limits))
    }
}

fn probe_preface(bytes: &[u8]) -> Probe {
    let seen = bytes.len().min(PREFACE.len());
    match (bytes[..seen] == PREFACE[..seen], seen == PREFACE.len()) {
        (true, true) => Probe::Yes,
        (true, false) => Probe::More,
        (false, _) => Probe::No,
    }
}
/// A frame of settings on the connection, the first of them a known one.
fn probe_settings(bytes: &[u8]) -> Probe {
    let Some(&[high, middle, low, kind, flags, stream @ ..]) =
        bytes.first_chunk::<{ frame::HEADER }>()
    else {
        let plausible = bytes.iter().take(2).all(|byte| *byte == 0)
            && bytes.get(3).is_none_or(|kind| *kind == frame::SETTINGS)
            && bytes.iter().skip(4).all(|byte| *byte == 0);
        return if plausible { Probe::More } else { Probe::No };
    };
    let length = usize::from(low);
    let settings = (high, middle, kind, flags, stream) == (0, 0, frame::SETTINGS, 0, [0; 4])
        && length.is_multiple_of(frame::SETTING as usize)
        && length <= MOST * frame::SETTING as usize;
    match bytes.get(frame::HEADER..frame::HEADER + 2) {
        _ if !settings => Probe::No,
        _ if length == 0 => Probe::Yes,
        None => Probe::More,
        Some([0, 1..=9]) => Probe::Yes,
        Some(_) => Probe::No,
    }
}

#[cfg(test)]
mod tests;
