//! The redirect program on the kernel's end of the capture pair: the way of a settled frame back into the
//! host's stack.
//!
//! The enforcer sends the frame on its end with the interface index as mark; here it comes out, gets mark
//! `SETTLED` and continues at the ingress of that interface. Mark 0 (not from the enforcer) is dropped. A
//! clsact qdisc with one cls_bpf filter in direct action mode: works since Linux 4.5, a tenth of a tcx link's
//! setup time.

use std::os::fd::AsRawFd;

use crate::link::LinkError;
use crate::link::request::Links;
use crate::mark::SETTLED;
use crate::netlink::{Attributes, CREATE, EXCLUSIVE, REPLACE, Writer};
use crate::sys::bpf::{Instruction, load_classifier};

const NEW_QDISC: u16 = 36;
const NEW_FILTER: u16 = 44;
const GET_FILTER: u16 = 46;

const KIND: u16 = 1;
const OPTIONS: u16 = 2;
const BPF_FD: u16 = 6;
const BPF_NAME: u16 = 7;
const BPF_FLAGS: u16 = 8;
const BPF_TAG: u16 = 10;
const DIRECT_ACTION: u32 = 1;

/// `TC_H_CLSACT`.
const CLSACT: u32 = 0xffff_fff1;
/// `TC_H_MAKE(TC_H_CLSACT, 0)`.
const CLSACT_HANDLE: u32 = 0xffff_0000;
/// `TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)`.
const INGRESS: u32 = 0xffff_fff2;
const FILTER_HANDLE: u32 = 1;
const FILTER_PRIORITY: u32 = 1;
const ETH_P_ALL: u16 = 3;
/// Length of `tcmsg`.
const FIXED: usize = 20;

/// Name that `tc filter show` prints; changes with the program.
const NAME: &str = "weir_redirect_1";

/// Offset of `mark` in `struct __sk_buff`.
const MARK: i16 = 8;
const BPF_F_INGRESS: i32 = 1;
const TC_ACT_SHOT: i32 = 2;
const HELPER_REDIRECT: i32 = 23;

/// The program: `if mark == 0 { return TC_ACT_SHOT } ifindex = mark; mark = SETTLED; return
/// bpf_redirect(ifindex, BPF_F_INGRESS)`.
fn program() -> [Instruction; 10] {
    let registers = |destination: u8, source: u8| {
        if cfg!(target_endian = "little") {
            source << 4 | destination
        } else {
            destination << 4 | source
        }
    };
    let instruction = |code, (destination, source), offset, immediate| Instruction {
        code,
        registers: registers(destination, source),
        offset,
        immediate,
    };
    [
        // r2 = *(u32 *)(r1 + mark)
        instruction(0x61, (2, 1), MARK, 0),
        // if r2 == 0 goto drop
        instruction(0x15, (2, 0), 6, 0),
        // r3 = SETTLED; *(u32 *)(r1 + mark) = r3
        instruction(0xb7, (3, 0), 0, SETTLED.cast_signed()),
        instruction(0x63, (1, 3), MARK, 0),
        // r1 = r2; r2 = BPF_F_INGRESS
        instruction(0xbf, (1, 2), 0, 0),
        instruction(0xb7, (2, 0), 0, BPF_F_INGRESS),
        // r0 = bpf_redirect(r1, r2); exit
        instruction(0x85, (0, 0), 0, HELPER_REDIRECT),
        instruction(0x95, (0, 0), 0, 0),
        // drop: r0 = TC_ACT_SHOT; exit
        instruction(0xb7, (0, 0), 0, TC_ACT_SHOT),
        instruction(0x95, (0, 0), 0, 0),
    ]
}

/// Loads the program and attaches it to the ingress of this device, replacing an older one. Idempotent.
pub(crate) fn attach(links: &mut Links, ifindex: u32) -> Result<(), LinkError> {
    let program = load_classifier(NAME, &program()).map_err(LinkError::Program)?;
    let created = links.request(
        "add a clsact qdisc",
        NEW_QDISC,
        CREATE | EXCLUSIVE,
        |writer| {
            fixed(writer, ifindex, CLSACT_HANDLE, CLSACT, 0);
            writer.string(KIND, "clsact");
        },
    );
    match created {
        Err(LinkError::Refused {
            errno: libc::EEXIST,
            ..
        })
        | Ok(()) => {}
        Err(error) => return Err(error),
    }
    links.request(
        "attach the redirect program",
        NEW_FILTER,
        CREATE | REPLACE,
        |writer| {
            fixed(writer, ifindex, FILTER_HANDLE, INGRESS, filter_info());
            writer.string(KIND, "bpf");
            writer.nested(OPTIONS, |options| {
                options.ne32(BPF_FD, program.as_raw_fd().cast_unsigned());
                options.string(BPF_NAME, NAME);
                options.ne32(BPF_FLAGS, DIRECT_ACTION);
            });
        },
    )
}

/// Whether this device has the program of this build.
pub(crate) fn is_attached(links: &mut Links, ifindex: u32) -> Result<bool, LinkError> {
    let found = links.get(
        "read the redirect program",
        GET_FILTER,
        |writer| {
            fixed(writer, ifindex, FILTER_HANDLE, INGRESS, filter_info());
            writer.string(KIND, "bpf");
        },
        |answer| is_ours(answer.attributes(FIXED)),
    );
    match found {
        Ok(found) => Ok(found.unwrap_or(false)),
        // No qdisc: "Parent Qdisc doesn't exists".
        Err(LinkError::Refused {
            errno: libc::EINVAL,
            ..
        }) => Ok(false),
        Err(error) => Err(error),
    }
}

fn is_ours(attributes: Attributes<'_>) -> bool {
    let options = attributes.nested(OPTIONS);
    options.text(BPF_NAME) == Some(NAME)
        && options.ne32(BPF_FLAGS).unwrap_or(0) & DIRECT_ACTION != 0
        && options.get(BPF_TAG).is_some()
}

/// `tcm_info` of a filter: priority and protocol.
fn filter_info() -> u32 {
    FILTER_PRIORITY << 16 | u32::from(ETH_P_ALL.to_be())
}

/// `struct tcmsg`.
fn fixed(writer: &mut Writer, ifindex: u32, handle: u32, parent: u32, info: u32) {
    let mut bytes = [0; FIXED];
    for (field, value) in bytes
        .chunks_exact_mut(4)
        .zip([0, ifindex, handle, parent, info])
    {
        field.copy_from_slice(&value.to_ne_bytes());
    }
    writer.raw(&bytes);
}
