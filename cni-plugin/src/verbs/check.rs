//! CHECK: the attachment is as ADD left it, and what it depends on is there.
//!
//! Compares weir's own things only (record, chains, devices, for a fail-closed pod the enforcer); what later
//! plugins changed in `prevResult` is theirs. Changes nothing. An enforcer that restarts is given
//! [`ENFORCER_GRACE`]; without one a fail-open pod is as it was configured to be.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use weir_datapath::attachment::{Attachment, AttachmentKey};
use weir_datapath::layout::{CAPTURE_ENFORCER_END, CAPTURE_KERNEL_END};
use weir_datapath::netns::PeerLink;
use weir_datapath::policy::{FailMode, Mode};
use weir_datapath::record::RecordStore;

use super::Call;
use crate::config::options::{OnUnsupported, Options};
use crate::error::Error;
use crate::host::Host;
use crate::link;
use crate::pod_args::pod_from_args;
use crate::policy;
use crate::version::CniVersion;

/// How long CHECK waits for the enforcer of a fail-closed pod.
pub const ENFORCER_GRACE: Duration = Duration::from_secs(1);

const POLL: Duration = Duration::from_millis(50);

/// What CHECK found amiss.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// No record of the attachment.
    #[error("no attachment record {path}: the pod is not inspected; recreate the pod")]
    NotRecorded {
        /// Where the record should be.
        path: String,
    },
    /// The pod's interface is another one now.
    #[error(
        "the pod's host interface is {found}, ADD wired {wired}: the pod is not inspected; recreate the pod"
    )]
    Moved {
        /// Interface now.
        found: String,
        /// Interface at ADD.
        wired: String,
    },
    /// The pod's MAC address is another one now.
    #[error(
        "the pod's MAC address is {found}, anti-spoofing admits {wired}: all frames of the pod are dropped; list the plugin that sets the MAC before weir-cni, or set \"antiSpoof\": false"
    )]
    OtherMac {
        /// Address now.
        found: String,
        /// Address at ADD.
        wired: String,
    },
    /// The rules are not all there.
    #[error(
        "host interface {host_ifname} lacks weir's rules for this pod (table \"netdev weir\"): the pod is not inspected; recreate the pod and find out who removed them"
    )]
    NotWired {
        /// The interface.
        host_ifname: String,
    },
    /// A capture device is not there.
    #[error("capture device {device} is missing: restart the enforcer on this node")]
    NoDevice {
        /// The device.
        device: &'static str,
    },
    /// A fail-closed pod without enforcer.
    #[error(
        "no enforcer answers on this node and the pod fails closed: its traffic is dropped; start `weir enforce`"
    )]
    NoEnforcer,
}

/// Runs CHECK.
///
/// # Errors
/// [`CheckError`], or whatever keeps the check from being made.
pub fn check(call: &Call<'_>) -> Result<(), Error> {
    call.require(CniVersion::FIRST_WITH_CHECK, "CHECK")?;
    let container = call.environment.container()?;
    let options = call.config.options()?;
    call.config.prev_result()?;
    let store = RecordStore::new(&options.run_dir);
    let key = call.key(container);
    match store.read(&key)? {
        Some(record) => {
            let netns = call.environment.netns().unwrap_or_default();
            check_wired(call.host, &record, &netns)
        }
        None => check_left_alone(call, &options, &store, &key),
    }
}

/// No record: right only where ADD was to leave the pod alone.
fn check_left_alone(
    call: &Call<'_>,
    options: &Options,
    store: &RecordStore,
    key: &AttachmentKey,
) -> Result<(), Error> {
    let annotations = call.config.pod_annotations()?;
    // Runtimes that CHECK without ADD's annotations cannot tell us that ADD was told "off".
    if annotations.is_empty() && !options.loosen.is_empty() {
        return Ok(());
    }
    let pod = pod_from_args(call.environment.args()?);
    if policy::resolve(options, &annotations, &pod)?.wired.mode == Mode::Off {
        return Ok(());
    }
    let netns = call.environment.netns().unwrap_or_default();
    match link::find(call.host, &netns, &key.ifname) {
        Err(error) if error.is_unsupported() && options.on_unsupported == OnUnsupported::Skip => {
            Ok(())
        }
        Err(error) => Err(error.into()),
        Ok(_) => {
            let path = store.path_of(key).display().to_string();
            Err(CheckError::NotRecorded { path }.into())
        }
    }
}

fn check_wired(host: &dyn Host, record: &Attachment, netns: &Path) -> Result<(), Error> {
    let link = link::find(host, netns, &record.key.ifname)?;
    check_link(record, &link)?;
    check_rules(host, record)?;
    for device in [CAPTURE_KERNEL_END, CAPTURE_ENFORCER_END] {
        if !host.has_interface(device) {
            return Err(CheckError::NoDevice { device }.into());
        }
    }
    if record.policy.fail_mode == FailMode::Closed {
        check_enforcer(host)?;
    }
    Ok(())
}

fn check_link(record: &Attachment, link: &PeerLink) -> Result<(), CheckError> {
    if (link.ifindex, &link.ifname) != (record.host_ifindex, &record.host_ifname) {
        return Err(CheckError::Moved {
            found: format!("{} (index {})", link.ifname, link.ifindex),
            wired: format!("{} (index {})", record.host_ifname, record.host_ifindex),
        });
    }
    if record.anti_spoof && link.pod_mac != record.pod_mac {
        return Err(CheckError::OtherMac {
            found: link.pod_mac.clone(),
            wired: record.pod_mac.clone(),
        });
    }
    Ok(())
}

fn check_rules(host: &dyn Host, record: &Attachment) -> Result<(), Error> {
    let wired = host
        .wired_interface(&record.host_ifname)
        .map_err(|error| Error::from_kernel(error, host.missing()))?;
    let serves = wired.is_some_and(|wired| {
        wired.serves(&record.key) && wired.ifindex == Some(record.host_ifindex)
    });
    if serves {
        return Ok(());
    }
    Err(CheckError::NotWired {
        host_ifname: record.host_ifname.clone(),
    }
    .into())
}

fn check_enforcer(host: &dyn Host) -> Result<(), Error> {
    let deadline = Instant::now() + ENFORCER_GRACE;
    loop {
        let alive = host
            .lease_alive()
            .map_err(|error| Error::from_kernel(error, host.missing()))?;
        if alive {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(CheckError::NoEnforcer.into());
        }
        thread::sleep(POLL);
    }
}
