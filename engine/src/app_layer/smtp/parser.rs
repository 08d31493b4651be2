//! SMTP in one flow.

use crate::app_layer::lines::{Line, Lines};
use crate::app_layer::{
    FileService, Input, Limits, Parser, Status, Surroundings, Transaction, Transactions,
};
use crate::event::FlowDirection::{self, ToClient, ToServer};

use super::command::{self, Command};
use super::data::Data;
use super::mime::{Message, Target};
use super::recognise::is_command;
use super::replies::{Sent, Waiting, code};
use super::transaction::Mail;
use super::{Event, LINE, RECIPIENTS};

/// Largest chunk that is taken for one: beyond it, a length makes no sense.
const CHUNK: u64 = u32::MAX as u64;

/// SMTP in one flow.
#[derive(Debug)]
pub(super) struct SmtpParser {
    lines: [Lines; 2],
    mails: Transactions<Mail>,
    /// Number of the oldest mail at hand, or of the next.
    first: u64,
    /// The mail that commands belong to.
    current: Option<u64>,
    mode: Mode,
    data: Data,
    message: Message,
    waiting: Waiting,
    /// Lines that follow belong to the same reply.
    replying: bool,
    /// Who the client said it is.
    helo: Vec<u8>,
    /// The client, the server has said something.
    spoke: [bool; 2],
    /// The greeting is over.
    welcomed: bool,
    /// Bytes were missing in front of the next line.
    lost: [bool; 2],
    /// TLS follows.
    secured: bool,
    service: FileService,
    tail: usize,
}

/// What the client sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Command,
    /// DATA was sent and is not answered.
    DataAsked,
    /// A message.
    Data,
    /// So many bytes of a chunk; the last?
    Chunk(u64, bool),
    /// An answer to a challenge.
    Challenged,
}

impl SmtpParser {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            lines: [Lines::default(), Lines::default()],
            mails: Transactions::new(limits.transactions),
            first: 0,
            current: None,
            mode: Mode::Command,
            data: Data::default(),
            message: Message::default(),
            waiting: Waiting::default(),
            replying: false,
            helo: Vec::new(),
            spoke: [false; 2],
            welcomed: false,
            lost: [false; 2],
            secured: false,
            service: FileService::default(),
            tail: limits.tail,
        }
    }

    /// What follows an accepted STARTTLS. The mails at hand are looked at first.
    fn handed_over(&mut self, input: &Input<'_>) -> Option<Status> {
        let first = input.bytes.first()?;
        let unread = input.bytes.len();
        if input.direction == ToServer && first.is_ascii_alphabetic() {
            if self.mails.is_full() {
                return Some(Status::Full { unread });
            }
            // The client goes on in plain text.
            self.secured = false;
            self.raise(Event::FailedProtocolChange);
            return None;
        }
        Some(if self.mails.is_empty() {
            Status::Upgraded { unread }
        } else {
            Status::Full { unread }
        })
    }

    /// The mail at hand; a new one where there is none. `None`: there is no room.
    fn mail(&mut self) -> Option<&mut Mail> {
        if self.at(self.current).is_none() {
            let helo = &self.helo;
            let mail = self.mails.open(|mail, id| {
                mail.clear(id);
                mail.helo.extend_from_slice(helo);
            })?;
            self.current = Some(mail.id);
        }
        let index = self.at(self.current)?;
        self.mails.get_mut(index)
    }

    fn at(&self, number: Option<u64>) -> Option<usize> {
        let index = usize::try_from(number?.checked_sub(self.first)?).ok()?;
        (index < self.mails.len()).then_some(index)
    }

    fn raise(&mut self, event: Event) {
        if let Some(mail) = self.mail() {
            mail.raise(event);
        }
    }

    /// Reads what the client sent, up to something for which there is no room. Returns how many bytes were not
    /// taken.
    fn requests(&mut self, input: &Input<'_>) -> usize {
        let mut rest = input.bytes;
        while !rest.is_empty() {
            if self.mails.is_full() && self.at(self.current).is_none() {
                return rest.len();
            }
            let taken = match self.mode {
                Mode::Command | Mode::Challenged => self.request_line(rest),
                Mode::DataAsked => {
                    if self.spoke[1] {
                        self.raise(Event::InvalidPipelining);
                    }
                    self.mode = Mode::Data;
                    0
                }
                Mode::Data => self.message_bytes(rest),
                Mode::Chunk(left, last) => self.chunk(rest, (left, last)),
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
        if input.eof {
            self.end_of_requests();
        }
        0
    }

    fn end_of_requests(&mut self) {
        let mut lines = std::mem::take(&mut self.lines[0]);
        if matches!(self.mode, Mode::Command)
            && let Some(line) = lines.rest(LINE)
        {
            self.request(line);
        }
        self.lines[0] = lines;
        if matches!(self.mode, Mode::Data | Mode::Chunk(..)) {
            self.end_message(false);
        } else if let Some(number) = self.current.take() {
            self.close(number);
        }
    }

    fn request_line(&mut self, bytes: &[u8]) -> usize {
        let mut lines = std::mem::take(&mut self.lines[0]);
        let (taken, line) = lines.next(bytes, LINE);
        if let Some(line) = line {
            let lost = std::mem::take(&mut self.lost[0]);
            if self.mode == Mode::Challenged {
                self.mode = Mode::Command;
                self.waiting.push(Sent::Auth, self.current);
            } else if !lost || is_command(line.bytes) {
                self.request(line);
            }
        }
        self.lines[0] = lines;
        taken
    }

    fn request(&mut self, line: Line<'_>) {
        if line.bytes.trim_ascii().is_empty() {
            return;
        }
        self.spoke[0] = true;
        if line.truncated {
            self.raise(Event::LongCommand);
        }
        let command = command::read(line.bytes);
        let mut sent = Sent::Other;
        match command {
            Command::Helo(name) => self.greeted(name),
            Command::Mail(sender) => self.sender(sender),
            Command::Rcpt(recipient) => self.recipient(recipient),
            Command::Data => {
                sent = Sent::Data;
                self.mode = Mode::DataAsked;
                self.begin_message();
            }
            Command::Bdat(Some(length), last) => {
                if length > CHUNK {
                    self.raise(Event::ChunkTooLong);
                }
                self.begin_message();
                self.begin_chunk(length, last);
                return;
            }
            Command::Bdat(None, _) => self.raise(Event::InvalidBdat),
            Command::StartTls => {
                sent = Sent::StartTls;
                let _ = self.mail();
            }
            Command::Auth => {
                sent = Sent::Auth;
                let _ = self.mail();
            }
            Command::Rset | Command::Quit => {
                self.reset_mail(command == Command::Quit);
                return;
            }
            Command::Other => {}
        }
        self.waiting.push(sent, self.current);
    }

    fn greeted(&mut self, name: &[u8]) {
        // What counts is what it said first.
        let known = !self.helo.is_empty();
        if !known {
            self.helo.extend_from_slice(name);
        }
        let Some(mail) = self.mail() else {
            return;
        };
        if known {
            mail.raise(Event::DuplicateFields);
        }
        if mail.helo.is_empty() {
            mail.helo.extend_from_slice(name);
        }
    }

    fn sender(&mut self, sender: &[u8]) {
        let Some(mail) = self.mail() else {
            return;
        };
        if mail.sender.is_some() {
            mail.raise(Event::DuplicateFields);
        } else {
            mail.sender = Some(sender.to_vec());
        }
    }

    fn recipient(&mut self, recipient: &[u8]) {
        let Some(mail) = self.mail() else {
            return;
        };
        mail.recipients.push(recipient.to_vec());
        if mail.recipients.len() >= RECIPIENTS
            && let Some(number) = self.current.take()
        {
            // What follows of the mail is another transaction.
            let index = self.at(Some(number));
            let sender = index.and_then(|index| self.mails.get(index)?.sender.clone());
            self.close(number);
            if let Some(mail) = self.mail() {
                mail.sender = sender;
            }
        }
    }

    /// RSET, or QUIT, ends the mail at hand, if one has begun (QUIT: if anything has).
    fn reset_mail(&mut self, quits: bool) {
        let index = self.at(self.current);
        let mail = index.and_then(|index| self.mails.get(index));
        let ends = quits || mail.is_some_and(|mail| mail.sender.is_some() || mail.begun);
        let number = self.current.filter(|_| mail.is_some());
        self.waiting.push(Sent::Other, number);
        if ends {
            self.current = None;
            self.message.clear();
            if let Some(number) = number {
                self.close(number);
            }
        }
    }

    /// A message begins, or goes on with another chunk.
    fn begin_message(&mut self) {
        let Some(mail) = self.mail() else {
            return;
        };
        if !std::mem::replace(&mut mail.begun, true) {
            self.message.start(&self.service);
        }
        self.data = Data::default();
    }

    fn begin_chunk(&mut self, length: u64, last: bool) {
        self.mode = Mode::Chunk(length, last);
        if length == 0 {
            self.end_chunk(last);
        }
    }

    fn end_chunk(&mut self, last: bool) {
        if last {
            self.end_message(true);
        } else {
            self.mode = Mode::Command;
            self.waiting.push(Sent::Other, self.current);
        }
    }

    fn message_bytes(&mut self, bytes: &[u8]) -> usize {
        let mut data = self.data;
        let (taken, over) = data.take(bytes, &mut |piece| self.content(piece));
        self.data = data;
        if over {
            self.end_message(true);
        }
        taken
    }

    fn chunk(&mut self, bytes: &[u8], (left, last): (u64, bool)) -> usize {
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
    fn with_message(&mut self, act: impl FnOnce(&mut Message, &mut Target<'_>)) {
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

    fn content(&mut self, bytes: &[u8]) {
        self.with_message(|message, target| message.push(bytes, target));
    }

    fn end_message(&mut self, whole: bool) {
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

    /// Nothing of a mail will follow.
    fn close(&mut self, number: u64) {
        let waits = self.waiting.has(number);
        if let Some(mail) = self.at(Some(number)).and_then(|at| self.mails.get_mut(at)) {
            mail.over = true;
            mail.answered |= !waits;
        }
    }

    /// Reads what the server sent. Returns how many bytes were not taken.
    fn responses(&mut self, input: &Input<'_>) -> usize {
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

    fn response(&mut self, line: Line<'_>) {
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
    fn replied(&mut self, code: [u8; 3], (sent, mail): (Sent, Option<u64>)) {
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

impl Parser for SmtpParser {
    fn surround(&mut self, surroundings: &Surroundings<'_>) {
        if self.service.needs != surroundings.files.needs {
            self.service.clone_from(surroundings.files);
        }
    }

    fn parse(&mut self, input: &Input<'_>) -> Status {
        if self.secured
            && let Some(status) = self.handed_over(input)
        {
            return status;
        }
        let unread = match input.direction {
            ToServer => self.requests(input),
            ToClient => self.responses(input),
        };
        match unread {
            0 => Status::Continue,
            unread => Status::Full { unread },
        }
    }

    fn gap(&mut self, direction: FlowDirection, missing: u64) -> Status {
        if direction == ToClient {
            self.lines[1].clear();
            self.lost[1] = true;
            self.replying = false;
            self.waiting.clear();
            for mail in self.mails.iter_mut() {
                mail.answered |= mail.over;
            }
            return Status::Continue;
        }
        match self.mode {
            Mode::Data => {
                self.data = Data::Within;
                self.with_message(|message, target| message.skip(missing, target));
            }
            Mode::Chunk(left, last) if left > missing => {
                self.with_message(|message, target| message.skip(missing, target));
                self.mode = Mode::Chunk(left - missing, last);
            }
            Mode::Chunk(..) => self.end_message(false),
            Mode::Command | Mode::DataAsked | Mode::Challenged => {
                self.mode = Mode::Command;
                self.lines[0].clear();
                self.lost[0] = true;
            }
        }
        Status::Continue
    }

    fn len(&self) -> usize {
        self.mails.len()
    }

    fn transaction(&self, index: usize) -> Option<&dyn Transaction> {
        let mail = self.mails.get(index)?;
        Some(mail as &dyn Transaction)
    }

    fn inspected(&mut self, direction: FlowDirection) {
        if direction == ToServer {
            for mail in self.mails.iter_mut() {
                mail.email.inspected(self.tail);
            }
        }
    }

    fn retire(&mut self) {
        if self.mails.is_empty() {
            return;
        }
        if self.current == Some(self.first) {
            // What follows of it is a mail of its own.
            self.current = None;
            self.message.clear();
        }
        self.mails.retire();
        self.first += 1;
    }

    fn reset(&mut self) {
        self.lines.iter_mut().for_each(Lines::clear);
        self.mails.reset(Mail::shrink);
        self.first = 0;
        self.current = None;
        self.mode = Mode::Command;
        self.data = Data::default();
        self.message.clear();
        self.waiting.clear();
        self.replying = false;
        self.helo.clear();
        self.spoke = [false; 2];
        self.welcomed = false;
        self.lost = [false; 2];
        self.secured = false;
    }
}
