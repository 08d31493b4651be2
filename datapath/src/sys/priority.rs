//! Priority of a thread that has a little to do in time (`sched_setscheduler(2)`, `setpriority(2)`).

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

    #[test]
    fn the_calling_thread_alone_is_hurried() {
        let policy = || {
            let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
            // Behind the name, field 41 is the policy and 19 the niceness (proc(5)).
            let fields: Vec<String> = stat
                .rsplit_once(')')
                .unwrap()
                .1
                .split_whitespace()
                .map(str::to_owned)
                .collect();
            (fields[38].clone(), fields[16].clone())
        };
        let before = policy();
        std::thread::spawn(move || {
            let expected = match hurry().expect("these tests need root") {
                Priority::RealTime => ("1".to_owned(), before.1.clone()),
                Priority::Favoured => (before.0.clone(), "-20".to_owned()),
            };
            assert_eq!(policy(), expected);
        })
        .join()
        .unwrap();
        assert_eq!(policy().0, "0");
    }
}
