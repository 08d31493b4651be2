//! Notices when somebody else takes away what weir has in nf_tables: `nft flush ruleset`, a firewall that loads
//! its rules anew.
//!
//! The kernel tells of each change and, behind those of one transaction, who made it. What the watching thread
//! does itself and what `weir-cni` does (by the process's name) is not reported. A process that calls itself so
//! only delays the repair to the next periodic one.

use std::io;

use nix::unistd::gettid;

use super::KernelError;
use crate::layout::{PLUGIN, TABLE};
use crate::netlink::{Attributes, Listener};
use crate::nft::uapi::{self, message};

/// `NFNLGRP_NFTABLES`.
const GROUP: u32 = 7;

/// Watches table `netdev weir` of the network namespace it was opened in.
#[derive(Debug)]
pub struct RuleWatch {
    listener: Listener,
    transaction: Transaction,
}

impl RuleWatch {
    /// Starts watching, in the calling thread's network namespace and for changes by others than the calling
    /// thread.
    ///
    /// # Errors
    /// [`KernelError::Socket`].
    pub fn open() -> Result<Self, KernelError> {
        Ok(Self {
            listener: Listener::open(libc::NETLINK_NETFILTER, GROUP)
                .map_err(KernelError::Socket)?,
            transaction: Transaction {
                own: gettid().as_raw().cast_unsigned(),
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
    /// Thread whose changes are of no interest.
    own: u32,
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
                let by = attributes.be32(uapi::generation::PROCESS);
                let name = attributes.text(uapi::generation::PROCESS_NAME);
                std::mem::take(&mut self.removes) && by != Some(self.own) && name != Some(PLUGIN)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::Writer;

    const OWN: u32 = 77;

    fn removal(family: u8, table: &str) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.raw(&[family, 0, 0, 0]);
        writer.string(uapi::table::NAME, table);
        writer.bytes().to_vec()
    }

    fn end(process: u32, name: &str) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.raw(&[0; 4]);
        writer.be32(uapi::generation::PROCESS, process);
        writer.string(uapi::generation::PROCESS_NAME, name);
        writer.bytes().to_vec()
    }

    #[test]
    fn only_what_others_remove_of_the_table_counts() {
        let nft = uapi::SUBSYSTEM << 8;
        let netdev = uapi::FAMILY_NETDEV;
        for (kind, family, table, process, name, counts) in [
            (message::DELETE_TABLE, netdev, TABLE, 5, "nft", true),
            (message::DELETE_CHAIN, netdev, TABLE, 5, "nft", true),
            (message::DELETE_RULE, netdev, TABLE, 5, "nft", true),
            (message::DELETE_SET, netdev, TABLE, 5, "nft", true),
            (message::NEW_RULE, netdev, TABLE, 5, "nft", false),
            (message::DELETE_ELEMENT, netdev, TABLE, 5, "nft", false),
            (message::DELETE_TABLE, 1, TABLE, 5, "nft", false),
            (message::DELETE_TABLE, netdev, "weird", 5, "nft", false),
            (message::DELETE_CHAIN, netdev, TABLE, OWN, "weir", false),
            (message::DELETE_CHAIN, netdev, TABLE, 5, PLUGIN, false),
        ] {
            let mut transaction = Transaction {
                own: OWN,
                removes: false,
            };
            assert!(!transaction.note(nft | kind, &removal(family, table)));
            let told = transaction.note(nft | message::NEW_GENERATION, &end(process, name));
            assert_eq!(told, counts, "{kind} {family} {table} {process} {name}");
            let again = transaction.note(nft | message::NEW_GENERATION, &end(5, "nft"));
            assert!(!again, "a transaction without removals");
        }
    }

    #[test]
    fn other_subsystems_and_cut_messages_are_nothing() {
        let mut transaction = Transaction {
            own: OWN,
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
