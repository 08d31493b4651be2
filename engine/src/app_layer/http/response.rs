//! Responses, as they come.

pub(in crate::app_layer) mod head;

use super::body::{Body, Framing, Next};
use super::decode::Decoding;
use super::event::{Event, Events};
use super::fields::Sender;
use super::head::{HeadStep, TooLong};
use super::line;
use super::pending::Pending;
use super::shared::{Kind, NoRoom, Shared, Tunnel};
use super::side::{Side, Step};
use super::text::{chomp, is_space, split_while};
use super::transaction::HttpTransaction;
use super::upgrade::Upgrade;
use super::{BODY, COMPLETE, HEADERS, LINE, TRAILERS};
use crate::app_layer::Limits;
use head::{framing, is_framed, is_interim, open_file};

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
    /// Which.
    pub(super) upgrade: Upgrade,
    /// Number of a request whose body was declined.
    pub(super) declined: Option<u64>,
    /// The requests have to learn of the response that has just come before what is behind it is read.
    pub(super) yields: bool,
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
    /// The same, within a line that is no status line.
    LostLine,
    Failed,
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
            upgrade: Upgrade::default(),
            declined: None,
            yields: false,
        }
    }

    pub(super) fn reset(&mut self) {
        self.state = State::Line;
        self.pending.clear();
        self.decoding.clear();
        self.current = None;
        self.open = false;
        self.switched = false;
        self.upgrade.agreed(None);
        self.declined = None;
        self.yields = false;
    }

    /// The transaction at hand; where it was let go, a new one that goes on with it.
    fn transaction<'s>(
        &mut self,
        shared: &'s mut Shared,
    ) -> Result<&'s mut HttpTransaction, NoRoom> {
        shared.go_on(&mut self.current, |late| {
            late.request.progress = COMPLETE;
            late.response.body.go_on();
        })
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
        if response.progress < BODY && response.body.size() > limit {
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
        let HttpTransaction {
            response, events, ..
        } = self.transaction(shared)?;
        let input = (Sender::Server, bytes, eof);
        let read = response.head.read(input, &mut value, &limits, events);
        self.value = value;
        match read {
            Err(TooLong) => self.too_long(shared),
            Ok(HeadStep { taken: 0, .. }) => Ok(Step::More),
            Ok(HeadStep { taken, over, .. }) => {
                if over && self.end_of_head(shared)? {
                    self.switched = true;
                    return Ok(Step::Switched(taken));
                }
                Ok(Step::Taken(taken))
            }
        }
    }

    /// The head, or the trailers, are there as a whole. Returns whether another protocol follows.
    fn end_of_head(&mut self, shared: &mut Shared) -> Result<bool, NoRoom> {
        let trailers = self.state == State::Trailers;
        let kind = self.kind;
        let transaction = self.transaction(shared)?;
        let HttpTransaction {
            request,
            response,
            events,
            ..
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
        let success = (200..300).contains(&status);
        if status == 101 {
            self.upgrade.agreed(response.head.value(b"upgrade"));
            self.upgrade.hand_over(request);
        }
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
            self.yields = true;
        }
        if (400..500).contains(&status) {
            self.declined = self.current;
            self.yields = true;
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
        let (files, decodes) = (shared.files.clone(), shared.decodes());
        let HttpTransaction {
            request,
            response,
            events,
            ..
        } = self.transaction(shared)?;
        self.body.start(framing);
        let coding = response.head.value(b"content-encoding");
        self.decoding.start(coding.filter(|_| decodes), events);
        open_file(request, response, &files, events);
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
        if self.body.has_extension() {
            events.raise(Event::ResponseChunkExtension);
        }
        shared.count_bomb(self.current, &mut self.decoding);
        match next {
            Next::Body => {}
            Next::End => self.complete(shared)?,
            Next::Trailers => {
                self.transaction(shared)?.response.reach(TRAILERS);
                self.state = State::Trailers;
            }
        }
        Ok(Step::Taken(taken))
    }

    /// The response is over.
    fn complete(&mut self, shared: &mut Shared) -> Result<(), NoRoom> {
        let response = &mut self.transaction(shared)?.response;
        let body = &mut response.body;
        self.decoding.finish(&mut |bytes| body.push(bytes));
        body.finish(self.body.is_whole());
        response.reach(COMPLETE);
        self.open = false;
        self.state = State::Line;
        shared.count_warnings(self.current);
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
            (false, _) => self.lost_line(bytes),
        }
    }

    fn lost_line(&mut self, bytes: &[u8]) -> Step {
        let end = memchr::memchr(b'\n', bytes).map(|end| end + 1);
        self.state = if end.is_some() {
            State::Lost
        } else {
            State::LostLine
        };
        Step::Taken(end.unwrap_or(bytes.len()))
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
}

impl Side for ResponseSide {
    fn step(&mut self, bytes: &[u8], eof: bool, shared: &mut Shared) -> Result<Step, NoRoom> {
        match self.state {
            State::Line => self.line(bytes, eof, shared),
            State::Junk => self.junk(bytes, shared),
            State::Head | State::Trailers => self.head(bytes, eof, shared),
            State::MaybeBody(framing) => self.maybe_body(bytes, framing, eof, shared),
            State::Body => self.body(bytes, shared),
            State::Lost => Ok(self.lost(bytes)),
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

    fn yields(&self) -> bool {
        self.yields
    }

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
