//! Loads a tc program through `bpf(2)` (`linux/bpf.h`).

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
