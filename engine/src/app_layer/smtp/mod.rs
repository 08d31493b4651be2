//! SMTP (RFC 5321, 1869, 2920, 3030, 3207, 4954) and the mail it carries (RFC 5322, 2045).
//!
//! ```text
//! bytes -> lines | DATA | BDAT -> command, reply -> transaction
//!                 \-> mime (head, parts, content codings) -> fields, files
//! ```
//!
//! A transaction is one mail: from the greeting, or the first command behind the mail before, to the end of
//! its message, a RSET or the end of the session; it is complete when that has its reply. Commands that
//! matter to no mail (QUIT behind one) open none.
//!
//! Stated behaviour where the standards leave it open:
//! - a message ends with a line that is a dot, whatever ends lines; where a strict server reads on
//!   (`ambiguous_message_end`) it goes on, as a mail of its own, with the first line that is no command before
//!   the end has a reply;
//! - what a client sends behind DATA before the server has answered is the message
//!   (`invalid_pipelined_sequence`), unless the server declines it later on: then the message to come is a
//!   mail of its own, of the same sender and recipients;
//! - a 354 is always followed by a message, whichever command it seems to answer; codes that cannot answer the
//!   command whose turn it is answer none (`unable_to_match_reply_with_request`); blank lines may be answered;
//! - BDAT is a chunk unless the server's answer to EHLO names extensions without CHUNKING; a server that
//!   answers 500 or 502 (503, where CHUNKING was not offered) in the middle of one reads on with commands;
//! - bytes missing in a message leave holes in its files; elsewhere the rest of a line counts only where it
//!   is a command or a reply as a whole, and missing replies leave the commands at hand unanswered;
//! - behind an accepted STARTTLS the flow is recognised anew once the client starts TLS; what else it sends
//!   is read on (`failed_protocol_change`).
//!
//! Bounds: a line is kept up to [`LINE`] bytes, [`PENDING`] commands wait for replies, a mail has
//! [`RECIPIENTS`] recipients (what follows is another transaction), the mails at hand hold [`HELD`] bytes
//! together (`too_many_transactions`; what follows of one that had to go is another transaction); those of
//! mails: [`mime`].

mod answers;
mod command;
mod data;
mod message;
mod mime;
mod parser;
mod recognise;
mod replies;
mod state;
mod transaction;

use crate::app_layer::events::events;
use crate::app_layer::{
    BufferShape, BufferSpec, FilePart, Limits, Parser, Probe, Progress, Protocol, Start,
    Transports, greeting,
};
use crate::event::FlowDirection::{self, ToClient, ToServer};

use parser::SmtpParser;

/// SMTP.
pub(super) static SMTP: Smtp = Smtp;

#[derive(Debug)]
pub(super) struct Smtp;

/// Longest line of a command or reply, its end not counted.
const LINE: usize = 4096;

/// Commands that may wait for their replies; beyond it the oldest is taken for unanswered.
const PENDING: usize = 512;

/// Bytes that the mails at hand may hold together; beyond it the oldest goes.
const HELD: usize = 1 << 20;

/// Recipients of one transaction.
const RECIPIENTS: usize = 512;

/// The client has said who it is, or begun a mail.
const GREETED: Progress = 1;
/// The sender is there.
const SENDER: Progress = 2;
/// The message has begun.
const DATA: Progress = 3;
/// The message's head is there.
const HEADERS: Progress = 4;
/// The mail is over.
const COMPLETE: Progress = 5;
/// A reply has begun.
const REPLIED: Progress = 1;
/// The last reply is there.
const ANSWERED: Progress = 2;

events! {
    pub(super),
    InvalidReply => "invalid_reply",
    UnmatchedReply => "unable_to_match_reply_with_request",
    LongCommand => "max_command_line_len_exceeded",
    LongReply => "max_reply_line_len_exceeded",
    InvalidPipelining => "invalid_pipelined_sequence",
    ChunkTooLong => "bdat_chunk_len_exceeded",
    NoWelcome => "no_server_welcome_message",
    TlsRejected => "tls_rejected",
    DataRejected => "data_command_rejected",
    FailedProtocolChange => "failed_protocol_change",
    InvalidBdat => "invalid_bdat",
    DuplicateFields => "duplicate_fields",
    UnparsableContent => "unparsable_content",
    LongFileName => "mime_long_filename",
    LongBoundary => "mime_long_boundary",
    MalformedMessage => "mime_malformed_msg",
    InvalidBase64 => "mime_invalid_base64",
    InvalidQuoted => "mime_invalid_qp",
    LongFieldName => "mime_long_header_name",
    LongFieldValue => "mime_long_header_value",
    LongLine => "mime_long_line",
    LongEncodedLine => "mime_long_enc_line",
    AmbiguousEnd => "ambiguous_message_end",
    TooManyTransactions => "too_many_transactions",
}

/// What a buffer shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Helo,
    Sender,
    Recipient,
    Field(mime::Field),
    Received,
    Url,
    BodyMd5,
    File(FilePart),
}

type Row = (BufferSpec, Part);

const fn row(keyword: &'static str, progress: Progress, shape: BufferShape, part: Part) -> Row {
    let spec = BufferSpec {
        keyword,
        direction: ToServer,
        progress,
        shape,
    };
    (spec, part)
}

const fn field(keyword: &'static str, field: mime::Field) -> Row {
    row(keyword, HEADERS, BufferShape::Single, Part::Field(field))
}

// Streaming are those of which more may come in the same state.
const ROWS: [Row; 16] = [
    row("smtp.helo", GREETED, BufferShape::Single, Part::Helo),
    row("smtp.mail_from", SENDER, BufferShape::Single, Part::Sender),
    row(
        "smtp.rcpt_to",
        SENDER,
        BufferShape::Streaming,
        Part::Recipient,
    ),
    field("email.from", mime::Field::From),
    field("email.to", mime::Field::To),
    field("email.cc", mime::Field::Cc),
    field("email.subject", mime::Field::Subject),
    field("email.date", mime::Field::Date),
    field("email.message_id", mime::Field::MessageId),
    field("email.x_mailer", mime::Field::XMailer),
    row(
        "email.received",
        HEADERS,
        BufferShape::Multiple,
        Part::Received,
    ),
    row("email.url", HEADERS, BufferShape::Streaming, Part::Url),
    row(
        "email.body_md5",
        COMPLETE,
        BufferShape::Single,
        Part::BodyMd5,
    ),
    row(
        "file.data",
        DATA,
        BufferShape::Streaming,
        Part::File(FilePart::Data),
    ),
    row(
        "file.name",
        DATA,
        BufferShape::Streaming,
        Part::File(FilePart::Name),
    ),
    row(
        "file.magic",
        DATA,
        BufferShape::Streaming,
        Part::File(FilePart::Magic),
    ),
];

const SPECS: [BufferSpec; ROWS.len()] = {
    let mut specs = [ROWS[0].0; ROWS.len()];
    let mut index = 0;
    while index < ROWS.len() {
        specs[index] = ROWS[index].0;
        index += 1;
    }
    specs
};

const BUFFERS: &[BufferSpec] = &SPECS;

impl Protocol for Smtp {
    fn name(&self) -> &'static str {
        "smtp"
    }

    fn transports(&self) -> Transports {
        Transports::Tcp
    }

    fn buffers(&self) -> &'static [BufferSpec] {
        BUFFERS
    }

    fn events(&self) -> &'static [&'static str] {
        EVENTS
    }

    fn probe(&self, start: &Start<'_>) -> Probe {
        recognise::probe(start)
    }

    fn confirm(&self, start: &Start<'_>) -> Probe {
        greeting::confirm(start)
    }

    fn is_answer(&self, start: &Start<'_>) -> bool {
        !start.datagram && start.direction == ToClient && self.probe(start) == Probe::Yes
    }

    fn complete(&self, direction: FlowDirection) -> Progress {
        match direction {
            ToServer => COMPLETE,
            ToClient => ANSWERED,
        }
    }

    fn open(&self, limits: &Limits) -> Box<dyn Parser> {
        Box::new(SmtpParser::new(limits))
    }
}

#[cfg(test)]
mod tests;
