//! TCP: state, sequence numbers, windows, and reassembly in inline form.

mod event;
mod limits;

pub use event::{StreamEvent, StreamEvents};
pub use limits::{StreamLimits, UrgentPolicy};
