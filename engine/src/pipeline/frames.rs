//! One frame through the stages: decode, reassembly of fragments, then packet by packet.

use crate::decode::{DecodeError, checksum, decode, inner};
use crate::event::Output;
use crate::frame::{FrameMeta, LinkType, Mode};
use crate::packet::{Packet, Transport};
use crate::stream::StreamEvent;
use crate::verdict::{DropReason, Verdict};

use super::Engine;
use super::report;
use super::rewrite::{self, Place};
use super::ruling::{Condemned, Fate, Ruling};
use super::tracking::Tracked;

/// Bytes that are judged and may be rewritten: a frame, or a datagram put together from fragments.
pub(super) trait Source {
    /// Decodes them.
    #[expect(clippy::result_large_err, reason = "see `decode`")]
    fn decode(&self) -> Result<Packet<'_>, DecodeError<'_>>;
    /// The bytes; `None` where they cannot be rewritten.
    fn bytes_mut(&mut self) -> Option<&mut [u8]>;
}

/// A frame as it was handed in.
pub(super) struct Whole<'a> {
    pub(super) bytes: &'a mut [u8],
    pub(super) link: LinkType,
}

impl Source for Whole<'_> {
    fn decode(&self) -> Result<Packet<'_>, DecodeError<'_>> {
        decode(self.bytes, self.link)
    }

    fn bytes_mut(&mut self) -> Option<&mut [u8]> {
        Some(self.bytes)
    }
}

/// How a judged source came out.
pub(super) struct Judged {
    pub(super) fate: Fate,
    pub(super) rewritten: bool,
}

impl Engine {
    /// Judges a frame with all packets in it.
    pub(super) fn judge_frame(
        &mut self,
        frame: &mut [u8],
        meta: &FrameMeta,
        output: &mut dyn Output,
    ) -> Fate {
        let mut whole = Whole {
            bytes: frame,
            link: meta.link,
        };
        let offered = match whole.decode() {
            Ok(mut packet) if packet.fragment.is_some() => self.offer(&mut packet, meta, output),
            _ => return self.judge_source(&mut whole, meta, output).fate,
        };
        self.settle_offer(offered, Some(whole.bytes), meta, output)
    }

    /// Judges what is no fragment. TCP in it is rewritten where it must be.
    pub(super) fn judge_source(
        &mut self,
        source: &mut impl Source,
        meta: &FrameMeta,
        output: &mut dyn Output,
    ) -> Judged {
        let unchanged = |fate| Judged {
            fate,
            rewritten: false,
        };
        let packet = match source.decode() {
            Ok(packet) => packet,
            Err(error) => return unchanged(self.judge_undecodable(&error, meta, output).into()),
        };
        let plain_tcp = matches!(packet.transport, Transport::Tcp(_));
        if !plain_tcp || self.is_corrupt(&packet, meta).is_some() {
            return unchanged(self.judge_packet(packet, meta, output));
        }
        let mut tracked = self.track(&packet, meta, output);
        if !needs_rewrite(&tracked, meta) {
            return unchanged(self.inspect(&packet, meta, tracked, output).into());
        }
        let place = Place::of(&packet);
        let received = packet.transport;
        let rewritten = match source.bytes_mut() {
            Some(bytes) => {
                self.rewrite(bytes, place, meta, &tracked);
                true
            }
            None => {
                tracked.refused = Some(cannot_rewrite(&tracked));
                false
            }
        };
        let ruling = match source.decode() {
            Ok(mut packet) => {
                // Tests on the header are about what was sent: the flag that was cleared is one.
                packet.transport = received;
                self.inspect(&packet, meta, tracked, output)
            }
            Err(error) => {
                // Lengths and offsets are those that were decoded before.
                tracked.refused =
                    Some(Condemned::new(DropReason::Decode, Some(error.event.name())));
                self.inspect(&error.packet, meta, tracked, output)
            }
        };
        Judged {
            fate: ruling.into(),
            rewritten,
        }
    }

    /// Judges a packet that is not rewritten (it is not TCP, or in a tunnel), and the packets inside
    /// of it.
    pub(super) fn judge_packet(
        &mut self,
        mut packet: Packet<'_>,
        meta: &FrameMeta,
        output: &mut dyn Output,
    ) -> Fate {
        if !packet.is_ip() {
            self.counters.frames.not_ip += 1;
            return self
                .inspect(&packet, meta, Tracked::default(), output)
                .into();
        }
        if packet.fragment.is_some() {
            let offered = self.offer(&mut packet, meta, output);
            return self.settle_offer(offered, None, meta, output);
        }
        if let Some(condemned) = self.is_corrupt(&packet, meta) {
            let tracked = self.track_corrupt(&packet, meta, condemned, output);
            return self.inspect(&packet, meta, tracked, output).into();
        }
        let nested = inner(&mut packet);
        let mut tracked = self.track(&packet, meta, output);
        if needs_rewrite(&tracked, meta) {
            tracked.refused = Some(cannot_rewrite(&tracked));
        }
        let ruling = self.inspect(&packet, meta, tracked, output);
        let within = match nested {
            None => Fate::Deliver,
            Some(Ok(packet)) => self.judge_packet(packet, meta, output),
            Some(Err(error)) => self.judge_undecodable(&error, meta, output).into(),
        };
        match ruling {
            None => within,
            Some(condemned) => Fate::Condemned(condemned),
        }
    }

    pub(super) fn judge_undecodable(
        &mut self,
        error: &DecodeError<'_>,
        meta: &FrameMeta,
        output: &mut dyn Output,
    ) -> Ruling {
        let condemned = Condemned::new(DropReason::Decode, Some(error.event.name()));
        self.inspect(&error.packet, meta, Tracked::refused(condemned), output)
    }

    /// A wrong checksum keeps a packet out of its flow. A datagram that is delivered all the same (detect
    /// mode) is inspected in full: captures taken on the sender's machine have yet unfinished ones.
    fn track_corrupt(
        &mut self,
        packet: &Packet<'_>,
        meta: &FrameMeta,
        condemned: Condemned,
        output: &mut dyn Output,
    ) -> Tracked {
        if !Self::is_inspected_corrupt(packet, meta) {
            return Tracked::refused(condemned);
        }
        let mut tracked = self.track(packet, meta, output);
        tracked.refused.get_or_insert(condemned);
        tracked
    }

    /// Whether a packet that is to be refused is inspected as if it were not.
    pub(super) fn is_inspected_corrupt(packet: &Packet<'_>, meta: &FrameMeta) -> bool {
        meta.mode == Mode::Detect && matches!(packet.transport, Transport::Udp { .. })
    }

    pub(super) fn is_corrupt(&self, packet: &Packet<'_>, meta: &FrameMeta) -> Ruling {
        if self.config.ignore_checksums {
            return None;
        }
        let fault = checksum::verify(packet, meta).err()?;
        Some(Condemned::new(DropReason::Checksum, Some(fault.name())))
    }

    fn rewrite(&mut self, frame: &mut [u8], place: Place, meta: &FrameMeta, tracked: &Tracked) {
        self.counters.frames.rewritten += 1;
        self.counters.streams.urgent_cleared += u64::from(tracked.urgent);
        let conflict = tracked
            .flow
            .zip(tracked.segment)
            .filter(|_| tracked.conflict);
        let flows = &self.flows;
        rewrite::segment(frame, place, meta, tracked.urgent, |payload| {
            if let Some(((index, direction), segment)) = conflict
                && let Some(flow) = flows.get(index)
            {
                flow.tcp.impose(direction, &segment, payload);
            }
        });
    }

    /// Turns a fate into the verdict that the mode makes of it; counts and reports it.
    pub(super) fn settle(
        &mut self,
        fate: &Fate,
        meta: &FrameMeta,
        output: &mut dyn Output,
    ) -> Verdict {
        let condemned = match fate {
            Fate::Deliver => {
                self.counters.frames.passed += 1;
                return Verdict::Pass;
            }
            Fate::Hold => {
                self.counters.frames.held += 1;
                return Verdict::Held;
            }
            Fate::Condemned(condemned) => condemned,
        };
        self.drop_frame(condemned, meta, output);
        match (meta.mode, condemned.reject) {
            (Mode::Detect, _) => {
                self.counters.frames.passed += 1;
                Verdict::Pass
            }
            (Mode::Prevent, Some(sides)) => {
                self.counters.frames.rejected += 1;
                Verdict::Reject(sides)
            }
            (Mode::Prevent, None) => Verdict::Drop(condemned.reason),
        }
    }

    /// Counts and reports a frame that is dropped, or would be.
    pub(super) fn drop_frame(
        &mut self,
        condemned: &Condemned,
        meta: &FrameMeta,
        output: &mut dyn Output,
    ) {
        report::drop(condemned, self.culprit.as_ref(), meta, output);
        self.counters.frames.count_drop(condemned.reason, meta.mode);
    }
}

/// Detect mode changes nothing on the wire, and what is refused need not be changed.
fn needs_rewrite(tracked: &Tracked, meta: &FrameMeta) -> bool {
    meta.mode == Mode::Prevent && tracked.refused.is_none() && (tracked.urgent || tracked.conflict)
}

fn cannot_rewrite(tracked: &Tracked) -> Condemned {
    let event = if tracked.conflict {
        StreamEvent::OverlapDifferentData
    } else {
        StreamEvent::Urgent
    };
    Condemned::new(DropReason::StreamInvalid, Some(event.name()))
}
