//! A batch: changes to one table of family netdev that the kernel applies all or none.

use super::uapi::{self, message};
use super::{Rule, comment_userdata};
use crate::netlink::{ACK, APPEND, CREATE, EXCLUSIVE, REQUEST, Writer};

/// A base chain on one device.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BaseChain<'a> {
    /// Chain name.
    pub(crate) name: &'a str,
    /// Device name; on newer kernels the device need not exist.
    pub(crate) device: &'a str,
    /// `NF_NETDEV_INGRESS` (0) or `NF_NETDEV_EGRESS` (1).
    pub(crate) hook: u32,
    /// Position among the chains of this hook.
    pub(crate) priority: i32,
    /// Comment.
    pub(crate) comment: &'a str,
}

/// A set without data.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewSet<'a> {
    /// Set name.
    pub(crate) name: &'a str,
    /// libnftables' number of the key's type, for listings.
    pub(crate) key_type: u32,
    /// Key length in bytes.
    pub(crate) key_length: u32,
    /// Keys are in host order.
    pub(crate) host_order: bool,
    /// Elements may have a timeout.
    pub(crate) timeout: bool,
}

/// An element of a set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    /// Key.
    pub(crate) key: &'a [u8],
    /// Comment; empty: none.
    pub(crate) comment: &'a str,
    /// Milliseconds to live.
    pub(crate) timeout_ms: Option<u64>,
}

/// Changes to collect and commit together. Sequence numbers are those of the messages, from 1: an error names
/// the message it is about.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    table: &'a str,
    writer: Writer,
    actions: Vec<String>,
    last_start: usize,
}

impl<'a> Batch<'a> {
    /// An empty batch for this table; it fails if `generation` is given and the rule set has changed since.
    pub(crate) fn new(table: &'a str, generation: Option<u32>) -> Self {
        let mut batch = Self {
            table,
            writer: Writer::default(),
            actions: Vec::new(),
            last_start: 0,
        };
        batch.frame(uapi::BATCH_BEGIN, |writer| {
            if let Some(generation) = generation {
                writer.be32(uapi::BATCH_GENERATION, generation);
            }
        });
        batch
    }

    /// Nothing was added.
    pub(crate) fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }

    /// Creates the table or keeps the existing one (whose comment stays).
    pub(crate) fn table(&mut self, comment: &str) {
        let table = self.table;
        self.add("create the table", message::NEW_TABLE, CREATE, |writer| {
            writer.string(uapi::table::NAME, table);
            writer.attribute(uapi::table::USERDATA, &comment_userdata(comment));
        });
    }

    /// Deletes the table with everything in it.
    pub(crate) fn delete_table(&mut self) {
        let table = self.table;
        self.add("delete the table", message::DELETE_TABLE, 0, |writer| {
            writer.string(uapi::table::NAME, table);
        });
    }

    /// Creates a regular chain or keeps the existing one.
    pub(crate) fn chain(&mut self, name: &str) {
        let table = self.table;
        self.add(
            &format!("create chain `{name}`"),
            message::NEW_CHAIN,
            CREATE,
            |writer| {
                writer.string(uapi::chain::TABLE, table);
                writer.string(uapi::chain::NAME, name);
            },
        );
    }

    /// Creates a base chain with policy accept; with `flags` of [`MUST_BE_NEW`] it must not exist.
    pub(crate) fn base_chain(&mut self, chain: &BaseChain<'_>, flags: u16) {
        let table = self.table;
        let action = format!("hook chain `{}` on device `{}`", chain.name, chain.device);
        self.add(&action, message::NEW_CHAIN, CREATE | flags, |writer| {
            writer.string(uapi::chain::TABLE, table);
            writer.string(uapi::chain::NAME, chain.name);
            writer.nested(uapi::chain::HOOK, |hook| {
                hook.be32(uapi::chain::HOOK_NUMBER, chain.hook);
                hook.be32(uapi::chain::HOOK_PRIORITY, chain.priority.cast_unsigned());
                hook.string(uapi::chain::HOOK_DEVICE, chain.device);
            });
            writer.be32(uapi::chain::POLICY, 1);
            writer.string(uapi::chain::TYPE, "filter");
            writer.attribute(uapi::chain::USERDATA, &comment_userdata(chain.comment));
        });
    }

    /// Deletes the chain of this handle with its rules. Handles are never reused, so this cannot hit a chain
    /// that took the name since.
    pub(crate) fn delete_chain(&mut self, handle: u64) {
        let table = self.table;
        self.add("delete a chain", message::DELETE_CHAIN, 0, |writer| {
            writer.string(uapi::chain::TABLE, table);
            writer.be64(uapi::chain::HANDLE, handle);
        });
    }

    /// Appends a rule.
    pub(crate) fn rule(&mut self, chain: &str, rule: &Rule) {
        let table = self.table;
        self.add(
            &format!("add a rule to chain `{chain}`"),
            message::NEW_RULE,
            CREATE | APPEND,
            |writer| {
                writer.string(uapi::rule::TABLE, table);
                writer.string(uapi::rule::CHAIN, chain);
                rule.write(writer);
            },
        );
    }

    /// Removes all rules of a chain.
    pub(crate) fn flush_chain(&mut self, chain: &str) {
        let table = self.table;
        self.add(
            &format!("flush chain `{chain}`"),
            message::DELETE_RULE,
            0,
            |writer| {
                writer.string(uapi::rule::TABLE, table);
                writer.string(uapi::rule::CHAIN, chain);
            },
        );
    }

    /// Creates a set or keeps the existing one.
    pub(crate) fn set(&mut self, set: &NewSet<'_>) {
        let table = self.table;
        let id = u32::try_from(self.actions.len()).unwrap_or(u32::MAX);
        self.add(
            &format!("create set `{}`", set.name),
            message::NEW_SET,
            CREATE,
            |writer| {
                writer.string(uapi::set::TABLE, table);
                writer.string(uapi::set::NAME, set.name);
                let flags = if set.timeout {
                    uapi::set::FLAG_TIMEOUT
                } else {
                    0
                };
                writer.be32(uapi::set::FLAGS, flags);
                writer.be32(uapi::set::KEY_TYPE, set.key_type);
                writer.be32(uapi::set::KEY_LENGTH, set.key_length);
                writer.be32(uapi::set::ID, id);
                // libnftables' key byte order: 1 host, 2 network.
                let order: u32 = if set.host_order { 1 } else { 2 };
                let [a, b, c, d] = order.to_ne_bytes();
                writer.attribute(uapi::set::USERDATA, &[0, 4, a, b, c, d]);
            },
        );
    }

    /// Adds elements; existing ones stay as they are.
    pub(crate) fn add_elements(&mut self, set: &str, elements: &[Element<'_>]) {
        self.elements(
            &format!("add to set `{set}`"),
            (message::NEW_ELEMENT, CREATE),
            set,
            elements,
        );
    }

    /// Deletes elements, which must exist.
    pub(crate) fn delete_elements(&mut self, set: &str, elements: &[Element<'_>]) {
        self.elements(
            &format!("delete from set `{set}`"),
            (message::DELETE_ELEMENT, 0),
            set,
            elements,
        );
    }

    /// Empties a set.
    pub(crate) fn flush_set(&mut self, set: &str) {
        let table = self.table;
        self.add("flush a set", message::DELETE_ELEMENT, 0, |writer| {
            writer.string(uapi::element::LIST_TABLE, table);
            writer.string(uapi::element::LIST_SET, set);
        });
    }

    /// Creates a counter object or keeps the existing one with its count.
    pub(crate) fn counter(&mut self, name: &str) {
        let table = self.table;
        self.add(
            &format!("create counter `{name}`"),
            message::NEW_OBJECT,
            CREATE,
            |writer| {
                writer.string(uapi::object::TABLE, table);
                writer.string(uapi::object::NAME, name);
                writer.be32(uapi::object::TYPE, uapi::object::COUNTER);
                writer.nested(uapi::object::DATA, |data| {
                    data.be64(uapi::counter::BYTES, 0);
                    data.be64(uapi::counter::PACKETS, 0);
                });
            },
        );
    }

    /// The finished batch: bytes, sequence number whose acknowledgement means success.
    pub(super) fn finish(&mut self) -> (&[u8], u32) {
        self.writer.add_flags(self.last_start, ACK);
        self.frame(uapi::BATCH_END, |_| {});
        let last = u32::try_from(self.actions.len()).unwrap_or(u32::MAX);
        (self.writer.bytes(), last)
    }

    /// What the message of this sequence number asked for.
    pub(super) fn action(&self, sequence: u32) -> String {
        usize::try_from(sequence)
            .ok()
            .and_then(|sequence| self.actions.get(sequence.checked_sub(1)?))
            .cloned()
            .unwrap_or_else(|| "commit".to_owned())
    }

    fn elements(
        &mut self,
        action: &str,
        (kind, flags): (u16, u16),
        set: &str,
        elements: &[Element<'_>],
    ) {
        let table = self.table;
        self.add(action, kind, flags, |writer| {
            writer.string(uapi::element::LIST_TABLE, table);
            writer.string(uapi::element::LIST_SET, set);
            writer.nested(uapi::element::LIST_ELEMENTS, |list| {
                for element in elements {
                    list.nested(uapi::LIST_ITEM, |item| element.write(item));
                }
            });
        });
    }

    fn add(&mut self, action: &str, kind: u16, flags: u16, content: impl FnOnce(&mut Writer)) {
        self.actions.push(action.to_owned());
        let sequence = u32::try_from(self.actions.len()).unwrap_or(u32::MAX);
        self.last_start = self.writer.bytes().len();
        self.writer.message(
            (uapi::SUBSYSTEM << 8) | kind,
            flags | REQUEST,
            sequence,
            |writer| {
                writer.raw(&[uapi::FAMILY_NETDEV, 0, 0, 0]);
                content(writer);
            },
        );
    }

    fn frame(&mut self, kind: u16, content: impl FnOnce(&mut Writer)) {
        let [high, low] = uapi::SUBSYSTEM.to_be_bytes();
        self.writer.message(kind, REQUEST, 0, |writer| {
            writer.raw(&[0, 0, high, low]);
            content(writer);
        });
    }
}

impl Element<'_> {
    pub(super) fn write(&self, writer: &mut Writer) {
        writer.nested(uapi::element::KEY, |key| {
            key.attribute(uapi::DATA_VALUE, self.key);
        });
        if let Some(timeout) = self.timeout_ms {
            writer.be64(uapi::element::TIMEOUT, timeout);
            // What is left of it: without this, adding an element that exists leaves its clock running.
            writer.be64(uapi::element::EXPIRATION, timeout);
        }
        if !self.comment.is_empty() {
            writer.attribute(uapi::element::USERDATA, &comment_userdata(self.comment));
        }
    }
}

/// Flag for [`Batch::base_chain`]: the chain must not exist.
pub(crate) const MUST_BE_NEW: u16 = EXCLUSIVE;
