//! Which reply belongs to which command, and when a mail has its last one.

use std::collections::VecDeque;

use super::PENDING;

/// What waits for a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Data,
    /// The end of a message.
    End,
    /// A chunk.
    Bdat,
    Ehlo,
    Mail,
    Rcpt,
    StartTls,
    Auth,
    /// A blank line, which not every server answers.
    Blank,
    /// Any other command.
    Other,
}

impl Sent {
    /// Whether a server may answer it with a code. Where not, the codes are out of step with the commands.
    pub(super) fn may_have(self, code: [u8; 3]) -> bool {
        match self {
            Self::Data => code[0] != b'2',
            Self::StartTls => code[0] != b'2' || code == *b"220",
            Self::Blank => matches!(&code, b"500" | b"501" | b"502"),
            _ => true,
        }
    }
}

/// Commands that wait for their replies, oldest first, each with the number of its mail.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    sent: VecDeque<(Sent, Option<u64>)>,
}

impl Waiting {
    /// A command was sent.
    pub(super) fn push(&mut self, sent: Sent, mail: Option<u64>) {
        if self.sent.len() >= PENDING {
            self.sent.pop_front();
        }
        self.sent.push_back((sent, mail));
    }

    /// The command that the next reply belongs to.
    pub(super) fn first(&self) -> Option<(Sent, Option<u64>)> {
        self.sent.front().copied()
    }

    /// Forgets blank lines that a server that answers with this `code` has not answered.
    pub(super) fn skip_blanks(&mut self, code: [u8; 3]) {
        let skipped = |sent: &Sent| *sent == Sent::Blank && !sent.may_have(code);
        while self.sent.front().is_some_and(|(sent, _)| skipped(sent)) {
            self.sent.pop_front();
        }
    }

    /// A DATA was accepted: forgets all up to it, as codes may be out of step. Returns how many were
    /// forgotten; `None`: no DATA waits.
    pub(super) fn accept_data(&mut self) -> Option<usize> {
        let mut sent = self.sent.iter();
        let at = sent.position(|(sent, _)| *sent == Sent::Data)?;
        self.sent.drain(..=at);
        Some(at + 1)
    }

    pub(super) fn len(&self) -> usize {
        self.sent.len()
    }

    /// The newest were none.
    pub(super) fn truncate(&mut self, len: usize) {
        self.sent.truncate(len);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// It has its reply.
    pub(super) fn pop(&mut self) {
        self.sent.pop_front();
    }

    /// Whether a command of a mail waits.
    pub(super) fn has(&self, mail: u64) -> bool {
        self.sent.iter().any(|(_, of)| *of == Some(mail))
    }

    pub(super) fn clear(&mut self) {
        self.sent.clear();
        self.sent.shrink_to(PENDING);
    }
}

/// The code of a reply, and whether further lines follow; `None`: it is no reply.
pub(super) fn code(line: &[u8]) -> Option<([u8; 3], bool)> {
    let (code, rest) = line.split_first_chunk::<3>()?;
    let valid = code.iter().all(u8::is_ascii_digit);
    match rest.first() {
        _ if !valid => None,
        None | Some(b' ') => Some((*code, false)),
        Some(b'-') => Some((*code, true)),
        Some(_) => None,
    }
}
