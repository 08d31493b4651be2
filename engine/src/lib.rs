//! Frames in, verdicts and events out.
//!
//! A frame walks through this crate in one direction:
//!
//! ```text
//! frame -> decode -> defrag -> flow -> stream -> detect -> verdict
//!                                                   \-> event
//! ```
//!
//! Invariants: no socket, clock, thread or file (time comes with the frame, [`frame::FrameMeta::at`]);
//! no `unsafe`; no panic on any input; every table and buffer is bounded by a named limit; every drop
//! has a [`verdict::DropReason`]; nothing is allocated, locked or logged per packet once the tables are
//! warm. One [`Engine`](pipeline::Engine) belongs to one worker and is never shared.
#![forbid(unsafe_code)]

pub mod app_layer;
mod base64;
pub mod counters;
pub mod decode;
pub mod defrag;
pub mod detect;
pub mod event;
pub mod flow;
pub mod frame;
mod hex;
pub mod packet;
pub mod pipeline;
pub mod stream;
pub mod verdict;
