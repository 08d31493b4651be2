//! Detection as a whole: rule text in, hits and effects out.

mod actions;
mod addresses;
mod adjust;
mod data;
mod files;
mod header;
mod lab;
mod oracle;
mod refusals;
mod semantics;
mod state;
mod streams;
mod tags;
mod transactions;
