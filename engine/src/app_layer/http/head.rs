//! The header fields of a message: those of the same name joined, and the buffers made of all of them.

use super::event::{Event, Events};
use super::fields::{self, Read, Sender, Shape};
use super::text::{Span, first_number, trim};
use crate::app_layer::Limits;

/// Fields of different names that one message may have.
const NAMES: usize = 1024;

/// Times that fields of a message may repeat a name; further ones are not joined.
const REPEATS: usize = 64;

/// Capacity of text that is kept when a head is used again.
const KEPT: usize = 16 << 10;

/// Names of a field that carries cookies.
const COOKIES: [&[u8]; 2] = [b"cookie", b"set-cookie"];

/// The header fields of a message.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// As sent, the empty line included.
    raw: Vec<u8>,
    /// Names and values, less white space and line breaks.
    text: Vec<u8>,
    fields: Vec<Field>,
    repeats: usize,
    /// Buffers made of all fields.
    built: Vec<u8>,
    normalised: Span,
    names: Span,
    start: Span,
}

/// Fields of one name.
#[derive(Clone, Copy, Debug)]
struct Field {
    name: Span,
    value: Span,
    /// More than one field had the name.
    repeated: bool,
}

/// Events that are named by who sent the head.
struct Names {
    missing_colon: Event,
    folding: Event,
    invalid: Event,
    too_many: Event,
    repetition: Event,
    duplicate_length: Event,
}

const CLIENT: Names = Names {
    missing_colon: Event::RequestFieldMissingColon,
    folding: Event::InvalidRequestFolding,
    invalid: Event::RequestHeaderInvalid,
    too_many: Event::RequestTooManyHeaders,
    repetition: Event::RequestHeaderRepetition,
    duplicate_length: Event::DuplicateContentLengthRequest,
};

const SERVER: Names = Names {
    missing_colon: Event::ResponseFieldMissingColon,
    folding: Event::InvalidResponseFolding,
    invalid: Event::ResponseHeaderInvalid,
    too_many: Event::ResponseTooManyHeaders,
    repetition: Event::ResponseHeaderRepetition,
    duplicate_length: Event::DuplicateContentLengthResponse,
};

/// How far a head came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HeadStep {
    /// Bytes that were taken; 0: more are needed.
    pub(super) taken: usize,
    /// The head is over.
    pub(super) over: bool,
    /// It was a field.
    pub(super) field: bool,
}

/// A field, or the head, is longer than the limits allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

impl Head {
    /// Takes what comes next of the head from the start of `bytes`: a field, or its end. `value` is
    /// scratch.
    pub(super) fn read(
        &mut self,
        (sender, bytes, eof): (Sender, &[u8], bool),
        value: &mut Vec<u8>,
        limits: &Limits,
        events: &mut Events,
    ) -> Result<HeadStep, TooLong> {
        let read = fields::read(sender, bytes, eof, value);
        let (taken, over, long) = read.extent(bytes);
        if long > limits.field || self.size() + taken > limits.head {
            return Err(TooLong);
        }
        let field = matches!(read, Read::Field(_));
        if let Read::Field(shape) = read {
            self.add(sender, (bytes, shape, value), events);
        }
        self.push_raw(bytes.get(..taken).unwrap_or_default());
        Ok(HeadStep { taken, over, field })
    }

    /// Takes the bytes of the head as they were sent.
    pub(super) fn push_raw(&mut self, bytes: &[u8]) {
        self.raw.extend_from_slice(bytes);
    }

    /// Takes a field that was read from the start of `bytes`.
    pub(super) fn add(
        &mut self,
        sender: Sender,
        (bytes, shape, value): (&[u8], Shape, &[u8]),
        events: &mut Events,
    ) {
        let by = match sender {
            Sender::Client => CLIENT,
            Sender::Server => SERVER,
        };
        let (name, oddities) = fields::name(bytes.get(..shape.name).unwrap_or_default());
        if shape.no_colon {
            events.raise(by.missing_colon);
        }
        if oddities.leading_space {
            events.raise(by.folding);
        }
        if oddities.not_token {
            events.raise(by.invalid);
        }
        let known = self.position(name);
        match known.and_then(|at| self.fields.get(at).copied().map(|field| (at, field))) {
            Some((at, field)) => self.join(at, field, (value, &by), events),
            None if self.fields.len() >= NAMES => events.raise(by.too_many),
            None => {
                let name = self.put(name);
                let value = self.put(value);
                self.fields.push(Field {
                    name,
                    value,
                    repeated: false,
                });
            }
        }
    }

    /// Joins the value of a field whose name is there.
    fn join(&mut self, at: usize, field: Field, (value, by): (&[u8], &Names), events: &mut Events) {
        if self.repeats >= REPEATS {
            return;
        }
        self.repeats += 1;
        let mut joined = field;
        joined.repeated = true;
        if field
            .name
            .of_buffer(&self.text)
            .eq_ignore_ascii_case(b"content-length")
        {
            let first = first_number(field.value.of_buffer(&self.text));
            if first.is_none() || first != first_number(value) {
                events.raise(by.duplicate_length);
            }
        } else {
            let from = self.text.len();
            let before = field.value.of_buffer(&self.text).to_vec();
            self.text.extend_from_slice(&before);
            self.text.extend_from_slice(b", ");
            self.text.extend_from_slice(value);
            joined.value = Span::new(from, self.text.len());
        }
        if !field.repeated {
            events.raise(by.repetition);
        }
        if let Some(slot) = self.fields.get_mut(at) {
            *slot = joined;
        }
    }

    fn put(&mut self, bytes: &[u8]) -> Span {
        let from = self.text.len();
        self.text.extend_from_slice(bytes);
        Span::new(from, self.text.len())
    }

    fn position(&self, name: &[u8]) -> Option<usize> {
        self.fields
            .iter()
            .position(|field| field.name.of_buffer(&self.text).eq_ignore_ascii_case(name))
    }

    /// The head is there as a whole: makes the buffers of all fields, behind the first line.
    pub(super) fn build(&mut self, line: &[u8]) {
        let Self {
            text,
            fields,
            built,
            ..
        } = self;
        built.clear();
        built.extend_from_slice(b"\r\n");
        for field in fields.iter() {
            built.extend_from_slice(field.name.of_buffer(text));
            built.extend_from_slice(b"\r\n");
        }
        built.extend_from_slice(b"\r\n");
        self.names = Span::new(0, built.len());
        let from = built.len();
        for field in fields
            .iter()
            .filter(|field| !is_cookie(field.name.of_buffer(text)))
        {
            put_field(built, field, text);
        }
        self.normalised = Span::new(from, built.len());
        let from = built.len();
        built.extend_from_slice(line);
        built.extend_from_slice(b"\r\n");
        for field in fields.iter() {
            put_field(built, field, text);
        }
        built.extend_from_slice(b"\r\n");
        self.start = Span::new(from, built.len());
    }

    /// Every field but cookies, as `name: value` lines.
    pub(super) fn normalised(&self) -> &[u8] {
        self.normalised.of_buffer(&self.built)
    }

    /// Every name on a line of its own, an empty line in front and behind.
    pub(super) fn names(&self) -> &[u8] {
        self.names.of_buffer(&self.built)
    }

    /// First line, every field and an empty line.
    pub(super) fn start(&self) -> &[u8] {
        self.start.of_buffer(&self.built)
    }

    /// As sent.
    pub(super) fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// The value of the fields of a name, which is lower case; NULs in names do not count.
    pub(super) fn value(&self, name: &[u8]) -> Option<&[u8]> {
        self.field(name)
            .map(|field| field.value.of_buffer(&self.text))
    }

    fn field(&self, name: &[u8]) -> Option<&Field> {
        let named = |field: &&Field| super::text::is_word(field.name.of_buffer(&self.text), name);
        self.fields.iter().find(named)
    }

    /// Name and value of one field.
    pub(super) fn get(&self, index: usize) -> Option<(&[u8], &[u8])> {
        let field = self.fields.get(index)?;
        Some((
            field.name.of_buffer(&self.text),
            field.value.of_buffer(&self.text),
        ))
    }

    /// One field as `name: value`, of those that [`Self::build`] put in front.
    pub(super) fn line(&self, index: usize) -> Option<&[u8]> {
        let start = self.start();
        let mut at = start.windows(2).position(|end| end == b"\r\n")? + 2;
        // Lengths are known: no search, since values may have line ends of their own.
        for field in self.fields.iter().take(index) {
            at += length(field);
        }
        let field = self.fields.get(index)?;
        start.get(at..at + length(field) - 2)
    }

    pub(super) fn len(&self) -> usize {
        self.fields.len()
    }

    /// Bytes as sent so far.
    pub(super) fn size(&self) -> usize {
        self.raw.len()
    }

    /// Forgets everything, keeping some memory.
    pub(super) fn clear(&mut self) {
        for buffer in [&mut self.raw, &mut self.text, &mut self.built] {
            buffer.clear();
            buffer.shrink_to(KEPT);
        }
        self.fields.clear();
        self.repeats = 0;
        self.normalised = Span::default();
        self.names = Span::default();
        self.start = Span::default();
    }
}

/// Length of a field as [`put_field`] writes it.
fn length(field: &Field) -> usize {
    field.name.len() + 2 + field.value.len() + 2
}

fn put_field(built: &mut Vec<u8>, field: &Field, text: &[u8]) {
    built.extend_from_slice(field.name.of_buffer(text));
    built.extend_from_slice(b": ");
    built.extend_from_slice(field.value.of_buffer(text));
    built.extend_from_slice(b"\r\n");
}

fn is_cookie(name: &[u8]) -> bool {
    COOKIES
        .iter()
        .any(|cookie| trim(name).eq_ignore_ascii_case(cookie))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app_layer::http::fields::Read;

    fn head(sender: Sender, bytes: &[u8]) -> (Head, Events) {
        let (mut head, mut events) = (Head::default(), Events::default());
        let (mut at, mut value) = (0, Vec::new());
        while let Read::Field(shape) = fields::read(sender, &bytes[at..], false, &mut value) {
            head.add(sender, (&bytes[at..], shape, &value), &mut events);
            at += shape.length;
        }
        head.push_raw(bytes);
        head.build(b"GET / HTTP/1.1");
        (head, events)
    }

    #[test]
    fn fields_of_one_name_are_joined_and_cookies_kept_apart() {
        let sent = b"A: 1\r\nCookie: c=1\r\na : 2\r\nHost:x\r\n\r\n";
        let (head, _) = head(Sender::Client, sent);
        assert_eq!(head.normalised(), b"A: 1, 2\r\nHost: x\r\n");
        assert_eq!(head.names(), b"\r\nA\r\nCookie\r\nHost\r\n\r\n");
        let start = b"GET / HTTP/1.1\r\nA: 1, 2\r\nCookie: c=1\r\nHost: x\r\n\r\n";
        assert_eq!(head.start(), start);
        assert_eq!(head.value(b"cookie"), Some(&b"c=1"[..]));
        assert_eq!((head.value(b"b"), head.raw()), (None, &sent[..]));
        let lines: Vec<&[u8]> = (0..).map_while(|index| head.line(index)).collect();
        assert_eq!(lines, [&b"A: 1, 2"[..], b"Cookie: c=1", b"Host: x"]);
    }

    #[test]
    fn oddities_of_fields_are_told() {
        let case = |sender, sent: &[u8], expected: &[Event]| {
            let (_, events) = head(sender, sent);
            let expected: Vec<u8> = expected.iter().map(|event| *event as u8).collect();
            let got: Vec<u8> = events.all().iter().map(|event| event.0).collect();
            assert_eq!(got, expected, "{:?}", String::from_utf8_lossy(sent));
        };
        case(Sender::Client, b"A: b\r\n\r\n", &[]);
        case(
            Sender::Client,
            b"A b\r\n\r\n",
            &[Event::RequestFieldMissingColon],
        );
        case(
            Sender::Server,
            b"A b\r\n\r\n",
            &[Event::ResponseFieldMissingColon],
        );
        case(
            Sender::Client,
            b" A: b\r\n\r\n",
            &[Event::InvalidRequestFolding],
        );
        case(
            Sender::Client,
            b"A(: b\r\n\r\n",
            &[Event::RequestHeaderInvalid],
        );
        case(
            Sender::Client,
            b"A: b\r\nA: b\r\n\r\n",
            &[Event::RequestHeaderRepetition],
        );
        let lengths = b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n";
        let repeated = Event::RequestHeaderRepetition;
        case(
            Sender::Client,
            lengths,
            &[Event::DuplicateContentLengthRequest, repeated],
        );
        let many: Vec<u8> = (0..1100)
            .flat_map(|n| format!("h{n}: v\r\n").into_bytes())
            .collect();
        case(Sender::Client, &many, &[Event::RequestTooManyHeaders]);
    }
}
