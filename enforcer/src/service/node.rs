//! The node: its name and its number of cores.

use std::time::{Duration, Instant};

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use weir_datapath::layout::{CAPTURE_ENFORCER_END, CAPTURE_KERNEL_END};

use crate::settings::MAX_WORKERS;

/// How long the capture pair may take to run.
const RUNNING_PATIENCE: Duration = Duration::from_secs(5);

/// Where the node's name is taken from before the host name: Kubernetes' downward API sets it there.
const NAME_VARIABLE: &str = "NODE_NAME";

/// The node's name as events show it.
pub(super) fn name() -> String {
    if let Ok(name) = std::env::var(NAME_VARIABLE)
        && !name.is_empty()
    {
        return name;
    }
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname");
    host.map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned())
}

/// Workers where nothing else is said: one per core.
pub(super) fn default_workers() -> u16 {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    u16::try_from(cores)
        .unwrap_or(MAX_WORKERS)
        .clamp(1, MAX_WORKERS)
}

/// Waits until both ends of the capture pair run. The kernel takes up to a second from "up" to "running"
/// and discards what is sent meanwhile. False when that does not happen in time.
pub(super) fn wait_until_running() -> bool {
    let end = Instant::now() + RUNNING_PATIENCE;
    while !capture_runs() {
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    true
}

fn capture_runs() -> bool {
    let Ok(interfaces) = getifaddrs() else {
        return false;
    };
    let interfaces: Vec<_> = interfaces.collect();
    [CAPTURE_KERNEL_END, CAPTURE_ENFORCER_END]
        .iter()
        .all(|name| {
            let own = interfaces.iter().find(|i| i.interface_name == *name);
            own.is_some_and(|i| i.flags.contains(InterfaceFlags::IFF_RUNNING))
        })
}
