//! What the server says.

use crate::app_layer::Input;
use crate::app_layer::lines::Line;

use super::parser::{Mode, SmtpParser};
use super::replies::{Sent, code};
use super::{Event, LINE};

impl SmtpParser {
    /// Reads what the server sent. Returns how many bytes were not taken.
    pub(super) fn responses(&mut self, input: &Input<'_>) -> usize {
        let mut lines = std::mem::take(&mut self.lines[1]);
        let mut rest = input.bytes;
        let mut unread = 0;
        while !rest.is_empty() {
            // An anomaly may need a mail to be told by.
            let full = self.mails.is_full() && self.at(self.current).is_none();
            if self.secured || full {
                unread = rest.len();
                break;
            }
            let (taken, line) = lines.next(rest, LINE);
            rest = rest.get(taken..).unwrap_or_default();
            if let Some(line) = line {
                let lost = std::mem::take(&mut self.lost[1]);
                if !lost || code(line.bytes).is_some() {
                    self.response(line);
                }
            }
        }
        self.lines[1] = lines;
        unread
    }

    pub(super) fn response(&mut self, line: Line<'_>) {
        self.spoke[1] = true;
        if line.truncated {
            self.raise(Event::LongReply);
        }
        let Some((code, more)) = code(line.bytes) else {
            self.raise(Event::InvalidReply);
            return;
        };
        let goes_on = std::mem::replace(&mut self.replying, more);
        let welcomes = code == *b"220";
        if !self.welcomed && (welcomes || !self.spoke[0]) {
            if !welcomes {
                self.raise(Event::NoWelcome);
            }
            // The greeting is nobody's reply.
            self.welcomed = !more;
            return;
        }
        self.welcomed = true;
        if goes_on && self.waiting.first().is_none() {
            return;
        }
        let Some((sent, mail)) = self.waiting.first() else {
            if code != *b"421" && code != *b"220" {
                self.raise(Event::UnmatchedReply);
            }
            return;
        };
        if let Some(mail) = self.at(mail).and_then(|at| self.mails.get_mut(at)) {
            mail.replied = true;
        }
        if !more {
            self.replied(code, (sent, mail));
        }
    }

    /// A command has its reply.
    pub(super) fn replied(&mut self, code: [u8; 3], (sent, mail): (Sent, Option<u64>)) {
        self.waiting.pop();
        let positive = matches!(code[0], b'2' | b'3');
        match sent {
            Sent::Data if code[0] == b'3' => {
                if self.mode == Mode::DataAsked {
                    self.mode = Mode::Data;
                }
            }
            Sent::Data => {
                // A message that was sent all the same is read as what it is to the server.
                if matches!(self.mode, Mode::DataAsked | Mode::Data) {
                    self.mode = Mode::Command;
                }
                self.raise(Event::DataRejected);
            }
            Sent::StartTls if positive => self.secured = true,
            Sent::StartTls => self.raise(Event::TlsRejected),
            Sent::Auth if code == *b"334" => self.mode = Mode::Challenged,
            Sent::Auth | Sent::Other => {}
        }
        let Some(number) = mail else {
            return;
        };
        let waits = self.waiting.has(number);
        if let Some(mail) = self.at(Some(number)).and_then(|at| self.mails.get_mut(at)) {
            mail.answered |= mail.over && !waits;
        }
        if self.secured
            && let Some(number) = self.current.take()
        {
            // The session starts anew.
            self.helo.clear();
            self.waiting.clear();
            self.close(number);
        }
    }
}
