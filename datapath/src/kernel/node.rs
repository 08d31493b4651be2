//! What the node has once, whatever pods come and go: the table with its shared chains, the capture pair, the
//! redirect program.
//!
//! Several plugins and the enforcer may run this at the same time. Devices are made first, the table is written
//! in one transaction that gives the same result whoever commits last, and then the devices are looked at again:
//! whoever finds that they changed meanwhile starts over.

use super::rules::{self, NODE};
use super::{Kernel, KernelError, NodeDevices};
use crate::layout::{TABLE, TABLE_FORMAT};
use crate::link::pair::{self, Pair};
use crate::link::redirect;
use crate::nft::Batch;

/// How often setting up is tried while others change the same things.
const ATTEMPTS: u32 = 16;

impl From<&Pair> for NodeDevices {
    fn from(pair: &Pair) -> Self {
        Self {
            capture_kernel_end: pair.kernel_end.index,
            capture_enforcer_end: pair.enforcer_end.index,
        }
    }
}

impl Kernel {
    /// Creates or repairs table, shared chains, capture pair and redirect program. Idempotent, cheap when
    /// all is there (no listing), safe while other processes do the same.
    ///
    /// # Errors
    /// [`KernelError`]; what was created stays, the next call goes on from there.
    pub fn ensure_node(&mut self) -> Result<NodeDevices, KernelError> {
        match self.node_in_order()? {
            Some(devices) => Ok(devices),
            None => self.make_node(),
        }
    }

    /// As [`Self::ensure_node`], and no shared chain may lack a rule: lists them all.
    pub(super) fn mend_node(&mut self) -> Result<NodeDevices, KernelError> {
        let devices = self.ensure_node()?;
        for (chain, length) in rules::node_chain_lengths(devices) {
            if self.nft.rules(Some(chain))?.len() < length {
                log::warn!("chain `{chain}` lacks rules that somebody removed: writing it anew");
                return self.make_node();
            }
        }
        Ok(devices)
    }

    fn make_node(&mut self) -> Result<NodeDevices, KernelError> {
        for _ in 0..ATTEMPTS {
            self.check_format()?;
            if let Some(devices) = self.set_up()? {
                return Ok(devices);
            }
        }
        Err(KernelError::Contended {
            action: "set up the node".to_owned(),
            attempts: ATTEMPTS,
        })
    }

    /// Removes table and devices. Not an error when there are none. The lease goes with the table: fail-closed
    /// pods are free from here on.
    ///
    /// # Errors
    /// [`KernelError`].
    pub fn remove_node(&mut self) -> Result<(), KernelError> {
        let mut batch = Batch::new(TABLE, None);
        batch.delete_table();
        match self.commit(&mut batch) {
            Ok(()) | Err(KernelError::NoTable) => {}
            Err(error) => return Err(error),
        }
        Ok(pair::remove(&mut self.links)?)
    }

    /// The devices, if everything is as this build makes it.
    fn node_in_order(&mut self) -> Result<Option<NodeDevices>, KernelError> {
        let Some(pair) = pair::find(&mut self.links)?.filter(Pair::is_ready) else {
            return Ok(None);
        };
        let devices = NodeDevices::from(&pair);
        let expected = rules::node_comment(devices);
        let written = self
            .nft
            .rules(Some(NODE))?
            .iter()
            .any(|rule| rule.chain == NODE && rule.comment.as_deref() == Some(&expected));
        let in_order =
            written && redirect::is_attached(&mut self.links, devices.capture_kernel_end)?;
        Ok(in_order.then_some(devices))
    }

    /// `None`: devices changed meanwhile.
    fn set_up(&mut self) -> Result<Option<NodeDevices>, KernelError> {
        let pair = pair::ensure(&mut self.links)?;
        let devices = NodeDevices::from(&pair);
        match redirect::attach(&mut self.links, devices.capture_kernel_end) {
            Err(error) if error.errno() == Some(libc::ENODEV) => return Ok(None),
            other => other?,
        }
        let mut batch = Batch::new(TABLE, None);
        rules::node(&mut batch, devices);
        match self.nft.commit(&mut batch) {
            // A chain's device is gone (older kernels), or another process deletes the table.
            Err(error) if error.source.errno() == Some(libc::ENOENT) => return Ok(None),
            other => other?,
        }
        self.node_in_order()
    }

    fn check_format(&mut self) -> Result<(), KernelError> {
        match self.nft.table_comment()? {
            None => Ok(()),
            Some(Some(comment)) if comment == rules::table_comment() => Ok(()),
            Some(comment) => Err(KernelError::Format {
                found: comment.map_or_else(
                    || "unknown (not written by weir?)".to_owned(),
                    |comment| format!("`{comment}`"),
                ),
                known: TABLE_FORMAT,
            }),
        }
    }

    /// Commits a batch that needs the table.
    pub(super) fn commit(&mut self, batch: &mut Batch<'_>) -> Result<(), KernelError> {
        match self.nft.commit(batch) {
            Err(error)
                if error.source.errno() == Some(libc::ENOENT)
                    && self.nft.table_comment()?.is_none() =>
            {
                Err(KernelError::NoTable)
            }
            other => Ok(other?),
        }
    }
}
