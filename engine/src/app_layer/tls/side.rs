//! What one side has said.

use crate::app_layer::Progress;
use crate::event::FlowDirection;

use super::certificate::Certificates;
use super::hello::Hello;
use super::record::{Content, Piece, Records};
use super::{CERTIFICATES, ENCRYPTED, Event, HELLO};

/// Bytes of a handshake message's header: type and length.
const HEADER: usize = 4;

/// Largest handshake message that is kept until it is whole; longer ones are skipped and told.
const MESSAGE: usize = 131_072;

/// Handshake messages (RFC 5246 section 7.4, RFC 8446 section 4).
mod message {
    pub(super) const CLIENT_HELLO: u8 = 1;
    pub(super) const SERVER_HELLO: u8 = 2;
    pub(super) const CERTIFICATE: u8 = 11;
    pub(super) const SERVER_KEY_EXCHANGE: u8 = 12;
    pub(super) const CERTIFICATE_REQUEST: u8 = 13;
    pub(super) const SERVER_HELLO_DONE: u8 = 14;
    pub(super) const CLIENT_KEY_EXCHANGE: u8 = 16;
}

/// One side of a session.
#[derive(Debug, Default)]
pub(super) struct Side {
    records: Records,
    handshake: Vec<u8>,
    /// Bytes of a message too long to keep that are still to come.
    skip: usize,
    /// First bytes of an alert or heartbeat record.
    head: Vec<u8>,
    pub(super) hello: Hello,
    pub(super) certificates: Certificates,
    progress: Progress,
}

impl Side {
    pub(super) fn clear(&mut self) {
        self.records.clear();
        self.handshake.clear();
        self.skip = 0;
        self.head.clear();
        self.hello.clear();
        self.certificates.clear();
        self.progress = 0;
    }

    pub(super) fn progress(&self) -> Progress {
        self.progress
    }

    /// Nothing more of this side is to be read.
    pub(super) fn stop(&mut self) {
        self.progress = ENCRYPTED;
    }

    /// Takes bytes; false when they cannot be TLS any more.
    pub(super) fn take(
        &mut self,
        direction: FlowDirection,
        mut bytes: &[u8],
        raise: &mut impl FnMut(Event),
    ) -> bool {
        while self.progress < ENCRYPTED {
            match self.records.next(&mut bytes) {
                Ok(Some(piece)) => self.piece(direction, piece, raise),
                Ok(None) => break,
                Err(event) => {
                    raise(event);
                    self.stop();
                    return false;
                }
            }
        }
        true
    }

    fn piece(&mut self, direction: FlowDirection, piece: Piece<'_>, raise: &mut impl FnMut(Event)) {
        match piece.content {
            Content::Handshake => self.handshake(direction, piece.bytes, raise),
            // Encrypted from here on.
            Content::ChangeCipherSpec | Content::ApplicationData => self.stop(),
            Content::Alert | Content::Heartbeat => {
                if piece.first {
                    self.head.clear();
                }
                let room = 3_usize.saturating_sub(self.head.len());
                self.head
                    .extend_from_slice(&piece.bytes[..room.min(piece.bytes.len())]);
                if piece.last {
                    self.read_head(piece.content, piece.length, raise);
                }
            }
        }
    }

    fn read_head(&mut self, content: Content, length: usize, raise: &mut impl FnMut(Event)) {
        if content == Content::Alert {
            if length != 2 {
                raise(Event::InvalidAlertMessage);
            } else if self.head.first() == Some(&2) {
                raise(Event::ErrorMessageEncountered);
            }
            return;
        }
        raise(Event::HeartbeatMessage);
        // RFC 6520: type, payload length, payload, at least 16 bytes of padding.
        match self.head.first_chunk::<3>() {
            Some(&[1 | 2, high, low]) => {
                let claimed = usize::from(u16::from_be_bytes([high, low]));
                if claimed + 3 + 16 > length {
                    raise(Event::OverflowHeartbeatMessage);
                }
            }
            _ => raise(Event::InvalidHeartbeatMessage),
        }
    }

    fn handshake(&mut self, direction: FlowDirection, bytes: &[u8], raise: &mut impl FnMut(Event)) {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.skip > 0 {
                let now = self.skip.min(rest.len());
                self.skip -= now;
                rest = &rest[now..];
                continue;
            }
            let wanted = match self.handshake.first_chunk::<HEADER>() {
                None => HEADER,
                Some(&[_, high, middle, low]) => {
                    HEADER
                        + usize::from(high) * 65_536
                        + usize::from(u16::from_be_bytes([middle, low]))
                }
            };
            if wanted > MESSAGE {
                raise(Event::HandshakeInvalidLength);
                self.handshake.clear();
                self.skip = wanted - HEADER;
                continue;
            }
            let now = (wanted - self.handshake.len()).min(rest.len());
            self.handshake.extend_from_slice(&rest[..now]);
            rest = &rest[now..];
            self.read_messages(direction, raise);
        }
    }

    /// Reads the message at hand if it is whole.
    fn read_messages(&mut self, direction: FlowDirection, raise: &mut impl FnMut(Event)) {
        let Some(&[kind, high, middle, low]) = self.handshake.first_chunk::<HEADER>() else {
            return;
        };
        let length = usize::from(high) * 65_536 + usize::from(u16::from_be_bytes([middle, low]));
        if self.handshake.len() < HEADER + length {
            return;
        }
        let message = std::mem::take(&mut self.handshake);
        self.read_message(direction, (kind, &message[HEADER..]), raise);
        self.handshake = message;
        self.handshake.clear();
    }

    fn read_message(
        &mut self,
        direction: FlowDirection,
        (kind, body): (u8, &[u8]),
        raise: &mut impl FnMut(Event),
    ) {
        let from_client = direction == FlowDirection::ToServer;
        let read = match kind {
            // A second hello (after a retry request) is not the one that keywords show.
            message::CLIENT_HELLO | message::SERVER_HELLO if self.progress >= HELLO => Some(()),
            message::CLIENT_HELLO if from_client => self.hello.read_client(body, raise),
            message::SERVER_HELLO if !from_client => self.hello.read_server(body),
            message::CERTIFICATE => {
                if self.certificates.chain.is_empty() {
                    self.certificates.read(body, raise);
                }
                Some(())
            }
            _ => Some(()),
        };
        if read.is_none() {
            raise(Event::InvalidHandshakeMessage);
        }
        let progress = match kind {
            message::CLIENT_HELLO | message::SERVER_HELLO => HELLO,
            message::CERTIFICATE
            | message::SERVER_KEY_EXCHANGE
            | message::CERTIFICATE_REQUEST
            | message::SERVER_HELLO_DONE
            | message::CLIENT_KEY_EXCHANGE => CERTIFICATES,
            _ => 0,
        };
        self.progress = self.progress.max(progress);
    }
}
