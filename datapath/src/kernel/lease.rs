//! The lease: a dead man's switch. The set's one element dies by its timeout unless it is renewed.

use std::time::Duration;

use super::{Kernel, KernelError};
use crate::layout::{LEASE_KEY, LEASE_SET, TABLE};
use crate::nft::{Batch, Element};

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
        // Adding an element that exists does not renew its timeout before Linux 6.12.
        batch.flush_set(LEASE_SET);
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
