//! Messages behind DATA and in chunks (RFC 3030).

use super::data::Data;
use super::mime::{Message, Target};
use super::parser::{Mode, SmtpParser};
use super::replies::Sent;

impl SmtpParser {
    /// A message begins, or goes on with another chunk.
    pub(super) fn begin_message(&mut self) {
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
            self.waiting.push(Sent::Other, self.current);
        }
    }

    pub(super) fn message_bytes(&mut self, bytes: &[u8]) -> usize {
        let mut data = self.data;
        let (taken, over) = data.take(bytes, &mut |piece| self.content(piece));
        self.data = data;
        if over {
            self.end_message(true);
        }
        taken
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
        self.mode = Mode::Command;
        self.data = Data::default();
        if let Some(number) = self.current.take() {
            self.waiting.push(Sent::Other, Some(number));
            self.close(number);
        }
    }
}
