//! What the chains say.
//!
//! Shared chains, changed only by `ensure_node`:
//! - `from_open`, `from_closed`, `to_open`, `to_closed`: return while the lease is alive; else count and accept
//!   or drop, the frame untouched;
//! - `hold_from`, `hold_to`: count and divert to the capture pair;
//! - `spoofed`: count and drop;
//! - `capture-kernel`, `capture-enforcer`: on the capture pair itself; drop, so that nothing of it enters the
//!   host's stack (the redirect program and the sockets have taken their frames before);
//! - `node`: never run; its one rule's comment says for which devices and by which revision the others were
//!   written.
//!
//! Per attachment: see [`from_pod`] and [`to_pod`].

use super::NodeDevices;
use super::antispoof::{self, Source};
use crate::layout::{
    CAPTURE_ENFORCER_END, CAPTURE_KERNEL_END, CHAIN_PRIORITY, LEASE_SET, LOCAL_V4_SET,
    LOCAL_V6_SET, TABLE_FORMAT,
};
use crate::mark::{CaptureMark, SETTLED};
use crate::nft::{BaseChain, Batch, Cmp, Header, Meta, NewSet, Rule, Verdict};
use crate::policy::FailMode;

/// Changes whenever the shared chains of this build differ from those of the last.
const REVISION: u32 = 1;

/// `NF_NETDEV_INGRESS`.
pub(super) const INGRESS: u32 = 0;
/// `NF_NETDEV_EGRESS`.
pub(super) const EGRESS: u32 = 1;

pub(super) const IPV4: u16 = 0x0800;
pub(super) const IPV6: u16 = 0x86dd;
pub(super) const ARP: u16 = 0x0806;
/// Ethernet and IPv4 with their address lengths, as every ARP packet here starts.
pub(super) const ARP_HEADER: [u8; 6] = [0, 1, 8, 0, 6, 4];
/// Next header ICMPv6 and hop limit 255, as neighbour discovery must have (RFC 4861): nothing before the ICMPv6
/// header (RFC 6980) and never forwarded.
pub(super) const ND_HEADER: [u8; 2] = [58, 255];
/// Longest IPv6 payload of neighbour discovery that passes unheld; a longer one is inspected like everything
/// else. Bounds what could be hidden in options.
const ND_MAX_PAYLOAD: u16 = 512;
/// ICMPv6 types of neighbour discovery, first and last.
const ND_TYPES: (u8, u8) = (133, 137);

pub(super) const NODE: &str = "node";
pub(super) const SPOOFED: &str = "spoofed";
const HOLD_FROM: &str = "hold_from";
const HOLD_TO: &str = "hold_to";
const CAPTURE_KERNEL: &str = "capture-kernel";
const CAPTURE_ENFORCER: &str = "capture-enforcer";

/// Names of the counter objects.
pub(super) mod counter {
    pub(in crate::kernel) const FAIL_OPEN: &str = "fail_open";
    pub(in crate::kernel) const FAIL_CLOSED: &str = "fail_closed";
    pub(in crate::kernel) const SPOOFED: &str = "spoofed";
    pub(in crate::kernel) const HELD_FROM: &str = "held_from_pod";
    pub(in crate::kernel) const HELD_TO: &str = "held_to_pod";
    pub(in crate::kernel) const PAST_SOCKETS: &str = "past_sockets";
    pub(in crate::kernel) const NOT_REDIRECTED: &str = "not_redirected";

    pub(super) const ALL: [&str; 7] = [
        FAIL_OPEN,
        FAIL_CLOSED,
        SPOOFED,
        HELD_FROM,
        HELD_TO,
        PAST_SOCKETS,
        NOT_REDIRECTED,
    ];
}

/// Comments of the rules of an attachment that count.
pub(super) mod label {
    pub(in crate::kernel) const SPOOFED: &str = "spoofed";
    pub(in crate::kernel) const LOCAL: &str = "local";
    pub(in crate::kernel) const NEIGHBOUR: &str = "neighbour";
    pub(in crate::kernel) const FROM_POD: &str = "from_pod";
    pub(in crate::kernel) const TO_POD: &str = "to_pod";
    pub(in crate::kernel) const SETTLED: &str = "settled";
}

/// Comment of the table.
pub(super) fn table_comment() -> String {
    format!("weir format {TABLE_FORMAT}")
}

/// Comment of the rule in [`NODE`].
pub(super) fn node_comment(devices: NodeDevices) -> String {
    format!(
        "format {TABLE_FORMAT} revision {REVISION} capture {} {}",
        devices.capture_kernel_end, devices.capture_enforcer_end
    )
}

/// Table, sets, counters and shared chains, whether they exist or not.
pub(super) fn node(batch: &mut Batch<'_>, devices: NodeDevices) {
    batch.table(&table_comment());
    for set in sets() {
        batch.set(&set);
    }
    for name in counter::ALL {
        batch.counter(name);
    }
    let chains = shared_chains(devices);
    for (name, _) in &chains {
        batch.chain(name);
    }
    let capture = capture_chains();
    for (name, device) in [
        (CAPTURE_KERNEL, CAPTURE_KERNEL_END),
        (CAPTURE_ENFORCER, CAPTURE_ENFORCER_END),
    ] {
        let chain = BaseChain {
            name,
            device,
            hook: INGRESS,
            priority: CHAIN_PRIORITY,
            comment: "weir",
        };
        batch.base_chain(&chain, 0);
    }
    for (name, rules) in chains.iter().chain(&capture) {
        batch.flush_chain(name);
        for rule in rules {
            batch.rule(name, rule);
        }
    }
}

/// How many rules each chain has that [`node`] writes.
pub(super) fn node_chain_lengths(devices: NodeDevices) -> Vec<(&'static str, usize)> {
    let chains = shared_chains(devices).into_iter().chain(capture_chains());
    chains.map(|(name, rules)| (name, rules.len())).collect()
}

fn capture_chains() -> [(&'static str, Vec<Rule>); 2] {
    let drop_on = |counter| vec![Rule::new().count_in(counter).verdict(Verdict::Drop)];
    [
        (CAPTURE_KERNEL, drop_on(counter::NOT_REDIRECTED)),
        (CAPTURE_ENFORCER, drop_on(counter::PAST_SOCKETS)),
    ]
}

/// Numbers of the key types are libnftables': iface_type, ipv4_addr, ipv6_addr.
fn sets() -> [NewSet<'static>; 3] {
    let addresses = |name, key_type, key_length| NewSet {
        name,
        key_type,
        key_length,
        host_order: false,
        timeout: false,
    };
    [
        NewSet {
            name: LEASE_SET,
            key_type: 21,
            key_length: 2,
            host_order: true,
            timeout: true,
        },
        addresses(LOCAL_V4_SET, 7, 4),
        addresses(LOCAL_V6_SET, 8, 16),
    ]
}

fn shared_chains(devices: NodeDevices) -> Vec<(&'static str, Vec<Rule>)> {
    let hold = |counter| {
        vec![
            Rule::new()
                .count_in(counter)
                .forward_to(devices.capture_kernel_end),
        ]
    };
    let open = (counter::FAIL_OPEN, Verdict::Accept);
    let closed = (counter::FAIL_CLOSED, Verdict::Drop);
    vec![
        ("from_open", lease_or(Meta::InputType, open)),
        ("from_closed", lease_or(Meta::InputType, closed)),
        ("to_open", lease_or(Meta::OutputType, open)),
        ("to_closed", lease_or(Meta::OutputType, closed)),
        (HOLD_FROM, hold(counter::HELD_FROM)),
        (HOLD_TO, hold(counter::HELD_TO)),
        (
            SPOOFED,
            vec![
                Rule::new()
                    .count_in(counter::SPOOFED)
                    .verdict(Verdict::Drop),
            ],
        ),
        (
            NODE,
            vec![
                Rule::new()
                    .comment(&node_comment(devices))
                    .verdict(Verdict::Return),
            ],
        ),
    ]
}

fn lease_or(device_type: Meta, (counter, verdict): (&str, Verdict<'_>)) -> Vec<Rule> {
    vec![
        Rule::new()
            .meta(device_type)
            .in_set(LEASE_SET)
            .verdict(Verdict::Return),
        Rule::new().count_in(counter).verdict(verdict),
    ]
}

/// Frames from the pod, in this order: settled ones pass; anti-spoofing; ARP and neighbour discovery pass; what
/// is for a pod of this node passes unmarked, because that pod's own chain inspects it; the rest is held, or
/// meets the fail mode.
///
/// A frame too short for a check does not match it and is held: the engine judges what it cannot read.
pub(super) fn from_pod(
    fail_mode: FailMode,
    mark: CaptureMark,
    source: Option<&Source>,
) -> Vec<Rule> {
    let mut rules = vec![settled()];
    if let Some(source) = source {
        rules.extend(antispoof::rules(source));
    }
    rules.extend(neighbour());
    for (protocol, offset, length, set) in
        [(IPV4, 16, 4, LOCAL_V4_SET), (IPV6, 24, 16, LOCAL_V6_SET)]
    {
        rules.push(
            Rule::new()
                .comment(label::LOCAL)
                .protocol(protocol)
                .load(Header::Network, offset, length)
                .in_set(set)
                .count()
                .verdict(Verdict::Accept),
        );
    }
    let fail = match fail_mode {
        FailMode::Open => "from_open",
        FailMode::Closed => "from_closed",
    };
    rules.extend(hold(label::FROM_POD, fail, mark, HOLD_FROM));
    rules
}

/// Frames to the pod: settled ones, ARP and neighbour discovery pass; the rest is held, or meets the fail mode.
pub(super) fn to_pod(fail_mode: FailMode, mark: CaptureMark) -> Vec<Rule> {
    let mut rules = vec![settled()];
    rules.extend(neighbour());
    let fail = match fail_mode {
        FailMode::Open => "to_open",
        FailMode::Closed => "to_closed",
    };
    rules.extend(hold(label::TO_POD, fail, mark, HOLD_TO));
    rules
}

fn settled() -> Rule {
    Rule::new()
        .comment(label::SETTLED)
        .meta(Meta::Mark)
        .mask(SETTLED.to_ne_bytes())
        .cmp(Cmp::Equal, &SETTLED.to_ne_bytes())
        .count()
        .verdict(Verdict::Accept)
}

fn neighbour() -> [Rule; 2] {
    [
        Rule::new()
            .comment(label::NEIGHBOUR)
            .protocol(ARP)
            .load(Header::Network, 0, 6)
            .cmp(Cmp::Equal, &ARP_HEADER)
            .count()
            .verdict(Verdict::Accept),
        Rule::new()
            .comment(label::NEIGHBOUR)
            .protocol(IPV6)
            .load(Header::Network, 4, 2)
            .cmp(Cmp::AtMost, &ND_MAX_PAYLOAD.to_be_bytes())
            .load(Header::Network, 6, 2)
            .cmp(Cmp::Equal, &ND_HEADER)
            .load(Header::Network, 40, 1)
            .cmp(Cmp::AtLeast, &[ND_TYPES.0])
            .cmp(Cmp::AtMost, &[ND_TYPES.1])
            .count()
            .verdict(Verdict::Accept),
    ]
}

/// The mark is set only once the lease is known to be alive: a frame that passes uninspected keeps the mark it
/// came with.
fn hold(label: &str, fail: &str, mark: CaptureMark, hold: &str) -> [Rule; 2] {
    [
        Rule::new()
            .comment(label)
            .count()
            .verdict(Verdict::Jump(fail)),
        Rule::new()
            .set_mark(mark.raw())
            .verdict(Verdict::Goto(hold)),
    ]
}
