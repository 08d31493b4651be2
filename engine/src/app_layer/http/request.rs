//! Requests, as they come.

mod head;

use super::body::{Body, Next};
use super::decode::Decoding;
use super::event::{Event, Events};
use super::fields::Sender;
use super::head::{HeadStep, TooLong};
use super::line;
use super::multipart::Multipart;
use super::pending::Pending;
use super::shared::{NoRoom, Shared, Tunnel};
use super::side::{Side, Step};
use super::text::{chomp, contains, is_space, is_token, split_while, trim};
use super::transaction::{HttpTransaction, Request};
use super::{BODY, COMPLETE, HEADERS, TRAILERS};
use crate::app_layer::Limits;
use head::{check_authorization, framing, read_hosts, read_line};

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
    /// The same, within a line that is no request.
    LostLine,
    /// Nothing can be made of what comes.
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
        self.decoding.clear();
        self.multipart.clear();
        self.current = None;
    }

    /// The transaction at hand; where it was let go, a new one that goes on with it.
    fn transaction<'s>(
        &mut self,
        shared: &'s mut Shared,
    ) -> Result<&'s mut HttpTransaction, NoRoom> {
        shared.go_on(&mut self.current, |late| {
            late.response.progress = COMPLETE;
            late.request.body.go_on();
        })
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
        let server_port = shared.server_port;
        let number = shared.open()?;
        self.current = Some(number);
        let incomplete = eof && !sent.ends_with(b"\n");
        if let Some(transaction) = shared.get(number) {
            read_line(transaction, line, server_port);
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
        let transaction = self.transaction(shared)?;
        let HttpTransaction {
            request, events, ..
        } = transaction;
        let input = (Sender::Client, bytes, eof);
        let read = request.head.read(input, &mut value, &limits, events);
        let field = matches!(&read, Ok(HeadStep { field: true, .. }));
        if self.state == (State::Head { old: true }) && field {
            events.raise(Event::RequestMissingProtocol);
            self.state = State::Head { old: false };
        }
        self.value = value;
        match read {
            Err(TooLong) => self.too_long(shared),
            Ok(HeadStep { taken: 0, .. }) => Ok(Step::More),
            Ok(HeadStep { taken, over, .. }) => {
                if over {
                    self.end_of_head(shared)?;
                }
                Ok(Step::Taken(taken))
            }
        }
    }

    /// The head, or the trailers, are there as a whole.
    fn end_of_head(&mut self, shared: &mut Shared) -> Result<(), NoRoom> {
        let trailers = self.state == State::Trailers;
        let server_port = shared.server_port;
        let transaction = self.transaction(shared)?;
        let HttpTransaction {
            request, events, ..
        } = transaction;
        request.head.build(&request.line);
        if trailers {
            return self.complete(shared);
        }
        read_hosts(request, server_port, events);
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
        self.body.start(framing);
        self.start_content(shared)?;
        self.state = State::Body;
        if self.body.is_over() {
            return self.complete(shared);
        }
        Ok(())
    }

    /// Looks at what the body is: coded, a form, a file.
    fn start_content(&mut self, shared: &mut Shared) -> Result<(), NoRoom> {
        let (files, decodes) = (shared.files.clone(), shared.decodes());
        let HttpTransaction {
            request, events, ..
        } = self.transaction(shared)?;
        let coding = request.head.value(b"content-encoding");
        self.decoding.start(coding.filter(|_| decodes), events);
        let content_type = request.head.value(b"content-type");
        self.multipart.start(content_type, &files);
        request.form = self.multipart.is_form();
        if !request.form {
            request
                .body
                .open(request.path.of_buffer(&request.uri), &files);
        }
        Ok(())
    }

    fn body(&mut self, bytes: &[u8], shared: &mut Shared) -> Result<Step, NoRoom> {
        // Room first: what is taken must be shown.
        let HttpTransaction {
            request, events, ..
        } = self.transaction(shared)?;
        request.reach(BODY);
        let (decoding, multipart) = (&mut self.decoding, &mut self.multipart);
        let mut put = |bytes: &[u8]| show(request, (decoding, multipart), events, bytes);
        let (taken, next, invalid) = self.body.take(bytes, &mut put);
        if invalid {
            events.raise(Event::InvalidRequestChunkLen);
        }
        if self.body.has_extension() {
            events.raise(Event::RequestChunkExtension);
        }
        shared.count_bomb(self.current, &mut self.decoding);
        match next {
            Next::Body => {}
            Next::End => self.complete(shared)?,
            Next::Trailers => {
                self.transaction(shared)?.request.reach(TRAILERS);
                self.state = State::Trailers;
            }
        }
        Ok(Step::Taken(taken))
    }

    /// The request is over.
    fn complete(&mut self, shared: &mut Shared) -> Result<(), NoRoom> {
        let HttpTransaction {
            request, events, ..
        } = self.transaction(shared)?;
        let Request { body, files, .. } = request;
        self.decoding.finish(&mut |bytes| {
            body.push(bytes);
            self.multipart.take(bytes, files, events);
        });
        let whole = self.body.is_whole();
        self.multipart.finish(files, whole, events);
        body.finish(whole);
        request.reach(COMPLETE);
        self.state = State::Line;
        shared.count_warnings(self.current);
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
                    self.state = State::LostLine;
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

    fn lost_line(&mut self, bytes: &[u8]) -> Step {
        let end = memchr::memchr(b'\n', bytes).map(|end| end + 1);
        if end.is_some() {
            self.state = State::Lost;
        }
        Step::Taken(end.unwrap_or(bytes.len()))
    }

    /// Bytes are missing. Within a body whose end is known they are stepped over; elsewhere the request is
    /// cut short, and the next one looked for.
    pub(super) fn gap(&mut self, missing: u64, shared: &mut Shared) {
        if self.state == State::Body && self.body.skip(missing) {
            if let Ok(transaction) = self.transaction(shared) {
                transaction.request.body.skip(missing);
                self.multipart.skip(missing, &mut transaction.request.files);
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
            !transaction.request.body.has_begun()
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

impl Side for RequestSide {
    fn step(&mut self, bytes: &[u8], eof: bool, shared: &mut Shared) -> Result<Step, NoRoom> {
        match self.state {
            State::Line => self.line(bytes, eof, shared),
            State::Junk => self.junk(bytes, shared),
            State::Head { .. } | State::Trailers => self.head(bytes, eof, shared),
            State::Body => self.body(bytes, shared),
            State::Tunnel => self.tunnel(bytes, shared),
            State::Lost => self.lost(bytes),
            State::LostLine => Ok(self.lost_line(bytes)),
            State::Failed => Ok(Step::More),
        }
    }

    fn pending(&mut self) -> &mut Pending {
        &mut self.pending
    }

    fn has_failed(&self) -> bool {
        self.state == State::Failed
    }

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
    // The form is cut behind the coding, whose events are its own.
    let mut in_form = Events::default();
    decoding.decode(bytes, events, &mut |decoded| {
        body.push(decoded);
        multipart.take(decoded, files, &mut in_form);
    });
    events.raise_all(&in_form);
}
