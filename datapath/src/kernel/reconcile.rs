//! Brings the kernel in line with the records: after `nft flush ruleset`, a lost DEL, a crash in between.
//!
//! Plugins may run meanwhile. A record is written before its chains and removed after them, both under the
//! network's lock; so an attachment is wired here under that lock and only if its record is still there, and
//! chains are removed only if, after they were seen, there is no record of theirs.

use std::collections::HashMap;

use super::attach::Wiring;
use super::{AntiSpoof, Kernel, KernelError};
use crate::attachment::Attachment;
use crate::nft::ChainInfo;
use crate::record::{RecordError, RecordStore};

/// What [`Kernel::reconcile`] found and did.
#[derive(Debug, Default)]
pub struct Reconciled {
    /// Attachments that had lost their chains and have them again.
    pub rewired: Vec<Attachment>,
    /// Attachments whose host interface is gone or another device by now: chains and addresses were removed, the
    /// record is left for DEL or GC.
    pub gone: Vec<Attachment>,
    /// Chains or addresses without a record were removed.
    pub swept: bool,
    /// Records that could not be read: their chains were left alone.
    pub unreadable: Vec<RecordError>,
    /// Attachments that could not be wired, and why.
    pub failed: Vec<(Attachment, String)>,
}

impl Kernel {
    /// Ensures the node's part, wires the attachments that have a record and whose chains are gone or lack rules, and
    /// removes chains and addresses that have no record. Cheap enough for every few seconds: lists chains, not the
    /// attachments' rules, and asks about single attachments only where they seem not to be in order. Rules that
    /// somebody added, or wrote in the place of weir's, are not looked for.
    ///
    /// `records` and `unreadable` are what was found in `store` just before.
    ///
    /// # Errors
    /// [`KernelError`] when the node's part cannot be ensured or listed; trouble with single attachments is in the
    /// result.
    pub fn reconcile(
        &mut self,
        store: &RecordStore,
        (records, unreadable): (Vec<Attachment>, Vec<RecordError>),
    ) -> Result<Reconciled, KernelError> {
        self.mend_node()?;
        let chains = self.nft.chains()?;
        let chains = chains.iter().map(|chain| (chain.name.as_str(), chain));
        let chains: HashMap<&str, &ChainInfo> = chains.collect();
        let devices = self.links.indexes()?;
        let mut result = Reconciled {
            unreadable,
            ..Reconciled::default()
        };
        for record in records {
            let present = devices.get(&record.host_ifname) == Some(&record.host_ifindex);
            let chain = |name: &str| chains.get(name).copied();
            if present && wiring_of(&record).is_ok_and(|wiring| wiring.is_whole(chain)) {
                continue;
            }
            self.reconcile_one(store, record, &mut result)?;
        }
        result.swept = self.sweep(|tag| store.has(tag))?;
        Ok(result)
    }

    fn reconcile_one(
        &mut self,
        store: &RecordStore,
        record: Attachment,
        result: &mut Reconciled,
    ) -> Result<(), KernelError> {
        let present = self
            .links
            .by_name(&record.host_ifname)?
            .is_some_and(|link| link.index == record.host_ifindex);
        if present && self.is_wired(&record)? {
            return Ok(());
        }
        let still_recorded = |record: &Attachment| {
            let lock = store.lock(&record.key.network)?;
            Ok::<_, RecordError>((lock, store.read(&record.key)?.as_ref() == Some(record)))
        };
        let _lock = match still_recorded(&record) {
            Ok((lock, true)) => lock,
            // Detached or attached anew meanwhile: whoever did that has wired it.
            Ok((_, false)) => return Ok(()),
            Err(error) => {
                result.failed.push((record, error.to_string()));
                return Ok(());
            }
        };
        if !present {
            self.detach(&record)?;
            result.gone.push(record);
            return Ok(());
        }
        match self.attach(&record, anti_spoof(&record)) {
            Ok(()) => result.rewired.push(record),
            Err(error) => result.failed.push((record, error.to_string())),
        }
        Ok(())
    }

    fn is_wired(&mut self, record: &Attachment) -> Result<bool, KernelError> {
        let wiring = wiring_of(record)?;
        let chains = self.chains_of(&record.host_ifname)?;
        Ok(wiring.is_whole(|name| chains.iter().find(|chain| chain.name == name)))
    }
}

fn anti_spoof(record: &Attachment) -> AntiSpoof {
    if record.anti_spoof {
        AntiSpoof::On
    } else {
        AntiSpoof::Off
    }
}

fn wiring_of(record: &Attachment) -> Result<Wiring, KernelError> {
    Wiring::new(record, anti_spoof(record))
}
