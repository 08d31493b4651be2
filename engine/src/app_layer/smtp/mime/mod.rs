//! A mail as it comes: its head, its parts, their content codings (RFC 5322, 2045, 2046).
//!
//! ```text
//! bytes -> lines of a head | content, line by line -> boundary? -> decode -> file, addresses of the web
//! ```
//!
//! Parts that have a name, or are attachments, are files; the others are shown in `file.data`, too, but are
//! none; nor is what is around them. A mail within a mail (`message/rfc822`) is read as a part with a head of its own.
//!
//! Bounds: [`NESTING`] multiparts within each other (what is deeper is one content, `unparsable_content`); a
//! line of a head [`LINE`] bytes, a field [`VALUE`]; of `Received` [`RECEIVED`] fields, of addresses
//! [`url::URLS`]; files as everywhere. Content is not kept.

mod boundary;
mod decode;
mod email;
mod head;
mod url;

use crate::app_layer::digest::Running;
use crate::app_layer::lines::Lines;
use crate::app_layer::session::Events;
use crate::app_layer::{File, FileService};

use super::Event;
use boundary::{HELD, closes, goes_on};
use decode::{Decoder, Encoding};
pub(super) use email::{Email, Field};
use head::{Head, Kind};
use url::Scanner;

/// Multiparts within each other.
const NESTING: usize = 16;
/// Bytes of a line of a head that are kept.
const LINE: usize = 8192;
/// Bytes of the value of a field that are kept.
const VALUE: usize = 16_384;
/// `Received` fields that are kept.
const RECEIVED: usize = 128;
/// Longest boundary (RFC 2046 section 5.1.1).
const BOUNDARY: usize = 70;
/// Longest line of a message (RFC 5322 section 2.1.1), and of one with a content coding (RFC 2045 section
/// 6.7), line ends not counted.
const LONG_LINE: usize = 998;
const LONG_ENCODED_LINE: usize = 76;

/// What a mail is told to.
pub(super) struct Target<'a> {
    pub(super) email: &'a mut Email,
    pub(super) events: &'a mut Events,
}

impl Target<'_> {
    fn raise(&mut self, event: Event) {
        self.events.raise(event as u8);
    }

    /// Where the content of the part at hand goes.
    fn file(&mut self, kind: Kind) -> Option<&mut File> {
        self.email.parts.last().filter(|_| kind != Kind::Container)
    }
}

/// A mail being read.
#[derive(Debug, Default)]
pub(super) struct Message {
    /// A head is read.
    in_head: bool,
    /// It is the mail's own.
    own_head: bool,
    head: Head,
    lines: Lines,
    /// Boundaries of the multiparts around, each with its two dashes; the innermost last.
    boundaries: Vec<Vec<u8>>,
    kind: Kind,
    /// The content is text, in which addresses are looked for.
    text: bool,
    /// Something of the part's content has come.
    begun: bool,
    /// The start of a line that may be a boundary.
    held: Vec<u8>,
    /// The next byte starts a line.
    at_start: bool,
    /// The end of the line before, which may be the boundary's.
    end: LineEnd,
    /// Bytes of the line at hand.
    length: usize,
    decoder: Decoder,
    decoded: Vec<u8>,
    scanner: Scanner,
    /// Of what follows the mail's own head.
    digest: Running,
    /// Bytes of it were missing.
    holed: bool,
    service: FileService,
}

/// How content goes on: the multiparts around, and how it is coded.
#[derive(Debug)]
pub(super) struct Shape {
    boundaries: Vec<Vec<u8>>,
    encoding: Encoding,
}

/// A line end that is not decided on yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum LineEnd {
    #[default]
    None,
    /// A carriage return, which may be a part of one.
    Return,
    LineFeed,
    Both,
}

impl Message {
    /// Begins a mail.
    pub(super) fn start(&mut self, service: &FileService) {
        self.clear();
        self.service.clone_from(service);
        self.in_head = true;
        self.own_head = true;
    }

    /// Forgets the mail.
    pub(super) fn clear(&mut self) {
        self.head.clear();
        self.lines.clear();
        self.boundaries.clear();
        self.kind = Kind::Container;
        self.held.clear();
        self.held.shrink_to(HELD);
        self.decoded.clear();
        self.decoded.shrink_to(LINE);
        self.scanner.clear();
        self.holed = false;
        let _ = self.digest.take();
        self.begin_content();
    }

    /// How it would go on.
    pub(super) fn shape(&self) -> Shape {
        Shape {
            boundaries: self.boundaries.clone(),
            encoding: self.decoder.encoding(),
        }
    }

    /// It goes on behind what was taken for its end.
    pub(super) fn resume(&mut self, shape: Shape) {
        self.clear();
        self.boundaries = shape.boundaries;
        self.kind = Kind::Body;
        self.text = true;
        self.decoder.start(shape.encoding);
        // Of its body there is no digest.
        self.holed = true;
    }

    /// The mail's own head is over.
    pub(super) fn is_headed(&self) -> bool {
        !self.own_head
    }

    fn begin_content(&mut self) {
        self.in_head = false;
        self.own_head = false;
        self.begun = false;
        self.at_start = true;
        self.end = LineEnd::None;
        self.length = 0;
    }

    /// Takes what follows of it.
    pub(super) fn push(&mut self, bytes: &[u8], target: &mut Target<'_>) {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let of_body = !self.own_head;
            let taken = if self.in_head {
                self.push_head(rest, target)
            } else {
                self.push_content(rest, target)
            };
            if of_body {
                self.digest.update(rest.get(..taken).unwrap_or_default());
            }
            at += taken;
        }
    }

    /// Bytes are missing: where in it what follows is cannot be told; it is taken for more of the same.
    pub(super) fn skip(&mut self, missing: u64, target: &mut Target<'_>) {
        self.holed = true;
        self.lines.clear();
        self.held.clear();
        self.at_start = false;
        self.end = LineEnd::None;
        if let Some(file) = target.file(self.kind)
            && !self.in_head
        {
            file.skip(missing);
        }
    }

    /// It is over; `whole`: its end has come.
    pub(super) fn finish(&mut self, whole: bool, target: &mut Target<'_>) {
        if self.in_head {
            let mut lines = std::mem::take(&mut self.lines);
            if let Some(line) = lines.rest(LINE) {
                self.head_line(line.bytes, target);
            }
            self.lines = lines;
            self.head.end_field(target);
            target.email.headed |= self.own_head;
        } else if !self.held.is_empty() {
            let held = std::mem::take(&mut self.held);
            if !self.boundary(&held, target) {
                self.content(&held, None, target);
            }
        }
        if !self.in_head {
            // The last line end is the content's where no boundary follows.
            self.flush_end(b".", None, target);
        }
        self.end_part(whole, target);
        if !self.boundaries.is_empty() {
            target.raise(Event::MalformedMessage);
        }
        let digest = self.digest.take();
        if whole && !self.holed && target.email.headed {
            target.email.body_md5 = Some(digest);
        }
        target.email.parts.finish(whole);
        self.clear();
    }

    fn push_head(&mut self, bytes: &[u8], target: &mut Target<'_>) -> usize {
        let mut lines = std::mem::take(&mut self.lines);
        let (taken, line) = lines.next(bytes, LINE);
        if let Some(line) = line {
            if line.truncated {
                target.raise(Event::LongFieldValue);
            }
            self.head_line(line.bytes, target);
        }
        self.lines = lines;
        taken
    }

    fn head_line(&mut self, line: &[u8], target: &mut Target<'_>) {
        if line.starts_with(b"--") {
            if self.boundary(line, target) {
                return;
            }
            if self.head.is_ended_by(line, target) {
                target.raise(Event::MalformedMessage);
                self.head_line(b"", target);
                self.boundary(line, target);
                return;
            }
        }
        if !line.is_empty() {
            self.head.line(line, self.own_head, target);
            return;
        }
        self.head.end_field(target);
        target.email.headed |= self.own_head;
        self.end_head(target);
    }

    /// The head of the mail, or of a part, is there.
    fn end_head(&mut self, target: &mut Target<'_>) {
        self.begin_content();
        self.kind = Kind::Container;
        self.text = false;
        if let Some(boundary) = self.head.boundary(target) {
            if self.boundaries.len() < NESTING {
                self.boundaries.push(boundary);
                self.head.clear();
                return;
            }
            target.raise(Event::UnparsableContent);
        }
        if self.head.is_message() {
            self.head.clear();
            self.in_head = true;
            return;
        }
        self.kind = self.head.kind();
        self.text = self.head.is_text();
        self.decoder.start(self.head.encoding());
        let name = self.head.file_name(target);
        let is_file = self.kind == Kind::File;
        if !target.email.open(is_file, &name, &self.service) {
            target.raise(Event::UnparsableContent);
        }
        self.head.clear();
    }

    fn push_content(&mut self, bytes: &[u8], target: &mut Target<'_>) -> usize {
        let end = memchr::memchr(b'\n', bytes);
        let taken = end.map_or(bytes.len(), |end| end + 1);
        let piece = bytes.get(..end.unwrap_or(taken)).unwrap_or_default();
        if self.may_be_boundary(piece) {
            let room = HELD.saturating_sub(self.held.len());
            self.held
                .extend_from_slice(piece.get(..room).unwrap_or(piece));
            if end.is_some() {
                let held = std::mem::take(&mut self.held);
                let line = held.strip_suffix(b"\r").unwrap_or(&held);
                if !self.boundary(line, target) {
                    self.content(&held, end, target);
                }
                self.held = held;
                self.held.clear();
            }
            return taken;
        }
        let held = std::mem::take(&mut self.held);
        if !held.is_empty() {
            self.content(&held, None, target);
        }
        self.held = held;
        self.held.clear();
        self.content(piece, end, target);
        taken
    }

    /// Whether what is held and what follows in its line may be a boundary.
    fn may_be_boundary(&mut self, piece: &[u8]) -> bool {
        if !self.at_start || self.boundaries.is_empty() {
            return false;
        }
        let mut line = self.held.iter().chain(piece).take(2);
        if !line.all(|byte| *byte == b'-') {
            return false;
        }
        let length = self.held.len();
        let Some((head, rest)) = piece.split_at_checked(HELD.saturating_sub(length)) else {
            return true;
        };
        self.held.extend_from_slice(head);
        let mut known = self.boundaries.iter();
        let is = known.any(|boundary| goes_on(boundary, &self.held, rest));
        self.held.truncate(length);
        is
    }

    /// Content of a line, which ends here where there is an `end`.
    fn content(&mut self, piece: &[u8], end: Option<usize>, target: &mut Target<'_>) {
        if !piece.is_empty() || end.is_some() {
            // The line end before was no boundary's.
            self.flush_end(piece, end, target);
        }
        let (text, returned) = match piece.strip_suffix(b"\r") {
            Some(text) => (text, true),
            None => (piece, false),
        };
        self.length = self.length.saturating_add(text.len());
        self.decode(text, target);
        self.at_start = end.is_some();
        let before = self.end;
        self.end = match (returned, end.is_some()) {
            (true, true) => LineEnd::Both,
            (false, true) if before == LineEnd::Return => LineEnd::Both,
            (false, true) => LineEnd::LineFeed,
            (true, false) => LineEnd::Return,
            (false, false) => before,
        };
        if end.is_some() {
            self.judge_length(target);
        }
    }

    /// Decides on the line end in front of what follows.
    fn flush_end(&mut self, piece: &[u8], end: Option<usize>, target: &mut Target<'_>) {
        let joins = self.end == LineEnd::Return && piece.is_empty() && end.is_some();
        if joins {
            return;
        }
        let text: &[u8] = match std::mem::take(&mut self.end) {
            LineEnd::None => return,
            LineEnd::Return => {
                self.decode(b"\r", target);
                return;
            }
            LineEnd::LineFeed => b"\n",
            LineEnd::Both => b"\r\n",
        };
        let mut decoded = std::mem::take(&mut self.decoded);
        self.decoder.end_line(text, &mut decoded);
        self.decoded = decoded;
        self.show(target);
    }

    fn decode(&mut self, text: &[u8], target: &mut Target<'_>) {
        if text.is_empty() {
            return;
        }
        self.open_unnamed(target);
        let mut decoded = std::mem::take(&mut self.decoded);
        if let Some(event) = self.decoder.take(text, &mut decoded) {
            target.raise(event);
        }
        self.decoded = decoded;
        self.show(target);
    }

    /// Content that no head announced is shown as a body: what is around parts, and what goes on after the
    /// mail that it began in went.
    fn open_unnamed(&mut self, target: &mut Target<'_>) {
        if self.kind == Kind::Container {
            self.kind = Kind::Body;
            self.text = true;
        } else if target.email.parts.len() > 0 {
            return;
        }
        let is_file = self.kind == Kind::File;
        if !target.email.open(is_file, b"", &self.service) {
            target.raise(Event::UnparsableContent);
        }
    }

    /// Hands on what was decoded.
    fn show(&mut self, target: &mut Target<'_>) {
        if self.decoded.is_empty() {
            return;
        }
        self.begun = true;
        if let Some(file) = target.file(self.kind) {
            file.push(&self.decoded);
        }
        if self.text {
            self.scanner.take(&self.decoded, target.email);
        }
        self.decoded.clear();
    }

    fn judge_length(&mut self, target: &mut Target<'_>) {
        let length = std::mem::take(&mut self.length);
        if self.kind != Kind::Container && self.decoder.is_coding() && length > LONG_ENCODED_LINE {
            target.raise(Event::LongEncodedLine);
        } else if length > LONG_LINE {
            target.raise(Event::LongLine);
        }
    }

    /// Whether a line is the boundary of one of the multiparts around: then the part at hand is over.
    fn boundary(&mut self, line: &[u8], target: &mut Target<'_>) -> bool {
        let of = |boundary: &Vec<u8>| closes(boundary, line);
        let mut levels = self.boundaries.iter().enumerate().rev();
        let Some((level, last)) = levels.find_map(|(level, known)| Some((level, of(known)?)))
        else {
            return false;
        };
        self.end_part(true, target);
        self.boundaries.truncate(level + usize::from(!last));
        self.head.clear();
        self.kind = Kind::Container;
        self.begin_content();
        self.in_head = !last;
        true
    }

    fn end_part(&mut self, whole: bool, target: &mut Target<'_>) {
        if self.kind != Kind::Container {
            let mut decoded = std::mem::take(&mut self.decoded);
            self.decoder.finish(&mut decoded);
            self.decoded = decoded;
            self.show(target);
            if let Some(file) = target.file(self.kind) {
                file.finish(whole);
            }
        }
        if self.text {
            self.scanner.finish(target.email);
        }
        self.text = false;
        self.kind = Kind::Container;
    }
}

#[cfg(test)]
mod tests;
