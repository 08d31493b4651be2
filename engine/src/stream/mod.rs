//! TCP: state, sequence numbers, windows, and reassembly in inline form.
//!
//! Inline means: what the receiver's application can read is what was inspected, in order. The first
//! copy of a byte wins and later copies are rewritten on the wire; out-of-order segments are delivered,
//! since the receiver cannot use them before the hole is filled, and the segment that fills it is
//! inspected together with all that becomes contiguous. Bytes are kept until the receiver has
//! acknowledged them. There is no depth limit.
//!
//! - `Tcp`: state of one flow; judges segments ([`Tcp::admit`]), then takes their payload
//!   ([`Tcp::reassemble`]), shows it ([`Tcp::view`]) and ends with the verdict ([`Tcp::conclude`]);
//! - `reassembly`: one direction's bytes;
//! - `pool`: their memory, bounded by [`StreamLimits`].

mod closing;
mod delivery;
mod event;
mod half;
mod limits;
mod opening;
mod pool;
mod reassembly;
mod segment;
mod seq;
mod tcp;

pub use delivery::{Delivery, StreamMemory};
pub use event::{StreamEvent, StreamEvents};
pub use limits::{StreamLimits, UrgentPolicy};
pub use opening::PendingSyn;
pub use pool::BufferPool;
pub use segment::{Segment, flags};
pub use seq::SeqNumber;
pub use tcp::{Admission, Arrival, Pickup, Tcp};
