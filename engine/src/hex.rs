//! Bytes written as hexadecimal digits.

/// The value of a digit, of either case.
pub(crate) fn digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

/// The bytes that digits stand for, two for each; `None` where their number is odd or one is none.
pub(crate) fn bytes<C: FromIterator<u8>>(digits: &[u8]) -> Option<C> {
    digits
        .chunks(2)
        .map(|pair| match *pair {
            [high, low] => Some(digit(high)? << 4 | digit(low)?),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_digits_are_a_byte() {
        for (digits, expected) in [
            ("", Some(vec![])),
            ("00fF", Some(vec![0, 255])),
            ("a", None),
            ("abc", None),
            ("0g", None),
            ("+1", None),
        ] {
            assert_eq!(bytes(digits.as_bytes()), expected, "{digits}");
        }
    }
}
