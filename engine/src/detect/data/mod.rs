//! Sets of data that rules look buffers up in: `dataset`, `datarep`.
//!
//! A set is shared by all workers and outlives rule sets that use it. Looking up takes no lock; a value that
//! is new to the set, or leaves it, takes the set's own for a moment. All memory is there from the start.
//! Files are the caller's business ([`DataSource`]): this stage is handed sets.

mod kind;
mod set;
mod spec;

pub use kind::{DataKind, ValueError};
pub(super) use set::Added;
pub use set::{DataRoom, DataSet, Loaded, Note};
pub(super) use spec::SpecReader;
pub use spec::{DataFormat, DataSpec, JsonKeys};

use std::sync::Arc;

/// Gives the sets that rules name.
pub trait DataSource {
    /// The set that a rule of `rule_file` describes; the same set for the same name.
    ///
    /// # Errors
    ///
    /// Why it cannot be had: its description contradicts an earlier one, its file cannot be read ...
    fn open(&self, spec: &DataSpec, rule_file: &str) -> Result<Arc<DataSet>, String>;
}
