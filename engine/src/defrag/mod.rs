//! Fragments to datagrams, before anything else looks at them (RFC 791, RFC 815, RFC 8200 4.5,
//! RFC 5722, RFC 6946).
//!
//! One [`Defrag`] per worker; all fragments of a datagram reach the same worker. In prevent mode a
//! fragment is *held*: copied here and not delivered until its datagram is complete and judged as the
//! one packet it is. Then the originals are released in the order they came, or all dropped. In detect
//! mode a fragment is *watched*: copied, and delivered at once.
//!
//! ```text
//! match defrag.accept(&mut packet, &meta, &mut discarded) {
//!     Accepted::Whole => inspect(packet),
//!     Accepted::Held => Verdict::Held,
//!     Accepted::Watched => Verdict::Pass,
//!     Accepted::Refused { reason, .. } => Verdict::Drop(reason),
//!     Accepted::Complete(datagram) => {
//!         let verdict = inspect(datagram.decode()?);        // then, on pass:
//!         datagram.held().for_each(|(frame, meta)| output.release(frame, meta));
//!         defrag.recycle(datagram);
//!         verdict                                           // of the fragment in hand
//!     }
//! }
//! ```
//!
//! What no receiver is agreed on is not delivered in prevent mode: fragments that overlap with different
//! data (in IPv6 any overlap but an exact copy, RFC 5722), that reach beyond 65,535 bytes or
//! contradict where the datagram ends, first fragments without the whole transport header (RFC 1858,
//! RFC 7112). The whole datagram is then refused, and so is what still comes of it. In detect mode it
//! is put together as [`DefragLimits::overlap`] says, with the event.
//!
//! Limits: [`DefragLimits`]. When the table or its memory is full the oldest datagram gives way
//! ([`DropReason::FragmentMemcap`](crate::verdict::DropReason::FragmentMemcap)): amortised O(1).

mod assemble;
mod datagram;
mod key;
mod limits;
#[cfg(test)]
mod model_tests;
mod overlap;
mod parts;
#[cfg(test)]
mod refusal_tests;
mod slots;
mod sound;
mod table;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use datagram::Datagram;
pub use limits::DefragLimits;
pub use overlap::OverlapPolicy;
pub use table::{Accepted, Defrag, DefragCounters, Discarded, Sink};
