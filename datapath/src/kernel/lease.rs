//! The lease: a dead man's switch. The set's one element dies by its timeout unless it is renewed.
//!
//! Since Linux 6.12 adding an element that exists renews its timeout. Before, it must be deleted and added in one
//! transaction; that leaves the kernel with garbage to wait for, which costs whoever closes an nf_tables socket
//! next an RCU grace period (tens of milliseconds), so it is done only where it must be.

use std::time::Duration;

use super::{Kernel, KernelError};
use crate::layout::{LEASE_KEY, LEASE_SET, TABLE};
use crate::nft::{Batch, Element};
use crate::sys::kernel_version;

/// First kernel where adding an element renews its timeout.
const RENEWS_IN_PLACE: (u32, u32) = (6, 12);

/// Whether this kernel renews the timeout of an element that is added again.
pub(super) fn renews_in_place() -> bool {
    kernel_version().is_some_and(|version| version >= RENEWS_IN_PLACE)
}

impl Kernel {
    /// Takes or renews the lease: for `duration` (rounded up to milliseconds, at least one) from now the kernel
    /// hands frames to the enforcer. Costs a few microseconds. The kernel counts in its own ticks: expect the
    /// lease to end up to 10 ms later.
    ///
    /// # Errors
    /// [`KernelError`]; [`KernelError::NoTable`] if someone removed the table.
    pub fn renew_lease(&mut self, duration: Duration) -> Result<(), KernelError> {
        let milliseconds = u64::try_from(duration.as_micros().div_ceil(1000)).unwrap_or(u64::MAX);
        let key = LEASE_KEY.to_ne_bytes();
        let mut batch = Batch::new(TABLE, None);
        if !self.renews_in_place {
            batch.flush_set(LEASE_SET);
        }
        batch.add_elements(
            LEASE_SET,
            &[Element {
                key: &key,
                comment: "",
                timeout_ms: Some(milliseconds.clamp(1, u64::from(u32::MAX))),
            }],
        );
        self.commit(&mut batch)
    }

    /// Gives the lease back: from now on fail modes decide. Nothing to give back is no error.
    ///
    /// # Errors
    /// [`KernelError`].
    pub fn drop_lease(&mut self) -> Result<(), KernelError> {
        let mut batch = Batch::new(TABLE, None);
        batch.flush_set(LEASE_SET);
        match self.commit(&mut batch) {
            Err(KernelError::NoTable) => Ok(()),
            other => other,
        }
    }

    /// Whether an enforcer holds the lease now. `false` without a table.
    ///
    /// # Errors
    /// [`KernelError`].
    pub fn lease_alive(&mut self) -> Result<bool, KernelError> {
        let element = self.nft.element(LEASE_SET, &LEASE_KEY.to_ne_bytes())?;
        Ok(element.is_some())
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use nix::sched::{CloneFlags, unshare};

    use super::*;

    /// Both ways to renew, on a kernel that knows both.
    #[test]
    fn renewing_extends_the_lease_in_place_and_by_replacement() {
        for in_place in [false, renews_in_place()] {
            let body = thread::spawn(move || {
                unshare(CloneFlags::CLONE_NEWNET).expect("unshare: these tests need root");
                let mut kernel = Kernel::open().unwrap();
                kernel.renews_in_place = in_place;
                kernel.ensure_node().unwrap();
                for _ in 0..5 {
                    kernel.renew_lease(Duration::from_millis(200)).unwrap();
                    thread::sleep(Duration::from_millis(80));
                    assert!(kernel.lease_alive().unwrap());
                }
                // A shorter one takes the place of a longer one.
                kernel.renew_lease(Duration::from_secs(60)).unwrap();
                kernel.renew_lease(Duration::from_millis(20)).unwrap();
                thread::sleep(Duration::from_millis(60));
                assert!(!kernel.lease_alive().unwrap());
            });
            body.join().unwrap();
        }
    }
}
