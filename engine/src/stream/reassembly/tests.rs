//! The assembler against an obviously correct model: a map from offset to byte.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn space(pool: &mut BufferPool) -> Space<'_> {
    Space {
        bytes: 1 << 16,
        pieces: 64,
        pool,
    }
}

/// Every byte known, by offset; what was inspected; what was given up.
#[derive(Default)]
struct Model {
    known: BTreeMap<i64, u8>,
    next: i64,
    base: i64,
}

impl Model {
    fn contiguous_end(&self) -> i64 {
        let mut end = self.next;
        while self.known.contains_key(&end) {
            end += 1;
        }
        end
    }

    /// First copy wins; true where a known byte has another value.
    fn store(&mut self, at: i64, bytes: &[u8]) -> bool {
        let mut conflict = false;
        for (offset, byte) in (at..).zip(bytes) {
            if offset >= self.base {
                conflict |= *self.known.entry(offset).or_insert(*byte) != *byte;
            }
        }
        conflict
    }

    fn range(&self, from: i64, to: i64) -> Vec<u8> {
        (from..to).map(|offset| self.known[&offset]).collect()
    }
}

#[derive(Clone, Debug)]
enum Op {
    Segment { at: i64, bytes: Vec<u8> },
    Dropped { at: i64, bytes: Vec<u8> },
    Release { behind: i64 },
    Skip { ahead: i64 },
}

fn op() -> impl Strategy<Value = Op> {
    // Few byte values, so that overlaps agree as often as not.
    let bytes = prop::collection::vec(0u8..3, 0..80);
    prop_oneof![
        8 => (0i64..600, bytes.clone()).prop_map(|(at, bytes)| Op::Segment { at, bytes }),
        2 => (0i64..600, bytes).prop_map(|(at, bytes)| Op::Dropped { at, bytes }),
        1 => (0i64..100).prop_map(|behind| Op::Release { behind }),
        1 => (1i64..50).prop_map(|ahead| Op::Skip { ahead }),
    ]
}

fn segment(
    real: &mut Reassembly,
    model: &mut Model,
    pool: &mut BufferPool,
    at: i64,
    bytes: &[u8],
) -> Result<(), TestCaseError> {
    let before: Vec<i64> = model.known.keys().copied().collect();
    let conflict = model.store(at, bytes);
    let stored = real.store(at, bytes, i64::MIN, space(pool)).unwrap();
    prop_assert_eq!(stored.conflict, conflict);
    let from = at.max(model.base);
    let end = at + bytes.len() as i64;
    prop_assert_eq!(
        stored.overlap,
        (from..end).any(|o| before.binary_search(&o).is_ok())
    );
    let mut wire = bytes.to_vec();
    real.impose(at, &mut wire, i64::MIN);
    for (offset, byte) in (at..).zip(&wire) {
        if offset >= model.base {
            prop_assert_eq!(byte, &model.known[&offset]);
        }
    }
    prop_assert_eq!(real.pending(), model.contiguous_end());
    let (view, fresh, first) = real.view(40);
    prop_assert_eq!(first, model.base.max(model.next - 40));
    prop_assert_eq!(first + fresh as i64, model.next);
    prop_assert_eq!(view, &model.range(first, model.contiguous_end())[..]);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn any_order_overlap_and_cut_gives_what_the_byte_map_gives(ops in prop::collection::vec(op(), 1..60)) {
        let mut pool = BufferPool::new(1 << 20);
        let mut real = Reassembly::default();
        let mut model = Model::default();
        for op in ops {
            match op {
                Op::Segment { at, bytes } => {
                    segment(&mut real, &mut model, &mut pool, at, &bytes)?;
                    real.commit();
                    model.next = model.contiguous_end();
                }
                Op::Dropped { at, bytes } => {
                    let kept = model.known.clone();
                    segment(&mut real, &mut model, &mut pool, at, &bytes)?;
                    real.roll_back();
                    if at <= model.next {
                        // Nothing of a dropped in-order segment counts as known.
                        model.known = kept;
                    }
                }
                Op::Release { behind } => {
                    let to = model.next - behind;
                    real.release(to, &mut pool);
                    model.base = model.base.max(to);
                    let base = model.base;
                    model.known.retain(|offset, _| *offset >= base);
                }
                Op::Skip { ahead } => {
                    let to = model.next + ahead;
                    real.skip_to(to);
                    model.next = to;
                    model.base = to;
                    model.known.retain(|offset, _| *offset >= to);
                    real.commit();
                    model.next = model.contiguous_end();
                }
            }
            prop_assert_eq!(real.next(), model.next);
            prop_assert_eq!(real.base(), model.base);
        }
        real.recycle(&mut pool);
        prop_assert!(!real.holds_memory());
    }
}

fn small(pool: &mut BufferPool) -> Space<'_> {
    Space {
        bytes: 6000,
        pieces: 2,
        pool,
    }
}

#[test]
fn what_cannot_be_kept_is_refused_and_changes_nothing() {
    let mut pool = BufferPool::new(8 << 10);
    let mut real = Reassembly::default();
    real.store(0, b"abc", 0, small(&mut pool)).unwrap();
    real.commit();
    let far = real.store(6000, b"x", 0, small(&mut pool));
    assert_eq!(far, Err(Full::Direction));
    real.store(10, b"x", 0, small(&mut pool)).unwrap();
    real.store(20, b"x", 0, small(&mut pool)).unwrap();
    let third = real.store(30, b"x", 0, small(&mut pool));
    assert_eq!(third, Err(Full::Direction));
    let touching = real.store(21, b"y", 0, small(&mut pool));
    assert!(touching.unwrap().out_of_order);
    let large = real.store(100, &[0; 4100], 0, small(&mut pool));
    assert_eq!(large, Err(Full::Direction), "a third piece");
    let large = real.store(3, &[0; 4100], 0, small(&mut pool));
    assert_eq!(large, Err(Full::Memory), "another block of 16 KiB");
    assert_eq!((real.next(), real.pending()), (3, 3));
}

#[test]
fn a_window_is_shed_only_when_all_is_acknowledged_and_in_order() {
    let mut pool = BufferPool::new(1 << 20);
    let mut real = Reassembly::default();
    real.store(0, b"abcdef", 0, space(&mut pool)).unwrap();
    real.commit();
    assert!(!real.shed(5, &mut pool));
    assert!(real.shed(6, &mut pool));
    assert!(!real.holds_memory());
    real.store(6, b"ghi", 0, space(&mut pool)).unwrap();
    assert_eq!(real.view(40), (&b"ghi"[..], 0, 6));
}

#[test]
fn a_long_stream_stays_in_a_small_block() {
    let mut pool = BufferPool::new(1 << 20);
    let mut real = Reassembly::default();
    let payload = [7u8; 1460];
    for number in 0..2000i64 {
        let at = number * 1460;
        real.store(at, &payload, 0, space(&mut pool)).unwrap();
        real.commit();
        real.release(at + 1460 - 4096, &mut pool);
    }
    assert!(pool.memory() < 64 << 10, "{}", pool.memory());
}

#[test]
fn a_stream_may_begin_earlier_than_it_was_picked_up() {
    let mut pool = BufferPool::new(1 << 20);
    let mut real = Reassembly::default();
    real.store(0, b"ghi", 0, space(&mut pool)).unwrap();
    real.commit();
    real.store(5, b"l", 0, space(&mut pool)).unwrap();
    real.begin_earlier(-6, space(&mut pool)).unwrap();
    real.store(-6, b"abc", i64::MIN, space(&mut pool)).unwrap();
    assert_eq!(real.view(40), (&b"abc"[..], 0, -6));
    real.commit();
    let stored = real.store(-3, b"defX", i64::MIN, space(&mut pool));
    assert!(stored.unwrap().conflict, "the first copy of offset 0 is g");
    assert_eq!(real.view(40), (&b"abcdefghi"[..], 3, -6));
    real.commit();
    real.store(3, b"jk", i64::MIN, space(&mut pool)).unwrap();
    assert_eq!(real.view(40), (&b"abcdefghijkl"[..], 9, -6));
    let far = real.begin_earlier(-70_000, space(&mut pool));
    assert_eq!(far, Err(Full::Direction));
}
