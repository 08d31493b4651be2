//! Frames out of the kernel and back into it: the only room with `unsafe`.
//!
//! ```text
//! weir-cap1 --fanout by steering--> CaptureSocket --recvmmsg--> FrameBatch of Held frames
//!                                                                  | settled, by value
//!                                    InjectSocket <--sendmmsg------+
//! ```
//!
//! - [`socket`]: AF_PACKET sockets and their options;
//! - [`steering`]: which worker takes a frame: a classic BPF program and its mirror in Rust;
//! - [`batch`]: the buffers that a worker's frames live in, and [`batch::Held`];
//! - [`vnet`]: the virtio-net header that carries GSO type and checksum offset with each frame;
//! - `sys`: system calls.
//!
//! Kernel sources for the behaviour relied upon: packet(7), `Documentation/networking/packet_mmap.rst`,
//! socket(7), the virtio 1.2 specification, 5.1.6 (device operation).
//!
//! Limits: a frame has at most [`batch::MAX_FRAME`] bytes; a batch at most 256 frames. Owner: the
//! worker's thread; nothing here is shared.

pub mod batch;
#[cfg(test)]
mod kernel_tests;
pub mod socket;
pub mod steering;
mod sys;
pub mod vnet;
