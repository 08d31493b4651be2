//! The datapath on a real kernel: what befalls real packets. Needs root; every packet stays in network
//! namespaces that the test itself makes.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod antispoof;
mod attach;
mod frames;
mod harness;
mod node;
mod peer;
mod reconcile;
mod traffic;
