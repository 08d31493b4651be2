//! What the server says.

use crate::app_layer::Input;
use crate::app_layer::lines::Line;

use super::parser::SmtpParser;
use super::replies::{Sent, code};
use super::state::Mode;
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
            if full {
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
        if code == *b"354" {
            if !more {
                self.accept_data();
            }
            return;
        }
        if !goes_on {
            self.waiting.skip_blanks(code);
        }
        if self.lmtp.due > 0 {
            self.lmtp.due -= usize::from(!more);
            return;
        }
        if goes_on && self.waiting.first().is_none() {
            return;
        }
        let Some((sent, mail)) = self.waiting.first() else {
            if code != *b"421" && code != *b"220" {
                self.raise(Event::UnmatchedReply);
            }
            return;
        };
        if !sent.may_have(code) {
            // It answers something else: this one has its answer to come.
            self.raise(Event::UnmatchedReply);
            return;
        }
        if let Some(mail) = self.at(mail).and_then(|at| self.mails.get_mut(at)) {
            mail.replied = true;
        }
        if sent == Sent::Ehlo && code[0] == b'2' {
            self.offered(line.bytes, goes_on);
        }
        if !more {
            self.replied(code, (sent, mail));
        }
    }

    /// A line of what a server offers (RFC 5321 section 4.1.1.1).
    fn offered(&mut self, line: &[u8], goes_on: bool) {
        let keyword = line.get(4..).unwrap_or_default().trim_ascii();
        // The first line names the server. Where it is the only one, it may well answer something else.
        self.chunking = goes_on
            .then(|| self.chunking == Some(true) || keyword.eq_ignore_ascii_case(b"CHUNKING"));
    }

    /// Whether a server that answers a chunk so, before all of it has come, takes what follows for commands:
    /// one that knows chunks skips those that it declines (RFC 3030 section 2).
    fn declines_chunk(&self, code: [u8; 3]) -> bool {
        let unknown = matches!(&code, b"500" | b"502");
        let early = code == *b"503" && self.chunking != Some(true);
        matches!(self.mode, Mode::Chunk(..)) && (unknown || early)
    }

    /// The client has sent nothing that is not answered.
    fn awaits_nothing(&self) -> bool {
        self.mode == Mode::Command && self.waiting.is_empty()
    }

    /// A command has its reply.
    pub(super) fn replied(&mut self, code: [u8; 3], (sent, mail): (Sent, Option<u64>)) {
        self.waiting.pop();
        let positive = matches!(code[0], b'2' | b'3');
        match sent {
            Sent::Data => {
                self.raise(Event::DataRejected);
                // A message that was sent all the same is read as what it is to the server.
                if matches!(self.mode, Mode::DataAsked | Mode::Data) {
                    self.abort_message();
                }
            }
            Sent::Bdat if self.declines_chunk(code) => self.abort_message(),
            Sent::StartTls if positive => self.secured = true,
            Sent::StartTls => self.raise(Event::TlsRejected),
            // What was sent before it came is answered as commands.
            Sent::Auth if code == *b"334" && self.awaits_nothing() => self.mode = Mode::Challenged,
            Sent::Mail if positive => self.lmtp.accepted = 0,
            Sent::Rcpt if positive => self.lmtp.accepted += 1,
            Sent::End => {
                self.doubt = None;
                let accepted = std::mem::take(&mut self.lmtp.accepted);
                if self.lmtp.spoken {
                    self.lmtp.due = accepted.saturating_sub(1);
                }
            }
            _ => {}
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
            self.carried = None;
            self.waiting.clear();
            self.close(number);
        }
    }
}
