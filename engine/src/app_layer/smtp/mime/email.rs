//! What is kept of a mail.

use crate::app_layer::{BufferBytes, Fields, File, FilePart, FileService, Files, MAX_FILES};

/// Fields of its head that are kept, the first of each name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::app_layer::smtp) enum Field {
    From,
    To,
    Cc,
    Subject,
    Date,
    MessageId,
    XMailer,
}

/// Their names, in order.
pub(super) const NAMES: [&[u8]; 7] = [
    b"from",
    b"to",
    b"cc",
    b"subject",
    b"date",
    b"message-id",
    b"x-mailer",
];

/// Bytes that a part is taken to hold: its name and the tail of its content.
const PART: usize = 5 << 10;

/// What is kept of a mail.
#[derive(Debug, Default)]
pub(in crate::app_layer::smtp) struct Email {
    pub(super) fields: [Option<Vec<u8>>; NAMES.len()],
    pub(in crate::app_layer::smtp) received: Vec<Vec<u8>>,
    pub(in crate::app_layer::smtp) urls: Vec<Vec<u8>>,
    /// Its parts, in order.
    pub(super) parts: Files,
    /// Those that are no files: bits by index.
    bodies: u64,
    /// The MD5 of all that follows its head, in hexadecimal.
    pub(in crate::app_layer::smtp) body_md5: Option<[u8; 32]>,
    /// Bytes of fields and addresses that are kept.
    pub(super) kept: usize,
    /// Its head is there.
    pub(in crate::app_layer::smtp) headed: bool,
    /// Its end is there.
    pub(in crate::app_layer::smtp) complete: bool,
}

impl Email {
    pub(in crate::app_layer::smtp) fn field(&self, field: Field) -> Option<&[u8]> {
        self.fields.get(field as usize)?.as_deref()
    }

    /// What is fresh has been inspected; `over`: nothing will follow. Keeps `tail` bytes of each part.
    pub(in crate::app_layer::smtp) fn inspected(&mut self, tail: usize, over: bool) {
        self.parts.inspected(tail);
        // Most mails have one: its memory serves the next.
        if self.parts.len() > 1 || over {
            self.parts.shrink(over);
        }
    }

    /// Bytes that it holds, of parts what is kept once they were inspected.
    pub(in crate::app_layer::smtp) fn held(&self) -> usize {
        self.kept + self.parts.len() * PART
    }

    /// Keeps a value of its head, or an address.
    pub(super) fn keep(kept: &mut usize, value: &[u8]) -> Vec<u8> {
        *kept += value.len() + size_of::<Vec<u8>>();
        value.to_vec()
    }

    /// A part begins. Returns whether there is room for it; where not, it is shown in the last.
    pub(super) fn open(&mut self, is_file: bool, name: &[u8], service: &FileService) -> bool {
        let index = self.parts.len();
        if index < MAX_FILES && !is_file {
            self.bodies |= 1 << index;
        }
        self.parts.open(name, service);
        index < MAX_FILES
    }

    /// The parts of which something has come, each with its place among the files; `None`: it is none.
    fn begun(&self) -> impl Iterator<Item = (&File, Option<usize>)> {
        let parts = (0..).map_while(|index| Some((index, self.parts.get(index)?)));
        let mut files = 0;
        parts
            .filter(|(_, part)| part.has_begun())
            .map(move |(index, part)| {
                let is_file = self.bodies >> index & 1 == 0;
                let place = is_file.then_some(files);
                files += usize::from(is_file);
                (part, place)
            })
    }

    /// What the `index`th of the parts that have a property shows, and its place among the files. All have
    /// content; only files have a name or a kind.
    pub(in crate::app_layer::smtp) fn shown(
        &self,
        property: FilePart,
        index: usize,
    ) -> Option<(BufferBytes<'_>, Option<usize>)> {
        let shown = self.begun().filter_map(|(part, place)| {
            let counts = property == FilePart::Data || place.is_some();
            Some((part.buffer(property).filter(|_| counts)?, place))
        });
        shown.into_iter().nth(index)
    }

    /// One of the files.
    pub(in crate::app_layer::smtp) fn file(&self, index: usize) -> Option<&File> {
        let mut files = self.begun().filter(|(_, place)| place.is_some());
        files.nth(index).map(|(file, _)| file)
    }

    pub(in crate::app_layer::smtp) fn clear(&mut self) {
        self.fields = Default::default();
        self.received = Vec::new();
        self.urls = Vec::new();
        self.body_md5 = None;
        self.kept = 0;
        if self.parts.len() > 1 {
            self.parts = Files::default();
        }
        self.parts.clear();
        self.bodies = 0;
        self.headed = false;
        self.complete = false;
    }

    /// Tells its record.
    pub(in crate::app_layer::smtp) fn describe(&self, fields: &mut dyn Fields) {
        let status: &[u8] = if self.complete {
            b"PARSE_DONE"
        } else if self.headed {
            b"BODY_STARTED"
        } else {
            b"HEADER_STARTED"
        };
        fields.text("status", status);
        for (name, field) in [
            ("from", Field::From),
            ("subject", Field::Subject),
            ("date", Field::Date),
            ("message_id", Field::MessageId),
            ("x_mailer", Field::XMailer),
        ] {
            if let Some(value) = self.field(field) {
                fields.text(name, value);
            }
        }
        if let Some(digest) = &self.body_md5 {
            fields.text("body_md5", digest);
        }
        for (name, field) in [("to", Field::To), ("cc", Field::Cc)] {
            let Some(value) = self.field(field) else {
                continue;
            };
            let addresses: Vec<&[u8]> = value
                .split(|byte| *byte == b',')
                .map(<[u8]>::trim_ascii)
                .collect();
            list(fields, name, addresses.len(), &|index| {
                addresses.get(index).copied()
            });
        }
        let names = (0..).map_while(|index| self.file(index));
        let names: Vec<&[u8]> = names.map(File::name).collect();
        list(fields, "attachment", names.len(), &|index| {
            names.get(index).copied()
        });
        let of = |values: &'_ Vec<Vec<u8>>, index: usize| values.get(index).cloned();
        for (name, values) in [("received", &self.received), ("url", &self.urls)] {
            if !values.is_empty() {
                fields.list(name, values.len(), &mut |index, element| {
                    element.text("", &of(values, index).unwrap_or_default());
                });
            }
        }
    }
}

/// Tells a list of texts, where there are any.
fn list<'a>(
    fields: &mut dyn Fields,
    name: &str,
    len: usize,
    value: &dyn Fn(usize) -> Option<&'a [u8]>,
) {
    if len > 0 {
        fields.list(name, len, &mut |index, element| {
            element.text("", value(index).unwrap_or_default());
        });
    }
}
