//! What the tests of the fragment table share.

use super::*;
use crate::decode::testing::*;
use crate::decode::{DecodeEvent, decode};
use crate::frame::{
    AttachmentId, ChecksumState, FrameMeta, LinkType, Mode, RuleSetId, Timestamp, WireDirection,
};
use crate::verdict::DropReason;

pub(super) fn meta(at: u64, mode: Mode) -> FrameMeta {
    FrameMeta {
        at: Timestamp(at),
        link: LinkType::RawIp,
        checksum: ChecksumState::Final,
        gso_size: None,
        attachment: AttachmentId(7),
        direction: WireDirection::ToPod,
        mode,
        rules: RuleSetId(0),
        number: at,
    }
}

/// A table under test and what it gave up.
pub(super) struct Bench {
    pub(super) defrag: Defrag,
    pub(super) discarded: Vec<(Vec<u8>, DropReason)>,
    clock: u64,
    mode: Mode,
}

impl Bench {
    pub(super) fn new(mode: Mode, limits: DefragLimits) -> Self {
        Self {
            defrag: Defrag::new(limits, [1, 2]),
            discarded: Vec::new(),
            clock: 0,
            mode,
        }
    }

    pub(super) fn prevent() -> Self {
        Self::new(Mode::Prevent, DefragLimits::default())
    }

    /// Offers a raw IP frame, a nanosecond after the last.
    pub(super) fn offer(&mut self, frame: &[u8]) -> Accepted {
        self.clock += 1;
        let meta = meta(self.clock, self.mode);
        self.offer_with(frame, &meta)
    }

    pub(super) fn offer_with(&mut self, frame: &[u8], meta: &FrameMeta) -> Accepted {
        let mut packet = decode(frame, meta.link).expect("a deliverable fragment");
        let discarded = &mut self.discarded;
        let accepted = self.defrag.accept(&mut packet, meta, &mut |given_up| {
            discarded.push((given_up.frame.to_vec(), given_up.reason));
        });
        if let Accepted::Refused {
            event: Some(event), ..
        } = accepted
        {
            assert!(event.judgement() == crate::decode::Judgement::Undeliverable);
        }
        accepted
    }
}

pub(super) fn complete(accepted: Accepted) -> Datagram {
    match accepted {
        Accepted::Complete(datagram) => datagram,
        other => panic!("{other:?}"),
    }
}

pub(super) fn refusal(accepted: Accepted) -> (DropReason, Option<DecodeEvent>) {
    match accepted {
        Accepted::Refused { reason, event } => (reason, event),
        other => panic!("{other:?}"),
    }
}

pub(super) fn held(accepted: &Accepted) -> bool {
    matches!(accepted, Accepted::Held)
}

/// A UDP datagram of 8 + 40 bytes and its three fragments, in either family.
pub(super) fn sample(v6: bool) -> (Vec<u8>, [Vec<u8>; 3]) {
    let payload: Vec<u8> = (0..40).collect();
    let datagram = udp(1000, 2000, &payload);
    let piece = |offset: usize, end: usize| {
        let (more, data) = (end < datagram.len(), &datagram[offset..end]);
        if v6 {
            ipv6_fragment(17, 77, offset, more, data)
        } else {
            ipv4_fragment(17, 77, offset, more, data)
        }
    };
    let pieces = [piece(0, 16), piece(16, 32), piece(32, 48)];
    (payload, pieces)
}
