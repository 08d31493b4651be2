//! `weir uninstall`.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use weir_datapath::kernel::Kernel;
use weir_datapath::record::RecordStore;

use crate::cli::UninstallArgs;
use crate::service::lock;

/// Removes table and devices from the kernel of this network namespace.
///
/// # Errors
///
/// When an enforcer runs, pods are attached and it is not forced, or the kernel refuses.
pub fn run(args: &UninstallArgs) -> anyhow::Result<ExitCode> {
    let settings = args.settings.load()?;
    let _lock = lock::take(&settings.run_dir)?;
    let store = RecordStore::new(&settings.run_dir);
    let (records, _) = store.load_all();
    if !records.is_empty() && !args.force {
        bail!(
            "{} pods are attached (records in {}): their traffic would pass uninspected from now on; \
             detach them first, or say --force",
            records.len(),
            store.directory().display()
        );
    }
    Kernel::open()?.remove_node().context("uninstall")?;
    println!("table and capture devices are removed");
    Ok(ExitCode::SUCCESS)
}
