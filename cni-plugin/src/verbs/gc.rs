//! GC: removes this network's attachments that the runtime no longer knows.
//!
//! `cni.dev/valid-attachments` names what must stay. Without the key nothing is removed: some callers send
//! GC without saying what is valid, and everything would be gone. Scope is the network of this
//! configuration, by name; what is valid is never touched. Goes on after a failure and reports all.

use std::collections::BTreeSet;

use weir_datapath::attachment::AttachmentKey;
use weir_datapath::record::RecordStore;

use super::del::{remove, tolerate_absence};
use super::{Call, lock_if_possible};
use crate::error::Error;
use crate::version::CniVersion;

/// Runs GC.
///
/// # Errors
/// The configuration is not valid, or something could not be removed.
pub fn gc(call: &Call<'_>) -> Result<(), Error> {
    call.require(CniVersion::FIRST_WITH_GC_AND_STATUS, "GC")?;
    let Some(valid) = call.config.valid_attachments()? else {
        log::info!("GC without cni.dev/valid-attachments: nothing is removed");
        return Ok(());
    };
    let network = call.config.name();
    let valid: BTreeSet<AttachmentKey> = valid
        .into_iter()
        .map(|attachment| AttachmentKey {
            network: network.to_owned(),
            container_id: attachment.container_id,
            ifname: attachment.ifname,
        })
        .collect();
    let store = RecordStore::new(&call.config.run_dir_or_default());
    let _lock = lock_if_possible(&store, network);
    let stale = stale(call, &store, &valid)?;
    let failures: Vec<_> = stale
        .iter()
        .filter_map(|key| {
            let error = remove(call.host, &store, key).err()?;
            Some(format!(
                "container {} {}: {error}",
                key.container_id, key.ifname
            ))
        })
        .collect();
    if let Err(error) = store.sweep_temporaries() {
        log::warn!("{error}");
    }
    if failures.is_empty() {
        return Ok(());
    }
    Err(Error::Gc {
        network: network.to_owned(),
        failures,
    })
}

/// Attachments of this network, in the records or in the kernel, that are not valid.
fn stale(
    call: &Call<'_>,
    store: &RecordStore,
    valid: &BTreeSet<AttachmentKey>,
) -> Result<BTreeSet<AttachmentKey>, Error> {
    let network = call.config.name();
    let (records, errors) = store.stale(network, |key| valid.contains(key));
    for error in errors {
        log::warn!("not collected: {error}");
    }
    let mut stale: BTreeSet<_> = records.into_iter().map(|record| record.key).collect();
    let wired = tolerate_absence(call.host, call.host.wired())?;
    let owners = wired.into_iter().filter_map(|wired| wired.owner?.key());
    stale.extend(owners.filter(|key| key.network == network && !valid.contains(key)));
    Ok(stale)
}
