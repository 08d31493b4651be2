//! The assembler against an obviously correct model: a map from offset to byte.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const WINDOW: usize = 40;

fn space(pool: &mut BufferPool) -> Space<'_> {
    Space {
        bytes: 1 << 17,
        window: WINDOW,
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
    let (view, fresh, first) = real.view(WINDOW);
    prop_assert_eq!(first, model.base.max(model.next - WINDOW as i64));
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

/// What a sender of a long stream does next.
#[derive(Clone, Debug)]
enum Step {
    /// It sends so many new bytes behind the last ones.
    Next(usize),
    /// It leaves a hole of so many bytes, sends as many behind it, and then fills it.
    Swapped(usize),
    /// It sends the last so many bytes again, the first byte changed.
    Again(usize),
    /// All but so many bytes are acknowledged.
    Acknowledged(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1usize..1500).prop_map(Step::Next),
        1 => (1usize..700).prop_map(Step::Swapped),
        1 => (1usize..3000).prop_map(Step::Again),
        4 => (0i64..4000).prop_map(Step::Acknowledged),
    ]
}

/// The byte of the stream at an offset.
fn byte(offset: i64) -> u8 {
    offset.wrapping_mul(2_654_435_761).to_le_bytes()[1]
}

fn bytes_at(at: i64, length: usize) -> Vec<u8> {
    (at..).take(length).map(byte).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// Streams many times as long as their block: it is turned again and again, and nothing is mixed up.
    #[test]
    fn a_long_stream_keeps_its_bytes_wherever_they_lie(steps in prop::collection::vec(step(), 1..120)) {
        let mut pool = BufferPool::new(1 << 20);
        let mut real = Reassembly::default();
        for step in steps {
            let next = real.next();
            let segments = match step {
                Step::Next(length) => vec![(next, bytes_at(next, length))],
                Step::Swapped(length) => {
                    let behind = next + length as i64;
                    vec![(behind, bytes_at(behind, length)), (next, bytes_at(next, length))]
                }
                Step::Again(length) => {
                    let at = (next - length as i64).max(real.base());
                    let mut bytes = bytes_at(at, index(next - at));
                    if let Some(first) = bytes.first_mut() {
                        *first ^= 1;
                    }
                    vec![(at, bytes)]
                }
                Step::Acknowledged(behind) => {
                    real.release(next - behind.max(WINDOW as i64), &mut pool);
                    vec![]
                }
            };
            for (at, mut bytes) in segments {
                let stored = real.store(at, &bytes, i64::MIN, space(&mut pool)).unwrap();
                prop_assert_eq!(stored.conflict, at < real.next());
                real.impose(at, &mut bytes, i64::MIN);
                prop_assert_eq!(&bytes, &bytes_at(at, bytes.len()));
                let end = at + bytes.len() as i64;
                if end <= real.next() {
                    let (view, fresh, first) = real.view_of((at, end), WINDOW).unwrap();
                    prop_assert_eq!(first + fresh as i64, at);
                    prop_assert!(fresh <= WINDOW);
                    prop_assert_eq!(view, bytes_at(first, index(end - first)));
                }
                let (view, fresh, first) = real.view(WINDOW);
                prop_assert_eq!(first, real.base().max(real.next() - WINDOW as i64));
                prop_assert_eq!(first + fresh as i64, real.next());
                prop_assert_eq!(view, bytes_at(first, index(real.pending() - first)));
                real.commit();
            }
        }
    }
}

#[test]
fn what_is_kept_takes_no_more_than_twice_its_room() {
    let mut pool = BufferPool::new(1 << 20);
    let mut real = Reassembly::default();
    for number in 0..2000 {
        let at = number * 1500;
        real.store(at, &bytes_at(at, 1500), 0, space(&mut pool))
            .unwrap();
        real.commit();
        real.release(at + 1500 - 20_000, &mut pool);
        assert!(real.block.len() <= 64 << 10, "{}", real.block.len());
    }
    let (first, second) = real.block.pieces(real.base(), real.next()).unwrap();
    assert_eq!([first, second].concat(), bytes_at(real.base(), 20_000));
}

fn small(pool: &mut BufferPool) -> Space<'_> {
    Space {
        bytes: 6000,
        window: WINDOW,
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
    assert_eq!(real.view(WINDOW), (&b"ghi"[..], 0, 6));
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

/// Stores and inspects `length` bytes behind what there is.
fn append(real: &mut Reassembly, length: usize, pool: &mut BufferPool) {
    let space = Space {
        bytes: 8 << 20,
        window: WINDOW,
        pieces: 64,
        pool,
    };
    let at = real.next();
    real.store(at, &bytes_at(at, length), 0, space).unwrap();
    real.commit();
}

#[test]
fn a_window_that_empties_and_fills_again_keeps_its_block() {
    let mut pool = BufferPool::new(64 << 20);
    let mut real = Reassembly::default();
    let mut lengths = Vec::new();
    for _burst in 0..40 {
        for _segment in 0..20 {
            append(&mut real, 60_000, &mut pool);
        }
        real.release(real.next() - 100, &mut pool);
        lengths.push(real.block.len());
    }
    assert!(lengths[0] > SHRINK_ABOVE, "large enough to be shrunk");
    assert!(
        lengths.iter().all(|length| *length == lengths[0]),
        "{lengths:?}"
    );
}

#[test]
fn a_large_block_of_which_little_is_in_use_is_exchanged_in_the_end() {
    let mut pool = BufferPool::new(64 << 20);
    let mut real = Reassembly::default();
    for _segment in 0..40 {
        append(&mut real, 60_000, &mut pool);
    }
    let length = real.block.len();
    for _segment in 0..(length * (SHRINK_AFTER + 1) * 2).div_ceil(30_000) {
        append(&mut real, 30_000, &mut pool);
        real.release(real.next(), &mut pool);
    }
    assert!(real.block.len() <= length / 8, "{}", real.block.len());
}

#[test]
fn a_large_block_is_written_near_its_start() {
    let mut pool = BufferPool::new(64 << 20);
    let mut real = Reassembly::default();
    for _segment in 0..40 {
        append(&mut real, 60_000, &mut pool);
    }
    real.release(real.next(), &mut pool);
    let mut places = std::collections::BTreeSet::new();
    for _segment in 0..200 {
        append(&mut real, 10_000, &mut pool);
        let (bytes, _, _) = real.view(WINDOW);
        places.insert(bytes.as_ptr() as usize / 4096);
        real.release(real.next() - 20_000, &mut pool);
    }
    assert!(real.block.len() >= 2 << 20, "still the large one");
    assert!(places.len() < 40, "{} pages written", places.len());
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
    assert_eq!(real.view(WINDOW), (&b"abc"[..], 0, -6));
    real.commit();
    let stored = real.store(-3, b"defX", i64::MIN, space(&mut pool));
    assert!(stored.unwrap().conflict, "the first copy of offset 0 is g");
    assert_eq!(real.view(WINDOW), (&b"abcdefghi"[..], 3, -6));
    real.commit();
    real.store(3, b"jk", i64::MIN, space(&mut pool)).unwrap();
    assert_eq!(real.view(WINDOW), (&b"abcdefghijkl"[..], 9, -6));
    let far = real.begin_earlier(-140_000, space(&mut pool));
    assert_eq!(far, Err(Full::Direction));
}
