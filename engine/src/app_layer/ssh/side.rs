//! What one side has said.

use crate::app_layer::Progress;
use crate::app_layer::digest::md5;
use crate::event::FlowDirection;

use super::{BANNER, BANNER_BEGUN, BANNER_DONE, ENCRYPTED, Event, FINISHED, hassh};

/// What a banner starts with.
pub(super) const PREFIX: &[u8] = b"SSH-";

/// Bytes of a binary packet's length field.
const LENGTH: usize = 4;

/// Largest binary packet that implementations must take (RFC 4253 section 6.1), and the most that is
/// kept of a key exchange.
const PACKET: usize = 35_000;

/// Capacity of each of them that is kept for the next flow: a common key exchange.
const KEPT: usize = 2048;

/// Message number of `SSH_MSG_NEWKEYS`: encrypted from here on.
const NEWKEYS: u8 = 21;

/// Banner and key exchange of one side.
#[derive(Debug, Default)]
pub(super) struct Side {
    phase: Phase,
    /// The line or binary packet that has begun.
    partial: Vec<u8>,
    pub(super) proto: Vec<u8>,
    pub(super) software: Vec<u8>,
    pub(super) algorithms: Vec<u8>,
    pub(super) digest: Option<[u8; 32]>,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum Phase {
    /// The banner, or a line in front of it.
    #[default]
    Banner,
    /// The end of a banner that is too long to keep.
    LongBanner,
    /// A binary packet.
    Packets,
    /// The end of a packet that is not to be kept.
    Skip(usize),
    /// Nothing that can be read.
    Encrypted,
}

impl Side {
    pub(super) fn clear(&mut self) {
        self.phase = Phase::default();
        self.digest = None;
        for bytes in [
            &mut self.partial,
            &mut self.proto,
            &mut self.software,
            &mut self.algorithms,
        ] {
            bytes.clear();
            bytes.shrink_to(KEPT);
        }
    }

    pub(super) fn progress(&self) -> Progress {
        match self.phase {
            Phase::Banner if self.partial.is_empty() => 0,
            Phase::Banner => BANNER_BEGUN,
            Phase::Encrypted => ENCRYPTED,
            _ if self.digest.is_some() => FINISHED,
            _ => BANNER_DONE,
        }
    }

    /// Nothing more of this side can be read.
    pub(super) fn is_encrypted(&self) -> bool {
        self.phase == Phase::Encrypted
    }

    /// Nothing more of this side is to be read.
    pub(super) fn stop(&mut self) {
        self.phase = Phase::Encrypted;
    }

    pub(super) fn take(
        &mut self,
        direction: FlowDirection,
        mut bytes: &[u8],
        raise: &mut impl FnMut(Event),
    ) {
        while !bytes.is_empty() {
            bytes = match self.phase {
                Phase::Banner => self.take_banner(bytes, raise),
                Phase::LongBanner => match line_end(bytes) {
                    Some(end) => {
                        self.phase = Phase::Packets;
                        &bytes[end..]
                    }
                    None => &[],
                },
                Phase::Packets => self.take_packet(direction, bytes, raise),
                Phase::Skip(left) => {
                    let now = left.min(bytes.len());
                    self.phase = if now == left {
                        Phase::Packets
                    } else {
                        Phase::Skip(left - now)
                    };
                    &bytes[now..]
                }
                Phase::Encrypted => return,
            };
        }
    }

    /// Takes up to the end of a line, and returns what follows.
    fn take_banner<'a>(&mut self, bytes: &'a [u8], raise: &mut impl FnMut(Event)) -> &'a [u8] {
        let room = (BANNER + 1).saturating_sub(self.partial.len());
        let end = line_end(bytes);
        let now = end.unwrap_or(bytes.len()).min(room);
        self.partial.extend_from_slice(&bytes[..now]);
        let whole = end == Some(now);
        if whole && self.partial.len() <= BANNER {
            self.read_banner(raise);
        } else if self.partial.len() > BANNER {
            raise(Event::LongBanner);
            self.read_banner(raise);
            if self.phase == Phase::Packets && !whole {
                self.phase = Phase::LongBanner;
            }
        }
        &bytes[now..]
    }

    /// Reads the line at hand: a server may send others in front of the banner (RFC 4253 section 4.2).
    fn read_banner(&mut self, raise: &mut impl FnMut(Event)) {
        let line = std::mem::take(&mut self.partial);
        if let Some(rest) = line.strip_prefix(PREFIX) {
            let rest = trim_end(rest);
            match rest.iter().position(|&byte| byte == b'-') {
                Some(dash) => {
                    self.proto.extend_from_slice(&rest[..dash]);
                    let software = &rest[dash + 1..];
                    let end = software.iter().position(|&byte| byte == b' ');
                    self.software
                        .extend_from_slice(&software[..end.unwrap_or(software.len())]);
                }
                None => raise(Event::InvalidBanner),
            }
            self.phase = Phase::Packets;
        }
        self.partial = line;
        self.partial.clear();
    }

    /// Takes bytes of the binary packet at hand, and returns what follows.
    fn take_packet<'a>(
        &mut self,
        direction: FlowDirection,
        bytes: &'a [u8],
        raise: &mut impl FnMut(Event),
    ) -> &'a [u8] {
        let wanted = match self.partial.first_chunk::<LENGTH>() {
            None => LENGTH,
            Some(length) => LENGTH + u32::from_be_bytes(*length) as usize,
        };
        let now = (wanted - self.partial.len()).min(bytes.len());
        self.partial.extend_from_slice(&bytes[..now]);
        let rest = &bytes[now..];
        if self.partial.len() == LENGTH && wanted == LENGTH {
            let length = self
                .partial
                .first_chunk()
                .map_or(0, |length| u32::from_be_bytes(*length)) as usize;
            // Padding length, at least one byte of payload, at least four of padding.
            if length < 6 {
                raise(Event::InvalidRecord);
                self.phase = Phase::Encrypted;
            } else if length > PACKET {
                raise(Event::LongKexRecord);
                self.partial.clear();
                self.phase = Phase::Skip(length);
            }
        } else if self.partial.len() == wanted {
            self.read_packet(direction);
            self.partial.clear();
        }
        rest
    }

    fn read_packet(&mut self, direction: FlowDirection) {
        let Some((&padding, behind)) = self.partial.get(LENGTH..).and_then(<[u8]>::split_first)
        else {
            return;
        };
        let payload = behind.len().saturating_sub(usize::from(padding));
        let payload = &behind[..payload];
        if payload.first() == Some(&NEWKEYS) {
            self.phase = Phase::Encrypted;
        } else if self.digest.is_none()
            && hassh::algorithms(payload, direction, &mut self.algorithms).is_some()
        {
            self.digest = Some(md5(&self.algorithms));
        }
    }
}

/// Index behind the line end.
fn line_end(bytes: &[u8]) -> Option<usize> {
    memchr::memchr(b'\n', bytes).map(|at| at + 1)
}

fn trim_end(mut line: &[u8]) -> &[u8] {
    while let [rest @ .., b'\r' | b'\n'] = line {
        line = rest;
    }
    line
}
