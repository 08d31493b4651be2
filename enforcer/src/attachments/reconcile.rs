//! Keeps kernel and records together while pods come and go.
//!
//! The kernel's side ([`Kernel::reconcile`]) wires what lost its chains (`nft flush ruleset`) and removes
//! chains whose device or record is gone: a base chain outlives its device on newer kernels and grips
//! the next device of that name. A record whose device is gone is left for DEL or GC, and not served.

use nix::net::if_::if_nametoindex;
use weir_datapath::attachment::{Attachment, AttachmentKey};
use weir_datapath::kernel::{Kernel, KernelError, Reconciled};
use weir_datapath::record::{RecordCache, RecordError};

/// What was repaired so far, and what is known to be broken.
#[derive(Debug, Default)]
pub struct Reconciler {
    rewired: u64,
    swept: u64,
    failing: Vec<(AttachmentKey, String)>,
    gone: Vec<AttachmentKey>,
}

impl Reconciler {
    /// Name and value of each counter.
    #[must_use]
    pub fn counters(&self) -> [(&'static str, u64); 2] {
        [
            ("attachments.rewired", self.rewired),
            ("attachments.swept", self.swept),
        ]
    }

    /// What is broken, for people.
    pub fn problems(&self) -> impl Iterator<Item = String> {
        self.failing.iter().map(|(key, problem)| {
            format!(
                "container {} interface {} is not wired: {problem}",
                key.container_id, key.ifname
            )
        })
    }

    /// Compares and repairs. Each repair and each new problem is logged once.
    ///
    /// # Errors
    ///
    /// When the node's part of the kernel state cannot be had.
    pub fn run(
        &mut self,
        records: &mut RecordCache,
        kernel: &mut Kernel,
    ) -> Result<(), KernelError> {
        let found = records.load_all();
        let done = kernel.reconcile(records.store(), found)?;
        self.note(done);
        Ok(())
    }

    fn note(&mut self, done: Reconciled) {
        for record in &done.rewired {
            log::warn!("wired {} again: its rules were gone", describe(record));
        }
        self.rewired += done.rewired.len() as u64;
        self.swept += u64::from(done.swept);
        for record in done.gone.iter().filter(|r| !self.gone.contains(&r.key)) {
            log::info!("interface of {} is gone, no DEL yet", describe(record));
        }
        self.gone = done.gone.into_iter().map(|record| record.key).collect();
        let failing = done.failed.into_iter().map(|(record, problem)| {
            let known = self.failing.iter().any(|(key, _)| *key == record.key);
            if !known {
                log::error!("cannot wire {}: {problem}", describe(&record));
            }
            (record.key, problem)
        });
        self.failing = failing.collect();
    }
}

fn describe(record: &Attachment) -> String {
    format!(
        "container {} interface {} ({})",
        record.key.container_id, record.key.ifname, record.host_ifname
    )
}

/// The records whose devices exist, and what could not be read. A record that a lost DEL left must not
/// claim the index or address of a later pod. The kernel is not asked about what is `known` to be live.
#[must_use]
pub fn live_records(
    records: &mut RecordCache,
    known: impl Fn(&Attachment) -> bool,
) -> (Vec<Attachment>, Vec<RecordError>) {
    let (mut records, errors) = records.load_all();
    records.retain(|record| {
        known(record)
            || if_nametoindex(record.host_ifname.as_str())
                .is_ok_and(|index| index == record.host_ifindex)
    });
    (records, errors)
}
