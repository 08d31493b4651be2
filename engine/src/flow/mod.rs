//! Which packets belong together: the flow table.

mod limits;

pub use limits::{FlowExceptionPolicy, FlowLimits, FlowTimeouts};
