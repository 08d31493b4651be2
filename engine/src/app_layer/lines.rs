//! Lines of a text protocol as they come: bounded, without copying where a line comes in one piece.

/// Capacity that is kept for the next line.
const KEPT: usize = 4096;

/// Cuts one direction into lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// The start of a line whose end has not come.
    partial: Vec<u8>,
    /// The line in `partial` was handed out.
    done: bool,
    /// It is longer than what is kept of it.
    truncated: bool,
}

/// A line that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Its bytes, less the line end; of a longer one those within the limit.
    pub(super) bytes: &'a [u8],
    /// It was longer than the limit.
    pub(super) truncated: bool,
}

impl Lines {
    /// Takes the rest of a line from the front of `bytes`. Returns how many bytes were taken, and the line
    /// once its end is there; `limit`: how many of its bytes are kept, the line end not counted.
    pub(super) fn next<'a>(
        &'a mut self,
        bytes: &'a [u8],
        limit: usize,
    ) -> (usize, Option<Line<'a>>) {
        if std::mem::take(&mut self.done) {
            self.clear();
        }
        let end = memchr::memchr(b'\n', bytes);
        let whole = end.filter(|_| self.partial.is_empty() && !self.truncated);
        if let Some(end) = whole {
            let line = chomp(bytes.get(..end).unwrap_or_default());
            return (end + 1, Some(cut(line, limit)));
        }
        let piece = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
        // A byte more, which may be the carriage return of the line end.
        let room = (limit + 1).saturating_sub(self.partial.len());
        let kept = piece.get(..room).unwrap_or(piece);
        self.truncated |= kept.len() < piece.len();
        self.partial.extend_from_slice(kept);
        let Some(end) = end else {
            return (bytes.len(), None);
        };
        self.done = true;
        let line = if self.truncated {
            &self.partial[..]
        } else {
            chomp(&self.partial)
        };
        let mut line = cut(line, limit);
        line.truncated |= self.truncated;
        (end + 1, Some(line))
    }

    /// The start of a line is at hand.
    pub(super) fn has_partial(&self) -> bool {
        !self.done && (!self.partial.is_empty() || self.truncated)
    }

    /// The start of a line that will not end, as the last line.
    pub(super) fn rest(&mut self, limit: usize) -> Option<Line<'_>> {
        if !self.has_partial() {
            return None;
        }
        self.done = true;
        let mut line = cut(chomp(&self.partial), limit);
        line.truncated |= self.truncated;
        Some(line)
    }

    /// Forgets the line at hand.
    pub(super) fn clear(&mut self) {
        self.partial.clear();
        self.partial.shrink_to(KEPT);
        self.done = false;
        self.truncated = false;
    }
}

fn chomp(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn cut(line: &[u8], limit: usize) -> Line<'_> {
    Line {
        bytes: line.get(..limit).unwrap_or(line),
        truncated: line.len() > limit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(pieces: &[&[u8]], limit: usize) -> Vec<(Vec<u8>, bool)> {
        let mut lines = Lines::default();
        let mut found = Vec::new();
        for piece in pieces {
            let mut rest = *piece;
            while !rest.is_empty() {
                let (taken, line) = lines.next(rest, limit);
                found.extend(line.map(|line| (line.bytes.to_vec(), line.truncated)));
                rest = &rest[taken..];
            }
        }
        found
    }

    #[test]
    fn any_cut_gives_the_same_lines() {
        let text = b"one\r\ntw\ro\n\r\n\nlonger line\r\nexact\r\nexacts\r\nlast\n";
        let whole = all(&[text], 5);
        assert_eq!(whole[0], (b"one".to_vec(), false));
        assert_eq!(whole[4], (b"longe".to_vec(), true));
        assert_eq!(whole[5], (b"exact".to_vec(), false));
        assert_eq!(whole[6], (b"exact".to_vec(), true));
        for cut in 0..text.len() {
            assert_eq!(all(&[&text[..cut], &text[cut..]], 5), whole, "{cut}");
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(all(&bytes, 5), whole);
    }

    #[test]
    fn what_is_kept_of_a_line_is_bounded() {
        let mut lines = Lines::default();
        for _ in 0..1000 {
            assert_eq!(lines.next(&[b'x'; 100], 64), (100, None));
        }
        assert!(lines.partial.len() <= 65 && lines.has_partial());
        assert_eq!(lines.rest(64).unwrap().bytes.len(), 64);
        assert!(!lines.has_partial());
    }
}
