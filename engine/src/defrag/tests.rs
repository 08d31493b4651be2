//! What becomes of fragments, by name.

use std::time::Duration;

use super::*;
use crate::decode::testing::*;
use crate::decode::{DecodeEvent, decode};
use crate::frame::{
    AttachmentId, ChecksumState, FrameMeta, LinkType, Mode, RuleSetId, Timestamp, WireDirection,
};
use crate::verdict::DropReason;

pub(super) fn meta(at: u64, mode: Mode) -> FrameMeta {
    FrameMeta {
        at: Timestamp(at),
        link: LinkType::RawIp,
        checksum: ChecksumState::Final,
        gso_size: None,
        attachment: AttachmentId(7),
        direction: WireDirection::ToPod,
        mode,
        rules: RuleSetId(0),
        number: at,
    }
}

/// A table under test and what it gave up.
pub(super) struct Bench {
    pub(super) defrag: Defrag,
    pub(super) discarded: Vec<(Vec<u8>, DropReason)>,
    clock: u64,
    mode: Mode,
}

impl Bench {
    pub(super) fn new(mode: Mode, limits: DefragLimits) -> Self {
        Self {
            defrag: Defrag::new(limits, [1, 2]),
            discarded: Vec::new(),
            clock: 0,
            mode,
        }
    }

    fn prevent() -> Self {
        Self::new(Mode::Prevent, DefragLimits::default())
    }

    /// Offers a raw IP frame, a nanosecond after the last.
    pub(super) fn offer(&mut self, frame: &[u8]) -> Accepted {
        self.clock += 1;
        let meta = meta(self.clock, self.mode);
        self.offer_with(frame, &meta)
    }

    fn offer_with(&mut self, frame: &[u8], meta: &FrameMeta) -> Accepted {
        let mut packet = decode(frame, meta.link).expect("a deliverable fragment");
        let discarded = &mut self.discarded;
        let accepted = self.defrag.accept(&mut packet, meta, &mut |given_up| {
            discarded.push((given_up.frame.to_vec(), given_up.reason));
        });
        if let Accepted::Refused {
            event: Some(event), ..
        } = accepted
        {
            assert!(event.judgement() == crate::decode::Judgement::Undeliverable);
        }
        accepted
    }
}

fn complete(accepted: Accepted) -> Datagram {
    match accepted {
        Accepted::Complete(datagram) => datagram,
        other => panic!("{other:?}"),
    }
}

fn refusal(accepted: Accepted) -> (DropReason, Option<DecodeEvent>) {
    match accepted {
        Accepted::Refused { reason, event } => (reason, event),
        other => panic!("{other:?}"),
    }
}

fn held(accepted: &Accepted) -> bool {
    matches!(accepted, Accepted::Held)
}

/// A UDP datagram of 8 + 40 bytes and its three fragments, in either family.
fn sample(v6: bool) -> (Vec<u8>, [Vec<u8>; 3]) {
    let payload: Vec<u8> = (0..40).collect();
    let datagram = udp(1000, 2000, &payload);
    let piece = |offset: usize, end: usize| {
        let (more, data) = (end < datagram.len(), &datagram[offset..end]);
        if v6 {
            ipv6_fragment(17, 77, offset, more, data)
        } else {
            ipv4_fragment(17, 77, offset, more, data)
        }
    };
    let pieces = [piece(0, 16), piece(16, 32), piece(32, 48)];
    (payload, pieces)
}

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
fn overlapping_different_data_refuses_the_datagram_and_all_that_follows() {
    for v6 in [false, true] {
        let (_, pieces) = sample(v6);
        let mut forged = pieces[1].clone();
        *forged.last_mut().expect("not empty") ^= 1;
        let mut bench = Bench::prevent();
        assert!(held(&bench.offer(&pieces[0])));
        assert!(held(&bench.offer(&pieces[1])));
        let event = if v6 {
            DecodeEvent::Ipv6FragOverlap
        } else {
            DecodeEvent::Ipv4FragOverlap
        };
        let refused = (DropReason::Fragment, Some(event));
        assert_eq!(refusal(bench.offer(&forged)), refused);
        let given_up: Vec<_> = bench.discarded.iter().map(|(f, _)| f.clone()).collect();
        assert_eq!(given_up, [pieces[0].clone(), pieces[1].clone()]);
        assert!(
            bench
                .discarded
                .iter()
                .all(|(_, r)| *r == DropReason::Fragment)
        );
        for piece in &pieces {
            assert_eq!(refusal(bench.offer(piece)), refused);
        }
        assert_eq!(bench.defrag.counters().refused, 1);
        assert_eq!(bench.discarded.len(), 2);
    }
}

#[test]
fn in_ipv6_any_overlap_but_a_copy_is_refused() {
    let data = [7u8; 48];
    let mut bench = Bench::prevent();
    assert!(held(&bench.offer(&ipv4_fragment(
        99,
        1,
        0,
        true,
        &data[..32]
    ))));
    assert!(held(&bench.offer(&ipv4_fragment(
        99,
        1,
        16,
        true,
        &data[..32]
    ))));
    assert!(held(&bench.offer(&ipv6_fragment(
        99,
        1,
        0,
        true,
        &data[..32]
    ))));
    let overlap = bench.offer(&ipv6_fragment(99, 1, 16, true, &data[..32]));
    assert_eq!(
        refusal(overlap),
        (DropReason::Fragment, Some(DecodeEvent::Ipv6FragOverlap))
    );
}

#[test]
fn impossible_fragments_refuse_their_datagram() {
    use DecodeEvent as E;
    let data = [7u8; 1480];
    let segment = tcp(&[], b"0123");
    let table: Vec<(Vec<Vec<u8>>, E)> = vec![
        // Beyond 65,535 bytes.
        (
            vec![ipv4_fragment(99, 1, 65_528, true, &data[..16])],
            E::Ipv4FragTooLarge,
        ),
        (
            vec![ipv6_fragment(99, 1, 65_528, true, &data[..16])],
            E::Ipv6FragTooLarge,
        ),
        // Not the last and no multiple of 8.
        (
            vec![ipv4_fragment(99, 1, 0, true, &data[..15])],
            E::Ipv4FragInvalidLength,
        ),
        (
            vec![ipv6_fragment(99, 1, 0, true, &data[..15])],
            E::Ipv6FragInvalidLength,
        ),
        // Empty.
        (
            vec![ipv4_fragment(99, 1, 8, true, b"")],
            E::Ipv4FragInvalidLength,
        ),
        // Data behind the end; two ends; an end before data that is there.
        (
            vec![
                ipv4_fragment(99, 1, 8, false, &data[..8]),
                ipv4_fragment(99, 1, 16, true, &data[..8]),
            ],
            E::Ipv4FragInvalidLength,
        ),
        (
            vec![
                ipv4_fragment(99, 1, 8, false, &data[..8]),
                ipv4_fragment(99, 1, 24, false, &data[..8]),
            ],
            E::Ipv4FragInvalidLength,
        ),
        (
            vec![
                ipv6_fragment(99, 1, 64, true, &data[..8]),
                ipv6_fragment(99, 1, 8, false, &data[..8]),
            ],
            E::Ipv6FragInvalidLength,
        ),
        // Tiny first fragments.
        (
            vec![ipv4_fragment(6, 1, 0, true, &segment[..16])],
            E::Ipv4FragFirstTooSmall,
        ),
        (
            vec![ipv6_fragment(6, 1, 0, true, &segment[..16])],
            E::Ipv6FragFirstTooSmall,
        ),
        (
            vec![ipv6_fragment(60, 1, 0, true, &options_header(6, &[1, 4]))],
            E::Ipv6FragFirstTooSmall,
        ),
    ];
    for (frames, event) in table {
        let mut bench = Bench::prevent();
        let (last, before) = frames.split_last().expect("a frame");
        for frame in before {
            assert!(held(&bench.offer(frame)), "{event:?}");
        }
        let refused = (DropReason::Fragment, Some(event));
        assert_eq!(refusal(bench.offer(last)), refused, "{event:?}");
        assert_eq!(bench.discarded.len(), before.len(), "{event:?}");
    }
}

#[test]
fn a_datagram_whose_header_makes_it_too_large_is_refused() {
    let mut bench = Bench::prevent();
    let data = vec![0u8; 65_000];
    assert!(held(&bench.offer(&ipv4_fragment(99, 1, 0, true, &data))));
    // 24 bytes of header in the first fragment, 20 in the last: only together are they too large.
    let mut bench = Bench::prevent();
    let mut first = ipv4_with(99, &[1, 1, 1, 0], &data);
    first[6] = 0x20;
    fix_ipv4(&mut first);
    assert!(held(&bench.offer(&first)));
    let mut last = ipv4_fragment(99, 0x1234, 65_000, false, &data[..514]);
    last[4..6].copy_from_slice(&first[4..6]);
    fix_ipv4(&mut last);
    let refused = (DropReason::Fragment, Some(DecodeEvent::Ipv4FragTooLarge));
    assert_eq!(refusal(bench.offer(&last)), refused);
    assert_eq!(bench.discarded.len(), 2);
}

#[test]
fn nested_fragments_are_undeliverable_once_put_together() {
    let inner = fragment_header(17, 5, 0, true, &udp(1, 2, b"12345678"));
    let mut bench = Bench::prevent();
    assert!(held(&bench.offer(&ipv6_fragment(
        44,
        9,
        0,
        true,
        &inner[..16]
    ))));
    let datagram = complete(bench.offer(&ipv6_fragment(44, 9, 16, false, &inner[16..])));
    let error = datagram.decode().expect_err("a fragment in fragments");
    assert_eq!(error.event, DecodeEvent::Ipv6DuplicateFragment);
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
