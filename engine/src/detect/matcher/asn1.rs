//! `asn1`: what BER-encoded data says of itself (X.690), where that gives an attack away.

/// Elements that are looked at, at most.
const ELEMENTS: usize = 256;
/// Elements within elements.
const DEPTH: usize = 32;
/// Bytes of a tag's number behind its first. Longer ones are nobody's, and would be walked again and again.
const NUMBER_BYTES: usize = 8;
/// Bytes that are looked at, about, at most.
pub(crate) const REACH: usize = ELEMENTS * 16;
/// Longest text of a real number that is not an overflow.
const REAL_TEXT: usize = 256;

/// What is asked: any of it is a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Asn1Checks {
    /// More unused bits than a bit string has.
    pub(crate) bitstring_overflow: bool,
    /// A real number whose text is longer than decoders' buffers.
    pub(crate) double_overflow: bool,
    /// An element says that it is longer than this.
    pub(crate) oversize_length: Option<u64>,
}

/// The head of an element.
struct Element {
    class: u8,
    constructed: bool,
    number: u8,
    /// What it says of its length; `None`: up to an end mark.
    length: Option<u64>,
    /// Index of its content.
    content: usize,
}

impl Asn1Checks {
    /// Whether any element of the data is what is asked for: of the first one, with all that is in it. Data that
    /// ends early is read as far as it goes.
    pub(crate) fn matches(&self, data: &[u8]) -> bool {
        let mut at = 0;
        // Where the elements around the one at hand end, and whether an end mark says so.
        let mut around = [(0, false); DEPTH];
        let mut depth = 0usize;
        for _ in 0..ELEMENTS {
            let Some(element) = Element::read(data, at) else {
                return false;
            };
            if self.fits(&element, data) {
                return true;
            }
            let end = element.end(data);
            at = end;
            if element.constructed && end > element.content {
                let Some(place) = around.get_mut(depth) else {
                    return false;
                };
                *place = (end, element.length.is_none());
                depth += 1;
                at = element.content;
            }
            let mut marked = element.is_end_mark();
            while let Some((end, by_mark)) = depth.checked_sub(1).and_then(|top| around.get(top))
                && (at >= *end || (*by_mark && marked))
            {
                marked &= !by_mark;
                depth -= 1;
            }
            if depth == 0 {
                return false;
            }
        }
        false
    }

    fn fits(&self, element: &Element, data: &[u8]) -> bool {
        const BIT_STRING: u8 = 3;
        const REAL: u8 = 9;
        let oversize = self
            .oversize_length
            .is_some_and(|most| element.length.is_some_and(|length| length > most));
        let primitive = element.class == 0 && !element.constructed;
        let first = data.get(element.content).copied();
        let length = element.length.unwrap_or(0);
        let bits = self.bitstring_overflow
            && primitive
            && element.number == BIT_STRING
            && length > 0
            && first.is_some_and(|unused| u64::from(unused) > (length - 1).saturating_mul(8));
        // Text of a decimal number: the two highest bits of its first byte are clear (X.690, 8.5.8).
        let text = self.double_overflow
            && primitive
            && element.number == REAL
            && length > REAL_TEXT as u64
            && first.is_some_and(|form| form & 0xc0 == 0);
        oversize || bits || text
    }
}

impl Element {
    /// Index behind it; where it does not say, that of the data's end.
    fn end(&self, data: &[u8]) -> usize {
        let length = self.length.and_then(|length| usize::try_from(length).ok());
        let end = length.and_then(|length| self.content.checked_add(length));
        end.unwrap_or(data.len()).min(data.len())
    }

    /// The end of an element that does not say how long it is.
    fn is_end_mark(&self) -> bool {
        self.class == 0 && !self.constructed && self.number == 0 && self.length == Some(0)
    }

    fn read(data: &[u8], at: usize) -> Option<Self> {
        let tag = *data.get(at)?;
        let mut next = at + 1;
        let mut number = tag & 0x1f;
        if number == 0x1f {
            // Further bytes of the number: all but the last have their highest bit set.
            while *data.get(next)? & 0x80 != 0 {
                next += 1;
                if next - at > NUMBER_BYTES {
                    return None;
                }
            }
            number = 0x1f;
            next += 1;
        }
        let first = *data.get(next)?;
        next += 1;
        let length = match first {
            0x80 => None,
            0..=0x7f => Some(first.into()),
            _ => {
                let count = usize::from(first & 0x7f);
                let digits = data.get(next..next + count)?;
                next += count;
                let value = digits.iter().try_fold(0u64, |value, byte| {
                    value.checked_mul(256)?.checked_add(u64::from(*byte))
                });
                Some(value.unwrap_or(u64::MAX))
            }
        };
        Some(Self {
            class: tag >> 6,
            constructed: tag & 0x20 != 0,
            number,
            length,
            content: next,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: Asn1Checks = Asn1Checks {
        bitstring_overflow: true,
        double_overflow: true,
        oversize_length: Some(1000),
    };

    #[test]
    fn each_check_finds_its_element_at_any_depth() {
        let long_real = [&[9, 0x82, 1, 1, 3][..], &[b'1'; 256]].concat();
        let nested = [&[0x30, 0x82, 1, 5][..], &long_real].concat();
        for (data, found) in [
            (&[3, 2, 9, 0xff][..], true),
            (&[3, 2, 8, 0xff], false),
            (&[3, 1, 1], true),
            (&[3, 0], false),
            // The same number in another class is no bit string.
            (&[0x83, 1, 1], false),
            (&[0x30, 6, 2, 1, 5, 3, 1, 1], true),
            (&[0x30, 0x80, 2, 1, 5, 3, 1, 1, 0, 0], true),
            // What lies behind the first element is something else.
            (&[0x30, 3, 2, 1, 5, 3, 1, 1], false),
            (&[2, 1, 5, 3, 1, 1], false),
            (&[0x30, 0x80, 2, 1, 5, 0, 0, 3, 1, 1], false),
            (&[0x30, 10, 0x30, 0x80, 2, 1, 5, 0, 0, 3, 1, 1], true),
            (&[0x30, 0, 3, 1, 1], false),
            (&long_real, true),
            (&nested, true),
            (&[4, 0x82, 0x03, 0xe8], false),
            (&[4, 0x82, 0x03, 0xe9], true),
            (&[4, 0x89, 1, 0, 0, 0, 0, 0, 0, 0, 0], true),
            (&[0x1f, 0x81, 1, 1, 0], false),
            (&[0x1f, 0x81], false),
            (
                &[
                    0x1f, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 1, 0x85, 1, 0, 0, 0, 0,
                ],
                true,
            ),
            (
                &[
                    0x1f, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 1, 0x85, 1, 0, 0, 0, 0,
                ],
                false,
            ),
            (&[4, 0x85], false),
            (&[], false),
        ] {
            assert_eq!(ALL.matches(data), found, "{data:02x?}");
            assert!(!Asn1Checks::default().matches(data));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn no_data_makes_it_panic(data in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = ALL.matches(&data);
        }
    }
}
