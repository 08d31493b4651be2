//! What weir looks for: the Suricata rule language, and the rules weir ships.
//!
//! - [`rule`]: text to a typed syntax tree and back, diagnostics;
//! - [`vars`]: address and port variables;
//! - [`classification`], [`ip_reputation`], [`reference`], [`threshold_config`]: the configuration files beside rules;
//! - [`shipped`]: the rules of `rules/` beside `src/`, embedded.
//!
//! Invariants: no I/O (callers hand in text), no `unsafe`, no panic on any input. What a signature
//! *means* is the engine's business; this crate only says what was written.
#![forbid(unsafe_code)]

pub mod classification;
mod config_line;
pub mod ip_reputation;
pub mod reference;
pub mod rule;
pub mod shipped;
pub mod threshold_config;
pub mod vars;

pub use config_line::LineError;
pub use rule::{Diagnostic, Parsed, Skipped, parse, parse_bytes};
