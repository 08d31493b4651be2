//! What the plugin and the enforcer must agree on, and the code that puts it into the kernel.
//!
//! - [`mark`]: the packet marks that tie nft rules, the redirect program and the enforcer together;
//! - [`layout`]: names of the table, its sets and chains, of the capture devices and the run directory;
//! - [`policy`]: mode and fail mode;
//! - [`attachment`]: the attachment record, the contract between `weir-cni` and `weir`;
//! - [`tag`]: the short text that stands for an attachment's key in file names and nft comments;
//! - [`record`]: the attachment records on disk;
//! - [`kernel`]: nft table, capture devices, lease;
//! - [`netns`]: finding a pod interface's peer from inside its network namespace;
//! - [`support`]: what this kernel and host lack;
//! - [`priority`]: of the threads that renew the lease and that carry packets.
//!
//! Everything here is synchronous and acts in the network namespace of the calling thread.

pub mod attachment;
pub mod kernel;
pub mod layout;
mod link;
pub mod mark;
mod netlink;
pub mod netns;
mod nft;
pub mod policy;
pub mod record;
pub mod support;
mod sys;
pub mod tag;

pub use sys::priority;
