//! What a request's line and head say: target, host, credentials, framing.

use super::super::body::Framing;
use super::super::event::{Event, Events};
use super::super::line::{self, Version};
use super::super::text::{contains, first_number, is_space, is_word, split_while, trim};
use super::super::transaction::{HttpTransaction, Request};
use super::super::uri::host_and_port;
use super::super::{LINE, host, uri};

/// Schemes of `Authorization` that are known.
const SCHEMES: [&[u8]; 6] = [
    b"basic",
    b"digest",
    b"bearer",
    b"negotiate",
    b"ntlm",
    b"aws4-hmac-sha256",
];

/// Reads a request line into a transaction.
pub(super) fn read_line(transaction: &mut HttpTransaction, line: &[u8], server_port: u16) {
    let HttpTransaction {
        request, events, ..
    } = transaction;
    request.line.extend_from_slice(line);
    request.parts = line::request_line(line, events);
    let raw = request.parts.uri.of_buffer(line);
    if request.parts.method.of_buffer(line) == b"CONNECT" {
        let (_, port) = host_and_port(raw);
        if !port.is_empty() && host::port(port).is_none() {
            events.raise(Event::InvalidAuthorityPort);
        }
    } else {
        request.uri_parts = uri::split(raw);
        request.path = request.uri_parts.normalise(raw, &mut request.uri);
        if request.uri_parts.is_double_encoded(raw) {
            events.raise(Event::DoubleEncodedUri);
        }
    }
    let port = request.uri_parts.port.of_buffer(raw);
    check_port(port, server_port, events);
    request.reach(LINE);
}

/// A port that the client names is not the one that it talks to.
fn check_port(named: &[u8], server_port: u16, events: &mut Events) {
    if server_port != 0 && host::port(named).is_some_and(|port| port != server_port) {
        events.raise(Event::ServerPortMismatch);
    }
}

/// Finds the host: the URI's, or else the field's.
pub(super) fn read_hosts(request: &mut Request, server_port: u16, events: &mut Events) {
    let raw = request.parts.uri.of_buffer(&request.line);
    let in_uri = request.uri_parts.host.of_buffer(raw);
    let field = request.head.value(b"host");
    if !in_uri.is_empty() {
        if !host::is_valid(in_uri) {
            events.raise(Event::UriHostInvalid);
        }
        let port = request.uri_parts.port.of_buffer(raw);
        if !port.is_empty() && host::port(port).is_none() {
            events.raise(Event::InvalidServerPort);
        }
        request
            .host
            .extend(in_uri.iter().map(u8::to_ascii_lowercase));
        while request.host.last() == Some(&b'.') {
            request.host.pop();
        }
    }
    let Some(field) = field else {
        if request.parts.version == Version::V1_1 {
            events.raise(Event::MissingHost);
        }
        return;
    };
    let (name, port) = host_and_port(field);
    let port_valid = port.is_empty() || host::port(port).is_some();
    if !host::is_valid(name) || !port_valid {
        events.raise(Event::HeaderHostInvalid);
    }
    check_port(port, server_port, events);
    if in_uri.is_empty() {
        request.host.extend(name.iter().map(u8::to_ascii_lowercase));
    } else if !in_uri.eq_ignore_ascii_case(name) {
        events.raise(Event::HostAmbiguous);
    }
}

pub(super) fn check_authorization(request: &Request, events: &mut Events) {
    let Some(value) = request.head.value(b"authorization") else {
        return;
    };
    let (scheme, _) = split_while(value, |byte| !is_space(byte));
    if !SCHEMES
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known))
    {
        events.raise(Event::AuthUnrecognized);
    }
}

/// How the request's body is framed; `None`: it has none.
pub(super) fn framing(request: &Request, events: &mut Events) -> Option<Framing> {
    let head = &request.head;
    let length = head.value(b"content-length");
    if let Some(coding) = head.value(b"transfer-encoding") {
        let old = request.parts.version < Version::V1_1;
        // Who reads these differently reads another request behind this one.
        if length.is_some() || old || !is_word(trim(coding), b"chunked") {
            events.raise(Event::RequestSmuggling);
        }
        let chunked = contains(coding, b"chunked");
        if old || !chunked {
            events.raise(Event::InvalidTransferEncodingRequest);
        }
        if chunked {
            return Some(Framing::Chunked);
        }
    }
    let length = length?;
    match first_number(length) {
        Some(length) => Some(Framing::Length(length)),
        None => {
            events.raise(Event::InvalidContentLengthRequest);
            None
        }
    }
}
