//! Which frames of a pod are its own.

use std::net::{Ipv4Addr, Ipv6Addr};

use weir_datapath::kernel::{AntiSpoof, AttachmentCounters, Kernel};
use weir_datapath::policy::FailMode;

use crate::frames::{arp, discovery, ethernet, ipv6, send, tagged, udp, udp4};
use crate::harness::{TestPod, in_node, two_pods};

const MAC: [u8; 6] = [2, 0x66, 0, 0, 0, 11];
const OTHER_MAC: [u8; 6] = [2, 0x66, 0, 0, 0, 12];
/// Nobody's, so that nobody answers and only the frame sent is counted.
const NO_STATION: [u8; 6] = [2, 0x66, 0, 0, 0, 0x99];
const OWN: Ipv4Addr = Ipv4Addr::new(10, 66, 0, 11);
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 66, 0, 12);
const HOST: Ipv4Addr = Ipv4Addr::new(10, 66, 0, 1);
/// Nobody has it, so nobody answers.
const UNUSED: Ipv4Addr = Ipv4Addr::new(10, 66, 0, 200);
const NOBODY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
const OWN6: Ipv6Addr = Ipv6Addr::new(0xfd66, 0, 0, 0, 0, 0, 0, 0xb);
const OTHER6: Ipv6Addr = Ipv6Addr::new(0xfd66, 0, 0, 0, 0, 0, 0, 0xc);
const OWN_LINK: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0x66, 0xff, 0xfe00, 0xb);
const OTHER_LINK: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0x66, 0xff, 0xfe00, 0xc);
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const NOBODY6: Ipv6Addr = Ipv6Addr::UNSPECIFIED;

const UDP: (u8, u8) = (17, 64);
const ND: (u8, u8) = (58, 255);

fn v4(packet: Vec<u8>) -> Vec<u8> {
    ethernet(NO_STATION, MAC, 0x0800, &packet)
}

fn v6(next: (u8, u8), from: Ipv6Addr, payload: &[u8]) -> Vec<u8> {
    ethernet(
        NO_STATION,
        MAC,
        0x86dd,
        &ipv6(next, from, ALL_NODES, payload),
    )
}

fn arp_frame(sender: ([u8; 6], Ipv4Addr)) -> Vec<u8> {
    ethernet(NO_STATION, MAC, 0x0806, &arp(sender, UNUSED))
}

fn arp_with_header(header: [u8; 6]) -> Vec<u8> {
    let mut packet = arp((MAC, OWN), UNUSED);
    packet[..6].copy_from_slice(&header);
    ethernet(NO_STATION, MAC, 0x0806, &packet)
}

fn own_frames() -> Vec<(&'static str, Vec<u8>)> {
    let plain = udp((1000, 2000), b"x");
    vec![
        ("IPv4", v4(udp4(OWN, HOST, (1, 2), b"x"))),
        (
            "IPv4 in a VLAN",
            tagged(&v4(udp4(OWN, HOST, (1, 2), b"x")), 7),
        ),
        (
            "DHCP discover",
            v4(udp4(NOBODY, Ipv4Addr::BROADCAST, (68, 67), b"x")),
        ),
        ("ARP request", arp_frame((MAC, OWN))),
        ("ARP probe", arp_frame((MAC, NOBODY))),
        ("IPv6", v6(UDP, OWN6, &plain)),
        (
            "IPv6 from its link-local address",
            v6(UDP, OWN_LINK, &plain),
        ),
        (
            "duplicate address detection",
            v6(ND, NOBODY6, &discovery(135, OWN6)),
        ),
        (
            "neighbour solicitation",
            v6(ND, OWN6, &discovery(135, OTHER6)),
        ),
        (
            "neighbour advertisement",
            v6(ND, OWN6, &discovery(136, OWN6)),
        ),
        (
            "router solicitation",
            v6(ND, OWN_LINK, &discovery(133, OWN6)),
        ),
        (
            "MLD report before an address",
            v6((0, 1), NOBODY6, &[58, 0, 5, 2, 0, 0, 0, 0, 143, 0, 0, 0]),
        ),
        (
            "runt that says IPv4",
            ethernet(NO_STATION, MAC, 0x0800, &[])[..18].to_vec(),
        ),
        ("unknown protocol", ethernet(NO_STATION, MAC, 0x88b5, b"x")),
    ]
}

fn spoofed_frames() -> Vec<(&'static str, Vec<u8>)> {
    let plain = udp((1000, 2000), b"x");
    let own = udp4(OWN, HOST, (1, 2), b"x");
    let mut dhcp_with_options = udp4(NOBODY, Ipv4Addr::BROADCAST, (68, 67), b"x");
    dhcp_with_options[0] = 0x46;
    vec![
        (
            "another pod's MAC",
            ethernet(NO_STATION, OTHER_MAC, 0x0800, &own),
        ),
        (
            "another pod's MAC in a VLAN",
            tagged(&ethernet(NO_STATION, OTHER_MAC, 0x0800, &own), 7),
        ),
        ("another pod's IPv4", v4(udp4(OTHER, HOST, (1, 2), b"x"))),
        (
            "another pod's IPv4 in a VLAN",
            tagged(&v4(udp4(OTHER, HOST, (1, 2), b"x")), 7),
        ),
        (
            "an outside IPv4",
            v4(udp4(Ipv4Addr::new(8, 8, 8, 8), HOST, (53, 2), b"x")),
        ),
        ("no IPv4 to a host", v4(udp4(NOBODY, HOST, (68, 67), b"x"))),
        (
            "no IPv4 and not DHCP",
            v4(udp4(NOBODY, Ipv4Addr::BROADCAST, (68, 68), b"x")),
        ),
        ("no IPv4 and options", v4(dhcp_with_options)),
        (
            "no IPv4 and ICMP",
            v4(crate::frames::ipv4(1, NOBODY, Ipv4Addr::BROADCAST, &plain)),
        ),
        ("ARP for another pod's IPv4", arp_frame((MAC, OTHER))),
        ("ARP for another pod's MAC", arp_frame((OTHER_MAC, OWN))),
        ("ARP of another kind", arp_with_header([0, 1, 8, 0, 6, 16])),
        ("another pod's IPv6", v6(UDP, OTHER6, &plain)),
        (
            "another pod's link-local address",
            v6(UDP, OTHER_LINK, &plain),
        ),
        ("no IPv6 and UDP", v6(UDP, NOBODY6, &plain)),
        (
            "advertisement of another pod's IPv6",
            v6(ND, OWN6, &discovery(136, OTHER6)),
        ),
        (
            "router advertisement",
            v6(ND, OWN_LINK, &discovery(134, OWN6)),
        ),
        ("redirect", v6(ND, OWN_LINK, &discovery(137, OWN6))),
    ]
}

fn counters(kernel: &mut Kernel) -> AttachmentCounters {
    kernel.wired_interface("vp11").unwrap().unwrap().counters
}

fn passed(counters: AttachmentCounters) -> u64 {
    counters.local.packets + counters.neighbour.packets + counters.from_pod.packets
}

/// Sends a frame and returns how many were found spoofed and how many not.
fn outcome(kernel: &mut Kernel, pod: &TestPod, frame: &[u8]) -> (u64, u64) {
    let before = counters(kernel);
    let total_before = kernel.counters().unwrap().spoofed.packets;
    pod.netns.run(|| send("eth0", frame));
    let after = counters(kernel);
    let spoofed = after.spoofed.packets - before.spoofed.packets;
    assert_eq!(
        kernel.counters().unwrap().spoofed.packets - total_before,
        spoofed
    );
    (spoofed, passed(after) - passed(before))
}

#[test]
fn frames_of_its_own_pass_and_others_are_dropped_and_counted() {
    in_node(|| {
        let (mut kernel, one, _two) = two_pods(FailMode::Closed);
        for (name, frame) in own_frames() {
            assert_eq!(outcome(&mut kernel, &one, &frame), (0, 1), "{name}");
        }
        for (name, frame) in spoofed_frames() {
            assert_eq!(outcome(&mut kernel, &one, &frame), (1, 0), "{name}");
        }
    });
}

#[test]
fn switched_off_nothing_is_spoofed() {
    in_node(|| {
        let (mut kernel, one, _two) = two_pods(FailMode::Closed);
        kernel.attach(&one.attachment, AntiSpoof::Off).unwrap();
        for (name, frame) in own_frames().into_iter().chain(spoofed_frames()) {
            assert_eq!(outcome(&mut kernel, &one, &frame), (0, 1), "{name}");
        }
    });
}

#[test]
fn an_address_recorded_as_link_local_may_be_used() {
    in_node(|| {
        let (mut kernel, mut one, _two) = two_pods(FailMode::Closed);
        let stable: Ipv6Addr = "fe80::1234:5678:9abc:def0".parse().unwrap();
        let frame = v6(UDP, stable, &udp((1, 2), b"x"));
        assert_eq!(outcome(&mut kernel, &one, &frame), (1, 0));
        one.attachment.link_local = Some(stable);
        kernel.attach(&one.attachment, AntiSpoof::On).unwrap();
        assert_eq!(outcome(&mut kernel, &one, &frame), (0, 1));
    });
}

#[test]
fn without_any_known_address_only_macs_are_checked() {
    in_node(|| {
        let (mut kernel, mut one, _two) = two_pods(FailMode::Closed);
        one.attachment.ips.clear();
        kernel.attach(&one.attachment, AntiSpoof::On).unwrap();
        let any = v4(udp4(OTHER, HOST, (1, 2), b"x"));
        assert_eq!(outcome(&mut kernel, &one, &any), (0, 1));
        let mac = ethernet(
            NO_STATION,
            OTHER_MAC,
            0x0800,
            &udp4(OWN, HOST, (1, 2), b"x"),
        );
        assert_eq!(outcome(&mut kernel, &one, &mac), (1, 0));
    });
}

#[test]
fn oversized_or_forwarded_neighbour_discovery_is_inspected() {
    in_node(|| {
        let (mut kernel, one, _two) = two_pods(FailMode::Closed);
        let mut long = discovery(135, OTHER6);
        long.resize(600, 0);
        for (name, frame) in [
            ("600 bytes", v6(ND, OWN6, &long)),
            (
                "hop limit 254",
                v6((58, 254), OWN6, &discovery(135, OTHER6)),
            ),
        ] {
            let before = counters(&mut kernel);
            one.netns.run(|| send("eth0", &frame));
            let after = counters(&mut kernel);
            assert_eq!(
                after.from_pod.packets,
                before.from_pod.packets + 1,
                "{name}"
            );
            assert_eq!(after.neighbour.packets, before.neighbour.packets, "{name}");
        }
    });
}
