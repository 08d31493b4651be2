//! One signature against one packet: header, state, then the bytes of its buffers.
//!
//! Nothing here allocates; work on bytes is bounded by [`Work`].

mod bytes;
mod data;
mod packet;
mod payload;
mod rpc;
mod state;
mod work;

pub(super) use packet::{header_matches, packet_tests_match};
pub(super) use payload::{Subject, chains_match};
pub(super) use state::{StateStore, apply_changes, apply_tags, keep_captured, state_matches};
pub(super) use work::Work;
