//! The datapath on a real kernel: what befalls real packets. Needs root; every packet stays in network
//! namespaces that the test itself makes.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod harness;
mod node;
mod traffic;
