//! A wired pod as a value: dropped without [`Wiring::keep`], it is undone.
//!
//! What undoing means depends on what was there before. A new attachment disappears, record and rules. When
//! ADD was repeated for a live attachment, its earlier state is kept rather than left uninspected: the old
//! rules stay (a failed transaction changes nothing) and the old record comes back.
//!
//! The network's lock is held from the record to the end, undoing included: the enforcer, which wires what has a
//! record but no rules, takes it too, and so does a late DEL of an earlier pod at the same interface name.

use weir_datapath::attachment::{Attachment, AttachmentKey};
use weir_datapath::kernel::AntiSpoof;
use weir_datapath::record::{NetworkLock, RecordStore};

use crate::error::Error;
use crate::host::Host;
use crate::lock::{LOCK_PATIENCE, lock_within};

/// How far the wiring has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Recorded,
    Attached,
    Kept,
}

/// An attachment that is being made.
pub struct Wiring<'a> {
    host: &'a dyn Host,
    store: RecordStore,
    attachment: Attachment,
    previous: Option<Attachment>,
    stage: Stage,
    // Released after `drop` has undone.
    _lock: NetworkLock,
}

impl<'a> Wiring<'a> {
    /// Waits for the network's lock and writes the record of an attachment.
    ///
    /// # Errors
    /// The run directory cannot be used; nothing is changed then.
    pub fn record(
        host: &'a dyn Host,
        store: RecordStore,
        attachment: Attachment,
    ) -> Result<Self, Error> {
        let lock = lock_within(&store, &attachment.key.network, LOCK_PATIENCE)?;
        let previous = store.read(&attachment.key).unwrap_or_else(|error| {
            log::warn!("replacing an unreadable record: {error}");
            None
        });
        store.write(&attachment)?;
        Ok(Self {
            host,
            store,
            attachment,
            previous,
            stage: Stage::Recorded,
            _lock: lock,
        })
    }

    /// Wires the recorded attachment.
    ///
    /// # Errors
    /// The kernel refused; the wiring is undone then.
    pub fn attach(mut self) -> Result<Self, Error> {
        let anti_spoof = if self.attachment.anti_spoof {
            AntiSpoof::On
        } else {
            AntiSpoof::Off
        };
        let wired = self
            .drop_moved()
            .and_then(|()| self.host.attach(&self.attachment, anti_spoof));
        if let Err(error) = wired {
            return Err(Error::from_kernel(error, self.host.missing()));
        }
        self.stage = Stage::Attached;
        Ok(self)
    }

    /// The result has reached the runtime: the attachment stays.
    pub fn keep(mut self) {
        self.stage = Stage::Kept;
    }

    /// Removes the rules of an earlier ADD of the same attachment that had another host interface.
    fn drop_moved(&mut self) -> Result<(), weir_datapath::kernel::KernelError> {
        let moved = self
            .previous
            .take_if(|previous| previous.host_ifname != self.attachment.host_ifname);
        match moved {
            Some(previous) => self.host.detach(&previous).map(|_| ()),
            None => Ok(()),
        }
    }

    fn undo(&self) {
        match (&self.previous, self.stage) {
            (_, Stage::Kept) | (Some(_), Stage::Attached) => {}
            (Some(previous), Stage::Recorded) => {
                if let Err(error) = self.store.write(previous) {
                    log::warn!("rolling back: {error}");
                }
            }
            (None, _) => self.remove_all(),
        }
    }

    fn remove_all(&self) {
        // A wiring that was never attached may still be half there after a panic: ask the kernel anyway.
        if let Err(error) = self.host.detach(&self.attachment) {
            log::warn!("rolling back: {error}");
        }
        if let Err(error) = self.store.remove(&self.attachment.key) {
            log::warn!("rolling back: {error}");
        }
    }
}

impl Drop for Wiring<'_> {
    fn drop(&mut self) {
        self.undo();
    }
}

/// Removes an earlier attachment of this key, if there is a record of one.
pub fn forget(host: &dyn Host, store: &RecordStore, key: &AttachmentKey) {
    let removed = match store.read(key) {
        Ok(None) => return,
        Ok(Some(record)) => host.detach(&record),
        Err(_) => host.detach_key(key),
    };
    if let Err(error) = removed {
        log::warn!("removing the earlier attachment: {error}");
    }
    if let Err(error) = store.remove(key) {
        log::warn!("removing the earlier attachment: {error}");
    }
}

/// Removes what a pod whose DEL was lost left under the name of this host interface.
pub fn clear_leftovers(host: &dyn Host, host_ifname: &str) {
    let owner = match host.wired_interface(host_ifname) {
        Ok(wired) => wired
            .and_then(|wired| wired.owner)
            .and_then(|tag| tag.key()),
        Err(error) => {
            log::debug!("looking for leftovers on {host_ifname}: {error}");
            None
        }
    };
    if let Some(key) = owner
        && let Err(error) = host.detach_key(&key)
    {
        log::warn!("removing leftovers on {host_ifname}: {error}");
    }
}
