//! Which pods this node inspects, and how.
//!
//! The records that `weir-cni` writes are the source of truth; [`snapshot`] is their immutable view
//! that workers share, [`policy`] what each end's policy comes to, [`watch`] says when to read the
//! records again, and [`reconcile`] sweeps what a lost DEL left behind.

pub mod policy;
pub mod reconcile;
pub mod snapshot;
pub mod watch;
