//! What weir looks for: the Suricata rule language, and the rules weir ships.
//!
//! - [`rule`]: text to a typed syntax tree and back, variables, diagnostics;
//! - `rules/` beside `src/`: the shipped rule sets.
//!
//! Invariants: no I/O (callers hand in text), no `unsafe`, no panic on any input. What a signature
//! *means* is the engine's business; this crate only says what was written.
#![forbid(unsafe_code)]

pub mod rule;
