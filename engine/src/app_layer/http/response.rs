//! Responses, as they come.

use super::body::{Body, Framing, Next};
use super::decode::Decoding;
use super::event::{Event, Events};
use super::fields::{self, Read, Sender};
use super::files::{NAME, parameter};
use super::line::{self, Version};
use super::pending::Pending;
use super::request::Ran;
use super::shared::{Kind, NoRoom, Shared, Tunnel};
use super::text::{chomp, contains, first_number, is_space, is_word, split_while, trim};
use super::transaction::{HttpTransaction, Response};
use super::{BODY, COMPLETE, HEADERS, LINE};
use crate::app_layer::Limits;

/// The server's direction.
#[derive(Debug)]
pub(super) struct ResponseSide {
    state: State,
    pending: Pending,
    value: Vec<u8>,
    body: Body,
    decoding: Decoding,
    current: Option<u64>,
    kind: Kind,
    /// What stands in front of the status line is being shown; the head has not come.
    open: bool,
    /// What follows is another protocol.
    pub(super) switched: bool,
    /// Number of a request whose body was declined.
    pub(super) declined: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// A status line, or what stands in front of it.
    #[default]
    Line,
    /// A line that is no status line: body, as browsers have it.
    Junk,
    Head,
    /// There should be no body, but there may be one.
    MaybeBody(Framing),
    Body,
    Trailers,
    /// Bytes are missing: looks for the next response.
    Lost,
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
    /// So many bytes were taken; what follows is another protocol.
    Switched(usize),
}

impl ResponseSide {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            state: State::Line,
            pending: Pending::default(),
            value: Vec::new(),
            body: Body::default(),
            decoding: Decoding::new(limits),
            current: None,
            kind: Kind::Other,
            open: false,
            switched: false,
            declined: None,
        }
    }

    pub(super) fn reset(&mut self) {
        self.state = State::Line;
        self.pending.clear();
        self.current = None;
        self.open = false;
        self.switched = false;
        self.declined = None;
    }

    /// Takes what came. Bytes that are another protocol's are not taken.
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
                Step::Switched(taken) => {
                    self.switched = true;
                    at += taken;
                    return (at, false, at < bytes.len());
                }
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
            State::Head | State::Trailers => self.head(bytes, eof, shared),
            State::MaybeBody(framing) => self.maybe_body(bytes, framing, eof, shared),
            State::Body => self.body(bytes, shared),
            State::Lost => Ok(self.lost(bytes)),
            State::Failed => Ok(Step::More),
        };
        step.unwrap_or(Step::NoRoom)
    }

    /// The transaction at hand; where it was let go, a new one that goes on with it.
    fn transaction<'s>(
        &mut self,
        shared: &'s mut Shared,
    ) -> Result<&'s mut HttpTransaction, NoRoom> {
        let mut number = self.current.unwrap_or(u64::MAX);
        let transaction = shared.go_on(&mut number, |late| late.request.progress = COMPLETE)?;
        self.current = Some(number);
        Ok(transaction)
    }

    /// Finds the transaction that a response belongs to, unless one is at hand that has no head yet.
    fn open(&mut self, shared: &mut Shared) -> Result<(), NoRoom> {
        if self.open {
            return Ok(());
        }
        let (number, kind, matched) = shared.answer()?;
        self.current = Some(number);
        self.kind = kind;
        self.open = true;
        if !matched && let Some(transaction) = shared.get(number) {
            transaction.events.raise(Event::UnableToMatchResponse);
        }
        Ok(())
    }

    /// A limit was hit.
    fn too_long(&mut self, shared: &mut Shared) -> Result<Step, NoRoom> {
        let transaction = self.transaction(shared)?;
        transaction.events.raise(Event::ResponseFieldTooLong);
        transaction.response.reach(COMPLETE);
        self.state = State::Failed;
        Ok(Step::More)
    }

    fn line(&mut self, bytes: &[u8], eof: bool, shared: &mut Shared) -> Result<Step, NoRoom> {
        let (blank, rest) = split_while(bytes, |byte| is_space(byte) || byte == 0);
        if rest.is_empty() {
            return self.blank(blank, eof, shared);
        }
        let seen = rest.len().min(4);
        if !rest[..seen].eq_ignore_ascii_case(&b"http"[..seen]) {
            self.state = State::Junk;
            return Ok(Step::Taken(0));
        }
        let end = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
        let start = blank.len();
        let whole = match end.map(|end| (rest[end], rest.get(end + 1))) {
            Some((b'\r', Some(b'\n'))) => end.map(|end| end + 2),
            Some((b'\r', None)) if !eof => None,
            Some(_) => end.map(|end| end + 1),
            None => eof.then_some(rest.len()),
        };
        let Some(whole) = whole else {
            if bytes.len() > shared.limits.field {
                self.open(shared)?;
                return self.too_long(shared);
            }
            return Ok(Step::More);
        };
        self.open(shared)?;
        let line = chomp(&rest[..whole]);
        let transaction = self.transaction(shared)?;
        let HttpTransaction {
            response, events, ..
        } = transaction;
        response.line.clear();
        response.line.extend_from_slice(line);
        response.parts = line::status_line(line, events);
        // An interim response is followed by another line.
        if response.parts.status != 100 {
            response.reach(LINE);
        }
        self.state = State::Head;
        Ok(Step::Taken(start + whole))
    }

    /// Blanks and NULs in front of a status line are nothing.
    fn blank(&mut self, bytes: &[u8], eof: bool, shared: &mut Shared) -> Result<Step, NoRoom> {
        if eof {
            return Ok(Step::Taken(bytes.len()));
        }
        if bytes.len() > shared.limits.field {
            self.open(shared)?;
            return self.too_long(shared);
        }
        Ok(Step::More)
    }

    /// A line that is no status line: behind a response it belongs to its body, in front of the first one
    /// it is the start of the body.
    fn junk(&mut self, bytes: &[u8], shared: &mut Shared) -> Result<Step, NoRoom> {
        let live = self
            .current
            .is_some_and(|current| shared.get(current).is_some());
        if !live {
            self.open(shared)?;
        }
        let end = memchr::memchr(b'\n', bytes).map(|end| end + 1);
        let taken = end.unwrap_or(bytes.len());
        let limit = shared.limits.field as u64;
        let response = &mut self.transaction(shared)?.response;
        response.body.push(bytes.get(..taken).unwrap_or_default());
        if end.is_some() {
            self.state = State::Line;
        }
        if response.progress < BODY && response.body.len() > limit {
            // No status line will come: HTTP/0.9.
            response.reach(BODY);
            self.body.start(Framing::UntilClose);
            self.decoding.start(None, &mut Events::default());
            self.state = State::Body;
        }
        Ok(Step::Taken(taken))
    }

    fn head(&mut self, bytes: &[u8], eof: bool, shared: &mut Shared) -> Result<Step, NoRoom> {
        let limits = shared.limits;
        if let [b'\r', next, ..] = bytes
            && *next != b'\n'
            && self.state == State::Head
            && self.transaction(shared)?.response.head.size() == 0
        {
            // The status line ended with LFCR.
            self.transaction(shared)?.response.head.push_raw(b"\r");
            return Ok(Step::Taken(1));
        }
        let mut value = std::mem::take(&mut self.value);
        let read = fields::read(Sender::Server, bytes, eof, &mut value);
        let transaction = self.transaction(shared)?;
        let HttpTransaction {
            response, events, ..
        } = transaction;
        let (taken, over, long) = read.extent(bytes);
        if long > limits.field || response.head.size() + taken > limits.head {
            self.value = value;
            return self.too_long(shared);
        }
        if let Read::Field(shape) = read {
            response
                .head
                .add(Sender::Server, (bytes, shape, &value), events);
        }
        self.value = value;
        response
            .head
            .push_raw(bytes.get(..taken).unwrap_or_default());
        if over && self.end_of_head(shared)? {
            return Ok(Step::Switched(taken));
        }
        Ok(if taken == 0 {
            Step::More
        } else {
            Step::Taken(taken)
        })
    }

    /// The head, or the trailers, are there as a whole. Returns whether another protocol follows.
    fn end_of_head(&mut self, shared: &mut Shared) -> Result<bool, NoRoom> {
        let trailers = self.state == State::Trailers;
        let kind = self.kind;
        let transaction = self.transaction(shared)?;
        let HttpTransaction {
            response, events, ..
        } = transaction;
        response.head.build(&response.line);
        if trailers {
            return self.complete(shared).map(|()| false);
        }
        let status = response.parts.status;
        if status == 100 && is_interim(response) {
            if response.continued {
                events.raise(Event::ContinueAlreadySeen);
            }
            response.continued = true;
            response.head.clear();
            self.state = State::Line;
            return Ok(false);
        }
        response.reach(HEADERS);
        name_file(response);
        let success = (200..300).contains(&status);
        let framed = is_framed(response);
        let framing = framing(response, events);
        let bodiless = (100..200).contains(&status) || status == 204 || status == 304;
        self.open = false;
        if kind == Kind::Connect && success || status == 101 && !framed {
            self.complete(shared)?;
            return Ok(true);
        }
        if kind == Kind::Connect {
            shared.tunnel = Tunnel::Declined;
        }
        if (400..500).contains(&status) {
            self.declined = self.current;
        }
        if kind == Kind::Head || bodiless && !framed {
            return self.complete(shared).map(|()| false);
        }
        if bodiless {
            self.state = State::MaybeBody(framing);
            return Ok(false);
        }
        self.start_body(framing, shared)?;
        Ok(false)
    }

    fn start_body(&mut self, framing: Framing, shared: &mut Shared) -> Result<(), NoRoom> {
        let HttpTransaction {
            response, events, ..
        } = self.transaction(shared)?;
        self.body.start(framing);
        let coding = response.head.value(b"content-encoding");
        self.decoding.start(coding, events);
        self.state = State::Body;
        if self.body.is_over() {
            return self.complete(shared);
        }
        Ok(())
    }

    /// Behind a response that should have no body but says how long it is: a status line says that it has
    /// none.
    fn maybe_body(
        &mut self,
        bytes: &[u8],
        framing: Framing,
        eof: bool,
        shared: &mut Shared,
    ) -> Result<Step, NoRoom> {
        let seen = bytes.len().min(5);
        let status = bytes[..seen] == b"HTTP/"[..seen];
        if status && seen < 5 && !eof {
            return Ok(Step::More);
        }
        if status {
            self.complete(shared)?;
        } else {
            self.start_body(framing, shared)?;
        }
        Ok(Step::Taken(0))
    }

    fn body(&mut self, bytes: &[u8], shared: &mut Shared) -> Result<Step, NoRoom> {
        let HttpTransaction {
            response, events, ..
        } = self.transaction(shared)?;
        response.reach(BODY);
        let (decoding, body) = (&mut self.decoding, &mut response.body);
        let (taken, next, invalid) = self.body.take(bytes, &mut |bytes| {
            decoding.decode(bytes, events, &mut |decoded| body.push(decoded));
        });
        if invalid {
            events.raise(Event::InvalidResponseChunkLen);
        }
        match next {
            Next::Body => {}
            Next::End => self.complete(shared)?,
            Next::Trailers => self.state = State::Trailers,
        }
        Ok(Step::Taken(taken))
    }

    /// The response is over.
    fn complete(&mut self, shared: &mut Shared) -> Result<(), NoRoom> {
        let body = &mut self.transaction(shared)?.response.body;
        self.decoding.finish(&mut |bytes| body.push(bytes));
        let response = &mut self.transaction(shared)?.response;
        response.body.finish();
        response.reach(COMPLETE);
        self.open = false;
        self.state = State::Line;
        Ok(())
    }

    /// Looks for a line that is a status line.
    fn lost(&mut self, bytes: &[u8]) -> Step {
        let seen = bytes.len().min(5);
        match (bytes[..seen] == b"HTTP/"[..seen], seen == 5) {
            (true, true) => {
                self.state = State::Line;
                Step::Taken(0)
            }
            (true, false) => Step::More,
            (false, _) => {
                let end = memchr::memchr(b'\n', bytes);
                Step::Taken(end.map_or(bytes.len(), |end| end + 1))
            }
        }
    }

    /// Bytes are missing. Within a body whose end is known they are stepped over; elsewhere the response is
    /// cut short, and the next one looked for.
    pub(super) fn gap(&mut self, missing: u64, shared: &mut Shared) {
        if self.state == State::Body && self.body.skip(missing) {
            if let Ok(transaction) = self.transaction(shared) {
                transaction.response.body.skip(missing);
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

    /// Nothing more belongs to the response at hand.
    fn end(&mut self, shared: &mut Shared) {
        let live = self
            .current
            .is_some_and(|current| shared.get(current).is_some());
        if !live {
            return;
        }
        if let State::Head | State::Trailers = self.state {
            let _ = self.end_of_head(shared);
        }
        let begun = self.open || matches!(self.state, State::Body | State::MaybeBody(_));
        if begun {
            let _ = self.complete(shared);
        }
    }
}

/// Whether a 100 is followed by another response: it has no body.
fn is_interim(response: &Response) -> bool {
    let head = &response.head;
    let length = head.value(b"content-length").and_then(first_number);
    head.value(b"transfer-encoding").is_none() && length.unwrap_or(0) == 0
}

fn is_framed(response: &Response) -> bool {
    let head = &response.head;
    head.value(b"transfer-encoding").is_some() || head.value(b"content-length").is_some()
}

/// How the response's body is framed, if it has one.
fn framing(response: &Response, events: &mut Events) -> Framing {
    let head = &response.head;
    let coding = head.value(b"transfer-encoding");
    if let Some(coding) = coding.filter(|coding| contains(coding, b"chunked")) {
        if !is_word(trim(coding), b"chunked") {
            events.raise(Event::ResponseAbnormalTransferEncoding);
        }
        if response.parts.version < Version::V1_1 {
            events.raise(Event::ResponseChunkedOldProtocol);
        }
        return Framing::Chunked;
    }
    if coding.is_some() {
        events.raise(Event::InvalidTransferEncodingResponse);
    }
    let Some(length) = head.value(b"content-length") else {
        return Framing::UntilClose;
    };
    match first_number(length) {
        Some(length) => Framing::Length(length),
        None => {
            events.raise(Event::InvalidContentLengthResponse);
            Framing::UntilClose
        }
    }
}

/// The name that `Content-Disposition` gives the body.
fn name_file(response: &mut Response) {
    let disposition = response.head.value(b"content-disposition");
    let name = disposition.and_then(|value| parameter(value, b"filename="));
    if let Some(name) = name {
        response.file_name.clear();
        let name = name.get(..NAME).unwrap_or(name);
        response.file_name.extend_from_slice(name);
    }
}
