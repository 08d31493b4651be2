//! DEL: removes one attachment; nothing to remove is success.
//!
//! weir-cni is the last of the chain and so the first at DEL: an error here keeps the main plugin from
//! freeing the pod's address and the pod from terminating. So DEL needs nothing but the attachment's key: no
//! network namespace, no `prevResult`, no enforcer, no record (the rules in the kernel bear the key), no
//! valid options. The one failure left is a kernel that holds the rules and will not give them up; retrying
//! is right then, as the rules could drop or let through the next pod's frames.
//!
//! The rules go while the interface is still there, as the main plugin removes it after weir-cni. A dead pod's
//! sockets go on sending what was dropped of theirs, so the interface is set down first.

use weir_datapath::attachment::AttachmentKey;
use weir_datapath::kernel::KernelError;
use weir_datapath::record::RecordStore;
use weir_datapath::support::Missing;

use super::{Call, lock_if_possible};
use crate::error::Error;
use crate::host::Host;

/// Runs DEL.
///
/// # Errors
/// The environment is not valid, or the kernel refused.
pub fn del(call: &Call<'_>) -> Result<(), Error> {
    let key = call.key(call.environment.container()?);
    let store = RecordStore::new(&call.config.run_dir_or_default());
    let _lock = lock_if_possible(&store, &key.network);
    remove(call.host, &store, &key)
}

/// Removes rules and record of an attachment. A record that cannot be removed is logged only: the rules are
/// gone, and the enforcer does not follow a record without them.
pub(super) fn remove(
    host: &dyn Host,
    store: &RecordStore,
    key: &AttachmentKey,
) -> Result<(), Error> {
    let record = store.read(key).unwrap_or_else(|error| {
        log::warn!("going on without the record: {error}");
        None
    });
    if let Some(record) = &record
        && let Err(error) = host.silence(record)
    {
        log::warn!("the pod's interface stays up while its rules go: {error}");
    }
    let detached = match &record {
        Some(record) => host.detach(record),
        None => host.detach_key(key),
    };
    tolerate_absence(host, detached)?;
    if let Err(error) = store.remove(key) {
        log::warn!("the record stays: {error}");
    }
    Ok(())
}

/// A kernel without nf_tables holds no rules.
pub(super) fn tolerate_absence<T: Default>(
    host: &dyn Host,
    answer: Result<T, KernelError>,
) -> Result<T, Error> {
    answer.or_else(|error| {
        let missing = host.missing();
        let cannot_hold_rules = missing
            .iter()
            .any(|part| matches!(part, Missing::NfTables | Missing::NetdevFamily));
        if cannot_hold_rules {
            log::warn!("nothing to remove from a kernel without nf_tables: {error}");
            return Ok(T::default());
        }
        Err(Error::from_kernel(error, missing))
    })
}
