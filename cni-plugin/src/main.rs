//! `weir-cni`: the chained CNI plugin.
fn main() {}
