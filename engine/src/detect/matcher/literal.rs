//! One literal byte string, with or without regard to ASCII case.

use memchr::memmem::Finder;

/// A literal to search for.
#[derive(Debug)]
pub(crate) struct Literal {
    bytes: Box<[u8]>,
    search: Search,
}

#[derive(Debug)]
enum Search {
    Exact(Box<Finder<'static>>),
    /// Case-insensitive: both cases of the rarest byte, and where it stands in the literal.
    Folded {
        lower: u8,
        upper: u8,
        at: usize,
    },
}

impl Literal {
    /// A literal of at least one byte.
    pub(crate) fn new(bytes: &[u8], nocase: bool) -> Self {
        let nocase = nocase && bytes.iter().any(u8::is_ascii_alphabetic);
        let search = if nocase {
            let at = rarest(bytes);
            let byte = bytes.get(at).copied().unwrap_or_default();
            Search::Folded {
                lower: byte.to_ascii_lowercase(),
                upper: byte.to_ascii_uppercase(),
                at,
            }
        } else {
            Search::Exact(Box::new(Finder::new(bytes).into_owned()))
        };
        Self {
            bytes: bytes.into(),
            search,
        }
    }

    /// Length, bytes.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Start of the first occurrence in `haystack`.
    pub(crate) fn find(&self, haystack: &[u8]) -> Option<usize> {
        match &self.search {
            Search::Exact(finder) => finder.find(haystack),
            &Search::Folded { lower, upper, at } => {
                let last = haystack.len().checked_sub(self.bytes.len())?;
                let window = haystack.get(at..=last + at)?;
                memchr::memchr2_iter(lower, upper, window)
                    .find(|&start| self.occurs_at(haystack, start))
            }
        }
    }

    /// Whether it occurs in `haystack` at `start`.
    pub(crate) fn occurs_at(&self, haystack: &[u8], start: usize) -> bool {
        let Some(end) = start.checked_add(self.bytes.len()) else {
            return false;
        };
        let Some(slice) = haystack.get(start..end) else {
            return false;
        };
        match self.search {
            Search::Exact(_) => *slice == *self.bytes,
            Search::Folded { .. } => slice.eq_ignore_ascii_case(&self.bytes),
        }
    }
}

/// Index of the byte that is likely the rarest in traffic.
fn rarest(bytes: &[u8]) -> usize {
    let commonness = |byte: u8| match byte.to_ascii_lowercase() {
        b'e' | b't' | b'a' | b'o' | b' ' | 0 => 4,
        b'i' | b'n' | b's' | b'r' | b'c' | b'l' | b'd' | b'p' | b'm' => 3,
        b'a'..=b'z' | b'0'..=b'9' | b'/' | b'.' | b'\r' | b'\n' => 2,
        _ => 1,
    };
    (0..bytes.len())
        .min_by_key(|&at| bytes.get(at).map_or(u8::MAX, |&byte| commonness(byte)))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn naive(haystack: &[u8], needle: &[u8], nocase: bool) -> Option<usize> {
        haystack.windows(needle.len()).position(|window| {
            if nocase {
                window.eq_ignore_ascii_case(needle)
            } else {
                window == needle
            }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn finds_what_a_naive_search_finds(
            haystack in "[abAB|{]{0,24}",
            needle in "[abAB|]{1,4}",
            nocase: bool,
        ) {
            let (haystack, needle) = (haystack.as_bytes(), needle.as_bytes());
            let literal = Literal::new(needle, nocase);
            let expected = naive(haystack, needle, nocase);
            prop_assert_eq!(literal.find(haystack), expected);
            for start in 0..haystack.len() + 2 {
                let here = haystack.get(start..).is_some_and(|rest| naive(rest, needle, nocase) == Some(0));
                prop_assert_eq!(literal.occurs_at(haystack, start), here);
            }
        }
    }
}
