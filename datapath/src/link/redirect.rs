//! The redirect program on the kernel's end of the capture pair: the way of a settled frame back into the
//! host's stack.
//!
//! The enforcer sends the frame on its end with the interface index as mark; here it comes out, gets mark
//! `SETTLED` and continues at the ingress of that interface. Mark 0 (not from the enforcer) is dropped. A
//! clsact qdisc with one cls_bpf filter in direct action mode: works since Linux 4.5, a tenth of a tcx link's
//! setup time.

use std::os::fd::AsRawFd;

use netlink_packet_core::{Emitable, ParseableParametrized};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{
    TcAttribute, TcBpfFlags, TcFilterBpf, TcFilterBpfOption, TcHandle, TcHeader, TcMessage,
    TcOption,
};

use super::answer::attributes;
use super::{LinkError, Links};
use crate::mark::SETTLED;
use crate::netlink::{CREATE, EXCLUSIVE, REPLACE};
use crate::sys::bpf::{Instruction, load_classifier};

/// `TC_H_MAKE(TC_H_CLSACT, 0)`.
const CLSACT_HANDLE: TcHandle = TcHandle {
    major: u16::MAX,
    minor: 0,
};
/// `TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)`.
const INGRESS: TcHandle = TcHandle {
    major: u16::MAX,
    minor: TcHandle::MIN_INGRESS,
};
const FILTER_HANDLE: TcHandle = TcHandle { major: 0, minor: 1 };
const FILTER_PRIORITY: u32 = 1;
const ETH_P_ALL: u16 = 3;

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
    let qdisc = RouteNetlinkMessage::NewQueueDiscipline(qdisc(ifindex));
    match links.request("add a clsact qdisc", &qdisc, CREATE | EXCLUSIVE) {
        Err(LinkError::Refused {
            errno: libc::EEXIST,
            ..
        })
        | Ok(()) => {}
        Err(error) => return Err(error),
    }
    let mut filter = filter(ifindex);
    let options = [
        TcFilterBpfOption::ProgFd(program.as_raw_fd().cast_unsigned()),
        TcFilterBpfOption::ProgName(NAME.to_owned()),
        TcFilterBpfOption::Flags(TcBpfFlags::DirectAction),
    ];
    let options = options.map(TcOption::Bpf).to_vec();
    filter.attributes.push(TcAttribute::Options(options));
    links.request(
        "attach the redirect program",
        &RouteNetlinkMessage::NewTrafficFilter(filter),
        CREATE | REPLACE,
    )
}

/// Whether this device has the program of this build.
pub(crate) fn is_attached(links: &mut Links, ifindex: u32) -> Result<bool, LinkError> {
    let found = links.get(
        "read the redirect program",
        &RouteNetlinkMessage::GetTrafficFilter(filter(ifindex)),
        |answer| is_ours(answer.payload),
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

fn is_ours(payload: &[u8]) -> bool {
    let Ok(header) = TcHeader::parse(payload) else {
        return false;
    };
    let (mut named, mut direct, mut loaded) = (false, false, false);
    for option in attributes(payload, header.buffer_len())
        .filter_map(|attribute| TcAttribute::parse_with_param(&attribute, TcFilterBpf::KIND).ok())
        .flat_map(bpf_options)
    {
        match option {
            TcFilterBpfOption::ProgName(name) => named = name == NAME,
            TcFilterBpfOption::Flags(flags) => direct = flags.contains(TcBpfFlags::DirectAction),
            TcFilterBpfOption::ProgTag(_) => loaded = true,
            _ => {}
        }
    }
    named && direct && loaded
}

fn bpf_options(attribute: TcAttribute) -> impl Iterator<Item = TcFilterBpfOption> {
    let options = match attribute {
        TcAttribute::Options(options) => options,
        _ => Vec::new(),
    };
    options.into_iter().filter_map(|option| match option {
        TcOption::Bpf(option) => Some(option),
        _ => None,
    })
}

fn qdisc(ifindex: u32) -> TcMessage {
    let mut message = TcMessage::with_index(ifindex.cast_signed());
    message.header.handle = CLSACT_HANDLE;
    message.header.parent = TcHandle::CLSACT;
    let kind = TcAttribute::Kind("clsact".to_owned());
    message.attributes.push(kind);
    message
}

/// What tells the filter from others.
fn filter(ifindex: u32) -> TcMessage {
    let mut message = TcMessage::with_index(ifindex.cast_signed());
    message.header.handle = FILTER_HANDLE;
    message.header.parent = INGRESS;
    message.header.info = FILTER_PRIORITY << 16 | u32::from(ETH_P_ALL.to_be());
    let kind = TcAttribute::Kind(TcFilterBpf::KIND.to_owned());
    message.attributes.push(kind);
    message
}
