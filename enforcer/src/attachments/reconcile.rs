//! Sweeps what lost DELs left behind.
//!
//! A base chain outlives its device on newer kernels and grips the next device of that name; a record
//! outlives it on all. What belongs to a device that is gone is removed once it has been seen so for
//! [`GRACE`]: a DEL is usually on its way, and does it in order.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use nix::net::if_::if_nametoindex;
use weir_datapath::attachment::{Attachment, AttachmentKey};
use weir_datapath::kernel::{Kernel, KernelError};
use weir_datapath::record::{RecordError, RecordStore};

/// How long a device must have been gone.
pub const GRACE: Duration = Duration::from_secs(10);

/// Remembers since when devices are gone.
#[derive(Debug, Default)]
pub struct Reconciler {
    gone: HashMap<AttachmentKey, Instant>,
    swept: u64,
}

/// Why a sweep is not complete.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The kernel refused.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// A record could not be read or removed.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl Reconciler {
    /// Attachments swept so far.
    #[must_use]
    pub fn swept(&self) -> u64 {
        self.swept
    }

    /// Sweeps what is due and returns how many attachments that were. One that cannot be swept does not
    /// keep the others.
    pub fn sweep(
        &mut self,
        store: &RecordStore,
        kernel: &mut Kernel,
        now: Instant,
    ) -> (usize, Vec<SweepError>) {
        let (records, _) = store.load_all();
        let mut errors = Vec::new();
        let mut dead: Vec<AttachmentKey> = Vec::new();
        dead.extend(
            records
                .iter()
                .filter(|r| !device_is_there(r))
                .map(|r| r.key.clone()),
        );
        match kernel.wired() {
            Ok(wired) => {
                let orphans = wired.iter().filter(|interface| interface.ifindex.is_none());
                dead.extend(orphans.filter_map(|interface| interface.owner.as_ref()?.key()));
            }
            Err(error) => errors.push(error.into()),
        }
        self.gone.retain(|key, _| dead.contains(key));
        let mut swept = 0;
        for key in dead {
            let since = *self.gone.entry(key.clone()).or_insert(now);
            if now.duration_since(since) < GRACE {
                continue;
            }
            match remove(store, kernel, &key) {
                Ok(()) => {
                    self.gone.remove(&key);
                    swept += 1;
                }
                Err(error) => errors.push(error),
            }
        }
        self.swept += swept as u64;
        (swept, errors)
    }
}

/// Whether the record's device exists: its name and its index are those of one device.
fn device_is_there(record: &Attachment) -> bool {
    if_nametoindex(record.host_ifname.as_str()).is_ok_and(|index| index == record.host_ifindex)
}

/// Removes chains and record under the network's lock, unless an ADD has brought the attachment back
/// meanwhile.
fn remove(store: &RecordStore, kernel: &mut Kernel, key: &AttachmentKey) -> Result<(), SweepError> {
    let _lock = store.lock(&key.network)?;
    match store.read(key)? {
        Some(record) if device_is_there(&record) => return Ok(()),
        Some(record) => kernel.detach(&record)?,
        None => kernel.detach_key(key)?,
    };
    store.remove(key)?;
    log::info!(
        "swept attachment {} {} of network {}: its interface is gone and no DEL came",
        key.container_id,
        key.ifname,
        key.network
    );
    Ok(())
}
