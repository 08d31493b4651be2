//! A mail.

use crate::app_layer::session::Events;
use crate::app_layer::{AppEvent, BufferBytes, BufferId, Fields, File, Progress, Transaction};
use crate::event::FlowDirection;

use super::mime::Email;
use super::{ANSWERED, COMPLETE, DATA, Event, GREETED, HEADERS, Part, REPLIED, ROWS, SENDER};

/// Capacity of a field that is kept for the next flow: what most take.
const KEPT: usize = 256;

/// A mail, from who sends it to the reply to its end.
#[derive(Debug, Default)]
pub(super) struct Mail {
    pub(super) id: u64,
    pub(super) helo: Vec<u8>,
    pub(super) sender: Option<Vec<u8>>,
    pub(super) recipients: Vec<Vec<u8>>,
    /// Bytes that they take.
    pub(super) addressed: usize,
    /// Its message has begun.
    pub(super) begun: bool,
    pub(super) email: Email,
    /// Nothing of it will follow.
    pub(super) over: bool,
    pub(super) replied: bool,
    pub(super) answered: bool,
    pub(super) events: Events,
}

impl Mail {
    pub(super) fn clear(&mut self, id: u64) {
        self.id = id;
        self.helo.clear();
        self.sender = None;
        self.recipients.clear();
        self.addressed = 0;
        self.begun = false;
        self.email.clear();
        self.over = false;
        self.replied = false;
        self.answered = false;
        self.events.clear();
    }

    /// Gives up memory that few flows need.
    pub(super) fn shrink(&mut self) {
        self.clear(0);
        self.helo.shrink_to(KEPT);
        self.recipients = Vec::new();
        self.email = Email::default();
    }

    /// Bytes that it holds.
    pub(super) fn held(&self) -> usize {
        let sender = self.sender.as_ref().map_or(0, Vec::len);
        self.helo.len() + sender + self.addressed + self.email.held()
    }

    pub(super) fn add_recipient(&mut self, recipient: &[u8]) {
        self.addressed += recipient.len() + size_of::<Vec<u8>>();
        self.recipients.push(recipient.to_vec());
    }

    pub(super) fn raise(&mut self, event: Event) {
        self.events.raise(event as u8);
    }
}

impl Transaction for Mail {
    fn id(&self) -> u64 {
        self.id
    }

    fn progress(&self, direction: FlowDirection) -> Progress {
        match direction {
            FlowDirection::ToServer if self.over => COMPLETE,
            FlowDirection::ToServer if self.email.headed => HEADERS,
            FlowDirection::ToServer if self.begun => DATA,
            FlowDirection::ToServer if self.sender.is_some() => SENDER,
            FlowDirection::ToServer if !self.helo.is_empty() => GREETED,
            FlowDirection::ToClient if self.answered => ANSWERED,
            FlowDirection::ToClient if self.replied => REPLIED,
            FlowDirection::ToServer | FlowDirection::ToClient => 0,
        }
    }

    fn buffer(&self, id: BufferId, index: usize) -> Option<BufferBytes<'_>> {
        let (_, part) = ROWS.get(id.index())?;
        let bytes = match *part {
            Part::File(part) => return Some(self.email.shown(part, index)?.0),
            Part::Recipient => self.recipients.get(index)?,
            Part::Received => self.email.received.get(index)?,
            Part::Url => self.email.urls.get(index)?,
            _ if index > 0 => return None,
            Part::Helo if self.helo.is_empty() => return None,
            Part::Helo => &self.helo[..],
            Part::Sender => self.sender.as_deref()?,
            Part::BodyMd5 => self.email.body_md5.as_ref()?,
            Part::Field(field) => self.email.field(field)?,
        };
        Some(BufferBytes::whole(bytes))
    }

    fn file(&self, direction: FlowDirection, index: usize) -> Option<&File> {
        let file = self.email.file(index)?;
        (direction == FlowDirection::ToServer).then_some(file)
    }

    fn file_behind(&self, id: BufferId, index: usize) -> Option<usize> {
        match ROWS.get(id.index())?.1 {
            Part::File(part) => self.email.shown(part, index)?.1,
            _ => None,
        }
    }

    fn events(&self) -> &[AppEvent] {
        self.events.all()
    }

    fn describe(&self, fields: &mut dyn Fields) {
        if !self.helo.is_empty() {
            fields.text("helo", &self.helo);
        }
        if let Some(sender) = &self.sender {
            fields.text("mail_from", sender);
        }
        if !self.recipients.is_empty() {
            fields.list("rcpt_to", self.recipients.len(), &mut |index, element| {
                let recipient = self.recipients.get(index);
                element.text("", recipient.map_or(&[][..], |recipient| recipient));
            });
        }
    }

    fn beside(&self) -> Option<&'static str> {
        self.begun.then_some("email")
    }

    fn describe_beside(&self, fields: &mut dyn Fields) {
        self.email.describe(fields);
    }
}
