//! Masks by nibble: for small sets of grams and of patterns shorter than a gram.
//!
//! Grams are dealt into eight buckets. For each of a gram's four places and each half of a byte, a table
//! of sixteen masks says which buckets have a gram with that half-byte in that place; a pattern shorter
//! than a gram has every half-byte in the places behind its end. A position is a
//! candidate when some bucket is in all eight masks. More grams than eight buckets can tell apart take
//! further sets of eight.

use crate::gram::GRAM;

/// Sixteen masks, one a nibble value; one bit a bucket.
type Masks = [u8; 16];

/// The tables of eight buckets, by place in the gram.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    pub(super) low: [Masks; GRAM],
    pub(super) high: [Masks; GRAM],
}

/// As many tables as the grams need to be told apart, at most [`SETS`].
#[derive(Clone, Debug)]
pub(crate) struct NibbleMasks {
    pub(super) sets: Box<[Tables]>,
}

/// Most sets of eight buckets: each costs every position eight look-ups.
pub(super) const SETS: usize = 4;

/// Buckets: the bits of a mask.
const BUCKETS: usize = 8;

/// Share of random positions, by the masks alone, above which the tables are not worth it.
const DENSE: f64 = 1.0 / 64.0;

impl NibbleMasks {
    /// Tables for `grams`, folded, of one to [`GRAM`] bytes; `None` where they would let too much through.
    pub(crate) fn build(mut grams: Vec<&[u8]>) -> Option<Self> {
        if grams.is_empty() {
            return None;
        }
        // Neighbours share leading bytes, so that their masks stay sparse.
        grams.sort_unstable();
        (1..=SETS)
            .map(|sets| Self::deal(&grams, sets))
            .find(|masks| masks.sets.iter().map(Tables::density).sum::<f64>() <= DENSE)
    }

    /// Deals sorted grams into that many sets.
    fn deal(grams: &[&[u8]], sets: usize) -> Self {
        let mut chunks = grams.chunks(grams.len().div_ceil(BUCKETS * sets));
        let sets = (0..sets).map(|_| {
            let mut tables = Tables {
                low: [[0; 16]; GRAM],
                high: [[0; 16]; GRAM],
            };
            for (bucket, chunk) in chunks.by_ref().take(BUCKETS).enumerate() {
                chunk.iter().for_each(|gram| tables.add(bucket, gram));
            }
            tables
        });
        Self {
            sets: sets.collect(),
        }
    }
}

impl Tables {
    fn add(&mut self, bucket: usize, gram: &[u8]) {
        for place in 0..GRAM {
            let (lows, highs) = match gram.get(place) {
                // Folding sets bit 5: both bytes that fold to this one are let through.
                Some(byte) => (1 << (byte & 0x0f), 1 << (byte >> 4) | 1 << (byte >> 4 & !2)),
                None => (u16::MAX, u16::MAX),
            };
            for nibble in 0..16 {
                self.low[place][nibble] |= u8::from(lows >> nibble & 1 != 0) << bucket;
                self.high[place][nibble] |= u8::from(highs >> nibble & 1 != 0) << bucket;
            }
        }
    }

    /// Share of positions that would be candidates if text were letters, digits and signs at random
    /// (the high nibbles 2 to 7).
    fn density(&self) -> f64 {
        (0..BUCKETS)
            .map(|bucket| {
                let share = |masks: &Masks, range: std::ops::Range<usize>| {
                    let size = range.len();
                    let hits = masks[range]
                        .iter()
                        .filter(|mask| *mask >> bucket & 1 != 0)
                        .count();
                    ratio(hits, size)
                };
                (0..GRAM)
                    .map(|place| share(&self.low[place], 0..16) * share(&self.high[place], 2..8))
                    .product::<f64>()
            })
            .sum()
    }
}

fn ratio(part: usize, whole: usize) -> f64 {
    f64::from(u32::try_from(part).unwrap_or(u32::MAX))
        / f64::from(u32::try_from(whole).unwrap_or(u32::MAX))
}
