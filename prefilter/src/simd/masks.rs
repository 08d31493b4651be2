//! Masks: for small sets of grams and of patterns shorter than a gram.
//!
//! Grams are dealt into eight buckets. For each of a gram's four places, masks say which buckets have a
//! gram with that byte in that place; a pattern shorter than a gram has every byte in the places behind
//! its end. A position is a candidate when some bucket is in all four masks. More grams than eight
//! buckets can tell apart take further sets of eight.
//!
//! What a vector look-up can tell bytes apart by depends on the processor ([`Lookup`]); where it cannot
//! tell two bytes apart, each is let through where the other is.

use crate::gram::{GRAM, shares};

/// By what bytes are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// By half: sixteen masks for either, of which the common bits count.
    Nibbles,
    /// By the low seven bits.
    SevenBits,
}

/// Most sets of eight buckets.
pub(super) const SETS: usize = 4;

/// Buckets: the bits of a mask.
const BUCKETS: usize = 8;

/// Masks by byte.
type Bytes = [u8; 256];

/// As many sets of masks as the grams need to be told apart, at most [`SETS`].
#[derive(Clone, Debug)]
pub(crate) struct Masks {
    sets: Vec<[Bytes; GRAM]>,
}

/// Tables of one set for look-ups by half a byte, by place in the gram.
#[derive(Clone, Copy, Debug)]
pub(super) struct NibbleTables {
    pub(super) low: [[u8; 16]; GRAM],
    pub(super) high: [[u8; 16]; GRAM],
}

/// Tables of one set for look-ups by seven bits, by place in the gram.
#[derive(Clone, Copy, Debug)]
pub(super) struct ByteTables(pub(super) [[u8; 128]; GRAM]);

impl Masks {
    /// Masks for `grams`, folded, of one to [`GRAM`] bytes; `None` where a position would cost
    /// more than `dear`.
    pub(crate) fn build(mut grams: Vec<&[u8]>, lookup: Lookup, dear: f64) -> Option<Self> {
        if grams.is_empty() {
            return None;
        }
        // Neighbours share leading bytes, so that their masks stay sparse.
        grams.sort_unstable();
        let weights = shares();
        (1..=SETS)
            .map(|sets| Self::deal(&grams, sets))
            .map(|masks| (masks.cost(lookup, &weights), masks))
            .min_by(|(one, _), (other, _)| one.total_cmp(other))
            .filter(|(cost, _)| *cost <= dear)
            .map(|(_, masks)| masks)
    }

    /// Deals sorted grams into that many sets.
    fn deal(grams: &[&[u8]], sets: usize) -> Self {
        let mut chunks = grams.chunks(grams.len().div_ceil(BUCKETS * sets));
        let sets = (0..sets).map(|_| {
            let mut set = [[0; 256]; GRAM];
            for (bucket, chunk) in chunks.by_ref().take(BUCKETS).enumerate() {
                chunk.iter().for_each(|gram| add(&mut set, bucket, gram));
            }
            set
        });
        Self {
            sets: sets.collect(),
        }
    }

    /// Estimated cost of a position.
    fn cost(&self, lookup: Lookup, weights: &[f64; 256]) -> f64 {
        let through: f64 = self
            .sets
            .iter()
            .map(|set| density(&set.each_ref().map(|place| lookup.blur(place)), weights))
            .sum();
        let sets = u32::try_from(self.sets.len()).unwrap_or(u32::MAX);
        f64::from(sets) * lookup.set_cost() + through
    }

    pub(super) fn nibbles(&self) -> Box<[NibbleTables]> {
        let tables = |set: &[Bytes; GRAM]| {
            let halves = set.each_ref().map(halves);
            NibbleTables {
                low: halves.map(|(low, _)| low),
                high: halves.map(|(_, high)| high),
            }
        };
        self.sets.iter().map(tables).collect()
    }

    pub(super) fn bytes(&self) -> Box<[ByteTables]> {
        let tables = |set: &[Bytes; GRAM]| ByteTables(set.each_ref().map(seven_bits));
        self.sets.iter().map(tables).collect()
    }
}

impl Lookup {
    /// What a further set costs each position, against 1 for verifying one candidate.
    fn set_cost(self) -> f64 {
        match self {
            Self::Nibbles => 1.0 / 128.0,
            Self::SevenBits => 1.0 / 256.0,
        }
    }

    /// The masks that such a look-up gives for every byte.
    fn blur(self, exact: &Bytes) -> Bytes {
        match self {
            Self::Nibbles => {
                let (low, high) = halves(exact);
                std::array::from_fn(|byte| low[byte & 0x0f] & high[byte >> 4])
            }
            Self::SevenBits => {
                let table = seven_bits(exact);
                std::array::from_fn(|byte| table[byte & 0x7f])
            }
        }
    }
}

/// Lets a gram, and what folds to it, through to a bucket.
fn add(set: &mut [Bytes; GRAM], bucket: usize, gram: &[u8]) {
    for (place, masks) in set.iter_mut().enumerate() {
        for (byte, mask) in (0_u8..=255).zip(masks) {
            let stands = gram.get(place).is_none_or(|wanted| byte | 0x20 == *wanted);
            *mask |= u8::from(stands) << bucket;
        }
    }
}

fn halves(exact: &Bytes) -> ([u8; 16], [u8; 16]) {
    let (mut low, mut high) = ([0; 16], [0; 16]);
    for (byte, mask) in exact.iter().enumerate() {
        low[byte & 0x0f] |= mask;
        high[byte >> 4] |= mask;
    }
    (low, high)
}

fn seven_bits(exact: &Bytes) -> [u8; 128] {
    std::array::from_fn(|byte| exact[byte] | exact[byte | 0x80])
}

/// Share of positions that are let through where bytes are as common as in traffic, but follow each
/// other at random.
fn density(set: &[Bytes; GRAM], weights: &[f64; 256]) -> f64 {
    let shares = set.each_ref().map(|masks| {
        let mut shares = [0.0; BUCKETS];
        for (weight, mask) in weights.iter().zip(masks) {
            for (bucket, share) in shares.iter_mut().enumerate() {
                if mask >> bucket & 1 != 0 {
                    *share += weight;
                }
            }
        }
        shares
    });
    (0..BUCKETS)
        .map(|bucket| shares.iter().map(|place| place[bucket]).product::<f64>())
        .sum()
}
