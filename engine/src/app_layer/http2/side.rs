//! One direction of a connection: frames as they come (RFC 9113 sections 4 to 6).
//!
//! Nothing of a frame is kept but its header or what stands in front of its payload: content is handed on, and
//! fields are decoded, as the bytes come, so that frames may be of any length.

use crate::app_layer::session::Events;
use crate::event::FlowDirection::{self, ToClient, ToServer};

use super::block::Block;
use super::event::Event;
use super::facts::{Facts, Forgot};
use super::frame::{
    CONTINUATION, DATA, Frame, GOAWAY, HEADER, HEADERS, MAX_FRAME_SIZE, PUSH_PROMISE, RST_STREAM,
    SETTING, SETTINGS, WINDOW_UPDATE,
};
use super::hpack::Decoder;
use super::shared::{NoRoom, Shared};
use super::{PREFACE, transaction::Http2Transaction};

/// One direction.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) direction: FlowDirection,
    place: Place,
    /// The start of a frame's header, of what is in front of its payload, or of a setting.
    held: [u8; HEADER],
    filled: usize,
    frame: Frame,
    /// Bytes of the frame that have not come, and how many of them pad.
    left: u32,
    padding: u32,
    /// Number of the frame's transaction.
    pub(super) current: u64,
    /// Its transaction is its own.
    alone: bool,
    /// A block of fields that goes on.
    pub(super) block: Option<Block>,
    pub(super) decoder: Decoder,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Within the client's preface.
    Preface,
    Header,
    /// In front of a payload.
    Prefix,
    Payload,
    /// Within a payload that is of no use.
    Skipped,
    /// Nothing can be made of what comes.
    Lost,
    /// A limit was hit that leaves no way on.
    Failed,
}

impl Side {
    pub(super) fn new(direction: FlowDirection) -> Self {
        Self {
            direction,
            place: start(direction),
            held: [0; HEADER],
            filled: 0,
            frame: Frame::default(),
            left: 0,
            padding: 0,
            current: 0,
            alone: false,
            block: None,
            decoder: Decoder::default(),
        }
    }

    pub(super) fn reset(&mut self) {
        self.place = start(self.direction);
        self.filled = 0;
        self.block = None;
        self.decoder.clear();
    }

    pub(super) fn has_failed(&self) -> bool {
        self.place == Place::Failed
    }

    pub(super) fn fail(&mut self) {
        self.place = Place::Failed;
    }

    /// Takes what came. An error says how many bytes at the end were not taken for want of room.
    pub(super) fn take(&mut self, bytes: &[u8], shared: &mut Shared) -> Result<(), usize> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let Ok(taken) = self.step(rest, shared) else {
                return Err(rest.len());
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    /// Takes at least one of `bytes`, which are not empty. No room for a transaction: none was taken.
    fn step(&mut self, bytes: &[u8], shared: &mut Shared) -> Result<usize, NoRoom> {
        match self.place {
            Place::Preface => self.preface(bytes, shared),
            Place::Header => self.header(bytes, shared),
            Place::Prefix => self.prefix(bytes, shared),
            Place::Payload | Place::Skipped => self.payload(bytes, shared),
            Place::Lost | Place::Failed => Ok(bytes.len()),
        }
    }

    fn preface(&mut self, bytes: &[u8], shared: &mut Shared) -> Result<usize, NoRoom> {
        let wanted = PREFACE.get(self.filled..).unwrap_or_default();
        let now = wanted.len().min(bytes.len());
        if wanted[..now] != bytes[..now] {
            let number = shared.open(0)?;
            if let Some(transaction) = shared.get(number) {
                transaction.events.raise(Event::InvalidClientMagic as u8);
                transaction.close();
            }
            self.lose(shared);
            return Ok(bytes.len());
        }
        self.filled += now;
        if self.filled == PREFACE.len() {
            self.filled = 0;
            self.place = Place::Header;
        }
        Ok(now)
    }

    /// Gathers what is wanted of `bytes`; returns how many were taken. The last one is left until the caller
    /// is done with all of them ([`Self::gathered`]), since there may be no room.
    fn gather(&mut self, bytes: &[u8], wanted: usize) -> (usize, bool) {
        let now = wanted.saturating_sub(self.filled).min(bytes.len());
        if let Some(room) = self.held.get_mut(self.filled..self.filled + now) {
            room.copy_from_slice(&bytes[..now]);
        }
        let whole = self.filled + now >= wanted;
        if !whole {
            self.filled += now;
        }
        (now, whole)
    }

    fn header(&mut self, bytes: &[u8], shared: &mut Shared) -> Result<usize, NoRoom> {
        let (taken, whole) = self.gather(bytes, HEADER);
        if whole {
            self.begin(Frame::read(self.held), shared)?;
        }
        Ok(taken)
    }

    /// A frame begins.
    fn begin(&mut self, frame: Frame, shared: &mut Shared) -> Result<(), NoRoom> {
        let torn = self
            .block
            .as_ref()
            .is_some_and(|block| !block.goes_on_with(frame));
        let stray = frame.kind == CONTINUATION && (torn || self.block.is_none());
        let number = self.transaction_of(frame, shared)?;
        self.filled = 0;
        if torn {
            self.block = None;
            let _ = self.decoder.end();
        }
        self.frame = frame;
        self.current = number;
        self.left = frame.length;
        self.padding = 0;
        let long = frame.length > shared.longest[self.direction.index()];
        let short = frame.length < frame.prefix();
        let mut readable = !stray && !short && frame.is_in_place();
        if let Some((facts, events)) = self.facts(shared) {
            facts.frame(frame.kind);
            let misplaced = (frame.kind, frame.stream) == (DATA, 0);
            for (event, raised) in [
                (Event::DataStreamZero, misplaced),
                (
                    Event::InvalidFrameHeader,
                    torn || stray || !frame.is_in_place() && !misplaced,
                ),
                (Event::InvalidFrameLength, !frame.has_valid_length()),
                (Event::InvalidFrameData, frame.has_valid_length() && short),
                (Event::LongFrameData, long),
            ] {
                if raised {
                    events.raise(event as u8);
                }
            }
        }
        readable &= frame.has_valid_length();
        self.place = match (readable, frame.prefix()) {
            (false, _) => Place::Skipped,
            (true, 0) => Place::Payload,
            (true, _) => Place::Prefix,
        };
        if frame.kind == HEADERS && readable {
            self.block = Some(Block::of_message(frame, number, self.direction));
        }
        if self.left == 0 {
            self.end_frame(shared);
        }
        Ok(())
    }

    /// What the frame's transaction remembers of this direction.
    fn facts<'s>(&self, shared: &'s mut Shared) -> Option<(&'s mut Facts, &'s mut Events)> {
        let transaction = shared.get(self.current)?;
        let facts = &mut transaction.facts[self.direction.index()];
        Some((facts, &mut transaction.events))
    }

    /// Finds or opens the transaction of a frame.
    fn transaction_of(&mut self, frame: Frame, shared: &mut Shared) -> Result<u64, NoRoom> {
        if frame.stream == 0 || !frame.is_in_place() {
            self.alone = true;
            return shared.open(frame.stream);
        }
        self.alone = false;
        let message = matches!(frame.kind, DATA | HEADERS);
        let found = shared.find(frame.stream);
        let found = found.filter(|found| !(message && found.message(self.direction).is_over()));
        let number = match found.map(crate::app_layer::Transaction::id) {
            Some(number) => number,
            None => self.open(frame, shared)?,
        };
        if frame.kind == HEADERS && self.direction == ToServer {
            shared.newest = shared.newest.max(frame.stream);
        }
        Ok(number)
    }

    /// Opens the transaction of a stream that is new, or was let go.
    fn open(&mut self, frame: Frame, shared: &mut Shared) -> Result<u64, NoRoom> {
        let new = self.direction == ToServer && frame.stream > shared.newest;
        let number = shared.open(frame.stream)?;
        let (own, other) = (self.direction, self.direction.opposite());
        let Some(transaction) = shared.get(number) else {
            return Ok(number);
        };
        match frame.kind {
            _ if new => {}
            DATA | HEADERS => {
                transaction.skip(other);
                if frame.kind == DATA {
                    transaction.messages[own.index()].go_on();
                } else if own == ToServer {
                    transaction.events.raise(Event::StreamIdReuse as u8);
                }
            }
            _ => self.alone = true,
        }
        Ok(number)
    }

    fn prefix(&mut self, bytes: &[u8], shared: &mut Shared) -> Result<usize, NoRoom> {
        let wanted = self.frame.prefix();
        let (taken, whole) = self.gather(bytes, wanted as usize);
        if !whole {
            return Ok(taken);
        }
        let padded = usize::from(self.frame.is_padded());
        let fields = self.held.get(padded..).unwrap_or_default();
        if self.frame.kind == PUSH_PROMISE {
            let promised = word(fields) & 0x7fff_ffff;
            let number = shared.open(promised)?;
            self.block = Some(Block::of_promise(self.frame, number));
        }
        self.filled = 0;
        self.left = self.frame.length - wanted;
        self.padding = if padded == 1 {
            u32::from(self.held[0])
        } else {
            0
        };
        let fields = self.held;
        if let Some((facts, events)) = self.facts(shared) {
            let fields = fields.get(padded..).unwrap_or_default();
            let frame = self.frame;
            let forgot = match frame.kind {
                RST_STREAM => facts.error(word(fields)),
                GOAWAY => facts.error(word(fields.get(4..).unwrap_or_default())),
                WINDOW_UPDATE => facts.window(word(fields) & 0x7fff_ffff),
                _ => Ok(()),
            };
            if let (true, Some(weight)) = (frame.has_priority(), fields.get(4)) {
                facts.priority(*weight);
            }
            if forgot == Err(Forgot) {
                events.raise(Event::TooManyFrames as u8);
            }
            if self.padding > self.left {
                events.raise(Event::InvalidFrameData as u8);
            }
        }
        self.padding = self.padding.min(self.left);
        self.place = Place::Payload;
        if self.left == 0 {
            self.end_frame(shared);
        }
        Ok(taken)
    }

    fn payload(&mut self, bytes: &[u8], shared: &mut Shared) -> Result<usize, NoRoom> {
        let content = self.left.saturating_sub(self.padding);
        let most = if content > 0 { content } else { self.left };
        let now = usize::try_from(most).unwrap_or(usize::MAX).min(bytes.len());
        if content > 0 && self.place == Place::Payload {
            self.content(&bytes[..now], shared)?;
        }
        // A failure has its place.
        if self.place == Place::Failed {
            return Ok(bytes.len());
        }
        self.left -= u32::try_from(now).unwrap_or(self.left);
        if self.left == 0 {
            self.end_frame(shared);
        }
        Ok(now)
    }

    fn content(&mut self, bytes: &[u8], shared: &mut Shared) -> Result<(), NoRoom> {
        match self.frame.kind {
            DATA => {
                let direction = self.direction;
                self.live(shared)?.push(direction, bytes);
            }
            SETTINGS => self.settings(bytes, shared),
            _ if self.frame.has_block() => self.decode(bytes, shared)?,
            _ => {}
        }
        Ok(())
    }

    /// The transaction of the frame; where it was let go, a new one that goes on with it.
    fn live<'s>(&mut self, shared: &'s mut Shared) -> Result<&'s mut Http2Transaction, NoRoom> {
        if shared.get(self.current).is_none() {
            self.current = self.open(self.frame, shared)?;
        }
        shared.get(self.current).ok_or(NoRoom)
    }

    fn settings(&mut self, bytes: &[u8], shared: &mut Shared) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (taken, whole) = self.gather(rest, SETTING as usize);
            rest = rest.get(taken..).unwrap_or_default();
            if !whole {
                return;
            }
            self.filled = 0;
            let [high, low, value @ ..] = self.held;
            let (id, value) = (u16::from_be_bytes([high, low]), word(&value));
            if id == MAX_FRAME_SIZE {
                let longest = &mut shared.longest[self.direction.opposite().index()];
                *longest = value.max(*longest);
            }
            if let Some((facts, events)) = self.facts(shared)
                && facts.setting((id, value)) == Err(Forgot)
            {
                events.raise(Event::TooManyFrames as u8);
            }
        }
    }

    /// The frame is over.
    fn end_frame(&mut self, shared: &mut Shared) {
        self.place = Place::Header;
        self.filled = 0;
        let (frame, direction) = (self.frame, self.direction);
        if frame.has_block() && frame.ends_block() {
            self.end_block(shared);
        }
        let Some(transaction) = shared.get(self.current) else {
            return;
        };
        if frame.kind == DATA && frame.ends_stream() {
            transaction.finish(direction);
        }
        if self.alone || frame.kind == RST_STREAM {
            transaction.close();
        }
    }

    /// Bytes are missing. Within content they are stepped over; elsewhere nothing says where the next frame
    /// is, nor what its fields stand for: this direction is read no more.
    pub(super) fn gap(&mut self, missing: u64, shared: &mut Shared) {
        let content = u64::from(self.left.saturating_sub(self.padding));
        let within = self.place == Place::Payload && self.frame.kind == DATA && missing <= content;
        let Some(missing) = u32::try_from(missing).ok().filter(|_| within) else {
            if self.place != Place::Failed {
                self.lose(shared);
            }
            return;
        };
        self.left -= missing;
        if let Some(transaction) = shared.get(self.current) {
            let message = &mut transaction.messages[self.direction.index()];
            message.skip(u64::from(missing));
        }
        if self.left == 0 {
            self.end_frame(shared);
        }
    }

    fn lose(&mut self, shared: &mut Shared) {
        self.place = Place::Lost;
        self.block = None;
        shared.stop(self.direction);
    }
}

fn start(direction: FlowDirection) -> Place {
    match direction {
        ToServer => Place::Preface,
        ToClient => Place::Header,
    }
}

/// The number that the first four bytes are.
fn word(bytes: &[u8]) -> u32 {
    bytes
        .first_chunk::<4>()
        .map_or(0, |word| u32::from_be_bytes(*word))
}
