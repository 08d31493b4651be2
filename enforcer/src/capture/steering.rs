//! Which worker takes a frame.
//!
//! Symmetric, so that both directions of a flow meet at one worker: by addresses and ports for
//! unfragmented TCP, UDP and SCTP right behind the IP header, by addresses only for everything else,
//! so that all fragments of a datagram meet. What a datagram's fragments carry may therefore belong to
//! a flow of another worker; the pipeline hands it over.
//!
//! The kernel runs [`program`] (classic BPF, `PACKET_FANOUT_CBPF`) on each frame and takes the result
//! modulo the number of workers; [`steer`] computes the same in Rust. Neither panics nor fails: a load
//! past the frame's end gives 0, the first worker.

use std::net::IpAddr;

use libc::sock_filter;
use weir_engine::event::Ends;

const IPV4: u32 = 0x0800;
const IPV6: u32 = 0x86dd;
const VLAN: u32 = 0x8100;
const QINQ: u32 = 0x88a8;
const TCP: u32 = 6;
const UDP: u32 = 17;
const SCTP: u32 = 132;
/// More-fragments flag and fragment offset.
const FRAGMENT: u32 = 0x3fff;
/// 2^32 divided by the golden ratio: spreads sums that differ in low bits only.
const SPREAD: u32 = 0x9e37_79b1;
/// The upper half of the product is the better spread.
const SPREAD_SHIFT: u32 = 16;

/// Scratch word with the offset of the IP header.
const BASE: u32 = 1;
/// Scratch word with the sum so far.
const SUM: u32 = 2;

/// The frame from its network header on, as the kernel shows it to the program: `protocol` is the
/// EtherType in front of `network` (behind the outermost VLAN tag, which the kernel takes off).
#[must_use]
pub fn steer(protocol: u16, network: &[u8]) -> u32 {
    steer_checked(protocol, network).unwrap_or(0)
}

/// The worker of `workers` that the kernel gives a frame to. `frame` starts with the Ethernet header,
/// its outermost VLAN tag in place.
#[must_use]
pub fn worker_of(frame: &[u8], workers: usize) -> usize {
    let ether_type = |at: usize| half(frame, at);
    let mut at = 12;
    if matches!(ether_type(at), Some(VLAN | QINQ)) {
        at += 4;
    }
    let protocol = ether_type(at).and_then(|p| u16::try_from(p).ok());
    let hash = steer(
        protocol.unwrap_or(0),
        frame.get(at + 2..).unwrap_or_default(),
    );
    usize::try_from(hash).unwrap_or(0) % workers.max(1)
}

/// The worker of `workers` that the kernel gives the unfragmented packets of a flow to, in the form that
/// nearly all have: without IPv6 extension headers.
#[must_use]
pub fn worker_of_ends(ends: &Ends, workers: usize) -> usize {
    let sum = |address: IpAddr| match address {
        IpAddr::V4(address) => u32::from(address),
        IpAddr::V6(address) => {
            let octets = address.octets();
            let words = octets.as_chunks::<4>().0.iter();
            let words = words.map(|word| u32::from_be_bytes(*word));
            words.fold(0, u32::wrapping_add)
        }
    };
    let mut total = sum(ends.source).wrapping_add(sum(ends.destination));
    if has_ports(u32::from(ends.protocol)) {
        let ports = u32::from(ends.source_port) + u32::from(ends.destination_port);
        total = total.wrapping_add(ports);
    }
    usize::try_from(spread(total)).unwrap_or(0) % workers.max(1)
}

fn spread(sum: u32) -> u32 {
    sum.wrapping_mul(SPREAD) >> SPREAD_SHIFT
}

fn steer_checked(protocol: u16, network: &[u8]) -> Option<u32> {
    let (protocol, base) = match u32::from(protocol) {
        VLAN | QINQ => (half(network, 2)?, 4),
        protocol => (protocol, 0),
    };
    let ip = network.get(base..)?;
    let sum = match protocol {
        IPV4 => {
            let sum = word(ip, 12)?.wrapping_add(word(ip, 16)?);
            if half(ip, 6)? & FRAGMENT == 0 && has_ports(byte(ip, 9)?) {
                let l4 = usize::try_from((byte(ip, 0)? & 0xf) * 4).ok()?;
                sum.wrapping_add(ports(ip, l4)?)
            } else {
                sum
            }
        }
        IPV6 => {
            let mut sum = 0u32;
            for at in (8..40).step_by(4) {
                sum = sum.wrapping_add(word(ip, at)?);
            }
            if has_ports(byte(ip, 6)?) {
                sum.wrapping_add(ports(ip, 40)?)
            } else {
                sum
            }
        }
        _ => return Some(0),
    };
    Some(spread(sum))
}

fn has_ports(protocol: u32) -> bool {
    matches!(protocol, TCP | UDP | SCTP)
}

fn ports(ip: &[u8], l4: usize) -> Option<u32> {
    Some(half(ip, l4)? + half(ip, l4 + 2)?)
}

fn byte(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at).map(|&b| u32::from(b))
}

fn half(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk::<2>()?;
    Some(u32::from(u16::from_be_bytes(*bytes)))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk::<4>()?))
}

/// The kernel's program.
#[must_use]
pub fn program() -> Vec<sock_filter> {
    let mut p = Assembler::default();
    p.op(LDX_IMM, 0);
    p.op(LD_HALF_ABS, AD_PROTOCOL);
    p.jump_if(JEQ, VLAN, "vlan");
    p.jump_if(JEQ, QINQ, "vlan");
    p.goto("untagged");
    p.label("vlan");
    p.op(LDX_IMM, 4);
    p.op(LD_HALF_ABS, 2);
    p.label("untagged");
    p.op(STX, BASE);
    p.jump_if(JEQ, IPV4, "ipv4");
    p.jump_if(JEQ, IPV6, "ipv6");
    p.op(RET_IMM, 0);

    p.label("ipv4");
    p.zero_sum();
    p.add(LD_WORD_IND, 12);
    p.add(LD_WORD_IND, 16);
    p.op(LD_HALF_IND, 6);
    p.jump_if(JSET, FRAGMENT, "finish");
    p.op(LD_BYTE_IND, 9);
    p.jump_if_ports("ports4");
    p.goto("finish");
    p.label("ports4");
    p.op(LD_BYTE_IND, 0);
    p.op(AND_IMM, 0xf);
    p.op(LSH_IMM, 2);
    p.op(ADD_X, 0);
    p.op(TAX, 0);
    p.op(STX, BASE);
    p.add(LD_HALF_IND, 0);
    p.add(LD_HALF_IND, 2);
    p.goto("finish");

    p.label("ipv6");
    p.zero_sum();
    for at in (8..40).step_by(4) {
        p.add(LD_WORD_IND, at);
    }
    p.op(LD_BYTE_IND, 6);
    p.jump_if_ports("ports6");
    p.goto("finish");
    p.label("ports6");
    p.add(LD_HALF_IND, 40);
    p.add(LD_HALF_IND, 42);

    p.label("finish");
    p.op(LD_MEM, SUM);
    p.op(MUL_IMM, SPREAD);
    p.op(RSH_IMM, SPREAD_SHIFT);
    p.op(RET_A, 0);
    p.finish()
}

// Instruction codes: linux/bpf_common.h. Loads at `_IND` add the X register to the offset.
const LD_HALF_ABS: u16 = 0x28;
const LD_WORD_IND: u16 = 0x40;
const LD_HALF_IND: u16 = 0x48;
const LD_BYTE_IND: u16 = 0x50;
const LD_IMM: u16 = 0x00;
const LD_MEM: u16 = 0x60;
const LDX_IMM: u16 = 0x01;
const LDX_MEM: u16 = 0x61;
const ST: u16 = 0x02;
const STX: u16 = 0x03;
const ADD_X: u16 = 0x0c;
const MUL_IMM: u16 = 0x24;
const AND_IMM: u16 = 0x54;
const LSH_IMM: u16 = 0x64;
const RSH_IMM: u16 = 0x74;
const JA: u16 = 0x05;
const JEQ: u16 = 0x15;
const JSET: u16 = 0x45;
const RET_IMM: u16 = 0x06;
const RET_A: u16 = 0x16;
const TAX: u16 = 0x07;
/// `SKF_AD_OFF + SKF_AD_PROTOCOL`: the frame's EtherType, in host order.
const AD_PROTOCOL: u32 = 0xffff_f000;

/// Instructions with forward jumps by name.
#[derive(Default)]
struct Assembler {
    code: Vec<sock_filter>,
    jumps: Vec<(usize, &'static str)>,
    labels: Vec<(&'static str, usize)>,
}

impl Assembler {
    fn op(&mut self, code: u16, k: u32) {
        self.code.push(sock_filter {
            code,
            jt: 0,
            jf: 0,
            k,
        });
    }

    /// Jumps to `label` when the comparison with `k` holds, else goes on. The jump itself is an
    /// instruction of its own: conditional ones reach 255 instructions only.
    fn jump_if(&mut self, code: u16, k: u32, label: &'static str) {
        self.code.push(sock_filter {
            code,
            jt: 0,
            jf: 1,
            k,
        });
        self.goto(label);
    }

    fn goto(&mut self, label: &'static str) {
        self.jumps.push((self.code.len(), label));
        self.op(JA, 0);
    }

    fn label(&mut self, name: &'static str) {
        self.labels.push((name, self.code.len()));
    }

    fn zero_sum(&mut self) {
        self.op(LD_IMM, 0);
        self.op(ST, SUM);
    }

    /// Adds what `load` reads at `at` behind the base to the sum; X is the base afterwards.
    fn add(&mut self, load: u16, at: u32) {
        self.op(load, at);
        self.op(LDX_MEM, SUM);
        self.op(ADD_X, 0);
        self.op(ST, SUM);
        self.op(LDX_MEM, BASE);
    }

    fn jump_if_ports(&mut self, label: &'static str) {
        for protocol in [TCP, UDP, SCTP] {
            self.jump_if(JEQ, protocol, label);
        }
    }

    fn finish(mut self) -> Vec<sock_filter> {
        for (from, name) in self.jumps {
            let target = self.labels.iter().find(|(label, _)| *label == name);
            let target = target.map_or(self.code.len(), |(_, at)| *at);
            if let Some(jump) = self.code.get_mut(from) {
                jump.k = u32::try_from(target.saturating_sub(from + 1)).unwrap_or(0);
            }
        }
        self.code
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn udp4(fragment: u16, ports: (u16, u16)) -> Vec<u8> {
        let mut ip = vec![
            0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
        ];
        ip[6..8].copy_from_slice(&fragment.to_be_bytes());
        ip.extend(ports.0.to_be_bytes());
        ip.extend(ports.1.to_be_bytes());
        ip.extend([0, 8, 0, 0]);
        ip
    }

    #[test]
    fn fragments_of_a_datagram_meet_whatever_they_carry() {
        let first = steer(0x0800, &udp4(0x2000, (1, 2)));
        assert_eq!(first, steer(0x0800, &udp4(0x0005, (77, 9))));
        assert_eq!(first, steer(0x0800, &udp4(0x2005, (3, 99))));
        assert_ne!(first, steer(0x0800, &udp4(0x4000, (1, 2))));
    }

    #[test]
    fn ports_spread_flows_of_two_hosts() {
        let mut seen = [0usize; 4];
        for port in 0..1000 {
            let hash = steer(0x0800, &udp4(0, (40_000 + port, 80)));
            seen[hash as usize % 4] += 1;
        }
        assert!(seen.iter().all(|&n| n > 150), "{seen:?}");
    }

    fn ip_packet(a: &[u8; 16], b: &[u8; 16], l4: (u8, (u16, u16)), v6: bool) -> Vec<u8> {
        let (protocol, ports) = l4;
        let mut ip = vec![0; if v6 { 40 } else { 20 }];
        if v6 {
            ip[0] = 0x60;
            ip[6] = protocol;
            ip[8..24].copy_from_slice(a);
            ip[24..40].copy_from_slice(b);
        } else {
            ip[0] = 0x45;
            ip[9] = protocol;
            ip[12..16].copy_from_slice(&a[..4]);
            ip[16..20].copy_from_slice(&b[..4]);
        }
        ip.extend(ports.0.to_be_bytes());
        ip.extend(ports.1.to_be_bytes());
        ip
    }

    proptest! {
        #[test]
        fn both_directions_of_a_flow_meet(
            a: [u8; 16], b: [u8; 16], ports: (u16, u16), v6: bool,
            protocol in prop::sample::select(vec![6u8, 17, 132, 1, 58, 0, 44]),
        ) {
            let build = |a: &[u8; 16], b: &[u8; 16], ports: (u16, u16)| {
                let packet = ip_packet(a, b, (protocol, ports), v6);
                steer(if v6 { 0x86dd } else { 0x0800 }, &packet)
            };
            prop_assert_eq!(build(&a, &b, ports), build(&b, &a, (ports.1, ports.0)));
        }

        #[test]
        fn ends_say_the_same_as_the_packet(
            a: [u8; 16], b: [u8; 16], ports: (u16, u16), v6: bool,
            protocol in prop::sample::select(vec![6u8, 17, 132, 1, 58]),
        ) {
            let packet = ip_packet(&a, &b, (protocol, ports), v6);
            let kind = if v6 { 0x86ddu16 } else { 0x0800 }.to_be_bytes();
            let frame = [&[0u8; 12][..], &kind, &packet].concat();
            let address = |bytes: [u8; 16]| if v6 {
                IpAddr::from(bytes)
            } else {
                IpAddr::from(*bytes.first_chunk::<4>().unwrap())
            };
            let ends = Ends {
                source: address(a),
                source_port: ports.0,
                destination: address(b),
                destination_port: ports.1,
                protocol,
                icmp: None,
            };
            prop_assert_eq!(worker_of_ends(&ends, 5), worker_of(&frame, 5));
        }

        #[test]
        fn takes_any_bytes(frame in prop::collection::vec(any::<u8>(), 0..80), protocol: u16) {
            let _ = steer(protocol, &frame);
            prop_assert!(worker_of(&frame, 3) < 3);
        }
    }
}
