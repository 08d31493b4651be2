//! What the engine reports, on its way out.
//!
//! ```text
//! engine --Output--> eve (JSON lines in the worker's chunk) --queue--> writer thread --> target
//! ```
//!
//! - [`eve`]: the only code that knows EVE's JSON;
//! - [`queue`]: bounded hand-over from the workers to the writer; full: the chunk is lost and its events
//!   counted, no worker ever waits;
//! - [`writer`]: the thread that writes to a file, standard output or a unix socket;
//! - [`file_store`]: the thread that stores files;
//! - [`pods`]: who is behind an address or an interface.

pub mod eve;
mod eve_record;
mod eve_time;
mod eve_value;
pub mod file_store;
mod json_fields;
pub mod pods;
pub mod queue;
pub mod writer;
