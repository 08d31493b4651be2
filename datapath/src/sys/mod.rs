//! What is asked of the system directly: `bpf(2)`, a thread's priority, the kernel's version.

pub(crate) mod bpf;
pub mod priority;

/// Major and minor number of the running kernel; `None` if it does not say.
pub(crate) fn kernel_version() -> Option<(u32, u32)> {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    let mut numbers = release.split(['.', '-']).map(str::parse::<u32>);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}
