//! The decoder against etherparse, a strict parser that knows nothing of this one, and checksums
//! against the plainest way to compute them.

use etherparse::{LaxSlicedPacket, NetSlice, PacketBuilder, SlicedPacket, TransportSlice};
use proptest::prelude::*;

use super::testing::*;
use super::*;
use crate::decode::checksum::{self, ChecksumFault};
use crate::packet::{Network, Transport};

/// What both must agree on.
#[derive(Debug, PartialEq)]
struct View {
    source: std::net::IpAddr,
    destination: std::net::IpAddr,
    ports: Option<(u16, u16)>,
    payload: Vec<u8>,
}

fn ours(packet: &Packet<'_>) -> Option<View> {
    let ports = match packet.transport {
        Transport::Tcp(_) | Transport::Udp { .. } => Some(packet.ports()),
        Transport::Icmp4(_) | Transport::Icmp6(_) => None,
        _ => return None,
    };
    Some(View {
        source: packet.source,
        destination: packet.destination,
        ports,
        payload: packet.payload().to_vec(),
    })
}

fn theirs(sliced: &SlicedPacket<'_>) -> Option<View> {
    let (source, destination) = match sliced.net.as_ref()? {
        NetSlice::Ipv4(ip) => (
            ip.header().source_addr().into(),
            ip.header().destination_addr().into(),
        ),
        NetSlice::Ipv6(ip) => (
            ip.header().source_addr().into(),
            ip.header().destination_addr().into(),
        ),
        NetSlice::Arp(_) => return None,
    };
    let (ports, payload) = match sliced.transport.as_ref()? {
        TransportSlice::Tcp(tcp) => (
            Some((tcp.source_port(), tcp.destination_port())),
            tcp.payload(),
        ),
        TransportSlice::Udp(udp) => (
            Some((udp.source_port(), udp.destination_port())),
            udp.payload(),
        ),
        TransportSlice::Icmpv4(icmp) => (None, icmp.payload()),
        TransportSlice::Icmpv6(icmp) => (None, icmp.payload()),
        TransportSlice::Igmp(_) => return None,
    };
    Some(View {
        source,
        destination,
        ports,
        payload: payload.to_vec(),
    })
}

/// A right frame of one of several kinds.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop::collection::vec(any::<u8>(), 0..64);
    (0..8u8, any::<(u16, u16)>(), payload).prop_map(|(kind, (source, destination), payload)| {
        let link = PacketBuilder::ethernet2([2; 6], [4; 6]);
        let link = match kind % 2 {
            0 => link.ipv4(A4.octets(), B4.octets(), 64),
            _ => link.ipv6(A6.octets(), B6.octets(), 64),
        };
        let mut frame = Vec::new();
        match kind / 2 {
            0 => link
                .tcp(source, destination, 1, 1024)
                .options_raw(&[1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2])
                .expect("options")
                .write(&mut frame, &payload),
            1 => link.udp(source, destination).write(&mut frame, &payload),
            2 if kind % 2 == 0 => link
                .icmpv4_echo_request(source, destination)
                .write(&mut frame, &payload),
            2 => link
                .icmpv6_echo_request(source, destination)
                .write(&mut frame, &payload),
            _ => link
                .tcp(source, destination, 1, 1024)
                .write(&mut frame, &payload),
        }
        .expect("a frame");
        frame
    })
}

/// The same with some header bytes changed and the end cut off or padded.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let change = (12..70usize, any::<u8>());
    (frames(), prop::collection::vec(change, 0..4), 0..90usize).prop_map(
        |(mut frame, changes, keep)| {
            for (at, value) in changes {
                if let Some(byte) = frame.get_mut(at) {
                    *byte = value;
                }
            }
            if keep < 60 {
                frame.truncate(frame.len().min(14 + keep * 2));
            } else {
                frame.resize(frame.len() + keep - 60, 0);
            }
            frame
        },
    )
}

/// The 16-bit sum one word at a time.
fn naive(bytes: &[u8]) -> u16 {
    let mut sum = 0u32;
    for pair in bytes.chunks(2) {
        let word = u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]);
        sum += u32::from(word);
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).expect("folded")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn right_frames_are_read_alike_and_their_checksums_hold(frame in frames()) {
        let packet = decode(&frame, LinkType::Ethernet).expect("right");
        let sliced = SlicedPacket::from_ethernet(&frame).expect("right");
        prop_assert_eq!(ours(&packet), theirs(&sliced));
        prop_assert_eq!(checksum::verify_ipv4_header(&packet), Ok(()));
        prop_assert_eq!(checksum::verify_transport(&packet), Ok(()));
    }

    #[test]
    fn one_wrong_bit_is_a_wrong_checksum(frame in frames(), at: prop::sample::Index, bit in 0..8u8) {
        let mut frame = frame;
        // Addresses and everything above: what the sums cover, and no length field is hit.
        let from = if frame[12..14] == [8, 0] { 26 } else { 22 };
        let at = from + at.index(frame.len() - from);
        frame[at] ^= 1 << bit;
        if let Ok(packet) = decode(&frame, LinkType::Ethernet)
            && packet.network != Network::Other
            && packet.transport_header().get(6..8) != Some(&[0, 0])
        {
            let wrong = checksum::verify_ipv4_header(&packet).is_err()
                || checksum::verify_transport(&packet).is_err();
            // A changed data offset or UDP length moves bytes between header and payload only.
            prop_assert!(wrong, "{packet:?}");
        }
    }

    /// Whatever etherparse takes and reads down to the transport, weir reads alike; and what weir takes
    /// is never what etherparse refuses for its IP or transport header.
    #[test]
    fn damaged_frames_are_judged_alike(frame in damaged()) {
        let decoded = decode(&frame, LinkType::Ethernet);
        let sliced = SlicedPacket::from_ethernet(&frame);
        match (&decoded, &sliced) {
            (Ok(packet), Ok(sliced)) => {
                if let (Some(ours), Some(theirs)) = (ours(packet), theirs(sliced)) {
                    prop_assert_eq!(ours, theirs);
                }
            }
            (Ok(packet), Err(_)) if ours(packet).is_some() => {
                // etherparse also wants room for what stands behind tags and in options it knows.
                let lax = LaxSlicedPacket::from_ethernet(&frame).expect("an Ethernet header");
                prop_assert!(
                    !matches!(lax.net, Some(etherparse::LaxNetSlice::Ipv4(_))),
                    "weir takes what etherparse refuses: {packet:?} {sliced:?}"
                );
            }
            _ => {}
        }
    }

    #[test]
    fn any_bytes_are_decoded_without_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..128),
        link in prop::sample::select(vec![
            LinkType::Ethernet, LinkType::RawIp, LinkType::LinuxSll, LinkType::LinuxSll2,
            LinkType::Null, LinkType::Loop, LinkType::Ppp, LinkType::CiscoHdlc,
        ]),
    ) {
        let mut next = Some(decode(&bytes, link));
        while let Some(decoded) = next {
            let mut packet = match decoded {
                Ok(packet) => packet,
                Err(error) => error.packet,
            };
            prop_assert!(packet.l3 <= packet.l4);
            prop_assert!(packet.l4 <= packet.payload_start);
            prop_assert!(packet.payload_start <= packet.payload_end);
            prop_assert!(packet.payload_end <= bytes.len());
            let _ = checksum::verify_transport(&packet);
            next = inner(&mut packet);
        }
    }

    #[test]
    fn sums_are_those_of_single_words(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let fold = checksum::fold(checksum::sum(&bytes));
        prop_assert_eq!(u16::from_be(fold), naive(&bytes));
    }

    #[test]
    fn an_updated_checksum_is_the_one_computed_anew(
        mut bytes in prop::collection::vec(any::<u8>(), 4..100),
        new in prop::collection::vec(any::<u8>(), 1..20),
        at: prop::sample::Index,
    ) {
        let before = checksum::finish(checksum::sum(&bytes));
        let at = at.index(bytes.len()) & !1;
        let end = bytes.len().min(at + new.len());
        let old = bytes[at..end].to_vec();
        bytes[at..end].copy_from_slice(&new[..end - at]);
        let updated = checksum::update(before, &old, &new[..end - at]);
        let anew = checksum::finish(checksum::sum(&bytes));
        // 0 and 0xffff are the same in ones' complement.
        let plain = |field: [u8; 2]| if field == [0xff; 2] { [0; 2] } else { field };
        prop_assert_eq!(plain(updated), plain(anew));
    }
}

#[test]
fn frames_without_a_finished_checksum_are_not_judged() {
    use crate::frame::*;
    let meta = |checksum, gso_size| FrameMeta {
        at: Timestamp(0),
        link: LinkType::RawIp,
        checksum,
        gso_size,
        attachment: AttachmentId(0),
        direction: WireDirection::ToPod,
        mode: Mode::Prevent,
        rules: RuleSetId(0),
        number: 0,
    };
    let ip = ipv4(6, &tcp(&[], b"sum is zero"));
    let packet = decode(&ip, LinkType::RawIp).expect("right");
    let fault = Err(ChecksumFault::Tcp);
    assert_eq!(
        checksum::verify(&packet, &meta(ChecksumState::Final, None)),
        fault
    );
    assert_eq!(
        checksum::verify(&packet, &meta(ChecksumState::Partial, None)),
        Ok(())
    );
    assert_eq!(
        checksum::verify(&packet, &meta(ChecksumState::Final, Some(1448))),
        Ok(())
    );
    let mut wrong = ip.clone();
    wrong[10] ^= 1;
    let packet = decode(&wrong, LinkType::RawIp).expect("right but for its checksum");
    assert_eq!(
        checksum::verify(&packet, &meta(ChecksumState::Partial, Some(1448))),
        Err(ChecksumFault::Ipv4Header)
    );
}

#[test]
fn udp_may_leave_its_checksum_out_in_ipv4_alone() {
    let ip = ipv4(17, &udp(1, 2, b"x"));
    let packet = decode(&ip, LinkType::RawIp).expect("right");
    assert_eq!(checksum::verify_transport(&packet), Ok(()));
    let ip = ipv6(17, &udp(1, 2, b"x"));
    let packet = decode(&ip, LinkType::RawIp).expect("right");
    assert_eq!(checksum::verify_transport(&packet), Err(ChecksumFault::Udp));
}
