//! Whatever its stack does with overlaps, a receiver reads what was inspected: random segments, overlaps,
//! orders, repetitions and losses in front of models of receivers.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use weir_engine::verdict::Verdict;

use super::world::{World, client, server};

const PATTERN: &[u8] = b"attack";
const RULE: &str = r#"drop tcp any any -> any any (msg:"a"; content:"attack"; sid:1;)"#;
/// Ethernet, IPv4 and TCP without options.
const HEADERS: usize = 14 + 20 + 20;
/// Segments begin below this offset.
const SPAN: i64 = 24;

/// Which copy of a byte a receiver takes, as far as it has not been read.
#[derive(Clone, Copy, Debug)]
enum Policy {
    First,
    Last,
    /// The copy whose segment begins first; of two, the older (BSD).
    Earlier,
    /// The same; of two, the newer (Linux in old days).
    StrictlyEarlier,
    /// The newer only where its segment covers the older on both sides (Windows).
    Covering,
    /// The newer where its segment ends at or behind the older's (Solaris).
    Longer,
}

const POLICIES: [Policy; 6] = [
    Policy::First,
    Policy::Last,
    Policy::Earlier,
    Policy::StrictlyEarlier,
    Policy::Covering,
    Policy::Longer,
];

impl Policy {
    fn takes_new(self, old: (i64, i64), new: (i64, i64)) -> bool {
        match self {
            Self::First => false,
            Self::Last => true,
            Self::Earlier => new.0 < old.0,
            Self::StrictlyEarlier => new.0 <= old.0,
            Self::Covering => new.0 < old.0 && new.1 > old.1,
            Self::Longer => new.1 >= old.1,
        }
    }
}

/// A receiver's reassembly and what its application has read.
struct Receiver {
    policy: Policy,
    kept: BTreeMap<i64, (u8, (i64, i64))>,
    read: Vec<u8>,
}

impl Receiver {
    fn new(policy: Policy) -> Self {
        Self {
            policy,
            kept: BTreeMap::new(),
            read: Vec::new(),
        }
    }

    fn next(&self) -> i64 {
        i64::try_from(self.read.len()).unwrap()
    }

    fn take(&mut self, at: i64, bytes: &[u8]) {
        let segment = (at, at + i64::try_from(bytes.len()).unwrap());
        for (offset, &byte) in (at..).zip(bytes) {
            if offset < self.next() {
                continue;
            }
            let known = self.kept.get(&offset);
            if known.is_none_or(|&(_, old)| self.policy.takes_new(old, segment)) {
                self.kept.insert(offset, (byte, segment));
            }
        }
        while let Some((byte, _)) = self.kept.remove(&self.next()) {
            self.read.push(byte);
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// The sender sends; `lost` behind the inspector.
    Segment { at: i64, data: Vec<u8>, lost: bool },
    /// The receiver acknowledges what it has read.
    Acknowledge,
}

/// Data that is often a piece of the pattern in its place.
fn data() -> impl Strategy<Value = (i64, Vec<u8>)> {
    let letter = || proptest::sample::select(b"atckx".to_vec());
    let noise = (0..SPAN, vec(letter(), 1..8));
    let piece = (0..SPAN, 1..8_i64).prop_map(|(at, length)| {
        let period = i64::try_from(PATTERN.len()).unwrap();
        let letter = |offset: i64| PATTERN[usize::try_from(offset % period).unwrap()];
        (at, (at..at + length).map(letter).collect())
    });
    prop_oneof![2 => noise, 3 => piece]
}

fn step() -> impl Strategy<Value = Step> {
    let segment =
        (data(), any::<bool>()).prop_map(|((at, data), lost)| Step::Segment { at, data, lost });
    prop_oneof![6 => segment, 1 => Just(Step::Acknowledge)]
}

/// Lets the steps happen; what each receiver's application has read.
fn play(steps: &[Step]) -> Vec<Receiver> {
    let mut world = World::prevent(RULE);
    world.handshake();
    let mut receivers: Vec<Receiver> = POLICIES.map(Receiver::new).into();
    for step in steps {
        match step {
            Step::Acknowledge => {
                let read = receivers.iter().map(Receiver::next).min().unwrap();
                let _ = world.send(server().ack(read));
            }
            Step::Segment { at, data, lost } => {
                let sent = world.send(client().at(*at).data(data));
                if sent.verdict == Verdict::Pass && !lost {
                    let delivered = sent.frame[HEADERS..].to_vec();
                    for receiver in &mut receivers {
                        receiver.take(*at, &delivered);
                    }
                }
            }
        }
    }
    receivers
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_receiver_reads_the_same_and_never_what_is_dropped(steps in vec(step(), 1..40)) {
        let receivers = play(&steps);
        let first = &receivers[0].read;
        for receiver in &receivers {
            prop_assert_eq!(&receiver.read, first, "{:?}", receiver.policy);
            let found = receiver.read.windows(PATTERN.len()).any(|part| part == PATTERN);
            prop_assert!(!found, "{:?} read {:?}", receiver.policy, first);
        }
    }
}

#[test]
fn the_models_do_disagree_where_nothing_makes_copies_equal() {
    let mut read: Vec<Vec<u8>> = Vec::new();
    for policy in POLICIES {
        let mut receiver = Receiver::new(policy);
        receiver.take(2, b"AAA");
        receiver.take(1, b"BBB");
        receiver.take(2, b"CCCC");
        receiver.take(0, b".");
        read.push(receiver.read);
    }
    read.sort();
    read.dedup();
    assert!(read.len() >= 4, "{read:?}");
}
