//! Fragments and the datagrams they make.

use crate::decode::DecodeError;
use crate::defrag::{Accepted, Datagram, Discarded};
use crate::event::{Datagram as Offer, HeldFrames, Output, Steering};
use crate::frame::FrameMeta;
use crate::packet::Packet;
use crate::verdict::DropReason;

use super::Engine;
use super::exception::Exception;
use super::frames::Source;
use super::report;
use super::ruling::{Condemned, Fate};
use super::tracking::Tracked;

/// What became of a fragment.
pub(super) enum Offered {
    /// It is settled.
    Settled(Fate),
    /// It completed this datagram, which is to be judged.
    Complete(Datagram),
}

impl Engine {
    /// Offers a fragment to the fragment table, and inspects it for what its headers and events say:
    /// its data is inspected with the datagram.
    pub(super) fn offer(
        &mut self,
        packet: &mut Packet<'_>,
        meta: &FrameMeta,
        output: &mut dyn Output,
    ) -> Offered {
        let (accepted, mut tracked) = match self.is_corrupt(packet, meta) {
            Some(condemned) => (None, Tracked::refused(condemned)),
            None => {
                let frames = &mut self.counters.frames;
                let accepted = self.defrag.accept(packet, meta, &mut |discarded| {
                    discard(&discarded, frames, output);
                });
                (Some(accepted), Tracked::default())
            }
        };
        match &accepted {
            Some(Accepted::Refused {
                reason: DropReason::FragmentMemcap,
                ..
            }) => tracked.refused = self.except(Exception::DefragMemcap, (None, meta)),
            Some(Accepted::Refused { reason, event }) => {
                let detail = event.map(crate::decode::DecodeEvent::name);
                tracked.refused = Some(Condemned::new(*reason, detail));
            }
            _ => {}
        }
        let headers = Packet {
            payload_start: packet.payload_end,
            ..*packet
        };
        let ruling = self.inspect(&headers, meta, tracked, output);
        match (accepted, ruling) {
            (Some(Accepted::Complete(datagram)), None) => Offered::Complete(datagram),
            (Some(Accepted::Complete(datagram)), Some(condemned)) => {
                self.drop_held(&datagram, &condemned, output);
                self.defrag.recycle(datagram);
                Offered::Settled(Fate::Condemned(condemned))
            }
            (Some(Accepted::Held), None) => Offered::Settled(Fate::Hold),
            (Some(Accepted::Held), Some(condemned)) => {
                self.abandon(packet, meta, output);
                Offered::Settled(Fate::Condemned(condemned))
            }
            (_, ruling) => Offered::Settled(ruling.into()),
        }
    }

    /// Ends the handling of a fragment; `current` is its frame, where it may be rewritten.
    pub(super) fn settle_offer(
        &mut self,
        offered: Offered,
        current: Option<&mut [u8]>,
        meta: &FrameMeta,
        output: &mut dyn Output,
    ) -> Fate {
        let mut datagram = match offered {
            Offered::Settled(fate) => return fate,
            Offered::Complete(datagram) => datagram,
        };
        let fate = match steer(&datagram, current.as_deref(), meta, output) {
            Steering::Here => self.judge_datagram(&mut datagram, current, output),
            Steering::Taken => {
                self.counters.frames.steered += 1 + datagram.held().count() as u64;
                self.defrag.recycle(datagram);
                return Fate::Hold;
            }
            Steering::Full => Fate::Condemned(Condemned::new(DropReason::FragmentMemcap, None)),
        };
        match &fate {
            Fate::Condemned(condemned) => self.drop_held(&datagram, condemned, output),
            Fate::Deliver | Fate::Hold => {
                for (frame, meta) in datagram.held() {
                    self.counters.frames.released += 1;
                    output.release(frame, meta);
                }
            }
        }
        self.defrag.recycle(datagram);
        fate
    }

    fn judge_datagram(
        &mut self,
        datagram: &mut Datagram,
        current: Option<&mut [u8]>,
        output: &mut dyn Output,
    ) -> Fate {
        let meta = *datagram.meta();
        let mut source = Assembled {
            datagram,
            writable: current.is_some(),
        };
        let judged = self.judge_source(&mut source, &meta, output);
        if judged.rewritten
            && let Some(current) = current
        {
            datagram.write_back(current);
        }
        judged.fate
    }

    /// Drops the held fragments of a datagram that was condemned.
    fn drop_held(&mut self, datagram: &Datagram, condemned: &Condemned, output: &mut dyn Output) {
        for (_, meta) in datagram.held() {
            self.drop_frame(condemned, meta, output);
        }
    }

    /// Gives up the datagram of a fragment that a signature dropped. The fragment itself is reported
    /// by who returns its verdict.
    fn abandon(&mut self, packet: &Packet<'_>, meta: &FrameMeta, output: &mut dyn Output) {
        let frames = &mut self.counters.frames;
        let mut itself = true;
        self.defrag.abandon(packet, meta, &mut |discarded| {
            if itself && discarded.frame == packet.frame {
                itself = false;
                return;
            }
            discard(&discarded, frames, output);
        });
    }
}

/// Counts and reports a held fragment that the table gave up.
pub(super) fn discard(
    discarded: &Discarded<'_>,
    frames: &mut crate::counters::FrameCounters,
    output: &mut dyn Output,
) {
    let detail = discarded.event.map(crate::decode::DecodeEvent::name);
    let condemned = Condemned::new(discarded.reason, detail);
    report::drop(&condemned, None, discarded.meta, output);
    frames.count_drop(discarded.reason, discarded.meta.mode);
}

/// Asks the output whether another worker owns the datagram's flow.
fn steer(
    datagram: &Datagram,
    current: Option<&[u8]>,
    meta: &FrameMeta,
    output: &mut dyn Output,
) -> Steering {
    let (Some(current), Ok(packet)) = (current, datagram.decode()) else {
        return Steering::Here;
    };
    output.elsewhere(&Offer {
        frame: datagram.bytes(),
        meta: datagram.meta(),
        ends: report::ends(&packet),
        fragments: &Fragments {
            datagram,
            current,
            meta,
        },
    })
}

struct Fragments<'a> {
    datagram: &'a Datagram,
    current: &'a [u8],
    meta: &'a FrameMeta,
}

impl HeldFrames for Fragments<'_> {
    fn for_each(&self, each: &mut dyn FnMut(&[u8], &FrameMeta)) {
        for (frame, meta) in self.datagram.held() {
            each(frame, meta);
        }
        each(self.current, self.meta);
    }
}

/// A datagram as what is judged.
struct Assembled<'a> {
    datagram: &'a mut Datagram,
    writable: bool,
}

impl Source for Assembled<'_> {
    fn decode(&self) -> Result<Packet<'_>, DecodeError<'_>> {
        self.datagram.decode()
    }

    fn bytes_mut(&mut self) -> Option<&mut [u8]> {
        self.writable.then(|| self.datagram.bytes_mut())
    }
}
