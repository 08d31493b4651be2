//! The table against an obviously correct model: an array with one optional byte per offset.

use proptest::prelude::*;

use super::testing::Bench;
use super::*;
use crate::decode::testing::{ipv4_fragment, ipv6_fragment};
use crate::frame::Mode;

/// Greatest datagram of a test, in blocks of 8.
const BLOCKS: usize = 10;
/// A protocol that has no header weir reads.
const PROTOCOL: u8 = 99;

/// A fragment to send.
#[derive(Clone, Debug)]
struct Piece {
    start: usize,
    more: bool,
    data: Vec<u8>,
}

impl Piece {
    fn end(&self) -> usize {
        self.start + self.data.len()
    }

    fn frame(&self, v6: bool) -> Vec<u8> {
        if v6 {
            ipv6_fragment(PROTOCOL, 1, self.start, self.more, &self.data)
        } else {
            ipv4_fragment(PROTOCOL, 1, self.start, self.more, &self.data)
        }
    }
}

/// Fragments of a few blocks; where they overlap, their data differs now and then.
fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let piece =
        (0..BLOCKS, 1..5usize, prop::bool::weighted(0.08)).prop_map(|(block, blocks, forged)| {
            let end = (block + blocks).min(BLOCKS);
            let more = end < BLOCKS;
            let start = block * 8;
            let end = if more { end * 8 } else { BLOCKS * 8 - 3 };
            let data = (start..end)
                .map(|at| u8::try_from(at).expect("small") ^ u8::from(forged))
                .collect();
            Piece { start, more, data }
        });
    prop::collection::vec(piece, 1..24)
}

/// One byte per offset, and where the datagram ends.
#[derive(Default)]
struct Model {
    bytes: Vec<Option<u8>>,
    total: Option<usize>,
    sent: Vec<(usize, usize)>,
}

#[derive(Debug, PartialEq)]
enum Expected {
    Held,
    Refused,
    Complete(Vec<u8>),
}

impl Model {
    fn offer(&mut self, piece: &Piece, v6: bool) -> Expected {
        self.bytes.resize(BLOCKS * 8, None);
        let here = &self.bytes[piece.start..piece.end()];
        let differs = here
            .iter()
            .zip(&piece.data)
            .any(|(old, new)| old.is_some_and(|old| old != *new));
        let overlaps = here.iter().any(Option::is_some);
        let copy = self.sent.contains(&(piece.start, piece.end()));
        if differs || (v6 && overlaps && !copy) {
            return Expected::Refused;
        }
        for (at, byte) in (piece.start..).zip(&piece.data) {
            self.bytes[at] = Some(*byte);
        }
        self.sent.push((piece.start, piece.end()));
        if !piece.more {
            self.total = Some(piece.end());
        }
        let whole = self
            .total
            .and_then(|total| self.bytes[..total].iter().copied().collect());
        whole.map_or(Expected::Held, Expected::Complete)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn prevent_holds_completes_and_refuses_as_the_model_says(pieces in pieces(), v6: bool) {
        let mut bench = Bench::new(Mode::Prevent, DefragLimits::default());
        let mut model = Model::default();
        let mut kept = Vec::new();
        for piece in &pieces {
            let frame = piece.frame(v6);
            let expected = model.offer(piece, v6);
            match bench.offer(&frame) {
                Accepted::Held => {
                    prop_assert_eq!(expected, Expected::Held);
                    kept.push(frame);
                }
                Accepted::Complete(datagram) => {
                    let packet = datagram.decode().expect("deliverable");
                    prop_assert_eq!(expected, Expected::Complete(packet.payload().to_vec()));
                    let held: Vec<_> = datagram.held().map(|(f, _)| f.to_vec()).collect();
                    prop_assert_eq!(&held, &kept);
                    bench.defrag.recycle(datagram);
                    // What comes now is of a new datagram.
                    kept.clear();
                    model = Model::default();
                }
                Accepted::Refused { .. } => {
                    prop_assert_eq!(expected, Expected::Refused);
                    let given_up: Vec<_> = bench.discarded.iter().map(|(f, _)| f.clone()).collect();
                    prop_assert_eq!(&given_up, &kept);
                    return Ok(());
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }

    /// In detect mode the policy decides byte by byte, between the fragments that cover it, in the
    /// order they came.
    #[test]
    fn detect_reads_overlaps_by_its_policy(
        pieces in pieces(),
        policy in prop::sample::select(vec![
            OverlapPolicy::Bsd, OverlapPolicy::BsdRight, OverlapPolicy::Linux, OverlapPolicy::First,
            OverlapPolicy::Last, OverlapPolicy::Windows, OverlapPolicy::Solaris,
        ]),
    ) {
        let limits = DefragLimits { overlap: policy, ..DefragLimits::default() };
        let mut bench = Bench::new(Mode::Detect, limits);
        let mut sent: Vec<Piece> = Vec::new();
        for piece in &pieces {
            sent.push(piece.clone());
            match bench.offer(&piece.frame(false)) {
                Accepted::Watched => {}
                Accepted::Complete(datagram) => {
                    let total = BLOCKS * 8 - 3;
                    let mut expected = Vec::new();
                    for at in 0..total {
                        let mut owner: Option<&Piece> = None;
                        for later in sent.iter().filter(|p| (p.start..p.end()).contains(&at)) {
                            let wins = owner.is_none_or(|earlier| {
                                policy.later_wins(
                                    &(earlier.start..earlier.end()),
                                    &(later.start..later.end()),
                                )
                            });
                            if wins {
                                owner = Some(later);
                            }
                        }
                        let owner = owner.expect("complete means covered");
                        expected.push(owner.data[at - owner.start]);
                    }
                    prop_assert_eq!(datagram.decode().expect("deliverable").payload(), expected);
                    return Ok(());
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }
}
