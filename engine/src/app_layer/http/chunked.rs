//! The chunked transfer coding (RFC 9112 section 7.1), with the tolerance of browsers: white space and
//! empty lines in front of a size, junk behind a chunk up to the line end, sizes of any length.

use super::text::{hex, split_while};

/// Largest chunk that is taken for one.
const LARGEST: u64 = i32::MAX as u64;

/// Bytes of a size line that are kept; what is behind is extension.
const SIZE_LINE: usize = 64;

/// Where in the coding the bytes at hand are.
#[derive(Debug, Default)]
pub(super) struct Chunked {
    place: Place,
    /// What has come of a size line.
    line: Vec<u8>,
    /// A size had an extension behind it.
    extension: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Size,
    /// In a size line whose start was kept.
    Extension,
    Data(u64),
    /// Behind the data of a chunk, up to the line end.
    DataEnd,
}

/// What the next bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// So many bytes of the coding itself.
    Coding(usize),
    /// So many bytes of the body.
    Data(usize),
    /// So many bytes of the coding, the last of it: trailers follow.
    Last(usize),
    /// No size: its line, and all that follows, is not in this coding. The first `kept` bytes at hand are
    /// in [`Chunked::invalid_line`] already.
    Invalid {
        /// See above.
        kept: usize,
    },
}

/// What a size line says.
enum Size {
    Empty,
    Of(u64),
    Invalid,
}

impl Chunked {
    /// Starts anew.
    pub(super) fn clear(&mut self) {
        self.place = Place::Size;
        self.line.clear();
    }

    /// A size had an extension behind it, since this was asked last.
    pub(super) fn take_extension(&mut self) -> bool {
        std::mem::take(&mut self.extension)
    }

    /// The line that was not a size, as far as it was kept.
    pub(super) fn invalid_line(&self) -> &[u8] {
        &self.line
    }

    /// What the start of `bytes`, which is not empty, is.
    pub(super) fn step(&mut self, bytes: &[u8]) -> Step {
        match self.place {
            Place::Data(left) => {
                let now = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                self.place = match left - now as u64 {
                    0 => Place::DataEnd,
                    left => Place::Data(left),
                };
                Step::Data(now)
            }
            Place::DataEnd => match bytes.iter().position(|byte| *byte == b'\n') {
                Some(end) => {
                    self.place = Place::Size;
                    Step::Coding(end + 1)
                }
                None => Step::Coding(bytes.len()),
            },
            Place::Size | Place::Extension => self.size_line(bytes),
        }
    }

    /// Takes a size line, or a part of it.
    fn size_line(&mut self, bytes: &[u8]) -> Step {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let mut taken = end.map_or(bytes.len(), |end| end + 1);
        let mut whole = end.is_some();
        if self.place == Place::Size {
            let room = SIZE_LINE.saturating_sub(self.line.len());
            whole &= taken <= room;
            taken = taken.min(room);
            self.line.extend_from_slice(&bytes[..taken]);
            if leads_astray(&self.line) {
                return Step::Invalid { kept: taken };
            }
            if !whole && self.line.len() >= SIZE_LINE {
                if matches!(size(&self.line), Size::Invalid) {
                    // What follows of the line changes nothing, and must not be lost.
                    return Step::Invalid { kept: taken };
                }
                if !self.line.iter().all(|byte| is_blank(*byte)) {
                    self.place = Place::Extension;
                } else {
                    self.line.clear();
                }
            }
        }
        if !whole {
            return Step::Coding(taken);
        }
        self.extension |= self.line.contains(&b';');
        match size(&self.line) {
            Size::Invalid => return Step::Invalid { kept: taken },
            Size::Empty => self.place = Place::Size,
            Size::Of(0) => {
                self.clear();
                return Step::Last(taken);
            }
            Size::Of(size) => self.place = Place::Data(size),
        }
        self.line.clear();
        Step::Coding(taken)
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c)
}

/// Something that is neither blank nor a digit stands in front.
fn leads_astray(line: &[u8]) -> bool {
    let (_, rest) = split_while(line, is_blank);
    rest.first().is_some_and(|byte| hex(*byte).is_none())
}

fn size(line: &[u8]) -> Size {
    let (_, rest) = split_while(line, is_blank);
    let (digits, rest) = split_while(rest, |byte| hex(byte).is_some());
    if digits.is_empty() {
        return if rest.is_empty() {
            Size::Empty
        } else {
            Size::Invalid
        };
    }
    let size = digits.iter().try_fold(0_u64, |size, digit| {
        size.checked_mul(16)?.checked_add(u64::from(hex(*digit)?))
    });
    size.filter(|size| *size <= LARGEST)
        .map_or(Size::Invalid, Size::Of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The body, and what follows the coding; `None` when it never ends or is invalid.
    fn decode(pieces: &[&[u8]]) -> (Vec<u8>, Option<Vec<u8>>) {
        let (mut chunked, mut body) = (Chunked::default(), Vec::new());
        let mut rest = Vec::new();
        let mut over = false;
        for piece in pieces {
            let mut piece = *piece;
            while !piece.is_empty() && !over {
                match chunked.step(piece) {
                    Step::Coding(taken) => piece = &piece[taken..],
                    Step::Data(taken) => {
                        body.extend_from_slice(&piece[..taken]);
                        piece = &piece[taken..];
                    }
                    Step::Last(taken) => {
                        over = true;
                        piece = &piece[taken..];
                    }
                    Step::Invalid { .. } => return (body, None),
                }
            }
            if over {
                rest.extend_from_slice(piece);
            }
        }
        (body, over.then_some(rest))
    }

    #[test]
    fn chunks_are_joined_whatever_surrounds_them() {
        for (coded, body, rest) in [
            ("3\r\nabc\r\n0\r\n\r\n", "abc", Some("\r\n")),
            ("03;x=y\nabc\n2 \r\nde\r\n0\n\n", "abcde", Some("\n")),
            (
                "\r\n  \n\t3\r\nabcjunk\r\n0\r\nT: x\r\n",
                "abc",
                Some("T: x\r\n"),
            ),
            ("a\r\n0123456789\r\n0000\r\n", "0123456789", Some("")),
            ("3 x\r\nabc\r\n0\r\n", "abc", Some("")),
            ("x3\r\nabc", "", None),
            ("-1\r\nabc", "", None),
            ("80000000\r\nabc", "", None),
        ] {
            let (got, left) = decode(&[coded.as_bytes()]);
            let left = left.map(|left| String::from_utf8_lossy(&left).into_owned());
            assert_eq!(String::from_utf8_lossy(&got), body, "{coded:?}");
            assert_eq!(left.as_deref(), rest, "{coded:?}");
        }
        let long = format!("3;{}\r\nabc\r\n0\r\n", "x".repeat(5000));
        assert_eq!(
            decode(&[long.as_bytes()]),
            (b"abc".to_vec(), Some(Vec::new()))
        );
    }

    proptest! {
        #[test]
        fn the_cut_does_not_matter(cut in 0_usize..40) {
            let coded = b"5;ext\r\nhello\r\n\r\n 6\n world\r\n0\r\n\r\n";
            let cut = cut.min(coded.len());
            prop_assert_eq!(decode(&[&coded[..cut], &coded[cut..]]), decode(&[coded]));
        }
    }
}
