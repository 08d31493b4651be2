//! Anti-spoofing: which frames from the pod bear a source that is not its own.
//!
//! Checked: source MAC; ARP sender (MAC and IPv4 address; address 0 is a probe, RFC 5227); IPv4 source (0.0.0.0
//! only for DHCP); IPv6 source (the record's addresses, the link-local ones, and `::` only in ICMPv6 and
//! hop-by-hop packets, which duplicate address detection and MLD need); target of neighbour advertisements.
//! Router advertisements and redirects are never a pod's to send.
//!
//! Limits: an attachment without any address in its record (addresses come later, by another way) is checked
//! for MAC addresses only. Addresses that a pod gets besides its recorded ones (by router advertisement, say) are
//! spoofed: such pods need anti-spoofing off. IP packets inside a second VLAN tag, PPPoE or MPLS are not IP to the kernel: they
//! are held and judged by the engine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::rules::{ARP, ARP_HEADER, IPV4, IPV6, ND_HEADER, SPOOFED, label};
use crate::nft::{Cmp, Header, Rule, Verdict};

const UDP: u8 = 17;
const ICMPV6: u8 = 58;
const HOP_BY_HOP: u8 = 0;
/// Version 4, header of 20 bytes.
const IPV4_PLAIN: u8 = 0x45;
const ROUTER_ADVERTISEMENT: u8 = 134;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
const REDIRECT: u8 = 137;
/// 0.0.0.0 to 255.255.255.255, port 68 to 67.
const DHCP: [u8; 12] = [0, 0, 0, 0, 255, 255, 255, 255, 0, 68, 0, 67];

/// Sources that a pod may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    mac: [u8; 6],
    v4: Vec<[u8; 4]>,
    v6: Vec<[u8; 16]>,
    check_addresses: bool,
}

impl Source {
    /// From the pod's MAC address, its addresses, and the link-local address it had.
    pub(super) fn new(mac: [u8; 6], ips: &[IpAddr], link_local: Option<Ipv6Addr>) -> Self {
        let mut source = Self {
            mac,
            v4: Vec::new(),
            v6: Vec::new(),
            check_addresses: !ips.is_empty(),
        };
        for ip in ips {
            match ip {
                IpAddr::V4(ip) => push_new(&mut source.v4, ip.octets()),
                IpAddr::V6(ip) => push_new(&mut source.v6, ip.octets()),
            }
        }
        push_new(&mut source.v6, link_local_of(mac).octets());
        if let Some(address) = link_local {
            push_new(&mut source.v6, address.octets());
        }
        source
    }
}

fn push_new<const N: usize>(list: &mut Vec<[u8; N]>, address: [u8; N]) {
    if !list.contains(&address) {
        list.push(address);
    }
}

/// The address that IPv6 autoconfiguration forms from a MAC address (RFC 4291, appendix A).
fn link_local_of([a, b, c, d, e, f]: [u8; 6]) -> Ipv6Addr {
    Ipv6Addr::from([
        0xfe,
        0x80,
        0,
        0,
        0,
        0,
        0,
        0,
        a ^ 2,
        b,
        c,
        0xff,
        0xfe,
        d,
        e,
        f,
    ])
}

/// The rules; frames that match one are counted and dropped.
pub(super) fn rules(source: &Source) -> Vec<Rule> {
    let mut rules = vec![
        spoofed(
            Rule::new()
                .load(Header::Link, 6, 6)
                .cmp(Cmp::NotEqual, &source.mac),
        ),
        spoofed(arp(0, 6).cmp(Cmp::NotEqual, &ARP_HEADER)),
        spoofed(arp(8, 6).cmp(Cmp::NotEqual, &source.mac)),
    ];
    if source.check_addresses {
        rules.extend(ipv4(source));
        rules.extend(ipv6(source));
    }
    for kind in [ROUTER_ADVERTISEMENT, REDIRECT] {
        rules.push(spoofed(discovery(kind)));
    }
    rules
}

fn ipv4(source: &Source) -> Vec<Rule> {
    let unspecified = Ipv4Addr::UNSPECIFIED.octets();
    let own = || {
        source
            .v4
            .iter()
            .map(<[u8; 4]>::as_slice)
            .chain([&unspecified[..]])
    };
    let from_nowhere = || {
        Rule::new()
            .protocol(IPV4)
            .load(Header::Network, 12, 4)
            .cmp(Cmp::Equal, &unspecified)
    };
    vec![
        spoofed(none_of(arp(14, 4), own())),
        spoofed(none_of(
            Rule::new().protocol(IPV4).load(Header::Network, 12, 4),
            own(),
        )),
        spoofed(
            from_nowhere()
                .load(Header::Network, 0, 1)
                .cmp(Cmp::NotEqual, &[IPV4_PLAIN]),
        ),
        spoofed(
            from_nowhere()
                .load(Header::Network, 9, 1)
                .cmp(Cmp::NotEqual, &[UDP]),
        ),
        spoofed(
            from_nowhere()
                .load(Header::Network, 12, 12)
                .cmp(Cmp::NotEqual, &DHCP),
        ),
    ]
}

fn ipv6(source: &Source) -> Vec<Rule> {
    let unspecified = Ipv6Addr::UNSPECIFIED.octets();
    let own = || source.v6.iter().map(<[u8; 16]>::as_slice);
    vec![
        spoofed(none_of(
            Rule::new().protocol(IPV6).load(Header::Network, 8, 16),
            own().chain([&unspecified[..]]),
        )),
        spoofed(none_of(
            Rule::new()
                .protocol(IPV6)
                .load(Header::Network, 8, 16)
                .cmp(Cmp::Equal, &unspecified)
                .load(Header::Network, 6, 1),
            [&[ICMPV6][..], &[HOP_BY_HOP][..]].into_iter(),
        )),
        spoofed(none_of(
            discovery(NEIGHBOUR_ADVERTISEMENT).load(Header::Network, 48, 16),
            own(),
        )),
    ]
}

fn arp(offset: u32, length: u32) -> Rule {
    Rule::new()
        .protocol(ARP)
        .load(Header::Network, offset, length)
}

/// Matches neighbour discovery messages of one type.
fn discovery(kind: u8) -> Rule {
    Rule::new()
        .protocol(IPV6)
        .load(Header::Network, 6, 2)
        .cmp(Cmp::Equal, &ND_HEADER)
        .load(Header::Network, 40, 1)
        .cmp(Cmp::Equal, &[kind])
}

/// Goes on only if the loaded bytes equal none of the values.
fn none_of<'a>(rule: Rule, values: impl Iterator<Item = &'a [u8]>) -> Rule {
    values.fold(rule, |rule, value| rule.cmp(Cmp::NotEqual, value))
}

fn spoofed(rule: Rule) -> Rule {
    rule.comment(label::SPOOFED)
        .count()
        .verdict(Verdict::Goto(SPOOFED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_local_address_is_formed_from_the_mac() {
        let address = link_local_of([0x02, 0x42, 0xac, 0x11, 0x00, 0x02]);
        assert_eq!(address, "fe80::42:acff:fe11:2".parse::<Ipv6Addr>().unwrap());
    }

    #[test]
    fn addresses_are_split_by_family_and_kept_once() {
        let ips = ["10.0.0.2", "fd00::2", "10.0.0.2"].map(|ip| ip.parse().unwrap());
        let source = Source::new([2, 0, 0, 0, 0, 1], &ips, Some("fe80::1".parse().unwrap()));
        assert_eq!(source.v4, vec![[10, 0, 0, 2]]);
        assert_eq!(source.v6.len(), 3);
        assert!(source.check_addresses);
        assert!(!Source::new([2, 0, 0, 0, 0, 1], &[], None).check_addresses);
    }
}
