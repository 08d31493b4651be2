//! Notices when somebody else takes away what weir has in nf_tables: `nft flush ruleset`, a firewall that loads
//! its rules anew.
//!
//! The kernel tells of each change and, behind those of one transaction, who made it. What threads named as the
//! watching one and `weir-cni` do is not reported: names, as the numbers told are not those of a container that has
//! process numbers of its own. A process that calls itself so only delays the repair to the next periodic one.

use std::io;

use super::KernelError;
use crate::layout::{PLUGIN, TABLE};
use crate::netlink::{Attributes, Listener};
use crate::nft::uapi::{self, message};

/// `NFNLGRP_NFTABLES`.
const GROUP: u32 = 7;

/// Name of the thread that reads it.
const OWN_NAME: &str = "/proc/thread-self/comm";

/// Watches table `netdev weir` of the network namespace it was opened in.
#[derive(Debug)]
pub struct RuleWatch {
    listener: Listener,
    transaction: Transaction,
}

impl RuleWatch {
    /// Starts watching, in the calling thread's network namespace and for changes by others than threads of the
    /// calling one's name.
    ///
    /// # Errors
    /// [`KernelError::Socket`]; [`KernelError::ThreadName`].
    pub fn open() -> Result<Self, KernelError> {
        let own = std::fs::read_to_string(OWN_NAME).map_err(KernelError::ThreadName)?;
        Ok(Self {
            listener: Listener::open(libc::NETLINK_NETFILTER, GROUP)
                .map_err(KernelError::Socket)?,
            transaction: Transaction {
                own: own.trim_end_matches('\n').to_owned(),
                removes: false,
            },
        })
    }

    /// Reads what was told since: whether others removed something of the table, or may have. Never waits.
    ///
    /// # Errors
    /// When the socket is broken.
    pub fn removed(&mut self) -> io::Result<bool> {
        let mut removed = false;
        let transaction = &mut self.transaction;
        let whole = self
            .listener
            .drain(|kind, payload| removed |= transaction.note(kind, payload))?;
        Ok(removed || !whole)
    }

    /// Waits until others have removed something of the table, or may have; any thread may wait.
    ///
    /// # Errors
    /// When the socket is broken.
    pub fn wait_removed(&mut self) -> io::Result<()> {
        while !self.removed()? {
            self.listener.wait()?;
        }
        Ok(())
    }
}

/// What was told of the transaction whose end has not come yet.
#[derive(Debug)]
struct Transaction {
    /// Name of the threads whose changes are of no interest.
    own: String,
    removes: bool,
}

impl Transaction {
    /// Takes one message; true at the end of a transaction by others that removed something of the table.
    fn note(&mut self, kind: u16, payload: &[u8]) -> bool {
        if kind >> 8 != uapi::SUBSYSTEM {
            return false;
        }
        let attributes = Attributes::after(payload, uapi::FIXED);
        match kind & 0xff {
            message::DELETE_TABLE
            | message::DELETE_CHAIN
            | message::DELETE_RULE
            | message::DELETE_SET => {
                let netdev = payload.first() == Some(&uapi::FAMILY_NETDEV);
                // The table's name is the first attribute of all of them.
                self.removes |= netdev && attributes.text(uapi::table::NAME) == Some(TABLE);
                false
            }
            message::NEW_GENERATION => {
                let by = attributes.text(uapi::generation::PROCESS_NAME);
                std::mem::take(&mut self.removes) && by != Some(PLUGIN) && by != Some(&self.own)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::Writer;

    const OWN: &str = "weir";

    fn removal(family: u8, table: &str) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.raw(&[family, 0, 0, 0]);
        writer.string(uapi::table::NAME, table);
        writer.bytes().to_vec()
    }

    fn end(name: &str) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.raw(&[0; 4]);
        writer.string(uapi::generation::PROCESS_NAME, name);
        writer.bytes().to_vec()
    }

    #[test]
    fn only_what_others_remove_of_the_table_counts() {
        let nft = uapi::SUBSYSTEM << 8;
        let netdev = uapi::FAMILY_NETDEV;
        for (kind, family, table, name, counts) in [
            (message::DELETE_TABLE, netdev, TABLE, "nft", true),
            (message::DELETE_CHAIN, netdev, TABLE, "nft", true),
            (message::DELETE_RULE, netdev, TABLE, "nft", true),
            (message::DELETE_SET, netdev, TABLE, "nft", true),
            (message::NEW_RULE, netdev, TABLE, "nft", false),
            (message::DELETE_ELEMENT, netdev, TABLE, "nft", false),
            (message::DELETE_TABLE, 1, TABLE, "nft", false),
            (message::DELETE_TABLE, netdev, "weird", "nft", false),
            (message::DELETE_CHAIN, netdev, TABLE, OWN, false),
            (message::DELETE_CHAIN, netdev, TABLE, PLUGIN, false),
        ] {
            let mut transaction = Transaction {
                own: OWN.to_owned(),
                removes: false,
            };
            assert!(!transaction.note(nft | kind, &removal(family, table)));
            let told = transaction.note(nft | message::NEW_GENERATION, &end(name));
            assert_eq!(told, counts, "{kind} {family} {table} {name}");
            let again = transaction.note(nft | message::NEW_GENERATION, &end("nft"));
            assert!(!again, "a transaction without removals");
        }
    }

    #[test]
    fn other_subsystems_and_cut_messages_are_nothing() {
        let mut transaction = Transaction {
            own: OWN.to_owned(),
            removes: false,
        };
        assert!(!transaction.note(message::DELETE_TABLE, &removal(uapi::FAMILY_NETDEV, TABLE)));
        for length in 0..removal(uapi::FAMILY_NETDEV, TABLE).len() - 4 {
            let cut = &removal(uapi::FAMILY_NETDEV, TABLE)[..length];
            assert!(!transaction.note(uapi::SUBSYSTEM << 8 | message::DELETE_TABLE, cut));
        }
        assert!(!transaction.note(uapi::SUBSYSTEM << 8 | message::NEW_GENERATION, &[]));
    }
}
