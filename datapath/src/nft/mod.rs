//! nf_tables over raw netlink: batches (one transaction each), rules, queries.
//!
//! Only what weir's table needs, in the words of `include/uapi/linux/netfilter/nf_tables.h`. Numbers on
//! the wire are big-endian; register contents are as the kernel keeps them (headers in network order, marks,
//! interface indexes and types in host order).

mod batch;
mod query;
mod rule;
pub(crate) mod uapi;

pub(crate) use batch::{BaseChain, Batch, Element, MUST_BE_NEW, NewSet};
pub(crate) use query::{ChainInfo, ElementInfo, Nft, NftError, RuleInfo};
pub(crate) use rule::{Cmp, Header, Meta, Rule, Verdict};

/// User data that libnftables reads as the object's comment: one TLV of type 0 with a NUL-terminated text.
pub(crate) fn comment_userdata(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len() + 1).unwrap_or(u8::MAX);
    let kept = usize::from(length) - 1;
    let mut bytes = vec![0, length];
    bytes.extend(text.bytes().take(kept));
    bytes.push(0);
    bytes
}
