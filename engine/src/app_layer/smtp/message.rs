//! Messages behind DATA and in chunks (RFC 3030).

use super::data::{Data, End};
use super::mime::{Message, Shape, Target};
use super::parser::SmtpParser;
use super::recognise::is_command;
use super::replies::Sent;
use super::state::{Carried, Mode};
use super::{Event, LINE};

/// A message that not every server takes for ended, until its end has a reply.
#[derive(Debug)]
pub(super) struct Doubt {
    sender: Option<Vec<u8>>,
    shape: Shape,
    /// Commands that waited for replies.
    waiting: usize,
}

impl SmtpParser {
    /// A message begins, or goes on with another chunk.
    pub(super) fn begin_message(&mut self) {
        self.doubt = None;
        let Some(mail) = self.mail() else {
            return;
        };
        if !std::mem::replace(&mut mail.begun, true) {
            self.message.start(&self.service);
        }
        self.data = Data::default();
    }

    pub(super) fn begin_chunk(&mut self, length: u64, last: bool) {
        self.mode = Mode::Chunk(length, last);
        if length == 0 {
            self.end_chunk(last);
        }
    }

    pub(super) fn end_chunk(&mut self, last: bool) {
        if last {
            self.end_message(true);
        } else {
            self.mode = Mode::Command;
        }
    }

    /// The message at hand was declined: what follows is another one, of the same sender and to the same
    /// recipients.
    pub(super) fn abort_message(&mut self) {
        if std::mem::take(&mut self.mode) == Mode::DataAsked {
            return;
        }
        self.data = Data::default();
        self.message.clear();
        let Some(at) = self.at(self.current) else {
            return;
        };
        let Some(mail) = self.mails.get_mut(at) else {
            return;
        };
        let number = mail.id;
        let (sender, recipients) = (mail.sender.clone(), mail.recipients.clone());
        let addressed = mail.addressed;
        self.current = None;
        self.close(number);
        if let Some(mail) = self.mail() {
            mail.sender = sender;
            mail.recipients = recipients;
            mail.addressed = addressed;
        }
    }

    /// The server takes a message: what follows is one, whatever was made of it before.
    pub(super) fn accept_data(&mut self) {
        let dropped = self.waiting.accept_data();
        // What follows a DATA that waits is its message, of which the end waits behind it.
        let was_read = dropped.is_some() && !self.waiting.is_empty();
        if dropped.is_some_and(|dropped| dropped > 1) {
            let waiting = &self.waiting;
            for mail in self.mails.iter_mut() {
                mail.answered |= mail.over && !waiting.has(mail.id);
            }
        }
        match self.mode {
            Mode::DataAsked => self.begin_data(),
            Mode::Data => {}
            _ if was_read => {}
            Mode::Chunk(..) => {
                self.abort_message();
                self.begin_data();
            }
            Mode::Command | Mode::Challenged => self.begin_data(),
        }
    }

    fn begin_data(&mut self) {
        self.begin_message();
        self.mode = Mode::Data;
        // The start of a line that was taken for a command.
        let mut lines = std::mem::take(&mut self.lines[0]);
        if let Some(line) = lines.rest(LINE) {
            let _ = self.message_bytes(line.bytes);
        }
        lines.clear();
        self.lines[0] = lines;
    }

    pub(super) fn message_bytes(&mut self, bytes: &[u8]) -> usize {
        let mut data = self.data;
        let (taken, end) = data.take(bytes, &mut |piece| self.content(piece));
        self.data = data;
        if end == Some(End::Loose) {
            self.raise(Event::AmbiguousEnd);
            let mail = self.at(self.current).and_then(|at| self.mails.get(at));
            let doubt = Doubt {
                sender: mail.and_then(|mail| mail.sender.clone()),
                shape: self.message.shape(),
                waiting: self.waiting.len(),
            };
            self.end_message(true);
            self.doubt = Some(doubt);
        } else if end.is_some() {
            self.end_message(true);
        }
        taken
    }

    /// A line that is no command, where a message may have gone on behind what ended it to others. Returns
    /// whether it has.
    pub(super) fn goes_on(&mut self, line: &[u8]) -> bool {
        if is_command(line) {
            return false;
        }
        let Some(doubt) = self.doubt.take() else {
            return false;
        };
        self.waiting.truncate(doubt.waiting);
        if let Some(number) = self.current.take() {
            self.close(number);
        }
        self.message.resume(doubt.shape);
        self.carried = Some(Carried {
            sender: doubt.sender,
            begun: true,
        });
        self.mode = Mode::Data;
        for piece in [line, b"\r\n"] {
            let _ = self.message_bytes(piece);
        }
        true
    }

    pub(super) fn chunk(&mut self, bytes: &[u8], (left, last): (u64, bool)) -> usize {
        let now = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        self.content(bytes.get(..now).unwrap_or_default());
        let left = left.saturating_sub(now as u64);
        self.mode = Mode::Chunk(left, last);
        if left == 0 {
            self.end_chunk(last);
        }
        now
    }

    /// Does something with the message at hand and what it tells.
    pub(super) fn with_message(&mut self, act: impl FnOnce(&mut Message, &mut Target<'_>)) {
        let _ = self.mail();
        let index = self.at(self.current);
        if let Some(mail) = index.and_then(|index| self.mails.get_mut(index)) {
            let mut target = Target {
                email: &mut mail.email,
                events: &mut mail.events,
            };
            act(&mut self.message, &mut target);
        }
    }

    pub(super) fn content(&mut self, bytes: &[u8]) {
        self.with_message(|message, target| message.push(bytes, target));
    }

    pub(super) fn end_message(&mut self, whole: bool) {
        self.with_message(|message, target| {
            message.finish(whole, target);
            target.email.complete = whole;
        });
        let mode = std::mem::take(&mut self.mode);
        self.data = Data::default();
        if let Some(number) = self.current.take() {
            if mode == Mode::Data {
                self.waiting.push(Sent::End, Some(number));
            }
            self.close(number);
        }
    }
}
