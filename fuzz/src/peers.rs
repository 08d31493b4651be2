//! One parser against what two peers say: no panic, every feed taken, and the same transactions however
//! the same bytes are cut.
//!
//! An input is four bytes of flags and seed, then what is said. [`MARK`] and a byte behind it are stage
//! directions: the other peer goes on, bytes are missing, a peer is done. The parser is kept and reset, so
//! that an execution costs no set-up and what a reset leaves behind shows as a difference.

use std::cell::RefCell;

use weir_engine::app_layer::{
    BufferId, BufferShape, Fields, Input, Limits, Parser, ProtocolId, Status, Transaction, buffers,
    protocol_named,
};
use weir_engine::event::FlowDirection::{self, ToClient, ToServer};
use weir_engine::frame::Timestamp;

/// Starts a stage direction.
pub const MARK: u8 = 0xf5;
/// The other peer goes on.
pub const TURN: u8 = 0xf7;
/// Bytes of the peer that speaks are missing.
pub const GAP: u8 = 0xf8;
/// The peer that speaks is done.
pub const END: u8 = 0xf9;

/// Settlings after which a feed must be taken; each makes room for a transaction.
const ROUNDS: usize = 10_000;

/// Bytes of each buffer that are looked at: compression lets a few bytes stand for many.
const SHOWN: usize = 4096;

/// Bytes of a streaming buffer beyond which what is missing is not filled in.
const MOST: usize = 1 << 20;

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Bytes(FlowDirection, &'a [u8]),
    Gap(FlowDirection),
    End(FlowDirection),
}

/// A parser that is used again and again.
struct Stage {
    protocol: ProtocolId,
    parser: Box<dyn Parser>,
    buffers: Vec<BufferId>,
    numbers: Vec<&'static str>,
    /// Transactions go for want of room only.
    late: bool,
    /// What each peer has said without a gap, to the server and to the client.
    said: [Vec<u8>; 2],
    outcome: Outcome,
}

/// What was seen in a run.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    /// Transactions that have gone, by number: where they interleave, the cut may change who goes first.
    gone: Vec<(u64, Vec<u8>)>,
    /// Streaming buffers: whose, and their bytes.
    streams: Vec<((u64, BufferId, usize), Vec<u8>)>,
    /// Bytes of the step that another protocol was left.
    upgraded: Option<usize>,
    /// A transaction has an event of [`EXCUSED`].
    excused: bool,
}

thread_local! {
    static STAGE: RefCell<Option<Stage>> = const { RefCell::new(None) };
}

/// Events of transactions in which the cut may matter: what a decoder gives before it fails is its own.
const EXCUSED: [&str; 2] = ["gzip_decompression_failed", "failed_decompression"];

/// When transactions go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settling {
    /// When they are complete: nothing that is shown depends on when that was noticed.
    AsTheEngine,
    /// Where the cut is compared, only for want of room: what comes behind a complete message may belong
    /// to it as long as it is at hand.
    Late,
}

/// Runs `data` through the parser of `protocol`, twice: as it is written, and cut up by its seed.
///
/// # Panics
///
/// Where a promise is broken.
pub fn check(protocol: &str, limits: &Limits, settling: Settling, data: &[u8]) {
    let Some((head, said)) = data.split_first_chunk::<4>() else {
        return;
    };
    let datagram = head[0] & 1 != 0;
    let late = settling == Settling::Late && head[0] & 2 != 0;
    STAGE.with_borrow_mut(|stage| {
        let stage = stage.get_or_insert_with(|| Stage::new(protocol, limits));
        let steps = steps(said);
        stage.late = late;
        stage.run(&steps, datagram, 0);
        if datagram || (settling == Settling::Late && !late) {
            stage.outcome = Outcome::default();
            return;
        }
        let whole = std::mem::take(&mut stage.outcome);
        stage.run(&steps, false, u32::from_le_bytes(*head) | 1);
        let cut = std::mem::take(&mut stage.outcome);
        if whole != cut && !whole.excused && !cut.excused {
            panic!(
                "another cut, other transactions:\n{}\n{}",
                tell(&whole),
                tell(&cut)
            );
        }
    });
}

fn steps(said: &[u8]) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    let mut direction = ToServer;
    let mut rest = said;
    let mut at = 0;
    while let Some(found) = rest[at..].iter().position(|byte| *byte == MARK) {
        at += found;
        let Some(order) = rest.get(at + 1).copied() else {
            break;
        };
        if !(TURN..=END).contains(&order) {
            at += 1;
            continue;
        }
        steps.push(Step::Bytes(direction, &rest[..at]));
        match order {
            TURN => direction = opposite(direction),
            GAP => steps.push(Step::Gap(direction)),
            _ => steps.push(Step::End(direction)),
        }
        rest = &rest[at + 2..];
        at = 0;
    }
    steps.push(Step::Bytes(direction, rest));
    // Whoever is done says nothing more.
    let mut done = Vec::new();
    steps.retain(|step| {
        let (Step::Bytes(direction, _) | Step::Gap(direction) | Step::End(direction)) = *step;
        let over = done.contains(&direction);
        if matches!(step, Step::End(_)) {
            done.push(direction);
        }
        !over
    });
    steps
}

fn opposite(direction: FlowDirection) -> FlowDirection {
    match direction {
        ToServer => ToClient,
        ToClient => ToServer,
    }
}

impl Stage {
    fn new(name: &str, limits: &Limits) -> Self {
        let protocol = protocol_named(name).unwrap_or_else(|| panic!("no protocol `{name}`"));
        let declared = protocol.protocol();
        let mut ids: Vec<BufferId> = declared
            .buffers()
            .iter()
            .flat_map(|spec| buffers(spec.keyword, Some(spec.direction)))
            .filter(|id| id.protocol() == protocol)
            .collect();
        ids.sort();
        ids.dedup();
        Self {
            protocol,
            parser: declared.open(limits),
            buffers: ids,
            numbers: declared.numbers().iter().map(|spec| spec.keyword).collect(),
            late: false,
            said: [Vec::new(), Vec::new()],
            outcome: Outcome::default(),
        }
    }

    /// Runs all steps. `seed` 0: each in one piece, and an end together with the bytes in front of it.
    fn run(&mut self, steps: &[Step<'_>], datagram: bool, mut seed: u32) {
        for (index, step) in steps.iter().enumerate() {
            let direction = match *step {
                Step::Bytes(direction, mut bytes) => {
                    let ends = matches!(steps.get(index + 1), Some(Step::End(_)));
                    while !bytes.is_empty() {
                        let length = if seed == 0 {
                            bytes.len()
                        } else {
                            piece(&mut seed, bytes.len())
                        };
                        let (now, rest) = bytes.split_at(length);
                        let eof = ends && seed == 0;
                        if !self.feed(&input(direction, now, (eof, datagram)), rest.len()) {
                            return self.finish();
                        }
                        bytes = rest;
                    }
                    continue;
                }
                Step::Gap(direction) => {
                    self.said[usize::from(direction == ToClient)].clear();
                    let status = self.parser.gap(direction, 7);
                    if status != Status::Continue {
                        return self.finish();
                    }
                    direction
                }
                Step::End(direction) => {
                    if !self.feed(&input(direction, b"", (true, datagram)), 0) {
                        return self.finish();
                    }
                    direction
                }
            };
            self.settle(direction, false);
        }
        self.finish();
    }

    /// Hands one piece to the parser; false: it wants no more.
    fn feed(&mut self, input: &Input<'_>, behind: usize) -> bool {
        let mut input = *input;
        let said = &mut self.said[usize::from(input.direction == ToClient)];
        said.extend_from_slice(input.bytes);
        let said = said.clone();
        for _ in 0..ROUNDS {
            let status = self.parser.parse(&input);
            match status {
                Status::Continue => {
                    self.settle(input.direction, false);
                    return true;
                }
                Status::Full { unread } => {
                    assert!(unread <= said.len(), "more unread than there was");
                    self.settle(input.direction, true);
                    input.bytes = &said[said.len() - unread..];
                }
                Status::Opaque | Status::Failed => {
                    self.settle(input.direction, false);
                    return false;
                }
                Status::Upgraded { unread } => {
                    self.outcome.upgraded = Some(unread + behind);
                    self.settle(input.direction, false);
                    return false;
                }
            }
        }
        panic!("a feed is never taken");
    }

    /// Looks at what is fresh and lets transactions go as the engine would.
    fn settle(&mut self, direction: FlowDirection, full: bool) {
        for index in 0..self.parser.len() {
            if let Some(transaction) = self.parser.transaction(index) {
                look(
                    transaction,
                    (&self.buffers, direction),
                    &mut self.outcome.streams,
                );
            }
        }
        self.parser.inspected(direction);
        let protocol = self.protocol.protocol();
        let complete = |transaction: &dyn Transaction| {
            [ToServer, ToClient]
                .into_iter()
                .all(|side| transaction.progress(side) >= protocol.complete(side))
        };
        let (mut index, mut room) = (0, !full);
        while let Some(transaction) = self.parser.transaction(index) {
            if !self.late && complete(transaction) {
                room = true;
                self.retire(index);
            } else if self.parser.interleaves() {
                index += 1;
            } else {
                break;
            }
        }
        if !room {
            self.retire(0);
        }
    }

    fn retire(&mut self, index: usize) {
        self.see_off(index);
        self.parser.retire_at(index);
    }

    /// Writes a transaction down.
    fn see_off(&mut self, index: usize) {
        if let Some(transaction) = self.parser.transaction(index) {
            self.outcome.excused |= self.is_excused(transaction);
            let mut shown = Vec::new();
            show(transaction, (&self.buffers, &self.numbers), &mut shown);
            self.outcome.gone.push((transaction.id(), shown));
        }
    }

    fn is_excused(&self, transaction: &dyn Transaction) -> bool {
        let names = self.protocol.protocol().events();
        let mut events = transaction.events().iter();
        events.any(|event| {
            let name = names.get(usize::from(event.0));
            name.is_some_and(|name| EXCUSED.contains(name))
        })
    }

    fn finish(&mut self) {
        for index in 0..self.parser.len() {
            self.see_off(index);
        }
        self.outcome.gone.sort();
        self.parser.reset();
        self.said.iter_mut().for_each(Vec::clear);
        self.outcome.streams.sort();
        self.outcome.streams.retain(|(_, bytes)| !bytes.is_empty());
    }
}

fn input(direction: FlowDirection, bytes: &[u8], (eof, datagram): (bool, bool)) -> Input<'_> {
    Input {
        direction,
        bytes,
        eof,
        datagram,
        at: Timestamp(1_600_000_000_000_000_000),
    }
}

/// Length of the next piece (xorshift): mostly a few bytes.
fn piece(seed: &mut u32, left: usize) -> usize {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    let most = if *seed & 0x700 == 0 { 200 } else { 12 };
    (1 + *seed as usize % most).min(left)
}

/// Adds the fresh bytes of streaming buffers.
fn look(
    transaction: &dyn Transaction,
    (ids, direction): (&[BufferId], FlowDirection),
    streams: &mut Vec<((u64, BufferId, usize), Vec<u8>)>,
) {
    for id in ids {
        let spec = id.spec();
        if spec.shape != BufferShape::Streaming || spec.direction != direction {
            continue;
        }
        for index in 0..SHOWN {
            let Some(found) = transaction.buffer(*id, index) else {
                break;
            };
            let fresh = found.bytes.get(found.fresh_from..);
            let fresh = fresh.expect("fresh bytes start behind the end");
            let key = (transaction.id(), *id, index);
            let known = streams.iter().position(|(known, _)| *known == key);
            let at = known.unwrap_or(streams.len());
            if known.is_none() {
                streams.push((key, Vec::new()));
            }
            // A name may be shown again, as a whole; behind a gap bytes are further on.
            let from = found.offset + found.fresh_from as u64;
            let from = usize::try_from(from).unwrap_or(usize::MAX).min(MOST);
            streams[at].1.resize(from, 0);
            streams[at].1.extend_from_slice(fresh);
        }
    }
}

/// Writes down all that rules and records may ask of a transaction.
fn show(transaction: &dyn Transaction, (ids, numbers): (&[BufferId], &[&str]), out: &mut Vec<u8>) {
    out.extend(transaction.id().to_le_bytes());
    out.extend([
        transaction.progress(ToServer),
        transaction.progress(ToClient),
    ]);
    for id in ids
        .iter()
        .filter(|id| id.spec().shape != BufferShape::Streaming)
    {
        for index in 0..SHOWN {
            let Some(found) = transaction.buffer(*id, index) else {
                break;
            };
            assert!(index == 0 || id.spec().shape == BufferShape::Multiple);
            out.extend_from_slice(id.spec().keyword.as_bytes());
            out.push(b'=');
            out.extend_from_slice(found.bytes);
        }
    }
    for keyword in numbers {
        for index in 0..SHOWN {
            let Some(number) = transaction.number(keyword, index) else {
                break;
            };
            out.extend_from_slice(&number.to_le_bytes());
        }
    }
    let start = out.len();
    out.extend(transaction.events().iter().map(|event| event.0));
    out[start..].sort_unstable();
    transaction.describe(&mut Record(out));
    transaction.describe_kept(&mut Record(out));
}

/// Writes records down.
struct Record<'a>(&'a mut Vec<u8>);

impl Fields for Record<'_> {
    fn text(&mut self, name: &str, value: &[u8]) {
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(value);
    }

    fn number(&mut self, name: &str, value: u64) {
        self.text(name, &value.to_le_bytes());
    }

    fn flag(&mut self, name: &str, value: bool) {
        self.text(name, &[u8::from(value)]);
    }

    fn object(&mut self, name: &str, inner: &mut dyn FnMut(&mut dyn Fields)) {
        self.text(name, b"{");
        inner(self);
    }

    fn list(&mut self, name: &str, len: usize, element: &mut dyn FnMut(usize, &mut dyn Fields)) {
        self.text(name, b"[");
        for index in 0..len {
            element(index, self);
        }
    }
}

fn tell(outcome: &Outcome) -> String {
    let streams = outcome
        .streams
        .iter()
        .map(|((transaction, id, index), bytes)| {
            let keyword = id.spec().keyword;
            format!(
                "\n  {transaction} {keyword} {index}: {}",
                bytes.escape_ascii()
            )
        });
    let streams: String = streams.collect();
    let gone = outcome.gone.iter();
    let gone: String = gone
        .map(|(number, shown)| format!("\n  {number}: {}", shown.escape_ascii()))
        .collect();
    format!("{gone} {:?}{streams}", outcome.upgraded)
}
