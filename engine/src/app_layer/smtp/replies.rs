//! Which reply belongs to which command, and when a mail has its last one.

use std::collections::VecDeque;

use super::PENDING;

/// What waits for a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Data,
    StartTls,
    Auth,
    /// The end of a message, or any other command.
    Other,
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
