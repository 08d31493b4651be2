//! Priorities of threads (`sched_setscheduler(2)`, `setpriority(2)`, `sched_setattr(2)`): of one that has a little
//! to do in time, and of those that others' packets wait for.

use std::io;

/// What a thread got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// Runs before every ordinary thread as soon as it wakes up (`SCHED_FIFO`).
    RealTime,
    /// The most favoured of the ordinary threads (nice -20).
    Favoured,
}

/// Least of the real-time priorities: enough to go before all ordinary threads.
const LEAST_REAL_TIME: libc::c_int = 1;

/// Most favourable niceness.
const MOST_FAVOURED: libc::c_int = -20;

/// Niceness of a thread that packets wait for: what it does not forward, others cannot work on. Three times the
/// weight of an ordinary thread; more would keep the receivers from taking what was forwarded.
const CARRIER: i32 = -5;

/// Nanoseconds that such a thread asks to run at a time, the least that Linux grants: its turn comes the sooner,
/// for the same share of the processor (EEVDF, Linux 6.12 for ordinary threads; ignored before).
const CARRIER_SLICE: u64 = 100_000;

/// Has the calling thread run before ordinary ones when it wakes up, as far as the system permits. Only for a
/// thread that never works for long: on its core nothing else runs meanwhile.
///
/// # Errors
/// The kernel's errno, where neither is permitted: `EPERM` without `CAP_SYS_NICE`.
pub fn hurry() -> io::Result<Priority> {
    if real_time().is_ok() {
        return Ok(Priority::RealTime);
    }
    favoured().map(|()| Priority::Favoured)
}

/// Length of `struct sched_attr` (`linux/sched/types.h`).
const SIZE: u32 = 48;

const _: () = assert!(size_of::<libc::sched_attr>() == SIZE as usize);

/// Has the calling thread, which packets wait for, run soon when some come. Otherwise a queue of some milliseconds
/// of traffic stands in front of it, which leaves the processor's caches before it is looked at.
///
/// # Errors
/// The kernel's errno: `EPERM` without `CAP_SYS_NICE`.
pub fn carry() -> io::Result<()> {
    let wanted = libc::sched_attr {
        size: SIZE,
        sched_policy: libc::SCHED_OTHER.unsigned_abs(),
        sched_flags: 0,
        sched_nice: CARRIER,
        sched_priority: 0,
        sched_runtime: CARRIER_SLICE,
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: `wanted` is as long as its size says, and alive for the call; 0 is the calling thread, the other 0
    // no flags.
    #[expect(unsafe_code, reason = "libc has no function for sched_setattr")]
    let result = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const wanted, 0) };
    check(libc::c_int::try_from(result).unwrap_or(-1))
}

fn real_time() -> io::Result<()> {
    let wanted = libc::sched_param {
        sched_priority: LEAST_REAL_TIME,
    };
    // SAFETY: `wanted` is a valid `sched_param` for the length of the call; 0 is the calling thread.
    #[expect(unsafe_code, reason = "no crate in use wraps sched_setscheduler")]
    let result = unsafe {
        libc::sched_setscheduler(
            0,
            libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK,
            &raw const wanted,
        )
    };
    check(result)
}

fn favoured() -> io::Result<()> {
    // SAFETY: takes numbers only; 0 is the calling thread.
    #[expect(unsafe_code, reason = "no crate in use wraps setpriority")]
    let result = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, MOST_FAVOURED) };
    check(result)
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Policy and niceness of the calling thread: behind its name, fields 41 and 19 (proc(5)).
    fn policy() -> (String, String) {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let fields: Vec<&str> = stat
            .rsplit_once(')')
            .unwrap()
            .1
            .split_whitespace()
            .collect();
        (fields[38].to_owned(), fields[16].to_owned())
    }

    fn on_a_thread(run: impl FnOnce() + Send + 'static) {
        let before = policy();
        std::thread::spawn(run).join().unwrap();
        assert_eq!(policy(), before, "other threads keep theirs");
    }

    #[test]
    fn a_thread_in_a_hurry_runs_before_ordinary_ones() {
        let niceness = policy().1;
        on_a_thread(|| {
            assert_eq!(hurry().expect("this needs root"), Priority::RealTime);
            assert_eq!(policy(), ("1".to_owned(), niceness));
        });
    }

    #[test]
    fn a_thread_that_may_not_be_real_time_is_favoured() {
        on_a_thread(|| {
            favoured().expect("this needs root");
            assert_eq!(policy(), ("0".to_owned(), "-20".to_owned()));
        });
    }

    #[test]
    fn a_thread_that_packets_wait_for_stays_ordinary() {
        on_a_thread(|| {
            carry().expect("this needs root");
            assert_eq!(policy(), ("0".to_owned(), "-5".to_owned()));
        });
    }
}
