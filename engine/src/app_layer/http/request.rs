//! Requests, as they come.

use super::body::{Body, Framing, Next};
use super::decode::Decoding;
use super::event::{Event, Events};
use super::fields::{self, Read, Sender};
use super::line::{self, Version};
use super::multipart::Multipart;
use super::pending::Pending;
use super::shared::{NoRoom, Shared, Tunnel};
use super::text::{chomp, contains, first_number, is_space, is_token, split_while, trim};
use super::transaction::{HttpTransaction, Request};
use super::uri::host_and_port;
use super::{BODY, COMPLETE, HEADERS, LINE, host, uri};
use crate::app_layer::Limits;

/// The client's direction.
#[derive(Debug)]
pub(super) struct RequestSide {
    state: State,
    pending: Pending,
    value: Vec<u8>,
    body: Body,
    decoding: Decoding,
    multipart: Multipart,
    current: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// A request line, or what stands in front of it.
    #[default]
    Line,
    /// A line that is no request, behind a request.
    Junk,
    /// Fields; behind a line without protocol there may be none.
    Head {
        old: bool,
    },
    Body,
    Trailers,
    /// Behind a CONNECT whose answer is not there.
    Tunnel,
    /// Bytes are missing: looks for the next request.
    Lost,
    /// Nothing can be made of what comes.
    Failed,
}

/// How far a step came.
enum Step {
    /// So many bytes were taken.
    Taken(usize),
    /// More bytes are needed.
    More,
    /// There is no room for a transaction.
    NoRoom,
}

impl From<NoRoom> for Step {
    fn from(_: NoRoom) -> Self {
        Self::NoRoom
    }
}

/// How a run over what came ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ran {
    /// All is taken or waits.
    Through,
    /// There is no room for a transaction; so many bytes at the end of the input were not taken.
    NoRoom(usize),
    /// Nothing can be made of this direction.
    Failed,
}

impl RequestSide {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            state: State::Line,
            pending: Pending::default(),
            value: Vec::new(),
            body: Body::default(),
            decoding: Decoding::new(limits),
            multipart: Multipart::default(),
            current: None,
        }
    }

    pub(super) fn reset(&mut self) {
        self.state = State::Line;
        self.pending.clear();
        self.current = None;
    }

    /// Takes what came.
    pub(super) fn take(&mut self, bytes: &[u8], eof: bool, shared: &mut Shared) -> Ran {
        let mut pending = std::mem::take(&mut self.pending);
        let (unread, full) = pending.run(bytes, |bytes| self.run(bytes, eof, shared));
        self.pending = pending;
        if self.state == State::Failed {
            return Ran::Failed;
        }
        if full {
            return Ran::NoRoom(unread);
        }
        if eof {
            self.end(shared);
        }
        Ran::Through
    }

    fn run(&mut self, bytes: &[u8], eof: bool, shared: &mut Shared) -> (usize, bool, bool) {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            match self.step(rest, eof, shared) {
                Step::Taken(taken) => at += taken,
                Step::More => break,
                Step::NoRoom => return (at, false, true),
            }
            if self.state == State::Failed {
                return (bytes.len(), true, false);
            }
        }
        (at, true, false)
    }

    fn step(&mut self, bytes: &[u8], eof: bool, shared: &mut Shared) -> Step {
        let step = match self.state {
            State::Line => self.line(bytes, eof, shared),
            State::Junk => self.junk(bytes, shared),
            State::Head { .. } | State::Trailers => self.head(bytes, eof, shared),
            State::Body => self.body(bytes, shared),
            State::Tunnel => self.tunnel(bytes, shared),
            State::Lost => self.lost(bytes),
            State::Failed => Ok(Step::More),
        };
        step.unwrap_or_else(Step::from)
    }

    /// The transaction at hand.
    fn transaction<'s>(
        &mut self,
        shared: &'s mut Shared,
    ) -> Result<&'s mut HttpTransaction, NoRoom> {
        let mut number = self.current.unwrap_or(u64::MAX);
        let transaction = shared.go_on(&mut number, |late| late.response.progress = COMPLETE)?;
        self.current = Some(number);
        Ok(transaction)
    }

    /// A limit was hit.
    fn too_long(&mut self, shared: &mut Shared) -> Result<Step, NoRoom> {
        let transaction = self.transaction(shared)?;
        transaction.events.raise(Event::RequestFieldTooLong);
        transaction.request.reach(COMPLETE);
        self.state = State::Failed;
        Ok(Step::More)
    }

    fn line(&mut self, bytes: &[u8], eof: bool, shared: &mut Shared) -> Result<Step, NoRoom> {
        let behind = self
            .current
            .is_some_and(|current| shared.get(current).is_some());
        if behind && !may_be_request(bytes) {
            let current = self.transaction(shared)?;
            current.events.raise(Event::RequestBodyUnexpected);
            self.state = State::Junk;
            return Ok(Step::Taken(0));
        }
        let end = memchr::memchr(b'\n', bytes);
        let Some(end) = end
            .map(|end| end + 1)
            .or_else(|| eof.then_some(bytes.len()))
        else {
            if bytes.len() > shared.limits.field {
                return self.too_long(shared);
            }
            return Ok(Step::More);
        };
        let sent = bytes.get(..end).unwrap_or_default();
        if sent.len() > shared.limits.field {
            return self.too_long(shared);
        }
        let line = chomp(sent);
        if trim(line).is_empty() {
            return Ok(Step::Taken(end));
        }
        if behind && !line::is_request(line) {
            let current = self.transaction(shared)?;
            current.events.raise(Event::RequestBodyUnexpected);
            self.state = State::Junk;
            return Ok(Step::Taken(0));
        }
        let number = shared.open()?;
        self.current = Some(number);
        let incomplete = eof && !sent.ends_with(b"\n");
        if let Some(transaction) = shared.get(number) {
            read_line(transaction, line);
            if incomplete {
                transaction.events.raise(Event::RequestLineIncomplete);
            }
            self.state = State::Head {
                old: transaction.request.parts.protocol.is_empty(),
            };
        }
        Ok(Step::Taken(end))
    }

    /// Bytes behind a request that are no request: shown as its body.
    fn junk(&mut self, bytes: &[u8], shared: &mut Shared) -> Result<Step, NoRoom> {
        let end = memchr::memchr(b'\n', bytes).map(|end| end + 1);
        let taken = end.unwrap_or(bytes.len());
        let request = &mut self.transaction(shared)?.request;
        request.body.push(bytes.get(..taken).unwrap_or_default());
        if end.is_some() {
            self.state = State::Line;
        }
        Ok(Step::Taken(taken))
    }

    fn head(&mut self, bytes: &[u8], eof: bool, shared: &mut Shared) -> Result<Step, NoRoom> {
        let limits = shared.limits;
        let mut value = std::mem::take(&mut self.value);
        let read = fields::read(Sender::Client, bytes, eof, &mut value);
        let transaction = self.transaction(shared)?;
        let request = &mut transaction.request;
        let (taken, over, long) = read.extent(bytes);
        if long > limits.field || request.head.size() + taken > limits.head {
            self.value = value;
            return self.too_long(shared);
        }
        if let Read::Field(shape) = read {
            let field = (bytes, shape, &value[..]);
            request
                .head
                .add(Sender::Client, field, &mut transaction.events);
        }
        self.value = value;
        request
            .head
            .push_raw(bytes.get(..taken).unwrap_or_default());
        if matches!(self.state, State::Head { old: true }) && matches!(read, Read::Field(_)) {
            transaction.events.raise(Event::RequestMissingProtocol);
            self.state = State::Head { old: false };
        }
        if over {
            self.end_of_head(shared)?;
        }
        Ok(if taken == 0 {
            Step::More
        } else {
            Step::Taken(taken)
        })
    }

    /// The head, or the trailers, are there as a whole.
    fn end_of_head(&mut self, shared: &mut Shared) -> Result<(), NoRoom> {
        let trailers = self.state == State::Trailers;
        let transaction = self.transaction(shared)?;
        let HttpTransaction {
            request, events, ..
        } = transaction;
        request.head.build(&request.line);
        if trailers {
            return self.complete(shared);
        }
        read_hosts(request, events);
        check_authorization(request, events);
        request.reach(HEADERS);
        let connect = request.method() == b"CONNECT";
        let framing = framing(request, events);
        if connect {
            self.complete(shared)?;
            self.state = State::Tunnel;
            shared.tunnel = Tunnel::Asked;
            return Ok(());
        }
        let Some(framing) = framing else {
            return self.complete(shared);
        };
        let head = &request.head;
        self.body.start(framing);
        self.decoding.start(head.value(b"content-encoding"), events);
        self.multipart.start(head.value(b"content-type"));
        self.state = State::Body;
        if self.body.is_over() {
            return self.complete(shared);
        }
        Ok(())
    }

    fn body(&mut self, bytes: &[u8], shared: &mut Shared) -> Result<Step, NoRoom> {
        // Room first: what is taken must be shown.
        let mut number = self.current.unwrap_or(u64::MAX);
        let transaction = shared.go_on(&mut number, |late| late.response.progress = COMPLETE)?;
        self.current = Some(number);
        let HttpTransaction {
            request, events, ..
        } = transaction;
        request.reach(BODY);
        let (decoding, multipart) = (&mut self.decoding, &mut self.multipart);
        let mut put = |bytes: &[u8]| show(request, (decoding, multipart), events, bytes);
        let (taken, next, invalid) = self.body.take(bytes, &mut put);
        if invalid {
            events.raise(Event::InvalidRequestChunkLen);
        }
        match next {
            Next::Body => {}
            Next::End => self.complete(shared)?,
            Next::Trailers => self.state = State::Trailers,
        }
        Ok(Step::Taken(taken))
    }

    /// The request is over.
    fn complete(&mut self, shared: &mut Shared) -> Result<(), NoRoom> {
        let transaction = self.transaction(shared)?;
        let HttpTransaction {
            request, events, ..
        } = transaction;
        let Request { body, files, .. } = request;
        self.decoding.finish(&mut |bytes| {
            body.push(bytes);
            self.multipart.take(bytes, files, events);
        });
        self.multipart.finish(files, events);
        body.finish();
        request.reach(COMPLETE);
        self.state = State::Line;
        Ok(())
    }

    /// Bytes behind a CONNECT wait for its answer.
    fn tunnel(&mut self, bytes: &[u8], shared: &mut Shared) -> Result<Step, NoRoom> {
        if shared.tunnel == Tunnel::Declined {
            shared.tunnel = Tunnel::None;
            self.state = State::Line;
            return Ok(Step::Taken(0));
        }
        if bytes.len() > shared.limits.head {
            return self.too_long(shared);
        }
        Ok(Step::More)
    }

    /// Looks for a line that is a request.
    fn lost(&mut self, bytes: &[u8]) -> Result<Step, NoRoom> {
        let Some(end) = memchr::memchr(b'\n', bytes) else {
            // A line this long is none.
            return Ok(
                if bytes.len() > line::LONGEST_METHOD && !may_be_request(bytes) {
                    Step::Taken(bytes.len())
                } else {
                    Step::More
                },
            );
        };
        if line::is_request(bytes.get(..end).unwrap_or_default()) {
            self.state = State::Line;
            return Ok(Step::Taken(0));
        }
        Ok(Step::Taken(end + 1))
    }

    /// Bytes are missing. Within a body whose end is known they are stepped over; elsewhere the request is
    /// cut short, and the next one looked for.
    pub(super) fn gap(&mut self, missing: u64, shared: &mut Shared) {
        if self.state == State::Body && self.body.skip(missing) {
            if let Ok(transaction) = self.transaction(shared) {
                transaction.request.body.skip(missing);
            }
            if self.body.is_over() {
                let _ = self.complete(shared);
            }
            return;
        }
        if self.state != State::Failed {
            self.end(shared);
            self.pending.clear();
            self.state = State::Lost;
        }
    }

    /// Nothing more belongs to the request at hand.
    fn end(&mut self, shared: &mut Shared) {
        let live = self
            .current
            .is_some_and(|current| shared.get(current).is_some());
        if !live {
            return;
        }
        if let State::Head { .. } | State::Trailers = self.state {
            let _ = self.end_of_head(shared);
        }
        if self.state == State::Body {
            let _ = self.complete(shared);
        }
    }

    /// A response to the request at hand begins: a request without protocol (HTTP/0.9) has no head.
    pub(super) fn response_begins(&mut self, shared: &mut Shared) {
        let blank = self.pending.is_empty() || self.pending.len() <= 2;
        if self.state == (State::Head { old: true }) && blank {
            self.pending.clear();
            let _ = self.complete(shared);
        }
    }

    /// The server declined the request's body (`Expect: 100-continue`) before any of it came.
    pub(super) fn body_declined(&mut self, number: u64, shared: &mut Shared) {
        if self.current != Some(number) || self.state != State::Body {
            return;
        }
        let none = shared.get(number).is_some_and(|transaction| {
            let expect = transaction.request.head.value(b"expect");
            transaction.request.body.view().is_none()
                && expect.is_some_and(|expect| contains(expect, b"100-continue"))
        });
        if none {
            let _ = self.complete(shared);
        }
    }

    /// Whether bytes wait for what becomes of a CONNECT.
    pub(super) fn waits_for_tunnel(&self) -> bool {
        self.state == State::Tunnel
    }
}

/// Whether a line may be a request, by what has come of it: a token, a space.
fn may_be_request(bytes: &[u8]) -> bool {
    let (line, _) = split_while(bytes, |byte| byte != b'\n');
    let (_, rest) = split_while(line, is_space);
    let (method, rest) = split_while(rest, is_token);
    method.len() <= line::LONGEST_METHOD && rest.first().is_none_or(|byte| is_space(*byte))
}

fn show(
    request: &mut Request,
    (decoding, multipart): (&mut Decoding, &mut Multipart),
    events: &mut Events,
    bytes: &[u8],
) {
    let Request { body, files, .. } = request;
    let before = body.len();
    decoding.decode(bytes, events, &mut |decoded| body.push(decoded));
    let _ = before;
    if let Some(view) = body.view() {
        let fresh = usize::try_from(body.len() - before).unwrap_or(usize::MAX);
        let from = view.bytes.len().saturating_sub(fresh);
        multipart.take(view.bytes.get(from..).unwrap_or_default(), files, events);
    }
}

/// Reads a request line into a transaction.
fn read_line(transaction: &mut HttpTransaction, line: &[u8]) {
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
        request.uri_parts.normalise(raw, &mut request.uri);
    }
    request.reach(LINE);
}

/// Finds the host: the URI's, or else the field's.
fn read_hosts(request: &mut Request, events: &mut Events) {
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
    if in_uri.is_empty() {
        request.host.extend(name.iter().map(u8::to_ascii_lowercase));
    } else if !in_uri.eq_ignore_ascii_case(name) {
        events.raise(Event::HostAmbiguous);
    }
}

/// Schemes of `Authorization` that are known.
const SCHEMES: [&[u8]; 6] = [
    b"basic",
    b"digest",
    b"bearer",
    b"negotiate",
    b"ntlm",
    b"aws4-hmac-sha256",
];

fn check_authorization(request: &Request, events: &mut Events) {
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
fn framing(request: &Request, events: &mut Events) -> Option<Framing> {
    let head = &request.head;
    if let Some(coding) = head.value(b"transfer-encoding") {
        if contains(coding, b"chunked") {
            if request.parts.version < Version::V1_1 {
                events.raise(Event::InvalidTransferEncodingRequest);
            }
            return Some(Framing::Chunked);
        }
        events.raise(Event::InvalidTransferEncodingRequest);
    }
    let length = head.value(b"content-length")?;
    match first_number(length) {
        Some(length) => Some(Framing::Length(length)),
        None => {
            events.raise(Event::InvalidContentLengthRequest);
            None
        }
    }
}
