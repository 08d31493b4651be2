//! End to end: real namespaces, real main plugins, real `weir-cni`, real `weir enforce`, real sockets.
//!
//! One binary, so that it links once. Needs root; without it every test fails and says so.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed assumption in a test is a failed test"
)]
#![allow(unreachable_pub, reason = "nothing outside this binary uses it")]
#![allow(missing_docs, reason = "tests are named for the behaviour they prove")]

mod bad_input;
mod bulk;
mod evasion;
mod fail_modes;
mod harness;
mod install;
mod lab;
mod lifecycle;
mod path;
mod paths;
mod policies;
mod reload;
mod runtimes;
mod spoof;
mod verbs;
mod watch;
