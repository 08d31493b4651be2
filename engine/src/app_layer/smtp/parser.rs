//! SMTP in one flow: what the client sends. What it is answered: [`super::answers`]; messages:
//! [`super::message`].

use crate::app_layer::greeting::starts_tls;
use crate::app_layer::lines::{Line, Lines};
use crate::app_layer::{
    FileService, Input, Limits, Parser, Status, Surroundings, Transaction, Transactions,
};
use crate::event::FlowDirection::{self, ToClient, ToServer};

use super::command::{self, Command};
use super::data::Data;
use super::message::Doubt;
use super::mime::Message;
use super::recognise::is_command;
use super::replies::{Sent, Waiting};
use super::state::{Carried, Lmtp, Mode};
use super::transaction::Mail;
use super::{Event, HELD, LINE, RECIPIENTS};

/// Largest chunk that is none too long.
const CHUNK: u64 = u32::MAX as u64;

/// SMTP in one flow.
#[derive(Debug)]
pub(super) struct SmtpParser {
    pub(super) lines: [Lines; 2],
    pub(super) mails: Transactions<Mail>,
    /// Number of the oldest mail at hand, or of the next.
    pub(super) first: u64,
    /// Bytes that mails hold of which nothing will follow.
    pub(super) settled: usize,
    /// What goes on with the next mail of one that had to go.
    pub(super) carried: Option<Carried>,
    /// A message that may go on.
    pub(super) doubt: Option<Doubt>,
    /// The mail that commands belong to.
    pub(super) current: Option<u64>,
    pub(super) mode: Mode,
    pub(super) data: Data,
    pub(super) message: Message,
    pub(super) waiting: Waiting,
    /// Whether the server takes chunks, as far as it has said.
    pub(super) chunking: Option<bool>,
    pub(super) lmtp: Lmtp,
    /// Lines that follow belong to the same reply.
    pub(super) replying: bool,
    /// Who the client said it is.
    pub(super) helo: Vec<u8>,
    /// The client, the server has said something.
    pub(super) spoke: [bool; 2],
    /// The greeting is over.
    pub(super) welcomed: bool,
    /// Bytes were missing in front of the next line.
    pub(super) lost: [bool; 2],
    /// TLS follows.
    pub(super) secured: bool,
    /// It did not, and nobody asked yet.
    pub(super) skipped_tls: bool,
    pub(super) service: FileService,
    pub(super) tail: usize,
}

impl SmtpParser {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            lines: [Lines::default(), Lines::default()],
            mails: Transactions::new(limits.transactions),
            first: 0,
            settled: 0,
            carried: None,
            doubt: None,
            current: None,
            mode: Mode::Command,
            data: Data::default(),
            message: Message::default(),
            waiting: Waiting::default(),
            chunking: None,
            lmtp: Lmtp::default(),
            replying: false,
            helo: Vec::new(),
            spoke: [false; 2],
            welcomed: false,
            lost: [false; 2],
            secured: false,
            skipped_tls: false,
            service: FileService::default(),
            tail: limits.tail,
        }
    }

    /// What follows an accepted STARTTLS. The mails at hand are looked at first.
    fn handed_over(&mut self, input: &Input<'_>) -> Option<Status> {
        if input.direction == ToClient || input.bytes.is_empty() {
            return None;
        }
        let unread = input.bytes.len();
        if !starts_tls(input.bytes) {
            self.skipped_tls = true;
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
    pub(super) fn mail(&mut self) -> Option<&mut Mail> {
        if self.at(self.current).is_none() {
            let helo = &self.helo;
            let mail = self.mails.open(|mail, id| {
                mail.clear(id);
                mail.helo.extend_from_slice(helo);
            })?;
            if let Some(carried) = self.carried.take() {
                mail.sender = carried.sender;
                mail.begun = carried.begun;
                mail.email.headed = carried.begun && self.message.is_headed();
            }
            self.current = Some(mail.id);
        }
        let index = self.at(self.current)?;
        self.mails.get_mut(index)
    }

    pub(super) fn at(&self, number: Option<u64>) -> Option<usize> {
        let index = usize::try_from(number?.checked_sub(self.first)?).ok()?;
        (index < self.mails.len()).then_some(index)
    }

    pub(super) fn raise(&mut self, event: Event) {
        if let Some(mail) = self.mail() {
            mail.raise(event);
        }
    }

    /// There is no room for more: the oldest mail is to go.
    fn is_full(&mut self) -> bool {
        let current = self.at(self.current);
        let open = current
            .and_then(|at| self.mails.get(at))
            .map_or(0, Mail::held);
        let full = self.mails.is_full() && current.is_none() || self.settled + open >= HELD;
        let oldest = self.mails.get_mut(0).filter(|_| full);
        if let Some(oldest) = oldest {
            oldest.raise(Event::TooManyTransactions);
            return true;
        }
        false
    }

    /// Reads what the client sent, up to something for which there is no room. Returns how many bytes were not
    /// taken.
    fn requests(&mut self, input: &Input<'_>) -> usize {
        let mut rest = input.bytes;
        while !rest.is_empty() {
            if self.is_full() {
                return rest.len();
            }
            let taken = match self.mode {
                Mode::Command | Mode::Challenged => self.request_line(rest),
                Mode::DataAsked => {
                    if self.spoke[1] {
                        self.raise(Event::InvalidPipelining);
                    }
                    self.begin_message();
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
        if self.goes_on(line.bytes) {
            return;
        }
        if line.bytes.trim_ascii().is_empty() {
            self.waiting.push(Sent::Blank, None);
            return;
        }
        self.spoke[0] = true;
        if line.truncated {
            self.raise(Event::LongCommand);
        }
        let command = command::read(line.bytes);
        let sent = match command {
            Command::Helo(name) => {
                self.greeted(name);
                self.lmtp.spoken |= command::is(line.bytes, b"LHLO");
                if command::is(line.bytes, b"HELO") {
                    Sent::Other
                } else {
                    Sent::Ehlo
                }
            }
            Command::Mail(sender) => {
                self.sender(sender);
                Sent::Mail
            }
            Command::Rcpt(recipient) => {
                self.recipient(recipient);
                Sent::Rcpt
            }
            Command::Data => {
                let _ = self.mail();
                self.mode = Mode::DataAsked;
                Sent::Data
            }
            Command::Bdat(Some(length), last) => return self.bdat(length, last),
            Command::Bdat(None, _) => {
                self.raise(Event::InvalidBdat);
                Sent::Other
            }
            Command::StartTls => self.without_mail(Sent::StartTls),
            Command::Auth => self.without_mail(Sent::Auth),
            Command::Rset | Command::Quit => {
                return self.reset_mail(command == Command::Quit);
            }
            Command::Other => Sent::Other,
        };
        self.waiting.push(sent, self.current);
    }

    /// A command that matters to the mail to come.
    fn without_mail(&mut self, sent: Sent) -> Sent {
        let _ = self.mail();
        sent
    }

    fn bdat(&mut self, length: u64, last: bool) {
        if length > CHUNK {
            self.raise(Event::ChunkTooLong);
        }
        if self.chunking == Some(false) {
            // To the server, what follows is commands.
            self.waiting.push(Sent::Other, self.current);
            return;
        }
        self.begin_message();
        self.waiting.push(Sent::Bdat, self.current);
        self.begin_chunk(length, last);
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
        mail.add_recipient(recipient);
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
        let begun = mail.is_some_and(|mail| mail.sender.is_some() || mail.begun);
        let ends = quits || begun || self.carried.is_some();
        let number = self.current.filter(|_| mail.is_some());
        self.waiting.push(Sent::Other, number);
        if ends {
            self.current = None;
            self.carried = None;
            self.message.clear();
            if let Some(number) = number {
                self.close(number);
            }
        }
    }

    /// Nothing of a mail will follow.
    pub(super) fn close(&mut self, number: u64) {
        let waits = self.waiting.has(number);
        if let Some(mail) = self.at(Some(number)).and_then(|at| self.mails.get_mut(at)) {
            if !mail.over {
                self.settled += mail.held();
            }
            mail.over = true;
            mail.answered |= !waits;
        }
    }
}

impl Parser for SmtpParser {
    fn surround(&mut self, surroundings: &Surroundings<'_>) {
        if self.service.needs != surroundings.files.needs {
            self.service.clone_from(surroundings.files);
        }
    }

    fn skipped_tls(&mut self) -> bool {
        std::mem::take(&mut self.skipped_tls)
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
            self.doubt = None;
            for mail in self.mails.iter_mut() {
                mail.answered |= mail.over;
            }
            return Status::Continue;
        }
        match self.mode {
            Mode::Data => {
                self.data = Data::WITHIN;
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
                mail.email.inspected(self.tail, mail.over);
            }
        }
    }

    fn retire(&mut self) {
        let Some(oldest) = self.mails.get_mut(0) else {
            return;
        };
        if oldest.over {
            self.settled = self.settled.saturating_sub(oldest.held());
        }
        let (sender, begun) = (oldest.sender.take(), oldest.begun);
        // It may be kept to be used again.
        oldest.clear(0);
        if self.current == Some(self.first) {
            // What follows of it is a mail of its own.
            self.current = None;
            self.carried = Some(Carried { sender, begun });
        }
        self.mails.retire();
        self.first += 1;
    }

    fn reset(&mut self) {
        self.lines.iter_mut().for_each(Lines::clear);
        self.mails.reset(Mail::shrink);
        self.first = 0;
        self.settled = 0;
        self.carried = None;
        self.doubt = None;
        self.current = None;
        self.mode = Mode::Command;
        self.data = Data::default();
        self.message.clear();
        self.waiting.clear();
        self.chunking = None;
        self.lmtp = Lmtp::default();
        self.replying = false;
        self.helo.clear();
        self.spoke = [false; 2];
        self.welcomed = false;
        self.lost = [false; 2];
        self.secured = false;
        self.skipped_tls = false;
    }
}
