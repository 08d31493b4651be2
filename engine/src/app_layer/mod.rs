//! Application protocols: what the bytes of a stream, or a datagram, mean to the server.
//!
//! ```text
//! stream bytes / datagram -> recognise -> parser -> transactions -> detect (buffers, events)
//!                                                              \-> record
//! ```
//!
//! - [`Protocol`]: one application protocol: how to recognise it, the buffers and events that rules may
//!   name, and how to open a [`Parser`];
//! - [`Parser`]: the protocol's state in one flow; takes bytes however the network cut them and yields
//!   [`Transaction`]s;
//! - [`AppFlow`]: what a flow knows of its protocol: being recognised, known, or not to be had;
//! - [`File`]: a file that a transaction carries, whatever the protocol;
//! - [`Expectations`]: connections that others have agreed on, recognised by their ends;
//! - [`PROTOCOLS`]: the registry. A further protocol is a folder here and a line there;
//! - [`Fields`]: how a transaction tells its record, without knowing how records are written.
//!
//! A protocol is recognised by content, in either direction and on any port, never by its port alone; or by
//! what another connection has agreed on, where content says nothing.
//!
//! Invariants: a parser never panics and never waits for bytes that it has seen; what it keeps is bounded
//! by [`Limits`] and a limit that is hit is an event of the transaction; any cut of the same bytes gives
//! the same transactions; parsers are pooled, so that a flow of a known protocol allocates nothing once
//! the pool is warm.

mod digest;
mod dns;
mod events;
mod expectation;
mod feed;
mod file;
mod flow;
mod ftp;
mod ftp_data;
mod greeting;
mod http;
mod http2;
mod limits;
mod lines;
mod parameters;
mod protocol;
mod recognise;
mod record;
mod registry;
mod session;
mod smtp;
mod ssh;
mod tls;
mod transactions;

#[cfg(test)]
mod testing;

pub use expectation::{Agreed, Agreement, Expectations, Purpose};
pub use feed::{Feed, ParserPool, Peers, Window};
pub use file::{
    Algorithm, DigestList, DigestListError, Digests, File, FileMemory, FileNeeds, FileService,
    FileState, MAX_FILE_NAME, MAX_FILES,
};
pub(in crate::app_layer) use file::{FilePart, Files};
pub use flow::{AppFlow, AppView};
pub use limits::Limits;
pub use protocol::{
    AppEvent, BufferBytes, BufferShape, BufferSpec, HandOver, Input, NumberSpec, Parser, Probe,
    Progress, Protocol, Start, StateSpec, Status, Surroundings, Transaction, Transports,
};
pub use recognise::{FlowEvent, Recognition};
pub use record::Fields;
pub use registry::{
    BufferId, PROTOCOLS, ProtocolId, buffers, event, is_answer, numbers, protocol_named,
    protocols_named, record_name, state,
};
pub use transactions::Transactions;
