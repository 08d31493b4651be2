//! Fragments that no two receivers would read alike: refused.

use super::testing::{Bench, complete, held, refusal, sample};
use crate::decode::DecodeEvent;
use crate::decode::testing::*;
use crate::verdict::DropReason;

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
