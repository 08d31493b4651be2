//! A request or a response: its fields, and its content as it comes.

use crate::app_layer::http::decode::Decoding;
use crate::app_layer::http::event::{Event as ContentEvent, Events as ContentEvents};

use crate::app_layer::http::host::{is_valid, port};
use crate::app_layer::http::multipart::Multipart;
use crate::app_layer::http::response::head::part_of;
use crate::app_layer::http::text::Span;
use crate::app_layer::http::uri::{self, host_and_port};
use crate::app_layer::parameters::parameter;
use crate::app_layer::session::Events;
use crate::app_layer::{AppEvent, File, FileService, Files, Limits, Progress};

use super::dns::{Dns, is_dns};
use crate::event::FlowDirection;

use super::event::Event;
use super::head::Head;
use super::{BODY, COMPLETE, HEADERS, TRAILERS};

/// Capacity of texts that is kept for the next message.
const KEPT: usize = 256;

/// Status of a part of a file.
const PARTIAL: &[u8] = b"206";

/// A request or a response.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub(super) progress: Progress,
    pub(super) head: Head,
    /// As in HTTP/1, with its line end.
    pub(super) line: Vec<u8>,
    /// The target as the server sees it, and the path in it.
    pub(super) uri: Vec<u8>,
    pub(super) path: Span,
    /// Lower case, less user and port.
    pub(super) host: Vec<u8>,
    /// The body: a file, unless it is a form.
    pub(super) body: File,
    form: bool,
    files: Files,
    multipart: Multipart,
    decoding: Option<Box<Decoding>>,
    pub(super) dns: Dns,
}

impl Message {
    /// Moves on, never back.
    pub(super) fn reach(&mut self, progress: Progress) {
        self.progress = self.progress.max(progress);
    }

    pub(super) fn is_over(&self) -> bool {
        self.progress >= COMPLETE
    }

    /// Its body is being decoded.
    pub(super) fn is_coded(&self) -> bool {
        self.decoding.is_some()
    }

    /// The target as sent: of CONNECT the authority.
    pub(super) fn raw_uri(&self) -> &[u8] {
        let path = self.head.first(b":path");
        path.or_else(|| self.head.first(b":authority"))
            .unwrap_or_default()
    }

    /// The authority, or else what `host` says.
    pub(super) fn raw_host(&self) -> Option<&[u8]> {
        let authority = self.head.first(b":authority");
        authority.or_else(|| self.head.first(b"host"))
    }

    /// One of the files that it carries: those of a form, or else its body.
    pub(super) fn file(&self, index: usize) -> Option<&File> {
        if self.form {
            return self.files.get(index);
        }
        Some(&self.body).filter(|body| index == 0 && body.has_begun())
    }

    /// All fields of a request are there.
    pub(super) fn read_request(&mut self, events: &mut Events) {
        let raw = self.raw_uri().to_vec();
        self.path = uri::split(&raw).normalise(&raw, &mut self.uri);
        self.line.clear();
        self.line
            .extend_from_slice(self.head.first(b":method").unwrap_or_default());
        self.line.push(b' ');
        self.line.extend_from_slice(&raw);
        self.line.extend_from_slice(b" HTTP/2\r\n");
        self.read_host(events);
        self.head.build(&self.line);
        self.reach(HEADERS);
    }

    fn read_host(&mut self, events: &mut Events) {
        let whole = self.raw_host().unwrap_or_default();
        let named = without_user(whole);
        if named.len() < whole.len() {
            events.raise(Event::UserinfoInUri as u8);
        }
        let field = self.head.first(b"host");
        if field.is_some_and(|field| !field.eq_ignore_ascii_case(named)) {
            events.raise(Event::AuthorityHostMismatch as u8);
        }
        let (name, _) = host_and_port(named);
        self.host = name.to_ascii_lowercase();
        while self.host.last() == Some(&b'.') {
            self.host.pop();
        }
    }

    /// The port that its authority names.
    pub(super) fn port(&self) -> Option<u16> {
        let (name, named) = host_and_port(without_user(self.raw_host()?));
        port(named).filter(|_| is_valid(name))
    }

    /// Looks for a DNS message in the target.
    pub(super) fn find_dns(&mut self, number: (u64, FlowDirection)) {
        let asks = |name| self.head.value(name).is_some_and(is_dns);
        let asked = asks(b"accept") || asks(b"content-type");
        let target = self.head.first(b":path").unwrap_or_default();
        self.dns.find_in(target, asked, number);
    }

    /// All fields of a response are there.
    pub(super) fn read_response(&mut self) {
        self.line.clear();
        self.line.extend_from_slice(b"HTTP/2 ");
        self.line
            .extend_from_slice(self.head.first(b":status").unwrap_or_default());
        self.line.extend_from_slice(b"\r\n");
        self.head.build(&self.line);
        self.reach(HEADERS);
    }

    /// Fields came behind the body.
    pub(super) fn read_trailers(&mut self) {
        self.head.build(&self.line);
        self.reach(TRAILERS);
    }

    /// What follows is the body of a request. `decodes`: there is room to decode another body.
    pub(super) fn open_request(
        &mut self,
        (files, limits): (&FileService, &Limits),
        decodes: bool,
        events: &mut Events,
    ) {
        self.multipart
            .start(self.head.value(b"content-type"), files);
        self.form = self.multipart.is_form();
        if !self.form {
            self.body.open(self.path.of_buffer(&self.uri), files);
        }
        self.open_coding(limits, decodes, events);
        self.dns.expect_in(self.head.value(b"content-type"));
    }

    /// What follows is the body of a response to a request for a path.
    pub(super) fn open_response(
        &mut self,
        path: &[u8],
        (files, limits): (&FileService, &Limits),
        decodes: bool,
        events: &mut Events,
    ) {
        let disposition = self.head.value(b"content-disposition");
        let name = disposition.and_then(|value| parameter(value, b"filename="));
        self.body.open(name.unwrap_or(path), files);
        let range = self.head.value(b"content-range");
        if let Some(range) = range.filter(|_| self.head.first(b":status") == Some(PARTIAL)) {
            let part = part_of(range).unwrap_or_else(|_| {
                events.raise(Event::InvalidRange as u8);
                Some(0)
            });
            if let Some(offset) = part {
                self.body.set_part_of(offset);
            }
        }
        self.open_coding(limits, decodes, events);
        self.dns.expect_in(self.head.value(b"content-type"));
    }

    fn open_coding(&mut self, limits: &Limits, decodes: bool, events: &mut Events) {
        let Some(coding) = self.head.value(b"content-encoding") else {
            return;
        };
        if !decodes {
            events.raise(Event::FailedDecompression as u8);
            return;
        }
        let mut decoding = Box::new(Decoding::new(limits));
        decoding.start(Some(coding), &mut ContentEvents::default());
        self.decoding = Some(decoding);
    }

    /// Takes content.
    pub(super) fn push(&mut self, bytes: &[u8], events: &mut Events) {
        if bytes.is_empty() {
            return;
        }
        self.reach(BODY);
        let Self {
            body,
            files,
            multipart,
            decoding,
            dns,
            ..
        } = self;
        let mut in_form = ContentEvents::default();
        let mut show = |bytes: &[u8]| {
            body.push(bytes);
            multipart.take(bytes, files, &mut in_form);
            dns.push(bytes);
        };
        let Some(decoding) = decoding else {
            show(bytes);
            return;
        };
        let mut in_coding = ContentEvents::default();
        decoding.decode(bytes, &mut in_coding, &mut show);
        for (of_content, event) in [
            (
                ContentEvent::GzipDecompressionFailed,
                Event::FailedDecompression,
            ),
            (ContentEvent::CompressionBomb, Event::CompressionBomb),
        ] {
            if in_coding.all().contains(&AppEvent(of_content as u8)) {
                events.raise(event as u8);
            }
        }
    }

    /// Content is missing.
    pub(super) fn skip(&mut self, missing: u64) {
        self.body.skip(missing);
        self.multipart.skip(missing, &mut self.files);
        self.dns.give_up();
    }

    /// What came before was let go with an earlier transaction: this is the rest.
    pub(super) fn go_on(&mut self) {
        self.body.go_on();
    }

    /// Nothing more will come. `whole`: the sender said so.
    pub(super) fn finish(&mut self, whole: bool) {
        if self.is_over() {
            return;
        }
        let Self {
            body,
            files,
            multipart,
            dns,
            ..
        } = self;
        let mut in_form = ContentEvents::default();
        if let Some(mut decoding) = self.decoding.take() {
            decoding.finish(&mut |bytes| {
                body.push(bytes);
                multipart.take(bytes, files, &mut in_form);
                dns.push(bytes);
            });
        }
        multipart.finish(files, whole, &mut in_form);
        body.finish(whole);
        self.reach(COMPLETE);
    }

    /// What is fresh has been inspected.
    pub(super) fn inspected(&mut self, tail: usize) {
        self.body.inspected(tail);
        self.files.inspected(tail);
    }

    /// Empties it for its next use.
    pub(super) fn clear(&mut self) {
        self.progress = 0;
        self.head.clear();
        for text in [&mut self.line, &mut self.uri, &mut self.host] {
            text.clear();
            text.shrink_to(KEPT);
        }
        self.path = Span::default();
        self.body.clear();
        self.form = false;
        self.files.clear();
        self.multipart.clear();
        self.decoding = None;
        self.dns.clear();
    }
}

/// An authority less its user.
fn without_user(authority: &[u8]) -> &[u8] {
    let at = authority.iter().rposition(|byte| *byte == b'@');
    authority
        .get(at.map_or(0, |at| at + 1)..)
        .unwrap_or_default()
}
