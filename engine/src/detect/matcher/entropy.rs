//! `entropy`: Shannon's, of bytes.

/// A comparison with an entropy, in bits a byte.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum EntropyTest {
    Equal(f64),
    NotEqual(f64),
    Less(f64),
    LessOrEqual(f64),
    Greater(f64),
    GreaterOrEqual(f64),
    /// Strictly between.
    Between(f64, f64),
    NotBetween(f64, f64),
}

/// Numbers as far apart as this are the same: rules write few digits.
const SAME: f64 = 1e-9;

impl EntropyTest {
    /// Reads `4`, `=4`, `!=4`, `<4`, `<=4`, `>4`, `>=4`, `4-5`, `!4-5`.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let text = text.trim();
        for (prefix, make) in [
            ("!=", Self::NotEqual as fn(f64) -> Self),
            ("<=", Self::LessOrEqual),
            (">=", Self::GreaterOrEqual),
            ("=", Self::Equal),
            ("<", Self::Less),
            (">", Self::Greater),
        ] {
            if let Some(rest) = text.strip_prefix(prefix) {
                return number(rest).map(make);
            }
        }
        let (not, range) = match text.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let Some((low, high)) = range.split_once('-') else {
            let make = if not { Self::NotEqual } else { Self::Equal };
            return number(range).map(make);
        };
        let (low, high) = (number(low)?, number(high)?);
        if low >= high {
            return Err(format!("nothing lies between {low} and {high}"));
        }
        Ok(if not {
            Self::NotBetween(low, high)
        } else {
            Self::Between(low, high)
        })
    }

    /// Whether an entropy satisfies it.
    pub(crate) fn matches(self, value: f64) -> bool {
        let same = |other: f64| (value - other).abs() < SAME;
        match self {
            Self::Equal(n) => same(n),
            Self::NotEqual(n) => !same(n),
            Self::Less(n) => value < n && !same(n),
            Self::LessOrEqual(n) => value < n || same(n),
            Self::Greater(n) => value > n && !same(n),
            Self::GreaterOrEqual(n) => value > n || same(n),
            Self::Between(low, high) => low < value && value < high,
            Self::NotBetween(low, high) => !(low < value && value < high),
        }
    }
}

fn number(text: &str) -> Result<f64, String> {
    let text = text.trim();
    match text.parse::<f64>() {
        Ok(value) if (0.0..=8.0).contains(&value) => Ok(value),
        _ => Err(format!("`{text}` is no entropy: 0.0 to 8.0")),
    }
}

/// The entropy of bytes; 0 of none.
pub(crate) fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0u32; 256];
    for byte in bytes {
        let count = &mut counts[usize::from(*byte)];
        *count = count.saturating_add(1);
    }
    let length = bytes.len() as f64;
    let seen = counts.iter().filter(|count| **count > 0);
    seen.map(|count| {
        let share = f64::from(*count) / length;
        -share * share.log2()
    })
    .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_is_bits_a_byte() {
        let all: Vec<u8> = (0..=255).collect();
        for (bytes, expected) in [
            (&b""[..], 0.0),
            (b"aaaa", 0.0),
            (b"abab", 1.0),
            (b"abcd", 2.0),
            (b"aab", 0.918_295_834_054_489_6),
            (&all, 8.0),
        ] {
            assert!((entropy(bytes) - expected).abs() < 1e-12, "{bytes:?}");
        }
    }

    #[test]
    fn every_comparison_agrees_with_its_meaning() {
        for (text, holds, fails) in [
            ("2", 2.0, 2.1),
            ("= 2", 2.0, 2.1),
            ("!=2", 2.1, 2.0),
            ("!2", 2.1, 2.0),
            ("<2", 1.9, 2.0),
            ("<=2", 2.0, 2.1),
            (">2", 2.1, 2.0),
            (">= 2", 2.0, 1.9),
            ("2-3", 2.5, 2.0),
            ("!2-3", 3.0, 2.5),
        ] {
            let test = EntropyTest::read(text).unwrap();
            assert!(test.matches(holds), "{text}");
            assert!(!test.matches(fails), "{text}");
        }
        for text in ["", "x", "8.1", "-1", "nan", "3-2", "3-3", "<"] {
            assert!(EntropyTest::read(text).is_err(), "{text}");
        }
    }
}
