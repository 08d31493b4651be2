//! A command and its replies.

use crate::app_layer::session::Events;
use crate::app_layer::{AppEvent, BufferBytes, BufferId, Fields, Progress, Transaction};
use crate::event::FlowDirection;

use super::replies::Replies;
use super::{ANSWERED, COMMANDED, Event, PARTS, Part, REPLIED};

/// Capacity that is kept for the next flow: what most commands take.
const KEPT: usize = 256;

/// A command and its replies.
#[derive(Debug, Default)]
pub(super) struct FtpTransaction {
    pub(super) id: u64,
    /// Upper case; empty where replies came unasked.
    pub(super) command: Vec<u8>,
    pub(super) data: Vec<u8>,
    pub(super) truncated: bool,
    pub(super) replies: Replies,
    pub(super) answered: bool,
    /// The port of the data connection that it speaks of.
    pub(super) port: Option<u16>,
    /// The server opens it.
    pub(super) active: bool,
    /// It sends the data connection to another host than the client.
    pub(super) bounce: bool,
    pub(super) events: Events,
    /// The directions that have been inspected since it was answered.
    looked: [bool; 2],
}

impl FtpTransaction {
    /// Empties it for its next use.
    pub(super) fn clear(&mut self, id: u64) {
        self.id = id;
        self.command.clear();
        self.data.clear();
        self.truncated = false;
        self.replies.clear();
        self.answered = false;
        self.port = None;
        self.active = false;
        self.bounce = false;
        self.events.clear();
        self.looked = [false; 2];
    }

    /// Gives up memory that few flows need.
    pub(super) fn shrink(&mut self) {
        self.clear(0);
        self.data.shrink_to(KEPT);
        self.command.shrink_to(KEPT);
    }

    pub(super) fn raise(&mut self, event: Event) {
        self.events.raise(event as u8);
    }

    /// What is there has been inspected in a direction.
    pub(super) fn inspected(&mut self, direction: FlowDirection) {
        if self.answered {
            self.looked[direction.index()] = true;
        }
    }
}

impl Transaction for FtpTransaction {
    fn id(&self) -> u64 {
        self.id
    }

    fn progress(&self, direction: FlowDirection) -> Progress {
        match direction {
            FlowDirection::ToServer => COMMANDED,
            FlowDirection::ToClient if self.answered => ANSWERED,
            FlowDirection::ToClient if self.replies.len() > 0 => REPLIED,
            FlowDirection::ToClient => 0,
        }
    }

    fn buffer(&self, id: BufferId, index: usize) -> Option<BufferBytes<'_>> {
        let bytes = match PARTS.get(id.index())? {
            Part::Reply => self.replies.line(index)?,
            Part::Code => self.replies.code(index)?,
            Part::Command | Part::Data if index > 0 || self.command.is_empty() => return None,
            Part::Command => &self.command,
            Part::Data if self.data.is_empty() => return None,
            Part::Data => &self.data,
        };
        Some(BufferBytes::whole(bytes))
    }

    fn number(&self, keyword: &str, index: usize) -> Option<u64> {
        if index > 0 {
            return None;
        }
        match keyword {
            "ftp.dynamic_port" => self.port.map(u64::from),
            "ftp.mode" => self.port.map(|_| u64::from(self.active)),
            "ftp.reply_received" if self.command.is_empty() => None,
            "ftp.reply_received" => Some(u64::from(self.answered)),
            "ftpbounce" => Some(u64::from(self.bounce)),
            _ => None,
        }
    }

    fn lingers(&self) -> bool {
        self.looked != [true; 2]
    }

    fn events(&self) -> &[AppEvent] {
        self.events.all()
    }

    fn describe(&self, fields: &mut dyn Fields) {
        let mut text = |name: &str, value: &[u8]| {
            if !value.is_empty() {
                fields.text(name, value);
            }
        };
        text("command", &self.command);
        text("command_data", &self.data);
        if !self.command.is_empty() {
            fields.flag("command_truncated", self.truncated);
        }
        let replies = &self.replies;
        if replies.len() > 0 {
            fields.list("reply", replies.len(), &mut |index, element| {
                element.text("", replies.line(index).unwrap_or_default());
            });
        }
        if replies.codes() > 0 {
            fields.list("completion_code", replies.codes(), &mut |index, element| {
                element.text("", replies.code(index).unwrap_or_default());
            });
        }
        if let Some(port) = self.port {
            fields.number("dynamic_port", u64::from(port));
            let mode = if self.active { "active" } else { "passive" };
            fields.text("mode", mode.as_bytes());
        }
        fields.flag("reply_truncated", replies.truncated);
        let received = if replies.len() > 0 { "yes" } else { "no" };
        fields.text("reply_received", received.as_bytes());
    }
}
