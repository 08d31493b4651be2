//! A request socket.

use std::io;

use netlink_packet_core::{NLM_F_ACK_TLVS as ACK_TLVS, NLMSG_DONE as DONE, NLMSG_ERROR as ERROR};
use netlink_sys::SocketAddr;

use super::attributes::Messages;
use super::{ACK, Attributes, DUMP, DUMP_INTERRUPTED, HEADER, REQUEST, Writer};

/// Longest datagram that the kernel sends here: dumps fill at most 32 KiB.
const RECEIVE_BUFFER: usize = 64 * 1024;
/// How often a dump that met a concurrent change is asked for again.
const DUMP_ATTEMPTS: u32 = 16;

/// Attribute of an error message: text.
const ACK_TEXT: u16 = 1;

/// A failed request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NetlinkError {
    /// The kernel said no.
    #[error("{}{}", io::Error::from_raw_os_error(*errno), text.as_ref().map(|t| format!(" ({t})")).unwrap_or_default())]
    Refused {
        /// Positive errno.
        errno: i32,
        /// Sequence number of the message that failed.
        sequence: u32,
        /// The kernel's words, where it has some.
        text: Option<String>,
    },
    /// The socket failed.
    #[error("netlink socket: {0}")]
    Socket(#[from] io::Error),
    /// The answer is not one.
    #[error("netlink: {0}")]
    Protocol(&'static str),
}

impl NetlinkError {
    /// The kernel's errno, if it was the kernel that refused.
    pub(crate) fn errno(&self) -> Option<i32> {
        match self {
            Self::Refused { errno, .. } => Some(*errno),
            _ => None,
        }
    }

    /// As an `io::Error` that keeps errno's kind and the kernel's words.
    pub(crate) fn into_io(self) -> io::Error {
        match self {
            Self::Refused {
                errno, text: None, ..
            } => io::Error::from_raw_os_error(errno),
            Self::Socket(error) => error,
            Self::Refused { errno, .. } => {
                io::Error::new(io::Error::from_raw_os_error(errno).kind(), self)
            }
            Self::Protocol(_) => io::Error::other(self),
        }
    }
}

/// One message of an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer<'a> {
    /// Fixed part and attributes.
    pub(crate) payload: &'a [u8],
}

impl<'a> Answer<'a> {
    /// The attributes after a fixed part of `skip` bytes.
    pub(crate) fn attributes(self, skip: usize) -> Attributes<'a> {
        Attributes::after(self.payload, skip)
    }
}

/// A socket for requests that the kernel answers at once.
pub(crate) struct Socket {
    inner: netlink_sys::Socket,
    sequence: u32,
    buffer: Vec<u8>,
    writer: Writer,
    /// An exchange failed: more of its answers may be queued.
    unfinished: bool,
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Socket").finish_non_exhaustive()
    }
}

impl Socket {
    /// Opens a socket of this netlink protocol in the calling thread's network namespace.
    pub(crate) fn open(protocol: i32) -> Result<Self, NetlinkError> {
        let mut inner = netlink_sys::Socket::new(protocol as isize)?;
        inner.bind_auto()?;
        inner.connect(&SocketAddr::new(0, 0))?;
        inner.set_cap_ack(true)?;
        inner.set_ext_ack(true)?;
        Ok(Self {
            inner,
            sequence: 0,
            buffer: vec![0; RECEIVE_BUFFER],
            writer: Writer::default(),
            unfinished: false,
        })
    }

    /// Next sequence number.
    pub(crate) fn next_sequence(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    /// Sends one request that the kernel acknowledges.
    pub(crate) fn request(
        &mut self,
        kind: u16,
        flags: u16,
        content: impl FnOnce(&mut Writer),
    ) -> Result<(), NetlinkError> {
        self.start(kind, flags | REQUEST | ACK, content);
        self.exchange(|_| {})
    }

    /// Sends one request for one object; `None` if the kernel has none.
    pub(crate) fn get<T>(
        &mut self,
        kind: u16,
        content: impl FnOnce(&mut Writer),
        mut read: impl FnMut(Answer<'_>) -> T,
    ) -> Result<Option<T>, NetlinkError> {
        self.start(kind, REQUEST | ACK, content);
        let mut found = None;
        match self.exchange(|answer| found = Some(read(answer))) {
            Ok(()) => Ok(found),
            Err(NetlinkError::Refused {
                errno: libc::ENOENT | libc::ENODEV,
                ..
            }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends a dump request and collects what `read` makes of the answers. A dump that met a concurrent change
    /// is repeated.
    pub(crate) fn dump<T>(
        &mut self,
        kind: u16,
        mut content: impl FnMut(&mut Writer),
        mut read: impl FnMut(Answer<'_>) -> Option<T>,
    ) -> Result<Vec<T>, NetlinkError> {
        for _ in 0..DUMP_ATTEMPTS {
            self.start(kind, REQUEST | ACK | DUMP, &mut content);
            let mut found = Vec::new();
            match self.exchange(|answer| found.extend(read(answer))) {
                Ok(()) => return Ok(found),
                Err(NetlinkError::Refused {
                    errno: libc::EINTR, ..
                }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(NetlinkError::Protocol("the dump kept being interrupted"))
    }

    fn start(&mut self, kind: u16, flags: u16, content: impl FnOnce(&mut Writer)) {
        let sequence = self.next_sequence();
        self.writer.clear();
        self.writer.message(kind, flags, sequence, content);
    }

    fn exchange(&mut self, on_answer: impl FnMut(Answer<'_>)) -> Result<(), NetlinkError> {
        let writer = std::mem::take(&mut self.writer);
        let result = self.transact(writer.bytes(), self.sequence, on_answer);
        self.writer = writer;
        result
    }

    /// Sends `bytes` (one message or a batch) and reads every answer; succeeds when the message numbered `last`
    /// was acknowledged and none failed. The first error reported wins.
    pub(crate) fn transact(
        &mut self,
        bytes: &[u8],
        last: u32,
        mut on_answer: impl FnMut(Answer<'_>),
    ) -> Result<(), NetlinkError> {
        if self.unfinished {
            self.discard_queued()?;
        }
        self.unfinished = true;
        self.send(bytes)?;
        let mut outcome = Outcome::default();
        // The last message's answer is the last of all.
        while !outcome.complete {
            let Some(length) = self.receive()? else {
                break;
            };
            let datagram = self.buffer.get(..length).unwrap_or_default();
            for (kind, flags, sequence, payload) in (Messages { rest: datagram }) {
                outcome.interrupted |= flags & DUMP_INTERRUPTED != 0;
                match kind {
                    ERROR => outcome.note(flags, sequence, payload, last),
                    DONE => outcome.note_done(flags, sequence, payload, last),
                    _ => on_answer(Answer { payload }),
                }
            }
        }
        self.unfinished = !outcome.complete;
        outcome.finish()
    }

    fn send(&self, bytes: &[u8]) -> Result<(), NetlinkError> {
        loop {
            match self.inner.send(bytes, 0) {
                Ok(sent) if sent == bytes.len() => return Ok(()),
                Ok(_) => return Err(NetlinkError::Protocol("request sent in part")),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// One datagram, or `None` when nothing is queued.
    fn receive(&mut self) -> Result<Option<usize>, NetlinkError> {
        loop {
            let mut space = self.buffer.as_mut_slice();
            match self
                .inner
                .recv(&mut space, libc::MSG_DONTWAIT | libc::MSG_TRUNC)
            {
                Ok(length) if length > RECEIVE_BUFFER => {
                    return Err(NetlinkError::Protocol("answer longer than the buffer"));
                }
                Ok(length) => return Ok(Some(length)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// What an earlier failed exchange left.
    fn discard_queued(&mut self) -> Result<(), NetlinkError> {
        while self.receive()?.is_some() {}
        Ok(())
    }
}

#[derive(Default)]
struct Outcome {
    complete: bool,
    interrupted: bool,
    error: Option<NetlinkError>,
}

impl Outcome {
    /// An error message: errno (0: success), then a copy of the request's header, then text.
    fn note(&mut self, flags: u16, sequence: u32, payload: &[u8], last: u32) {
        let Some(errno) = payload.first_chunk::<4>().copied().map(i32::from_ne_bytes) else {
            return;
        };
        if errno == 0 {
            self.complete |= sequence == last;
        } else {
            let text = explanation(flags, payload, 4 + HEADER);
            self.fail(errno, sequence, text);
        }
    }

    /// The end of a dump: errno (0: success), then text.
    fn note_done(&mut self, flags: u16, sequence: u32, payload: &[u8], last: u32) {
        self.complete |= sequence == last;
        match payload.first_chunk::<4>().copied().map(i32::from_ne_bytes) {
            None | Some(0) => {}
            Some(errno) => {
                let text = explanation(flags, payload, 4);
                self.fail(errno, sequence, text);
            }
        }
    }

    fn fail(&mut self, errno: i32, sequence: u32, text: Option<String>) {
        if self.error.is_none() {
            self.error = Some(NetlinkError::Refused {
                errno: errno.saturating_neg(),
                sequence,
                text,
            });
        }
    }

    fn finish(self) -> Result<(), NetlinkError> {
        match self.error {
            Some(error) => Err(error),
            None if self.interrupted => Err(NetlinkError::Refused {
                errno: libc::EINTR,
                sequence: 0,
                text: None,
            }),
            None if self.complete => Ok(()),
            None => Err(NetlinkError::Protocol("the kernel did not answer")),
        }
    }
}

fn explanation(flags: u16, payload: &[u8], skip: usize) -> Option<String> {
    if flags & ACK_TLVS == 0 {
        return None;
    }
    Attributes::after(payload, skip)
        .text(ACK_TEXT)
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::Writer;

    fn error_message(errno: i32, text: Option<&str>) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.raw(&errno.to_ne_bytes());
        writer.raw(&[0; HEADER]);
        if let Some(text) = text {
            writer.string(ACK_TEXT, text);
        }
        writer.bytes().to_vec()
    }

    #[test]
    fn an_acknowledged_last_message_is_success() {
        let mut outcome = Outcome::default();
        outcome.note(0, 7, &error_message(0, None), 7);
        assert!(outcome.finish().is_ok());
    }

    #[test]
    fn silence_is_no_success() {
        let mut outcome = Outcome::default();
        outcome.note(0, 6, &error_message(0, None), 7);
        assert!(matches!(outcome.finish(), Err(NetlinkError::Protocol(_))));
    }

    #[test]
    fn the_first_error_wins_and_keeps_the_kernels_words() {
        let mut outcome = Outcome::default();
        outcome.note(
            ACK_TLVS,
            3,
            &error_message(-libc::EBUSY, Some("device is busy")),
            7,
        );
        outcome.note(0, 4, &error_message(-libc::ENOENT, None), 7);
        outcome.note(0, 7, &error_message(0, None), 7);
        let error = outcome.finish().unwrap_err();
        assert_eq!(error.errno(), Some(libc::EBUSY));
        assert!(error.to_string().contains("device is busy"), "{error}");
        assert!(matches!(error, NetlinkError::Refused { sequence: 3, .. }));
    }

    #[test]
    fn an_interrupted_dump_is_reported_as_such() {
        let outcome = Outcome {
            complete: true,
            interrupted: true,
            error: None,
        };
        assert_eq!(outcome.finish().unwrap_err().errno(), Some(libc::EINTR));
    }

    #[test]
    fn truncated_answers_are_ignored() {
        let mut outcome = Outcome::default();
        outcome.note(ACK_TLVS, 7, &[0, 0], 7);
        outcome.note_done(ACK_TLVS, 6, &[], 7);
        assert!(outcome.finish().is_err());
    }
}
