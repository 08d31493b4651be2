//! What the tests of this stage share.

use crate::frame::{
    AttachmentId, ChecksumState, FrameMeta, LinkType, Mode, RuleSetId, Timestamp, WireDirection,
};

/// What comes with a frame of that time.
pub(crate) fn meta(at: Timestamp) -> FrameMeta {
    FrameMeta {
        at,
        link: LinkType::Ethernet,
        checksum: ChecksumState::Final,
        gso_size: None,
        attachment: AttachmentId(1),
        direction: WireDirection::ToPod,
        mode: Mode::Prevent,
        rules: RuleSetId(0),
        number: 0,
    }
}
