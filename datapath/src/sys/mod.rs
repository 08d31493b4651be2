//! System calls that no crate here wraps: `bpf(2)`.

pub(crate) mod bpf;
