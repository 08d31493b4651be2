//! Brings the kernel in line with the records: after `nft flush ruleset`, a lost DEL, a crash in between.
//!
//! Plugins may run meanwhile. A record is written before its chains and removed after them, both under the
//! network's lock; so an attachment is wired here under that lock and only if its record is still there, and
//! chains are removed only if, after they were seen, there is no record of theirs.

use std::collections::HashMap;

use super::{AntiSpoof, Kernel, KernelError};
use crate::attachment::Attachment;
use crate::layout::{FROM_POD_PREFIX, TO_POD_PREFIX};
use crate::nft::ChainInfo;
use crate::record::{RecordError, RecordStore};
use crate::tag::KeyTag;

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
    /// Ensures the node's part, wires the attachments that have a record and no chains, and removes chains and
    /// addresses that have no record. Cheap enough for every few seconds: lists chains, not rules, and asks about
    /// single attachments only where they seem not to be in order.
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
        self.ensure_node()?;
        let wired = self.tags_by_chain()?;
        let devices = self.links.indexes()?;
        let mut result = Reconciled {
            unreadable,
            ..Reconciled::default()
        };
        for record in records {
            let present = devices.get(&record.host_ifname) == Some(&record.host_ifindex);
            if present && both_chains_bear(&record, &wired) {
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
        let anti_spoof = if record.anti_spoof {
            AntiSpoof::On
        } else {
            AntiSpoof::Off
        };
        match self.attach(&record, anti_spoof) {
            Ok(()) => result.rewired.push(record),
            Err(error) => result.failed.push((record, error.to_string())),
        }
        Ok(())
    }

    /// Comment of each chain that has rules, by name.
    fn tags_by_chain(&mut self) -> Result<HashMap<String, String>, KernelError> {
        Ok(self.nft.chains()?.into_iter().filter_map(tagged).collect())
    }

    fn is_wired(&mut self, record: &Attachment) -> Result<bool, KernelError> {
        let chains = self.chains_of(&record.host_ifname)?;
        let tags: HashMap<String, String> = chains.into_iter().filter_map(tagged).collect();
        Ok(both_chains_bear(record, &tags))
    }
}

/// Name and comment of a base chain that has rules: one without was emptied by somebody else.
fn tagged(chain: ChainInfo) -> Option<(String, String)> {
    (chain.uses > 0).then_some((chain.name, chain.comment?))
}

/// Both chains are there and bear this attachment's tag.
fn both_chains_bear(record: &Attachment, tags: &HashMap<String, String>) -> bool {
    let tag = KeyTag::of(&record.key);
    [FROM_POD_PREFIX, TO_POD_PREFIX].iter().all(|prefix| {
        let chain = format!("{prefix}{}", record.host_ifname);
        tags.get(&chain).is_some_and(|found| found == tag.as_str())
    })
}
