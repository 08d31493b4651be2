//! One exchange: a request and its response, and what rules see of them.

use crate::app_layer::{AppEvent, BufferBytes, BufferId, Fields, Progress, Transaction};
use crate::event::FlowDirection::{self, ToClient, ToServer};

use super::buffers::{self, Part, part};
use super::event::Events;
use super::head::Head;
use super::line::{RequestLine, StatusLine};
use super::text::Span;
use super::uri::Parts;
use super::{BODY, record};
use crate::app_layer::{File, FilePart, Files};

/// A request and its response.
#[derive(Debug, Default)]
pub(super) struct HttpTransaction {
    id: u64,
    /// One of the two was let go before the other came: it does not wait for a response.
    pub(super) late: bool,
    pub(super) request: Request,
    pub(super) response: Response,
    pub(super) events: Events,
}

/// A request.
#[derive(Debug, Default)]
pub(super) struct Request {
    pub(super) progress: Progress,
    pub(super) line: Vec<u8>,
    pub(super) parts: RequestLine,
    /// The URI's parts, and path, query and fragment as the server sees them.
    pub(super) uri_parts: Parts,
    pub(super) uri: Vec<u8>,
    /// The path in `uri`.
    pub(super) path: Span,
    pub(super) head: Head,
    /// Lower case, less the port.
    pub(super) host: Vec<u8>,
    /// The body: a file, unless it is a form.
    pub(super) body: File,
    /// The body is a form: what files it has are in `files`.
    pub(super) form: bool,
    pub(super) files: Files,
}

/// A response.
#[derive(Debug, Default)]
pub(super) struct Response {
    pub(super) progress: Progress,
    pub(super) line: Vec<u8>,
    pub(super) parts: StatusLine,
    pub(super) head: Head,
    /// The body, which is a file.
    pub(super) body: File,
    pub(super) continued: bool,
}

impl Request {
    pub(super) fn method(&self) -> &[u8] {
        self.parts.method.of_buffer(&self.line)
    }

    pub(super) fn raw_uri(&self) -> &[u8] {
        self.parts.uri.of_buffer(&self.line)
    }

    /// The URI as the server sees it.
    pub(super) fn shown_uri(&self) -> &[u8] {
        if self.uri.is_empty() {
            self.raw_uri()
        } else {
            &self.uri
        }
    }

    /// One of the files that it carries: those of a form, or else its body.
    fn file(&self, index: usize) -> Option<&File> {
        if self.form {
            return self.files.get(index);
        }
        Some(&self.body).filter(|body| index == 0 && body.has_begun())
    }

    /// The URI's host, or else what the `Host` field says.
    pub(super) fn raw_host(&self) -> Option<&[u8]> {
        let host = self.uri_parts.host.of_buffer(self.raw_uri());
        if host.is_empty() {
            self.head.value(b"host")
        } else {
            Some(host)
        }
    }

    /// Moves on, never back.
    pub(super) fn reach(&mut self, progress: Progress) {
        self.progress = self.progress.max(progress);
    }

    fn clear(&mut self) {
        self.form = false;
        self.progress = 0;
        self.line.clear();
        self.parts = RequestLine::default();
        self.uri_parts = Parts::default();
        self.uri.clear();
        self.path = Span::default();
        self.head.clear();
        self.host.clear();
        self.body.clear();
        self.files.clear();
    }
}

impl Response {
    /// Moves on, never back.
    pub(super) fn reach(&mut self, progress: Progress) {
        self.progress = self.progress.max(progress);
    }

    fn clear(&mut self) {
        self.progress = 0;
        self.continued = false;
        self.line.clear();
        self.parts = StatusLine::default();
        self.head.clear();
        self.body.clear();
    }
}

impl HttpTransaction {
    /// Empties it for its next use.
    pub(super) fn clear(&mut self, id: u64) {
        self.id = id;
        self.late = false;
        self.request.clear();
        self.response.clear();
        self.events.clear();
    }

    /// What is fresh in the bodies of `direction` has been inspected. What is not shown yet is kept.
    pub(super) fn inspected(&mut self, direction: FlowDirection, tail: usize) {
        match direction {
            ToServer if self.request.progress >= BODY => {
                self.request.body.inspected(tail);
                self.request.files.inspected(tail);
            }
            ToClient if self.response.progress >= BODY => self.response.body.inspected(tail),
            ToServer | ToClient => {}
        }
    }

    fn request_part(&self, part: Part, index: usize) -> Option<BufferBytes<'_>> {
        let request = &self.request;
        let head = &request.head;
        let bytes = match part {
            Part::Body if index == 0 => return request.body.buffer(FilePart::Data),
            Part::File(part) => return request.file(index)?.buffer(part),
            Part::EachField => head.line(index)?,
            _ if index > 0 => return None,
            Part::Line => &request.line,
            Part::Method => request.method(),
            Part::Uri => request.shown_uri(),
            Part::RawUri => request.raw_uri(),
            Part::Protocol => request.parts.protocol.of_buffer(&request.line),
            Part::Host if request.host.is_empty() => return None,
            Part::Host => &request.host,
            Part::RawHost => request.raw_host()?,
            Part::Head | Part::RawHead | Part::Names | Part::Start | Part::Field(_) => {
                return head_part(head, part);
            }
            Part::Code | Part::Message | Part::Body => return None,
        };
        non_empty(bytes)
    }

    fn response_part(&self, part: Part, index: usize) -> Option<BufferBytes<'_>> {
        let response = &self.response;
        let head = &response.head;
        let bytes = match part {
            Part::EachField => head.line(index)?,
            _ if index > 0 => return None,
            Part::Body => return response.body.buffer(FilePart::Data),
            Part::File(part) => return response.body.buffer(part),
            Part::Line => &response.line,
            Part::Protocol => response.parts.protocol.of_buffer(&response.line),
            Part::Code => response.parts.code.of_buffer(&response.line),
            Part::Message => response.parts.message.of_buffer(&response.line),
            Part::Head | Part::RawHead | Part::Names | Part::Start | Part::Field(_) => {
                return head_part(head, part);
            }
            Part::Method | Part::Uri | Part::RawUri | Part::Host | Part::RawHost => return None,
        };
        non_empty(bytes)
    }
}

/// A buffer of a message's head. A field that is there but empty is an empty buffer.
fn head_part(head: &Head, part: Part) -> Option<BufferBytes<'_>> {
    match part {
        Part::Head => non_empty(head.normalised()),
        Part::RawHead => non_empty(head.raw()),
        Part::Names if head.len() > 0 => non_empty(head.names()),
        Part::Start => non_empty(head.start()),
        Part::Field(name) => head.value(name).map(BufferBytes::whole),
        _ => None,
    }
}

fn non_empty(bytes: &[u8]) -> Option<BufferBytes<'_>> {
    (!bytes.is_empty()).then(|| BufferBytes::whole(bytes))
}

impl Transaction for HttpTransaction {
    fn id(&self) -> u64 {
        self.id
    }

    fn progress(&self, direction: FlowDirection) -> Progress {
        match direction {
            ToServer => self.request.progress,
            ToClient => self.response.progress,
        }
    }

    fn buffer(&self, id: BufferId, index: usize) -> Option<BufferBytes<'_>> {
        let part = part(id.index())?;
        match id.spec().direction {
            ToServer => self.request_part(part, index),
            ToClient => self.response_part(part, index),
        }
    }

    fn number(&self, keyword: &str, index: usize) -> Option<u64> {
        match (keyword, index) {
            ("urilen", 0) if self.request.progress > 0 => Some(self.request.raw_uri().len() as u64),
            (buffers::NORMALISED_LENGTH, 0) if self.request.progress > 0 => {
                Some(self.request.shown_uri().len() as u64)
            }
            _ => None,
        }
    }

    fn file(&self, direction: FlowDirection, index: usize) -> Option<&File> {
        match direction {
            ToServer => self.request.file(index),
            ToClient => Some(&self.response.body).filter(|body| index == 0 && body.has_begun()),
        }
    }

    fn events(&self) -> &[AppEvent] {
        self.events.all()
    }

    fn describe(&self, fields: &mut dyn Fields) {
        record::describe(self, fields);
    }
}

impl HttpTransaction {
    /// Whether a response may still be due.
    pub(super) fn is_unanswered(&self) -> bool {
        !self.late && self.response.progress == 0
    }
}
