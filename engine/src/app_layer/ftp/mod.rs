//! FTP's control connection (RFC 959, 2228, 2428, 3659): commands and their replies.
//!
//! A transaction is a command and all its replies; the greeting, and replies that nobody asked for, are
//! transactions of their own. Replies belong to commands in order; a preliminary one (1xx) is followed by
//! others. What a command or a reply says of a data connection makes it expected
//! ([`Expectations`](crate::app_layer::Expectations)), and with the command that asks for a file it is known
//! what it carries.
//!
//! Stated behaviour where the standards leave it open:
//! - only connections between the two hosts of the control connection are expected, whatever address a
//!   command or reply names;
//! - behind missing bytes the rest of a line counts only if it is a command, or a reply, as a whole; missing
//!   replies leave the commands at hand unanswered;
//! - behind an accepted `AUTH TLS` the flow is recognised anew, once the client sends no more lines.
//!
//! Bounds: a line is kept up to [`LINE`] bytes (`request_command_too_long`, `response_command_too_long`); of
//! replies [`REPLIES`] lines or [`REPLY`] bytes are one transaction, and what follows is another.

mod address;
mod parser;
mod recognise;
mod replies;
mod transaction;

use crate::app_layer::{
    BufferShape, BufferSpec, Limits, NumberSpec, Parser, Probe, Progress, Protocol, Start,
    Transports, greeting,
};
use crate::event::FlowDirection::{self, ToClient, ToServer};

use parser::FtpParser;

/// FTP's control connection.
pub(super) static FTP: Ftp = Ftp;

#[derive(Debug)]
pub(super) struct Ftp;

/// Longest line, its end not counted.
const LINE: usize = 4096;

/// Lines of replies that one transaction has.
const REPLIES: usize = 256;

/// Bytes of replies that one transaction has, a last line beyond them not counted.
const REPLY: usize = 64 << 10;

/// The command is there.
const COMMANDED: Progress = 1;
/// A reply has begun.
const REPLIED: Progress = 1;
/// The last reply is there.
const ANSWERED: Progress = 2;

/// Anomalies, in the order of [`Protocol::events`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Event {
    RequestTooLong,
    ResponseTooLong,
    TooManyTransactions,
    FileBeforePort,
    FileWithoutName,
}

const EVENTS: &[&str] = &[
    "request_command_too_long",
    "response_command_too_long",
    "too_many_transactions",
    "file_before_port",
    "file_without_name",
];

/// What a buffer of [`BUFFERS`] shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Command,
    Data,
    Reply,
    Code,
}

const fn spec(keyword: &'static str, direction: FlowDirection, shape: BufferShape) -> BufferSpec {
    BufferSpec {
        keyword,
        direction,
        progress: 1,
        shape,
    }
}

const BUFFERS: &[BufferSpec] = &[
    spec("ftp.command", ToServer, BufferShape::Single),
    spec("ftp.command_data", ToServer, BufferShape::Single),
    // Streaming: further replies come behind a preliminary one.
    spec("ftp.reply", ToClient, BufferShape::Streaming),
    spec("ftp.completion_code", ToClient, BufferShape::Streaming),
];

/// What stands behind each of [`BUFFERS`].
const PARTS: [Part; 4] = [Part::Command, Part::Data, Part::Reply, Part::Code];

/// Truths, as rules write them.
const TRUTHS: &[(&str, u64)] = &[
    ("yes", 1),
    ("on", 1),
    ("true", 1),
    ("1", 1),
    ("no", 0),
    ("off", 0),
    ("false", 0),
    ("0", 0),
];

const MODES: &[(&str, u64)] = &[("passive", 0), ("active", 1)];

const fn number(
    keyword: &'static str,
    direction: Option<FlowDirection>,
    names: &'static [(&'static str, u64)],
) -> NumberSpec {
    NumberSpec {
        keyword,
        direction,
        progress: COMMANDED,
        names,
    }
}

const NUMBERS: &[NumberSpec] = &[
    number("ftp.dynamic_port", None, &[]),
    number("ftp.mode", None, MODES),
    number("ftp.reply_received", None, TRUTHS),
    number("ftpbounce", Some(ToServer), &[]),
];

impl Protocol for Ftp {
    fn name(&self) -> &'static str {
        "ftp"
    }

    fn transports(&self) -> Transports {
        Transports::Tcp
    }

    fn buffers(&self) -> &'static [BufferSpec] {
        BUFFERS
    }

    fn numbers(&self) -> &'static [NumberSpec] {
        NUMBERS
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
            ToServer => COMMANDED,
            ToClient => ANSWERED,
        }
    }

    fn open(&self, limits: &Limits) -> Box<dyn Parser> {
        Box::new(FtpParser::new(limits))
    }
}

#[cfg(test)]
mod tests;
