//! One direction of a TCP flow: what its sender has sent, what its receiver has acknowledged and
//! permits. All positions are 64-bit stream offsets: 0 is the first byte behind the SYN (or the first
//! one seen, for a flow picked up midstream), so that sequence numbers may wrap as often as they like.

use crate::frame::Timestamp;

use super::reassembly::Reassembly;
use super::{Segment, SeqNumber};

/// Largest window scale (RFC 7323); assumed where the SYN was not seen.
const MAX_SCALE: u8 = 14;
/// Different SYNs that a side may send in one handshake.
const CANDIDATES: usize = 4;
/// Acknowledged before anything was: far in front of any offset, and far from overflow.
const NOTHING_CLAIMED: i64 = i64::MIN / 4;
/// A timestamp older than this says nothing (RFC 7323, 5.5): 24 days, in seconds.
const TIMESTAMP_LIFE: u64 = 24 * 24 * 3600;

/// How a direction's first offset is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Origin {
    /// Not yet.
    #[default]
    Unknown,
    /// From what the other side acknowledged: its own segments were not seen.
    Implied,
    /// From its first segment, midstream.
    Midstream,
    /// From its SYN.
    Syn,
}

/// One direction, named after its sender.
#[derive(Debug, Default)]
pub(crate) struct Half {
    pub(crate) origin: Origin,
    /// Sequence number of offset 0.
    zero: Option<SeqNumber>,
    /// Offset-0 numbers of the different SYNs sent, the one in force included.
    candidates: [Option<SeqNumber>; CANDIDATES],
    /// Its SYN was acknowledged.
    pub(crate) syn_acked: bool,
    /// It began with a SYN-ACK.
    pub(crate) answered: bool,
    /// Window field of its SYN, unscaled.
    syn_window: u16,
    /// Shift of the windows that it advertises; `None` while unknown.
    scale: Option<u8>,
    /// Timestamps of its first and its last SYN without ACK.
    syn_stamps: Option<(u32, u32)>,
    /// Timestamps are in use as far as this side is concerned.
    pub(crate) timestamps: bool,
    /// Latest timestamp that its receiver would hold (TS.Recent), and when.
    recent: Option<(u32, Timestamp)>,
    /// One past the highest byte it has sent.
    pub(crate) end: i64,
    /// First byte not acknowledged.
    pub(crate) acked: i64,
    /// Highest acknowledgement, also of bytes not seen here.
    claimed: i64,
    /// One past the highest byte that its receiver permits; `None` while unknown.
    edge: Option<i64>,
    largest_window: i64,
    /// Offset of its FIN.
    pub(crate) fin: Option<i64>,
    pub(crate) fin_acked: bool,
    /// Sequence numbers are taken anew from its next segment.
    pub(crate) resync: bool,
    /// Up to where bytes beyond holes were looked at when a reset seemed to end the flow.
    pub(crate) looked: Option<i64>,
    pub(crate) data: Reassembly,
}

impl Half {
    /// Begins with a SYN or SYN-ACK.
    pub(crate) fn begin(&mut self, syn: &Segment, at: Timestamp) {
        self.origin = Origin::Syn;
        self.zero = Some(syn.start);
        self.answered = syn.ack.is_some();
        self.candidates[0] = Some(syn.start);
        self.adopt_options(syn, at);
    }

    /// Begins at whatever byte comes first.
    pub(crate) fn pick_up(&mut self, zero: SeqNumber, origin: Origin) {
        self.origin = origin;
        self.zero = Some(zero);
        if origin == Origin::Midstream {
            self.claimed = NOTHING_CLAIMED;
        }
    }

    /// Whether data at `offset` lies in front of where the stream was picked up, and its receiver may
    /// still want it: then the stream begins with it. Else whoever sends the end of an attack first would
    /// choose what counts as inspected.
    pub(crate) fn begins_earlier(&self, offset: i64) -> bool {
        let from_syn = self.origin == Origin::Syn;
        offset < self.data.base()
            && self.data.is_whole()
            && self.claimed < self.data.base()
            && (!from_syn || offset >= 0)
    }

    /// Notes the timestamp of a SYN without ACK, first or later.
    pub(crate) fn note_syn(&mut self, syn: &Segment) {
        if let Some((value, _)) = syn.options.timestamps {
            let first = self.syn_stamps.map_or(value, |(first, _)| first);
            self.syn_stamps = Some((first, value));
        }
    }

    /// Whether the answer to its SYN echoes a timestamp that none of its SYNs had: Linux takes no such
    /// answer, not even a RST.
    pub(crate) fn disowns_echo(&self, answer: &Segment) -> bool {
        let (Some((first, last)), Some((_, echo))) = (self.syn_stamps, answer.options.timestamps)
        else {
            return false;
        };
        answer.ack.is_some() && echo != 0 && echo.wrapping_sub(first) > last.wrapping_sub(first)
    }

    fn adopt_options(&mut self, syn: &Segment, at: Timestamp) {
        self.syn_window = syn.window;
        self.scale = Some(syn.options.window_scale.unwrap_or(0).min(MAX_SCALE));
        self.timestamps = syn.options.timestamps.is_some();
        self.recent = syn.options.timestamps.map(|(value, _)| (value, at));
    }

    /// True once a segment of this side was seen.
    pub(crate) fn seen(&self) -> bool {
        matches!(self.origin, Origin::Midstream | Origin::Syn)
    }

    /// Offset of a sequence number, by the closest reading; 0 where no origin is known.
    pub(crate) fn offset(&self, number: SeqNumber) -> i64 {
        let next = self.data.next();
        self.zero
            .map_or(0, |zero| next + number.distance(zero.advance(next)))
    }

    /// Whether a SYN with this offset-0 number was sent.
    pub(crate) fn sent_syn(&self, zero: SeqNumber) -> bool {
        self.candidates.contains(&Some(zero))
    }

    /// Notes another SYN; false when there are too many.
    pub(crate) fn add_candidate(&mut self, zero: SeqNumber) -> bool {
        if self.sent_syn(zero) {
            return true;
        }
        let free = self.candidates.iter_mut().find(|known| known.is_none());
        free.map(|free| *free = Some(zero)).is_some()
    }

    /// Makes the SYN that `acknowledged` belongs to the one in force; false when it belongs to none.
    /// Data that came with the SYN in force may be acknowledged with it.
    pub(crate) fn settle(&mut self, acknowledged: SeqNumber) -> bool {
        if self.origin != Origin::Syn {
            return true;
        }
        if (0..=self.end).contains(&self.offset(acknowledged)) {
            return true;
        }
        if !self.sent_syn(acknowledged) || self.data.next() != 0 || self.end != 0 {
            return false;
        }
        self.zero = Some(acknowledged);
        true
    }

    /// Moves offset 0 of a direction that has carried nothing to where its data begins.
    pub(crate) fn rebase(&mut self, zero: SeqNumber) {
        let shift = self.offset(zero);
        self.zero = Some(zero);
        self.edge = self.edge.map(|edge| edge - shift);
        self.acked = (self.acked - shift).min(0);
        self.claimed -= shift;
        self.end = 0;
    }

    /// Window that a segment of this side advertises for the other, in bytes.
    pub(crate) fn advertised(&self, segment: &Segment, peer: &Self) -> i64 {
        let scale = match (self.scale, peer.scale) {
            _ if segment.has(super::flags::SYN) => 0,
            (Some(_), Some(0)) | (Some(0), _) => 0,
            (Some(scale), _) => scale,
            (None, Some(0)) => 0,
            (None, _) => MAX_SCALE,
        };
        i64::from(segment.window) << scale
    }

    /// The window that its SYN offered to the other side.
    pub(crate) fn syn_window(&self) -> i64 {
        i64::from(self.syn_window)
    }

    /// Takes an acknowledgement up to `upto` and the window behind it. True when offered window is
    /// taken back.
    pub(crate) fn acknowledge(&mut self, upto: i64, window: i64) -> bool {
        self.claimed = self.claimed.max(upto);
        self.fin_acked |= self.fin.is_some_and(|fin| upto > fin);
        let shrinks = upto == self.acked && self.edge.is_some_and(|edge| upto + window < edge);
        self.acked = self.acked.max(upto.min(self.end));
        self.permit(upto + window);
        self.largest_window = self.largest_window.max(window);
        shrinks
    }

    /// Believes any window until the next one is offered.
    pub(super) fn forget_window(&mut self) {
        self.edge = None;
    }

    /// Takes an offer of window.
    pub(crate) fn permit(&mut self, edge: i64) {
        self.edge = Some(self.edge.map_or(edge, |known| known.max(edge)));
    }

    /// Whether its receiver would look at a segment that starts at `offset`. Unknown windows permit
    /// everything.
    pub(crate) fn in_window(&self, offset: i64) -> bool {
        self.edge.is_none_or(|edge| offset <= edge.max(self.acked))
    }

    /// Whether an acknowledgement of `upto` is one that this side would take: neither of what it
    /// cannot have sent nor older than any window.
    pub(crate) fn takes_ack(&self, upto: i64) -> bool {
        let sent = self.end + i64::from(self.fin.is_some());
        let Some(edge) = self.edge else { return true };
        let oldest = self.acked - self.largest_window.max(i64::from(u16::MAX));
        upto <= sent.max(edge) && upto >= oldest
    }

    /// Whether a timestamp is older than what its receiver holds (PAWS).
    pub(crate) fn is_old(&self, value: u32, at: Timestamp) -> bool {
        self.recent.is_some_and(|(recent, since)| {
            value.wrapping_sub(recent).cast_signed() < 0
                && at.since(since).as_secs() < TIMESTAMP_LIFE
        })
    }

    /// Lets the receiver's idea of the latest timestamp move, as RFC 7323, 4.3 says.
    pub(crate) fn note_timestamp(&mut self, offset: i64, value: u32, at: Timestamp) {
        if offset <= self.acked && !self.is_old(value, at) {
            self.recent = Some((value, at));
        }
    }

    /// Offset up to which bytes were received that were never seen here, given where the data of a
    /// segment starts.
    pub(crate) fn hole_end(&self, data_start: Option<i64>) -> Option<i64> {
        let next = self.data.next();
        let known = [data_start, self.data.first_piece()];
        let end = known.into_iter().flatten().filter(|at| *at > next).min()?;
        (self.claimed >= end).then_some(end)
    }

    /// Whether `offset` is where its receiver expects the next byte, by any reading: only such a RST
    /// ends the flow (RFC 5961).
    pub(crate) fn is_next(&self, offset: i64) -> bool {
        let expected = [self.data.next(), self.end, self.acked];
        expected
            .iter()
            .any(|at| *at == offset || (self.fin == Some(*at) && at + 1 == offset))
    }
}
