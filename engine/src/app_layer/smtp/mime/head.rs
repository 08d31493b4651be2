//! The head of a mail or of a part: fields, and what they say of the content.

use crate::app_layer::MAX_FILE_NAME;
use crate::app_layer::parameters::parameter;

use super::boundary::{KEPT as KEPT_BOUNDARY, closes};
use super::decode::Encoding;
use super::email::{Email, NAMES};
use super::{BOUNDARY, Event, RECEIVED, Target, VALUE};

/// Longest name of a field (RFC 5322 limits the line to 998 bytes).
const NAME: usize = 256;

/// What a part is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// What is around parts.
    #[default]
    Container,
    /// A part without a name.
    Body,
    /// A part with a name, or an attachment.
    File,
}

/// A head being read.
#[derive(Debug, Default)]
pub(super) struct Head {
    name: Vec<u8>,
    value: Vec<u8>,
    /// It is the mail's own: its fields are kept.
    own: bool,
    content_type: Vec<u8>,
    disposition: Vec<u8>,
    encoding: Encoding,
}

impl Head {
    pub(super) fn clear(&mut self) {
        for bytes in [
            &mut self.name,
            &mut self.value,
            &mut self.content_type,
            &mut self.disposition,
        ] {
            bytes.clear();
            bytes.shrink_to(NAME);
        }
        self.encoding = Encoding::None;
    }

    /// Takes a line.
    pub(super) fn line(&mut self, line: &[u8], own: bool, target: &mut Target<'_>) {
        self.own = own;
        if line
            .first()
            .is_some_and(|byte| matches!(byte, b' ' | b'\t'))
        {
            self.add(line.trim_ascii(), target);
            return;
        }
        self.end_field(target);
        let Some(colon) = memchr::memchr(b':', line) else {
            target.raise(Event::MalformedMessage);
            return;
        };
        let (name, value) = line.split_at(colon);
        if name.len() > NAME {
            target.raise(Event::LongFieldName);
        }
        let name = name.trim_ascii_end();
        self.name
            .extend_from_slice(name.get(..NAME).unwrap_or(name));
        self.name.make_ascii_lowercase();
        self.add(value.get(1..).unwrap_or_default().trim_ascii(), target);
    }

    fn add(&mut self, text: &[u8], target: &mut Target<'_>) {
        let room = VALUE.saturating_sub(self.value.len());
        if text.len() > room {
            target.raise(Event::LongFieldValue);
        }
        self.value
            .extend_from_slice(text.get(..room).unwrap_or(text));
    }

    /// The field at hand is over.
    pub(super) fn end_field(&mut self, target: &mut Target<'_>) {
        if self.name.is_empty() {
            self.value.clear();
            return;
        }
        match &self.name[..] {
            b"content-type" if self.content_type.is_empty() => {
                self.content_type.clone_from(&self.value);
            }
            b"content-disposition" if self.disposition.is_empty() => {
                self.disposition.clone_from(&self.value);
            }
            b"content-transfer-encoding" => self.encoding = encoding(&self.value),
            b"received" if self.own && target.email.received.len() < RECEIVED => {
                let email = &mut *target.email;
                let value = Email::keep(&mut email.kept, &self.value);
                email.received.push(value);
            }
            name if self.own => {
                let known = NAMES.iter().position(|known| *known == name);
                let Email { fields, kept, .. } = &mut *target.email;
                let field = known.and_then(|known| fields.get_mut(known));
                if let Some(field) = field {
                    field.get_or_insert_with(|| Email::keep(kept, &self.value));
                }
            }
            _ => {}
        }
        self.name.clear();
        self.value.clear();
    }

    /// The boundary of a multipart, with its dashes.
    pub(super) fn boundary(&self, target: &mut Target<'_>) -> Option<Vec<u8>> {
        if !self.is_type(b"multipart/") {
            return None;
        }
        let given = parameter(&self.content_type, b"boundary=").unwrap_or_default();
        if given.is_empty() {
            target.raise(Event::UnparsableContent);
            return None;
        }
        if given.len() > BOUNDARY {
            target.raise(Event::LongBoundary);
        }
        let mut boundary = b"--".to_vec();
        let mut escaped = false;
        for byte in given {
            escaped = *byte == b'\\' && !escaped;
            if !escaped && boundary.len() < KEPT_BOUNDARY {
                boundary.push(*byte);
            }
        }
        Some(boundary)
    }

    /// Whether a line that could be a field is the boundary that this head names, as it ends without a blank
    /// line.
    pub(super) fn is_ended_by(&mut self, line: &[u8], target: &mut Target<'_>) -> bool {
        self.end_field(target);
        if !self.is_type(b"multipart/") {
            return false;
        }
        let boundary = self.boundary(target);
        boundary.is_some_and(|boundary| closes(&boundary, line).is_some())
    }

    pub(super) fn is_message(&self) -> bool {
        self.is_type(b"message/rfc822") && self.encoding == Encoding::None
    }

    /// Content without a type is text (RFC 2045 section 5.2).
    pub(super) fn is_text(&self) -> bool {
        self.content_type.is_empty() || self.is_type(b"text/")
    }

    fn is_type(&self, kind: &[u8]) -> bool {
        let head = self.content_type.get(..kind.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(kind))
    }

    pub(super) fn encoding(&self) -> Encoding {
        self.encoding
    }

    pub(super) fn kind(&self) -> Kind {
        let attached = self
            .disposition
            .get(..b"attachment".len())
            .is_some_and(|head| head.eq_ignore_ascii_case(b"attachment"));
        if attached || self.name_given().is_some() {
            Kind::File
        } else {
            Kind::Body
        }
    }

    /// What the part's file is called; empty where it has no name.
    pub(super) fn file_name(&self, target: &mut Target<'_>) -> Vec<u8> {
        let name = self.name_given().unwrap_or_default();
        if name.len() > MAX_FILE_NAME {
            target.raise(Event::LongFileName);
        }
        name.get(..MAX_FILE_NAME).unwrap_or(name).to_vec()
    }

    fn name_given(&self) -> Option<&[u8]> {
        let disposition = &self.disposition[..];
        let plain = parameter(disposition, b"filename=");
        // Extended values name their character set and language first (RFC 2231 section 4).
        let extended = || {
            let value = parameter(disposition, b"filename*=")?;
            Some(value.rsplit(|byte| *byte == b'\'').next().unwrap_or(value))
        };
        let first = || parameter(disposition, b"filename*0=");
        let of_type = || parameter(&self.content_type, b"name=");
        let name = plain.or_else(extended).or_else(first).or_else(of_type);
        name.filter(|name| !name.is_empty())
    }
}

fn encoding(value: &[u8]) -> Encoding {
    let is = |name: &[u8]| value.eq_ignore_ascii_case(name);
    if is(b"base64") {
        Encoding::Base64
    } else if is(b"quoted-printable") {
        Encoding::QuotedPrintable
    } else {
        Encoding::None
    }
}
