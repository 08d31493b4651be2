//! What one side has said.

use crate::app_layer::Progress;
use crate::event::FlowDirection;
use crate::frame::Timestamp;

use super::certificate::Certificates;
use super::hello::Hello;
use super::record::{Content, Piece, Records};
use super::{CERTIFICATES, ENCRYPTED, Event, HELLO, hello_v2};

/// Bytes of a handshake message's header: type and length.
const HEADER: usize = 4;

/// Largest handshake message that is kept until it is whole; longer ones are skipped and told.
const MESSAGE: usize = 131_072;

/// Capacity for a handshake message that is kept for the next flow: a common chain.
const KEPT: usize = 8192;

/// Records in front of the encrypted part that are an anomaly (`too_many_records_in_packet`). Counted over
/// the side, not over a packet: the cut of the stream must not matter.
const RECORDS: usize = 256;

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
    /// Records that have ended.
    count: usize,
    /// A key exchange message was there.
    pub(super) key_exchange: bool,
    /// Length of the last heartbeat request that was not answered yet.
    pub(super) heartbeat: Option<usize>,
    progress: Progress,
}

/// What a side's bytes are read with.
pub(super) struct Reading<'a, R> {
    /// Whose they are.
    pub(super) direction: FlowDirection,
    /// When they came.
    pub(super) at: Timestamp,
    /// Length of the other side's last heartbeat request.
    pub(super) asked: Option<usize>,
    /// Takes anomalies.
    pub(super) raise: &'a mut R,
}

impl Side {
    pub(super) fn clear(&mut self) {
        self.records.clear();
        self.handshake.clear();
        self.handshake.shrink_to(KEPT);
        self.skip = 0;
        self.head.clear();
        self.hello.clear();
        self.certificates.clear();
        self.count = 0;
        self.key_exchange = false;
        self.heartbeat = None;
        self.progress = 0;
    }

    pub(super) fn progress(&self) -> Progress {
        self.progress
    }

    /// Nothing more of this side is to be read.
    pub(super) fn stop(&mut self) {
        self.progress = ENCRYPTED;
    }

    /// Takes bytes. Where they cannot be TLS any more, an anomaly says why and this side is over.
    pub(super) fn take<R: FnMut(Event)>(&mut self, mut bytes: &[u8], mut reading: Reading<'_, R>) {
        while self.progress < ENCRYPTED {
            match self.records.next(&mut bytes) {
                Ok(Some(piece)) => {
                    self.count += usize::from(piece.last);
                    if piece.last && self.count == RECORDS {
                        (reading.raise)(Event::TooManyRecordsInPacket);
                    }
                    self.piece(piece, &mut reading);
                }
                Ok(None) => break,
                Err(event) => {
                    (reading.raise)(event);
                    self.stop();
                }
            }
        }
    }

    fn piece<R: FnMut(Event)>(&mut self, piece: Piece<'_>, reading: &mut Reading<'_, R>) {
        match piece.content {
            Content::Handshake => self.handshake(piece.bytes, reading),
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
                    self.read_head(piece.content, piece.length, reading);
                }
            }
            Content::HelloV2(start) => {
                if piece.first {
                    self.handshake.extend_from_slice(&start);
                }
                self.handshake.extend_from_slice(piece.bytes);
                if piece.last {
                    self.read_hello_v2(reading);
                }
            }
        }
    }

    /// A hello of SSL 2.0 is whole. If that is also the version, nothing is read behind it.
    fn read_hello_v2<R: FnMut(Event)>(&mut self, reading: &mut Reading<'_, R>) {
        let version = match self.handshake.split_first() {
            Some((kind, body)) => hello_v2::version(*kind, body),
            None => None,
        };
        self.handshake.clear();
        match version {
            Some(version) => {
                self.hello.version = version;
                self.progress = self.progress.max(HELLO);
                if version == hello_v2::SSL2 {
                    self.stop();
                }
            }
            None => {
                (reading.raise)(Event::InvalidSslv2Header);
                self.stop();
            }
        }
    }

    fn read_head<R: FnMut(Event)>(
        &mut self,
        content: Content,
        length: usize,
        reading: &mut Reading<'_, R>,
    ) {
        let raise = &mut *reading.raise;
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
            Some(&[kind @ (1 | 2), high, low]) => {
                let claimed = usize::from(u16::from_be_bytes([high, low]));
                if claimed + 3 + 16 > length {
                    raise(Event::OverflowHeartbeatMessage);
                }
                if kind == 1 {
                    self.heartbeat = Some(length);
                } else if reading.asked.is_some_and(|asked| length > asked) {
                    // An answer echoes the request: what is longer leaks memory (CVE-2014-0160).
                    raise(Event::DataleakHeartbeatMismatch);
                }
            }
            _ => raise(Event::InvalidHeartbeatMessage),
        }
    }

    fn handshake<R: FnMut(Event)>(&mut self, bytes: &[u8], reading: &mut Reading<'_, R>) {
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
                (reading.raise)(Event::HandshakeInvalidLength);
                self.handshake.clear();
                self.skip = wanted - HEADER;
                continue;
            }
            let now = (wanted - self.handshake.len()).min(rest.len());
            self.handshake.extend_from_slice(&rest[..now]);
            rest = &rest[now..];
            self.read_messages(reading);
        }
    }

    /// Reads the message at hand if it is whole.
    fn read_messages<R: FnMut(Event)>(&mut self, reading: &mut Reading<'_, R>) {
        let Some(&[kind, high, middle, low]) = self.handshake.first_chunk::<HEADER>() else {
            return;
        };
        let length = usize::from(high) * 65_536 + usize::from(u16::from_be_bytes([middle, low]));
        if self.handshake.len() < HEADER + length {
            return;
        }
        let message = std::mem::take(&mut self.handshake);
        self.read_message((kind, &message[HEADER..]), reading);
        self.handshake = message;
        self.handshake.clear();
    }

    fn read_message<R: FnMut(Event)>(
        &mut self,
        (kind, body): (u8, &[u8]),
        reading: &mut Reading<'_, R>,
    ) {
        let from_client = reading.direction == FlowDirection::ToServer;
        let raise = &mut *reading.raise;
        let read = match kind {
            // A second hello (after a retry request) is not the one that keywords show.
            message::CLIENT_HELLO | message::SERVER_HELLO if self.progress >= HELLO => Some(()),
            message::CLIENT_HELLO if from_client => self.hello.read_client(body, raise),
            message::SERVER_HELLO if !from_client => self.hello.read_server(body),
            message::CERTIFICATE => {
                if self.certificates.chain.is_empty() {
                    self.certificates.read(body, reading.at, raise);
                }
                Some(())
            }
            _ => Some(()),
        };
        if read.is_none() {
            raise(Event::InvalidHandshakeMessage);
        }
        self.key_exchange |= matches!(
            kind,
            message::SERVER_KEY_EXCHANGE | message::CLIENT_KEY_EXCHANGE
        );
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
