//! STATUS: whether ADD can be served now.
//!
//! Called often (containerd asks on every CRI Status), so it changes nothing and asks in the order of what
//! it costs. A configuration that fails open is ready without an enforcer, as its pods do start and are
//! connected; one that fails closed is not, as its pods would start without a network.

use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};
use weir_datapath::policy::{FailMode, Mode};
use weir_datapath::record::RecordStore;
use weir_datapath::support::Missing;

use super::Call;
use crate::config::options::Options;
use crate::error::{Error, join};
use crate::version::CniVersion;

/// Why ADD cannot be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatusError {
    /// The node lacks something.
    #[error("this node cannot run weir: {}", join(.0))]
    NodeLacks(Vec<Missing>),
    /// No record could be written.
    #[error(
        "run directory {path} is not writable ({reason}): mount it writable for root, or set \"runDir\""
    )]
    RunDirectory {
        /// The directory, or the nearest one above it that exists.
        path: String,
        /// The system's answer.
        reason: String,
    },
    /// No enforcer holds the lease.
    #[error(
        "no enforcer answers on this node and the network fails closed: {}start `weir enforce`",
        if *.existing_pods { "pods of this network are cut off; " } else { "" }
    )]
    NoEnforcer {
        /// There are pods whose traffic is dropped for it.
        existing_pods: bool,
    },
}

impl StatusError {
    /// Whether pods that already run are affected too.
    #[must_use]
    pub fn limits_existing_pods(&self) -> bool {
        matches!(
            self,
            Self::NoEnforcer {
                existing_pods: true
            }
        )
    }
}

/// Runs STATUS.
///
/// # Errors
/// [`StatusError`], or a configuration that ADD would refuse.
pub fn status(call: &Call<'_>) -> Result<(), Error> {
    call.require(CniVersion::FIRST_WITH_GC_AND_STATUS, "STATUS")?;
    let options = call.config.options()?;
    if options.mode == Mode::Off {
        return Ok(());
    }
    check_run_directory(&options.run_dir)?;
    let missing = call.host.missing();
    if !missing.is_empty() {
        return Err(StatusError::NodeLacks(missing).into());
    }
    if options.fail_mode == FailMode::Closed {
        check_enforcer(call, &options)?;
    }
    Ok(())
}

/// ADD makes the run directory, so the nearest existing directory above is what must be writable.
fn check_run_directory(run_dir: &Path) -> Result<(), StatusError> {
    let mut directory = RecordStore::new(run_dir).directory();
    while !directory.exists() {
        directory = directory
            .parent()
            .map_or_else(|| PathBuf::from("/"), Path::to_path_buf);
    }
    let failed = |reason: String| StatusError::RunDirectory {
        path: directory.display().to_string(),
        reason,
    };
    if !directory.is_dir() {
        return Err(failed("not a directory".to_owned()));
    }
    access(&directory, AccessFlags::W_OK | AccessFlags::X_OK)
        .map_err(|errno| failed(errno.desc().to_owned()))
}

fn check_enforcer(call: &Call<'_>, options: &Options) -> Result<(), Error> {
    let alive = call
        .host
        .lease_alive()
        .map_err(|error| Error::from_kernel(error, call.host.missing()))?;
    if alive {
        return Ok(());
    }
    let (records, _) = RecordStore::new(&options.run_dir).load_all();
    let existing_pods = records.iter().any(|record| {
        record.key.network == call.config.name() && record.policy.fail_mode == FailMode::Closed
    });
    Err(StatusError::NoEnforcer { existing_pods }.into())
}
