//! `weir`: the node service and its command line.
fn main() {}
