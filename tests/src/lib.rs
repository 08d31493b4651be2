//! A node in a namespace: the harness of the end-to-end tests.
//!
//! A [`node::Node`] is a network namespace of its own, with sockets, routes, nft rules and bridges that
//! no other namespace sees. Pods are made in it by the real main plugins (`bridge`, `ptp`, `host-local`)
//! and the real `weir-cni`, driven by [`cni::Network`] the way libcni drives a chain. The enforcer is the
//! real `weir enforce`, started inside the node's namespace.
//!
//! Invariants:
//! - every packet stays in namespaces made here: the machine's interfaces, routes and rules are never touched;
//! - everything made is undone on `Drop`, also when a test panics; what a killed run left behind is swept by the
//!   next one ([`sweep`]), and only when the process that made it is gone;
//! - without root every constructor fails with a message that says so; no test is skipped.

pub mod cni;
pub mod command;
pub mod craft;
pub mod enforcer;
pub mod eve;
pub mod netns;
pub mod node;
pub mod pod;
pub mod poll;
pub mod raw_tcp;
pub mod rng;
pub mod ruleset;
pub mod scratch;
pub mod status;
pub mod sweep;
pub mod traffic;
