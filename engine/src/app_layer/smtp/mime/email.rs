//! What is kept of a mail.

use crate::app_layer::{Fields, Files};

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

/// What is kept of a mail.
#[derive(Debug, Default)]
pub(in crate::app_layer::smtp) struct Email {
    pub(super) fields: [Option<Vec<u8>>; NAMES.len()],
    pub(in crate::app_layer::smtp) received: Vec<Vec<u8>>,
    pub(in crate::app_layer::smtp) urls: Vec<Vec<u8>>,
    pub(in crate::app_layer::smtp) files: Files,
    /// Parts that are no files.
    pub(in crate::app_layer::smtp) bodies: Files,
    /// Its head is there.
    pub(in crate::app_layer::smtp) headed: bool,
    /// Its end is there.
    pub(in crate::app_layer::smtp) complete: bool,
}

impl Email {
    pub(in crate::app_layer::smtp) fn field(&self, field: Field) -> Option<&[u8]> {
        self.fields.get(field as usize)?.as_deref()
    }

    pub(in crate::app_layer::smtp) fn inspected(&mut self, tail: usize) {
        self.files.inspected(tail);
        self.bodies.inspected(tail);
    }

    pub(in crate::app_layer::smtp) fn clear(&mut self) {
        self.fields = Default::default();
        self.received = Vec::new();
        self.urls = Vec::new();
        self.files.clear();
        self.bodies.clear();
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
        let names = (0..).map_while(|index| self.files.get(index));
        let names: Vec<&[u8]> = names.map(crate::app_layer::File::name).collect();
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
