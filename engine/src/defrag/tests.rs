//! What becomes of fragments, by name.

use std::time::Duration;

use super::testing::{Bench, complete, held, meta, refusal, sample};
use super::*;
use crate::decode::testing::*;
use crate::frame::{AttachmentId, FrameMeta, LinkType, Mode, Timestamp};
use crate::verdict::DropReason;

const ORDERS: [[usize; 3]; 6] = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
];

#[test]
fn fragments_in_every_order_are_held_and_become_one_packet() {
    for v6 in [false, true] {
        for order in ORDERS {
            let (payload, pieces) = sample(v6);
            let mut bench = Bench::prevent();
            assert!(held(&bench.offer(&pieces[order[0]])));
            assert!(held(&bench.offer(&pieces[order[1]])));
            let datagram = complete(bench.offer(&pieces[order[2]]));
            let packet = datagram.decode().expect("deliverable");
            assert!(packet.reassembled);
            assert_eq!(packet.payload(), payload);
            assert_eq!(packet.ports(), (1000, 2000));
            assert!(crate::decode::checksum::verify_ipv4_header(&packet).is_ok());
            assert_eq!(packet.fragment, None);
            let released: Vec<_> = datagram.held().map(|(frame, _)| frame.to_vec()).collect();
            assert_eq!(
                released,
                [pieces[order[0]].clone(), pieces[order[1]].clone()]
            );
            bench.defrag.recycle(datagram);
            let counters = bench.defrag.counters();
            assert_eq!(
                (counters.fragments, counters.reassembled, counters.active),
                (3, 1, 0)
            );
            assert!(bench.discarded.is_empty());
        }
    }
}

#[test]
fn in_detect_mode_fragments_are_watched_and_none_is_released_again() {
    let (payload, pieces) = sample(false);
    let mut bench = Bench::new(Mode::Detect, DefragLimits::default());
    assert!(matches!(bench.offer(&pieces[2]), Accepted::Watched));
    assert!(matches!(bench.offer(&pieces[0]), Accepted::Watched));
    let datagram = complete(bench.offer(&pieces[1]));
    assert_eq!(datagram.held().count(), 0);
    assert_eq!(datagram.decode().expect("deliverable").payload(), payload);
}

#[test]
fn an_exact_copy_is_held_and_released_with_the_others() {
    for v6 in [false, true] {
        let (payload, pieces) = sample(v6);
        let mut bench = Bench::prevent();
        for index in [0, 0, 2, 0] {
            assert!(held(&bench.offer(&pieces[index])));
        }
        let datagram = complete(bench.offer(&pieces[1]));
        assert_eq!(datagram.held().count(), 4);
        assert_eq!(datagram.decode().expect("deliverable").payload(), payload);
    }
}

#[test]
fn the_headers_before_an_ipv6_fragment_header_are_kept() {
    let datagram = udp(1, 2, b"options in front");
    let options = |data: &[u8], offset, more| {
        let fragment = fragment_header(17, 9, offset, more, data);
        ipv6(0, &[options_header(44, &[5, 2, 0, 0]), fragment].concat())
    };
    let mut bench = Bench::prevent();
    assert!(held(&bench.offer(&options(&datagram[..16], 0, true))));
    let whole = complete(bench.offer(&options(&datagram[16..], 16, false)));
    let packet = whole.decode().expect("deliverable");
    assert_eq!(packet.payload(), b"options in front");
    assert!(
        packet
            .extensions
            .contains(crate::packet::Extensions::HOP_BY_HOP)
    );
    assert_eq!(packet.protocol, 17);
}

#[test]
fn datagrams_are_told_apart_by_all_that_identifies_them() {
    let data = [0u8; 16];
    let base = ipv4_fragment(99, 1, 0, true, &data);
    let mut bench = Bench::prevent();
    assert!(held(&bench.offer(&base)));
    let last = |protocol, id| ipv4_fragment(protocol, id, 16, false, &data);
    let mut elsewhere = last(99, 1);
    elsewhere[15] ^= 1;
    fix_ipv4(&mut elsewhere);
    for other in [last(98, 1), last(99, 2), elsewhere] {
        assert!(held(&bench.offer(&other)));
    }
    let other_pod = FrameMeta {
        attachment: AttachmentId(8),
        ..meta(9, Mode::Prevent)
    };
    assert!(held(&bench.offer_with(&last(99, 1), &other_pod)));
    let datagram = complete(bench.offer(&last(99, 1)));
    assert_eq!(datagram.fragments(), 2);
    // In IPv6 the first fragment alone says what the datagram is.
    assert!(held(&bench.offer(&ipv6_fragment(
        17,
        1,
        0,
        true,
        &udp(1, 2, b"12345678")
    ))));
    let datagram = complete(bench.offer(&ipv6_fragment(99, 1, 16, false, &data)));
    assert_eq!(datagram.decode().expect("deliverable").protocol, 17);
}

#[test]
fn unfinished_datagrams_time_out_and_their_fragments_are_dropped() {
    let limits = DefragLimits {
        timeout: Duration::from_nanos(100),
        ..DefragLimits::default()
    };
    let mut bench = Bench::new(Mode::Prevent, limits);
    let (_, pieces) = sample(false);
    assert!(held(&bench.offer(&pieces[0])));
    let mut given_up = Vec::new();
    let sink = &mut |d: Discarded<'_>| given_up.push((d.frame.to_vec(), d.reason));
    bench.defrag.advance(Timestamp(100), sink);
    bench.defrag.advance(Timestamp(101), sink);
    assert_eq!(given_up, [(pieces[0].clone(), DropReason::FragmentTimeout)]);
    assert_eq!(bench.defrag.counters().timed_out, 1);
    // The rest does not complete it.
    assert!(held(&bench.offer(&pieces[1])));
    assert!(held(&bench.offer(&pieces[2])));
    bench
        .defrag
        .clear(&mut |d| assert_eq!(d.reason, DropReason::FragmentTimeout));
    assert_eq!(bench.defrag.counters().active, 0);
}

#[test]
fn a_full_table_gives_up_the_oldest_datagram() {
    let limits = DefragLimits {
        datagrams: 2,
        ..DefragLimits::default()
    };
    let mut bench = Bench::new(Mode::Prevent, limits);
    let frames: Vec<_> = (0..3)
        .map(|id| ipv4_fragment(99, id, 0, true, &[0; 16]))
        .collect();
    for frame in &frames {
        assert!(held(&bench.offer(frame)));
    }
    assert_eq!(
        bench.discarded,
        [(frames[0].clone(), DropReason::FragmentMemcap)]
    );
    assert_eq!(bench.defrag.counters().evicted, 1);
    assert_eq!(bench.defrag.counters().active, 2);
}

#[test]
fn full_memory_gives_up_others_first_and_then_refuses() {
    let limits = DefragLimits {
        bytes: 300,
        ..DefragLimits::default()
    };
    let mut bench = Bench::new(Mode::Prevent, limits);
    let frame = |id, offset| ipv4_fragment(99, id, offset, true, &[0; 80]);
    assert!(held(&bench.offer(&frame(1, 0))));
    assert!(held(&bench.offer(&frame(2, 0))));
    assert!(held(&bench.offer(&frame(1, 80))));
    assert!(bench.discarded.is_empty());
    assert!(held(&bench.offer(&frame(1, 160))));
    assert_eq!(bench.discarded, [(frame(2, 0), DropReason::FragmentMemcap)]);
    let refused = refusal(bench.offer(&frame(1, 240)));
    assert_eq!(refused, (DropReason::FragmentMemcap, None));
    assert_eq!(bench.defrag.counters().no_room, 1);
}

#[test]
fn too_many_fragments_of_one_datagram_are_refused() {
    let limits = DefragLimits {
        fragments: 3,
        ..DefragLimits::default()
    };
    let mut bench = Bench::new(Mode::Prevent, limits);
    let frame = ipv4_fragment(99, 1, 0, true, &[0; 8]);
    for _ in 0..3 {
        assert!(held(&bench.offer(&frame)));
    }
    let refused = refusal(bench.offer(&frame));
    assert_eq!(refused, (DropReason::FragmentMemcap, None));
}

#[test]
fn rewritten_data_reaches_the_fragments() {
    let (_, pieces) = sample(false);
    let mut bench = Bench::prevent();
    assert!(held(&bench.offer(&pieces[2])));
    assert!(held(&bench.offer(&pieces[0])));
    let mut current = pieces[1].clone();
    let mut datagram = complete(bench.offer(&current));
    let bytes = datagram.bytes_mut();
    let payload = bytes.len() - 40;
    for byte in &mut bytes[payload..] {
        *byte ^= 0xff;
    }
    let expected = bytes[payload - 8..].to_vec();
    datagram.write_back(&mut current);
    let mut again = Bench::prevent();
    let frames: Vec<_> = datagram.held().map(|(frame, _)| frame.to_vec()).collect();
    assert_eq!(frames.len(), 2);
    for frame in &frames {
        assert!(held(&again.offer(frame)));
    }
    let whole = complete(again.offer(&current));
    assert_eq!(whole.decode().expect("deliverable").segment(), expected);
}

#[test]
fn link_headers_do_not_limit_the_datagram() {
    let datagram = udp(1, 2, &[9; 40]);
    let frame = |offset: usize, end: usize| {
        let more = end < datagram.len();
        let ip = ipv4_fragment(17, 5, offset, more, &datagram[offset..end]);
        let tag = [&[0, 42, 8, 0][..], &ip].concat();
        ethernet(0x8100, &tag)
    };
    let meta = FrameMeta {
        link: LinkType::Ethernet,
        ..meta(1, Mode::Prevent)
    };
    let mut bench = Bench::prevent();
    assert!(held(&bench.offer_with(&frame(0, 24), &meta)));
    let whole = complete(bench.offer_with(&frame(24, 48), &meta));
    assert_eq!(whole.meta().link, LinkType::RawIp);
    let packet = whole.decode().expect("deliverable");
    assert_eq!((packet.vlan, packet.vlan_layers), ([42, 0, 0], 1));
    assert_eq!(packet.payload(), [9; 40]);
}
