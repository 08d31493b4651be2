use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const SEED: [u64; 2] = [7, 8];

fn set(entries: usize, bytes: usize) -> DataSet {
    DataSet::new(DataKind::Text, DataRoom { entries, bytes }, SEED, &[]).unwrap()
}

fn held(set: &DataSet) -> BTreeSet<Vec<u8>> {
    let mut all = BTreeSet::new();
    set.for_each(|value| assert!(all.insert(value.to_vec()), "twice"));
    all
}

#[test]
fn a_value_is_new_once() {
    let set = set(8, 64);
    assert_eq!(set.get(b"a"), None);
    assert_eq!(set.add(b"a"), Added::New);
    assert_eq!(set.add(b"a"), Added::Known);
    assert_eq!(set.get(b"a"), Some(&Note::None));
    assert!(set.remove(b"a"));
    assert!(!set.remove(b"a"));
    assert_eq!(set.get(b"a"), None);
    assert_eq!(set.add(b"a"), Added::New);
    assert_eq!(set.add(b""), Added::New);
    assert_eq!(set.len(), 2);
}

#[test]
fn a_full_set_takes_nothing_until_something_leaves() {
    let set = set(3, 8);
    assert_eq!(set.add(b"12345678"), Added::New);
    assert_eq!(set.add(b"9"), Added::Full);
    assert!(set.remove(b"12345678"));
    for value in [b"a", b"b", b"c"] {
        assert_eq!(set.add(value), Added::New);
    }
    assert_eq!(set.add(b"d"), Added::Full);
    assert_eq!(set.len(), 3);
}

#[test]
fn what_is_loaded_fits_and_keeps_its_notes() {
    let loaded: Vec<Loaded> = (0..5000_u16)
        .map(|number| Loaded {
            value: number.to_be_bytes().into(),
            note: Note::Reputation(number),
        })
        .collect();
    let room = DataRoom {
        entries: 0,
        bytes: 0,
    };
    let set = DataSet::new(DataKind::Text, room, SEED, &loaded).unwrap();
    for Loaded { value, note } in &loaded {
        assert_eq!(set.get(value), Some(note));
    }
    assert_eq!(set.len(), 5000);
}

#[test]
fn of_several_threads_one_adds_a_value() {
    let set = Arc::new(set(1024, 1 << 16));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let set = Arc::clone(&set);
            std::thread::spawn(move || {
                let new = |number: &u32| set.add(&number.to_be_bytes()) == Added::New;
                (0..1000).filter(new).count()
            })
        })
        .collect();
    let new: usize = threads.into_iter().map(|t| t.join().unwrap()).sum();
    assert_eq!((new, set.len()), (1000, 1000));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn behaves_like_a_set(steps in prop::collection::vec((0..3_u8, 0..24_u8), 0..300)) {
        let set = set(16, 64);
        let mut model = BTreeSet::new();
        for (step, value) in steps {
            let value = vec![value; usize::from(value % 5)];
            match step {
                0 => match set.add(&value) {
                    Added::New => prop_assert!(model.insert(value)),
                    Added::Known => prop_assert!(model.contains(&value)),
                    Added::Full => prop_assert!(!model.contains(&value) && model.len() >= 12 || model.iter().map(Vec::len).sum::<usize>() >= 30),
                },
                1 => prop_assert_eq!(set.remove(&value), model.remove(&value)),
                _ => prop_assert_eq!(set.get(&value).is_some(), model.contains(&value)),
            }
            prop_assert_eq!(held(&set), model.clone());
        }
    }
}
