//! Removes what earlier test processes left when they were killed before their guards could run.
//!
//! Only things whose name carries [`PREFIX`] and the id of a process that no longer exists are touched, so
//! test runs side by side do not disturb each other.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::command::Run;
use crate::netns;
use crate::scratch::{PREFIX, owner};

/// File in a scratch directory that names a process started by the test: `<pid> <start time>`.
pub(crate) const PROCESS_FILE_SUFFIX: &str = ".process";

/// Where tests put what needs short paths: container runtimes.
pub const RUN: &str = "/run";

static SWEPT: Once = Once::new();

/// Sweeps once per test process.
pub fn once() {
    SWEPT.call_once(|| {
        for directory in leftovers(&entries(Path::new(RUN))) {
            take_down_runtime(&directory);
            let _removed = fs::remove_dir_all(&directory);
        }
        for directory in leftovers(&entries(&std::env::temp_dir())) {
            stop_processes(&directory);
            let _removed = fs::remove_dir_all(&directory);
        }
        for namespace in leftovers(&netns::named()) {
            netns::remove(&namespace);
        }
    });
}

/// Identity of a live process: its start time in clock ticks since boot, so that a reused id is told apart.
pub(crate) fn start_time(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let after_name = stat.rsplit_once(')')?.1;
    after_name.split_whitespace().nth(19).map(str::to_owned)
}

fn leftovers(paths: &[PathBuf]) -> Vec<PathBuf> {
    paths
        .iter()
        .filter(|path| {
            path.file_name()
                .and_then(|name| owner(name.to_str()?))
                .is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists())
        })
        .cloned()
        .collect()
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(PREFIX))
        })
        .collect()
}

/// Ends the containerd of a killed test, with its pods.
fn take_down_runtime(directory: &Path) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/runtime/containerd");
    let down = Run::new(Command::new(script).arg("down").arg(directory)).finish();
    if let Err(error) = down {
        eprintln!("cannot take down {}: {error:#}", directory.display());
    }
}

fn stop_processes(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if !entry
            .file_name()
            .to_string_lossy()
            .ends_with(PROCESS_FILE_SUFFIX)
        {
            continue;
        }
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        let Some((pid, started)) = text.split_once(' ') else {
            continue;
        };
        let Ok(number) = pid.parse::<u32>() else {
            continue;
        };
        if start_time(number).as_deref() == Some(started.trim()) {
            stop(number);
        }
    }
}

fn stop(number: u32) {
    let Ok(raw) = i32::try_from(number) else {
        return;
    };
    let pid = Pid::from_raw(raw);
    let _killed = kill(pid, Signal::SIGKILL);
    for _ in 0..100 {
        if kill(pid, None).is_err() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
