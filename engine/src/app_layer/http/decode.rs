//! Content codings (RFC 9110 section 8.4.1): gzip, deflate, brotli, and layers of them.
//!
//! As tolerant as browsers: `deflate` may be zlib or bare, each of gzip and deflate may be the other, check
//! sums do not count, and what cannot be decoded at all is shown as it is.
//!
//! Memory is bounded: a decoder's window (32 KiB, of brotli up to 16 MiB as the stream asks), and
//! [`Limits::decompressed`](crate::app_layer::Limits) bytes for what one input brings. What grows beyond
//! that, or more than `decompress_ratio` times its own size once it is over [`SMALL`], is a bomb: the rest
//! of the body is not shown.

mod brotli;
mod gzip;
mod inflate;

use crate::app_layer::Limits;

use super::event::{Event, Events};
use super::text::{contains, is_word};
use brotli::Brotli;
use gzip::Header;
use inflate::{Inflate, Inflated};

/// Codings that one body may be in.
const LAYERS: usize = 2;

/// Bytes that any body may grow to.
const SMALL: u64 = 1 << 20;

/// Bytes that are kept so that another coding can be tried.
const HELD: usize = 4096;

/// Takes decoded bytes; `false`: no more of them, please.
type Sink<'a> = &'a mut dyn FnMut(&[u8]) -> bool;

/// The codings of one body.
#[derive(Debug)]
pub(in crate::app_layer) struct Decoding {
    /// In the order in which they were applied; the last is undone first.
    layers: Vec<Layer>,
    used: usize,
    taken: u64,
    given: u64,
    bomb: bool,
    /// The bomb was counted.
    counted: bool,
    limit: usize,
    ratio: u64,
}

/// A coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Gzip,
    Zlib,
    Bare,
    Brotli,
    /// Not coded, or not to be decoded.
    Plain,
}

/// One coding being undone.
#[derive(Debug)]
struct Layer {
    named: Coding,
    coding: Coding,
    tries: u8,
    header: Header,
    inflate: Inflate,
    brotli: Option<Box<Brotli>>,
    /// What came until the first byte was decoded.
    held: Vec<u8>,
    /// Bytes that came.
    seen: usize,
    decoded: bool,
    failed: bool,
}

impl Decoding {
    pub(in crate::app_layer) fn new(limits: &Limits) -> Self {
        Self {
            layers: Vec::new(),
            used: 0,
            taken: 0,
            given: 0,
            bomb: false,
            counted: false,
            limit: limits.decompressed,
            ratio: limits.decompress_ratio as u64,
        }
    }

    /// Starts a body whose `Content-Encoding` is `named`.
    pub(in crate::app_layer) fn start(&mut self, named: Option<&[u8]>, events: &mut Events) {
        self.used = 0;
        self.taken = 0;
        self.given = 0;
        self.bomb = false;
        self.counted = false;
        let named = named.unwrap_or_default();
        let parts = named
            .split(|byte| *byte == b',' || *byte == b' ')
            .filter(|part| !part.is_empty());
        let mut layers = 0;
        for part in parts {
            layers += 1;
            if layers > LAYERS {
                events.raise(Event::TooManyEncodingLayers);
                break;
            }
            match coding(part, events) {
                Coding::Plain => {}
                coding => self.put(coding),
            }
        }
    }

    /// The body turned out to be a bomb, since this was asked last.
    pub(in crate::app_layer) fn take_bomb(&mut self) -> bool {
        let fresh = self.bomb && !self.counted;
        self.counted |= self.bomb;
        fresh
    }

    /// Forgets the body at hand.
    pub(in crate::app_layer) fn clear(&mut self) {
        self.layers.iter_mut().take(self.used).for_each(Layer::end);
        self.used = 0;
    }

    fn put(&mut self, coding: Coding) {
        if self.used == self.layers.len() {
            self.layers.push(Layer::new());
        }
        if let Some(layer) = self.layers.get_mut(self.used) {
            layer.start(coding);
            self.used += 1;
        }
    }

    /// Decodes what one input brought of the body.
    pub(in crate::app_layer) fn decode(
        &mut self,
        bytes: &[u8],
        events: &mut Events,
        put: &mut dyn FnMut(&[u8]),
    ) {
        let layers = self.layers.get_mut(..self.used).unwrap_or_default();
        if layers.is_empty() {
            put(bytes);
            return;
        }
        if self.bomb {
            return;
        }
        self.taken = self.taken.saturating_add(bytes.len() as u64);
        let allowed = SMALL.max(self.taken.saturating_mul(self.ratio));
        let mut left = self.limit;
        let (given, bomb) = (&mut self.given, &mut self.bomb);
        undo(layers, bytes, &mut |decoded| {
            *given = given.saturating_add(decoded.len() as u64);
            *bomb |= decoded.len() > left || *given > allowed;
            left = left.saturating_sub(decoded.len());
            if !*bomb {
                put(decoded);
            }
            !*bomb
        });
        if *bomb {
            events.raise(Event::CompressionBomb);
        }
        if layers.iter().any(|layer| layer.failed) {
            events.raise(Event::GzipDecompressionFailed);
        }
    }

    /// The body is over: shows what was held in vain.
    pub(in crate::app_layer) fn finish(&mut self, put: &mut dyn FnMut(&[u8])) {
        for layer in self.layers.iter_mut().take(self.used) {
            if !layer.decoded && layer.coding != Coding::Plain && !layer.held.is_empty() {
                put(&layer.held);
            }
            layer.end();
        }
        self.used = 0;
    }
}

/// The coding that a name stands for, with what browsers forgive.
fn coding(name: &[u8], events: &mut Events) -> Coding {
    let known: [(&[u8], Coding); 8] = [
        (b"gzip", Coding::Gzip),
        (b"x-gzip", Coding::Gzip),
        (b"deflate", Coding::Zlib),
        (b"x-deflate", Coding::Zlib),
        (b"br", Coding::Brotli),
        (b"none", Coding::Plain),
        (b"identity", Coding::Plain),
        (b"inflate", Coding::Plain),
    ];
    if let Some((_, coding)) = known.iter().find(|(known, _)| is_word(name, known)) {
        return *coding;
    }
    events.raise(Event::AbnormalContentEncoding);
    if contains(name, b"gzip") {
        Coding::Gzip
    } else if contains(name, b"deflate") {
        Coding::Zlib
    } else {
        Coding::Plain
    }
}

/// Undoes all of `layers`, the last first. Returns whether more is wanted.
fn undo(layers: &mut [Layer], bytes: &[u8], sink: Sink<'_>) -> bool {
    match layers.split_last_mut() {
        None => sink(bytes),
        Some((last, others)) => last.decode(bytes, &mut |bytes| undo(others, bytes, sink)),
    }
}

impl Layer {
    fn new() -> Self {
        Self {
            named: Coding::Plain,
            coding: Coding::Plain,
            tries: 0,
            header: Header::default(),
            inflate: Inflate::default(),
            brotli: None,
            held: Vec::new(),
            seen: 0,
            decoded: false,
            failed: false,
        }
    }

    fn start(&mut self, coding: Coding) {
        self.named = coding;
        self.tries = 0;
        self.decoded = false;
        self.failed = false;
        self.held.clear();
        self.seen = 0;
        self.open(coding);
    }

    fn end(&mut self) {
        self.held.clear();
        self.brotli = None;
    }

    fn open(&mut self, coding: Coding) {
        self.coding = coding;
        match coding {
            Coding::Gzip => {
                self.header = Header::default();
                self.inflate.start(false);
            }
            Coding::Zlib => self.inflate.start(true),
            Coding::Bare => self.inflate.start(false),
            Coding::Brotli => self.brotli = Some(Box::default()),
            Coding::Plain => {}
        }
    }

    fn decode(&mut self, bytes: &[u8], sink: Sink<'_>) -> bool {
        if self.coding == Coding::Plain {
            return sink(bytes);
        }
        let before = self.seen;
        self.seen = self.seen.saturating_add(bytes.len());
        // How much brotli gives before it fails depends on the cut: all of its start is kept.
        let brotli = self.named == Coding::Brotli;
        if before < HELD && (!self.decoded || self.tries > 0 || brotli) {
            let room = HELD - before;
            self.held.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
        let mut wanted = true;
        let mut done = self.attempt(bytes, sink, &mut wanted);
        while let Err(left) = done {
            if self.decoded || self.seen > HELD {
                self.failed = true;
                self.coding = Coding::Plain;
                let mut from = bytes.len().saturating_sub(left);
                if self.tries > 0 || (brotli && self.seen <= HELD) {
                    // Another coding than the one named gave something, by chance: shows all as it is.
                    wanted = wanted && sink(&self.held);
                    from = self.held.len().saturating_sub(before).min(bytes.len());
                }
                return wanted && sink(bytes.get(from..).unwrap_or_default());
            }
            let next = self.next();
            self.open(next);
            let held = std::mem::take(&mut self.held);
            done = self.attempt(&held, sink, &mut wanted);
            self.held = held;
        }
        wanted
    }

    /// The coding to try when none of the body could be decoded.
    fn next(&mut self) -> Coding {
        self.tries += 1;
        let all = match self.named {
            Coding::Gzip => [Coding::Zlib, Coding::Bare],
            Coding::Zlib => [Coding::Bare, Coding::Gzip],
            _ => [Coding::Plain; 2],
        };
        let next = all.get(usize::from(self.tries) - 1).copied();
        let next = next.unwrap_or(Coding::Plain);
        self.failed |= next == Coding::Plain;
        next
    }

    /// Decodes by the coding at hand; an error says how many bytes at the end were not decoded.
    fn attempt(&mut self, bytes: &[u8], sink: Sink<'_>, wanted: &mut bool) -> Result<(), usize> {
        let decoded = &mut self.decoded;
        let mut put = |bytes: &[u8]| {
            *decoded |= !bytes.is_empty();
            *wanted = sink(bytes);
            *wanted
        };
        let mut rest = bytes;
        match self.coding {
            Coding::Plain => {
                put(bytes);
                return Ok(());
            }
            Coding::Brotli => {
                let brotli = self.brotli.get_or_insert_with(Box::default);
                return brotli.decode(bytes, &mut put);
            }
            Coding::Gzip | Coding::Zlib | Coding::Bare => {}
        }
        while !rest.is_empty() {
            if self.coding == Coding::Gzip && !self.header.is_over() {
                match self.header.take(rest) {
                    Ok(taken) => rest = &rest[taken..],
                    Err(none) if none.later => {
                        self.coding = Coding::Plain;
                        put(none.taken);
                        put(&rest[none.at..]);
                        return Ok(());
                    }
                    Err(_) => return Err(rest.len()),
                }
                continue;
            }
            let (left, inflated) = self.inflate.decode(rest, &mut put);
            rest = left;
            match inflated {
                Inflated::More => return Ok(()),
                Inflated::Failed => return Err(rest.len()),
                // Another member may follow; anything else is shown as it is.
                Inflated::End if self.coding == Coding::Gzip => {
                    self.header = Header::behind_member();
                    self.inflate.start(false);
                }
                Inflated::End => {
                    self.coding = Coding::Plain;
                    if !rest.is_empty() {
                        put(rest);
                    }
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
