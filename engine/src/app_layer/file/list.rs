//! Lists of digests, as rules name them.

use super::Algorithm;
use crate::hex;

/// Digests in one sorted array, of which each takes its own length and no more.
#[derive(Debug)]
pub struct DigestList {
    length: usize,
    /// Sorted, without duplicates, one behind the other.
    bytes: Box<[u8]>,
}

/// Why a list cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestListError {
    /// A line does not start with a digest.
    #[error("line {line} does not start with a {name} digest in hexadecimal")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// The algorithm's name.
        name: &'static str,
    },
    /// There is none in it.
    #[error("it holds no digest")]
    Empty,
}

impl DigestList {
    /// Reads a list: a digest at the start of each line, in hexadecimal; what follows a blank behind it
    /// does not count. Empty lines and those that start with `#` are passed over.
    ///
    /// # Errors
    ///
    /// When a line is anything else, or there is no digest at all.
    pub fn read(algorithm: Algorithm, text: &[u8]) -> Result<Self, DigestListError> {
        let length = algorithm.length();
        let mut digests = Vec::new();
        for (line, text) in (1..).zip(text.split(|byte| *byte == b'\n')) {
            let text = text.trim_ascii_end();
            if text.is_empty() || text.starts_with(b"#") {
                continue;
            }
            let digest = digest(text, length).ok_or(DigestListError::Line {
                line,
                name: algorithm.name(),
            })?;
            digests.push(digest);
        }
        if digests.is_empty() {
            return Err(DigestListError::Empty);
        }
        digests.sort_unstable();
        digests.dedup();
        Ok(Self {
            length,
            bytes: digests.concat().into(),
        })
    }

    /// Whether a digest is in it.
    #[must_use]
    pub fn contains(&self, digest: &[u8]) -> bool {
        let at = |index: usize| {
            let from = index * self.length;
            self.bytes.get(from..from + self.length).unwrap_or_default()
        };
        let (mut low, mut high) = (0, self.bytes.len() / self.length);
        while low < high {
            let middle = low.midpoint(high);
            match at(middle).cmp(digest) {
                std::cmp::Ordering::Equal => return true,
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        false
    }
}

fn digest(text: &[u8], length: usize) -> Option<Vec<u8>> {
    let (digits, rest) = text.split_at_checked(2 * length)?;
    if rest.first().is_some_and(|byte| !byte.is_ascii_whitespace()) {
        return None;
    }
    hex::bytes(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_as_md5sum_writes_them_are_read() {
        let text = b"# comment\n2f8d0355f0032c3e6311c6408d7c2dc2  util-path.c\r\n\n\
            B9CF5CF347A70E02FDE975FC4E117760\nb9cf5cf347a70e02fde975fc4e117760\tagain\n";
        let list = DigestList::read(Algorithm::Md5, text).unwrap();
        assert_eq!(list.bytes.len(), 32);
        let first = digest(b"2f8d0355f0032c3e6311c6408d7c2dc2", 16).unwrap();
        let second = digest(b"b9cf5cf347a70e02fde975fc4e117760", 16).unwrap();
        assert!(list.contains(&first) && list.contains(&second));
        assert!(!list.contains(&[0; 16]) && !list.contains(&[0xff; 16]));
    }

    #[test]
    fn lines_that_are_no_digest_are_errors_that_name_them() {
        let read = |text: &[u8]| DigestList::read(Algorithm::Sha1, text).map(|_| ());
        let bad = |line| Err(DigestListError::Line { line, name: "sha1" });
        assert_eq!(read(b"\n2f8d0355f0032c3e6311c6408d7c2dc2\n"), bad(2));
        assert_eq!(read(b"2f8d0355f0032c3e6311c6408d7c2dc2abcdefgh\n"), bad(1));
        assert_eq!(read(b"2f8d0355f0032c3e6311c6408d7c2dc200000000ff"), bad(1));
        assert_eq!(read(b"#\n\n"), Err(DigestListError::Empty));
    }
}
