//! HTTP/1.x (RFC 9110, 9112) and 0.9, with the tolerance of real servers and browsers.
//!
//! ```text
//! bytes -> side (request | response) -> line, fields, body framing -> content coding -> transaction
//!                                                                   \-> forms -> files
//! ```
//!
//! - [`request`], [`response`]: the two directions, [`side`] what they have in common; [`shared`]: which
//!   response belongs to which request;
//! - [`fields`], [`line`], [`chunked`], [`body`]: the grammar; [`head`]: the fields of a message and the
//!   buffers made of them; [`uri`], [`host`]: normalisation; [`decode`]: content codings; [`multipart`];
//! - [`buffers`]: what rules may look into.
//!
//! Stated behaviour where the standards leave it open:
//! - requests and responses are paired in order; a response without a request is a transaction of its own
//!   (`unable_to_match_response_to_request`); a transaction that had to be let go before its end goes on as
//!   another one;
//! - bytes missing in a body whose length is known are stepped over; elsewhere the message ends there and
//!   the next line that is a request, or a status line, is looked for; picked up in mid-stream, a flow is
//!   recognised by the first line at hand that is one;
//! - bytes behind a request, or a response, that start no other belong to its body; so do lines in front of
//!   a status line, and everything where none comes (HTTP/0.9);
//! - what follows a 101 or an accepted CONNECT is recognised anew; bytes that a client sends behind a
//!   CONNECT before its answer wait for it and, once it is accepted, are not looked at.
//!
//! Bounds: a line or field is at most [`Limits::field`] bytes, a head [`Limits::head`]; a body is shown as it
//! comes and not kept.

mod body;
mod buffers;
mod chunked;
pub(super) mod decode;
pub(super) mod event;
mod fields;
mod head;
pub(super) mod host;
mod line;
pub(super) mod multipart;
mod parser;
mod pending;
mod record;
mod request;
pub(super) mod response;
mod shared;
mod side;
pub(super) mod text;
mod transaction;
mod upgrade;
pub(super) mod uri;

use crate::app_layer::{
    BufferSpec, Limits, NumberSpec, Parser, Probe, Progress, Protocol, Start, StateSpec, Transports,
};
use crate::event::FlowDirection::{self, ToClient, ToServer};

use parser::HttpParser;
use text::{is_space, is_token, split_while};

/// HTTP/1.
pub(super) static HTTP: Http = Http;

#[derive(Debug)]
pub(super) struct Http;

/// The first line is there.
const LINE: Progress = 1;
/// The head is there as a whole.
const HEADERS: Progress = 2;
/// The body has begun.
const BODY: Progress = 3;
/// The body is over, and trailers have begun.
const TRAILERS: Progress = 4;
/// The message is over.
const COMPLETE: Progress = 5;

/// Steps by the names of rule hooks.
const STATES: &[StateSpec] = &[
    StateSpec::new("request_line", ToServer, LINE),
    StateSpec::new("request_headers", ToServer, HEADERS),
    StateSpec::new("request_body", ToServer, BODY),
    StateSpec::new("request_trailer", ToServer, TRAILERS),
    StateSpec::new("response_line", ToClient, LINE),
    StateSpec::new("response_headers", ToClient, HEADERS),
    StateSpec::new("response_body", ToClient, BODY),
    StateSpec::new("response_trailer", ToClient, TRAILERS),
];

/// Protocols whose requests look like these.
const LOOKALIKES: [&[u8]; 2] = [b"SIP/2.0", b"RTSP/1.0"];

/// A method that they have too.
const SHARED: &[u8] = b"OPTIONS";

impl Protocol for Http {
    fn name(&self) -> &'static str {
        "http"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["http1"]
    }

    fn transports(&self) -> Transports {
        Transports::Tcp
    }

    fn buffers(&self) -> &'static [BufferSpec] {
        buffers::BUFFERS
    }

    fn numbers(&self) -> &'static [NumberSpec] {
        buffers::NUMBERS
    }

    fn states(&self) -> &'static [StateSpec] {
        STATES
    }

    fn events(&self) -> &'static [&'static str] {
        event::EVENTS
    }

    fn probe(&self, start: &Start<'_>) -> Probe {
        match start.direction {
            ToServer => probe_request(start.bytes),
            ToClient => probe_response(start.bytes),
        }
    }

    fn opens(&self) -> Option<FlowDirection> {
        Some(ToServer)
    }

    fn is_answer(&self, start: &Start<'_>) -> bool {
        !start.datagram && probe_response(start.bytes) == Probe::Yes
    }

    fn complete(&self, _: FlowDirection) -> Progress {
        COMPLETE
    }

    fn open(&self, limits: &Limits) -> Box<dyn Parser> {
        Box::new(HttpParser::new(limits))
    }
}

/// A method that is known and a blank, or a line that ends with the protocol's name.
fn probe_request(bytes: &[u8]) -> Probe {
    let (_, rest) = split_while(bytes, is_space);
    let (method, behind) = split_while(rest, is_token);
    if behind.is_empty() {
        let may = method.len() <= line::LONGEST_METHOD;
        return if may { Probe::More } else { Probe::No };
    }
    if method.is_empty() || !behind.first().is_some_and(|byte| is_space(*byte)) {
        return Probe::No;
    }
    let end = memchr::memchr(b'\n', behind);
    let line = rest
        .get(..method.len() + end.unwrap_or(behind.len()))
        .unwrap_or_default();
    let lookalike = LOOKALIKES
        .iter()
        .any(|other| text::trim(line).ends_with(other));
    match (end, line::is_known(method)) {
        // Decided by the method alone, so that it cannot matter how much of the line is here.
        (_, true) if method != SHARED => Probe::Yes,
        (Some(_), _) if lookalike => Probe::No,
        (Some(_), true) => Probe::Yes,
        (Some(_), _) if line::is_request(line) => Probe::Yes,
        (Some(_), _) => Probe::No,
        (None, _) => Probe::More,
    }
}

fn probe_response(bytes: &[u8]) -> Probe {
    const NAME: &[u8] = b"HTTP/";
    let seen = bytes.len().min(NAME.len());
    match (bytes[..seen] == NAME[..seen], bytes.get(NAME.len())) {
        (true, Some(byte)) if byte.is_ascii_digit() => Probe::Yes,
        (true, None) => Probe::More,
        _ => Probe::No,
    }
}

#[cfg(test)]
mod tests;
