//! What the plugin and the enforcer must agree on.
//!
//! - [`mark`]: the packet marks that tie nft rules, the redirect program and the enforcer together;
//! - [`layout`]: names of the table, its sets and chains, and of the capture devices;
//! - [`policy`]: mode and fail mode;
//! - [`attachment`]: the attachment record, the contract between `weir-cni` and `weir`.

pub mod attachment;
pub mod layout;
pub mod mark;
pub mod policy;
