//! `weir-cni` as a runtime sees it: the real binary, fed by environment and stdin, inside a node's network
//! namespace. Needs root, and fails without it. No enforcer runs: pods fail open.

mod chains;
mod first_packet;
mod kernel_state;
mod leftovers;
mod protocol;
mod refusals;
mod runtimes;
mod support;
