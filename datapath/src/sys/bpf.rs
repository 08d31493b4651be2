//! Loads a tc program and asks for tcx programs through `bpf(2)` (`linux/bpf.h`).

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// One instruction, `struct bpf_insn`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instruction {
    /// Operation.
    pub(crate) code: u8,
    /// Destination register in the low, source register in the high four bits (little-endian hosts).
    pub(crate) registers: u8,
    /// Offset.
    pub(crate) offset: i16,
    /// Constant.
    pub(crate) immediate: i32,
}

/// The part of `union bpf_attr` that `BPF_PROG_LOAD` needs.
#[repr(C)]
struct LoadAttributes {
    program_type: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
}

const PROG_LOAD: libc::c_long = 5;
const TYPE_SCHED_CLS: u32 = 3;

/// Loads a program of type `BPF_PROG_TYPE_SCHED_CLS`.
///
/// # Errors
/// The kernel's errno: `EPERM` without `CAP_BPF` and `CAP_NET_ADMIN`, `ENOSYS` without bpf, `EINVAL` or `EACCES`
/// when the verifier refuses.
pub(crate) fn load_classifier(name: &str, program: &[Instruction]) -> io::Result<OwnedFd> {
    let mut attributes = LoadAttributes {
        program_type: TYPE_SCHED_CLS,
        instruction_count: u32::try_from(program.len()).map_err(io::Error::other)?,
        instructions: program.as_ptr().expose_provenance() as u64,
        license: c"Apache-2.0".as_ptr().expose_provenance() as u64,
        log_level: 0,
        log_size: 0,
        log: 0,
        kernel_version: 0,
        flags: 0,
        name: [0; 16],
    };
    for (field, byte) in attributes.name.iter_mut().take(15).zip(name.bytes()) {
        *field = byte;
    }
    #[expect(unsafe_code, reason = "bpf(2) has no safe wrapper here")]
    // SAFETY: `attributes` is a live, fully initialised prefix of `union bpf_attr` of the size given; the kernel
    // treats what follows as zero. Its two pointers are to `program` and a static string, which outlive the
    // call, and the kernel only reads them.
    let descriptor = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            PROG_LOAD,
            &raw const attributes,
            size_of::<LoadAttributes>(),
        )
    };
    let descriptor = i32::try_from(descriptor).map_err(io::Error::other)?;
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    #[expect(unsafe_code, reason = "takes ownership of a new descriptor")]
    // SAFETY: the kernel has just returned this descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// The part of `union bpf_attr` that `BPF_PROG_QUERY` needs.
#[repr(C)]
struct QueryAttributes {
    ifindex: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    programs: u64,
    count: u32,
    padding: u32,
    program_flags: u64,
    links: u64,
    link_flags: u64,
    revision: u64,
}

const PROG_QUERY: libc::c_long = 16;
const TCX_INGRESS: u32 = 46;

/// Whether this device has tcx programs on its ingress. Kernels before 6.6 have no tcx and say so by an error, and
/// so does one that does not permit the question: then there is none that would be known of.
pub(crate) fn has_tcx_ingress(ifindex: u32) -> bool {
    let mut attributes = QueryAttributes {
        ifindex,
        attach_type: TCX_INGRESS,
        query_flags: 0,
        attach_flags: 0,
        programs: 0,
        count: 0,
        padding: 0,
        program_flags: 0,
        links: 0,
        link_flags: 0,
        revision: 0,
    };
    #[expect(unsafe_code, reason = "no crate in use wraps bpf(2)")]
    // SAFETY: `attributes` is a live, fully initialised prefix of `union bpf_attr` of the size given, which the
    // kernel reads and writes; it holds no pointers (with room for 0 programs, none is written to).
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            PROG_QUERY,
            &raw mut attributes,
            size_of::<QueryAttributes>(),
        )
    };
    result == 0 && attributes.count > 0
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::thread;

    use nix::sched::{CloneFlags, unshare};

    use super::*;

    const PROG_ATTACH: libc::c_long = 8;
    const LOOPBACK: u32 = 1;

    /// `BPF_PROG_ATTACH` to the tcx ingress of a device.
    fn attach(program: &OwnedFd, ifindex: u32) -> io::Result<()> {
        // target_ifindex, attach_bpf_fd, attach_type, attach_flags, replace_bpf_fd, relative_fd, expected_revision
        let mut attributes = [0u32; 8];
        attributes[0] = ifindex;
        attributes[1] = program.as_raw_fd().cast_unsigned();
        attributes[2] = TCX_INGRESS;
        #[expect(unsafe_code, reason = "no crate in use wraps bpf(2)")]
        // SAFETY: a live, initialised prefix of `union bpf_attr` of the size given, without pointers.
        let result = unsafe {
            libc::syscall(
                libc::SYS_bpf,
                PROG_ATTACH,
                &raw const attributes,
                size_of_val(&attributes),
            )
        };
        if result == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }

    #[test]
    fn tcx_programs_are_noticed() {
        let body = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).expect("unshare: these tests need root");
            assert!(!has_tcx_ingress(LOOPBACK));
            let instruction = |code, immediate| Instruction {
                code,
                registers: 0,
                offset: 0,
                immediate,
            };
            // r0 = 0; exit
            let program = [instruction(0xb7, 0), instruction(0x95, 0)];
            let program = load_classifier("weir_test", &program).unwrap();
            match attach(&program, LOOPBACK) {
                Ok(()) => assert!(has_tcx_ingress(LOOPBACK)),
                Err(error) => assert!(
                    crate::sys::kernel_version() < Some((6, 6)),
                    "tcx is there since 6.6: {error}"
                ),
            }
            assert!(!has_tcx_ingress(99), "no such device");
        });
        body.join().unwrap();
    }
}
