//! What is known of a frame of a fuzz target beside its bytes.

use weir_engine::frame::{
    AttachmentId, ChecksumState, FrameMeta, LinkType, Mode, RuleSetId, Timestamp, WireDirection,
};

/// A raw IP frame of one pod at a time in nanoseconds.
#[must_use]
pub fn meta(at: u64, mode: Mode) -> FrameMeta {
    FrameMeta {
        at: Timestamp(at),
        link: LinkType::RawIp,
        checksum: ChecksumState::Final,
        gso_size: None,
        attachment: AttachmentId(1),
        direction: WireDirection::ToPod,
        mode,
        rules: RuleSetId(0),
        number: at,
    }
}
