//! Four bytes of a pattern stand for the whole of it: which four, and what they hash to.
//!
//! Bytes are *folded* before they are hashed, so that one table serves patterns with and without
//! regard to case: bit 5 is set, which maps `A-Z` to `a-z` (and a few other bytes onto each other,
//! which costs a needless look, never a miss).

/// Bytes in a gram.
pub(crate) const GRAM: usize = 4;

/// Bit 5 of each of four bytes.
pub(crate) const FOLD: u32 = 0x2020_2020;

/// Multiplier of the hash: the golden ratio of 2^32, odd.
pub(crate) const MULTIPLIER: u32 = 0x9e37_79b1;

/// The folded gram that starts at `at`.
pub(crate) fn gram_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..)?.first_chunk::<GRAM>()?;
    Some(u32::from_le_bytes(*four) | FOLD)
}

/// Hash of a folded gram, `bits` wide. `bits` is between 1 and 32.
pub(crate) fn hash(gram: u32, bits: u32) -> u32 {
    gram.wrapping_mul(MULTIPLIER) >> (32 - bits)
}

/// How often a gram is to be expected in traffic, on a rough logarithmic scale (0 rare, about 40
/// common). Only the order matters: it decides which gram of a pattern is looked for.
pub(crate) fn commonness(gram: u32) -> u32 {
    let bytes = gram.to_le_bytes();
    let by_byte: u32 = bytes.iter().map(|&byte| byte_commonness(byte)).sum();
    let repeated = bytes.windows(2).filter(|pair| pair[0] == pair[1]).count();
    let runs = if repeated == GRAM - 1 { 24 } else { 0 };
    let words = if COMMON.iter().any(|word| bytes_folded(word) == gram) {
        16
    } else {
        0
    };
    by_byte + runs + words
}

/// How often a folded byte is to be expected, 0 to 6.
fn byte_commonness(byte: u8) -> u32 {
    match byte {
        b'e' | b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' | b' ' => 6,
        b'l' | b'c' | b'd' | b'h' | b'm' | b'p' | b'u' | b'/' | b'.' | b'0' => 5,
        b'f' | b'g' | b'w' | b'y' | b'b' | b'v' | b'1'..=b'9' | b'-' | b':' | b'=' => 4,
        b'a'..=b'z' | b'"' | b'<' | b'>' | b',' | b';' | b'(' | b')' | b'\r' | b'*' => 3,
        b'!'..=b'~' | 0x7f => 2,
        0xff => 3,
        _ => 1,
    }
}

/// How often each byte is to be expected in traffic, half of which is text: shares that add up to 1.
pub(crate) fn shares() -> [f64; 256] {
    let text: [u32; 256] = std::array::from_fn(|byte| {
        let byte = u8::try_from(byte).unwrap_or_default();
        let rank = match byte {
            b'\r' | b'\n' => 4,
            b'A'..=b'Z' => byte_commonness(byte | 0x20) - 2,
            b' '..=b'~' => byte_commonness(byte | 0x20),
            _ => 0,
        };
        1 << rank
    });
    let sum: u32 = text.iter().sum();
    text.map(|share| 0.5 / 256.0 + 0.5 * f64::from(share) / f64::from(sum))
}

fn bytes_folded(word: &[u8; GRAM]) -> u32 {
    u32::from_le_bytes(*word) | FOLD
}

/// Grams of the words that nearly every request, response or page has.
const COMMON: [&[u8; GRAM]; 40] = [
    b"http",
    b"ttp/",
    b"tp/1",
    b"p/1.",
    b"/1.1",
    b"host",
    b"ost:",
    b"user",
    b"ser-",
    b"agen",
    b"gent",
    b"ent:",
    b"cont",
    b"onte",
    b"tent",
    b"ent-",
    b"-typ",
    b"type",
    b"ype:",
    b"acce",
    b"ccep",
    b"cept",
    b"text",
    b"html",
    b"mozi",
    b"illa",
    b"/5.0",
    b"wind",
    b"www.",
    b".com",
    b".php",
    b"get ",
    b"post",
    b"conn",
    b"tion",
    b"keep",
    b"aliv",
    b"leng",
    b"gth:",
    b"\r\n\r\n",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_does_not_change_a_gram() {
        assert_eq!(gram_at(b"xGeT /", 1), gram_at(b"xgEt /", 1));
        assert_eq!(gram_at(b"abc", 0), None);
        assert_eq!(gram_at(b"abcd", 1), None);
    }

    #[test]
    fn rare_grams_rank_below_common_ones() {
        let rank = |word: &[u8; 4]| commonness(bytes_folded(word));
        assert!(rank(b"jndi") < rank(b"http"));
        assert!(rank(b"${jn") < rank(b"user"));
        assert!(rank(b"\x90\x91\x92\x93") < rank(b"\0\0\0\0"));
    }
}
