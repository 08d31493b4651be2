//! Which packets belong together: the flow table.
//!
//! A flow is all packets of one pair of addresses and ports, protocol and VLANs, in both directions.
//! Owner: one worker's engine. Memory is reserved at start; a full table answers at once by what
//! [`FlowLimits`] say.

mod class;
mod direction;
mod key;
mod limits;
mod lists;
mod related;
mod state;
mod table;
#[cfg(test)]
mod testing;

pub use class::Class;
pub use direction::client;
pub use key::{Endpoint, FlowKey, Side};
pub use limits::{FlowExceptionPolicy, FlowLimits, FlowTimeouts};
pub use related::related;
pub use state::{EndReason, Flow, Phase};
pub use table::{FlowIndex, FlowTable, Insertion};
