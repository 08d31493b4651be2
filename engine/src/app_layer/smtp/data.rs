//! A message behind DATA: where it ends, and dots that were stuffed (RFC 5321 section 4.5.2).

/// How a message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// As it should.
    Strict,
    /// With a line feed alone before or behind the dot: some servers read on.
    Loose,
}

/// A message being read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Data {
    place: Place,
    /// The line before ended with a line feed alone.
    bare: bool,
    /// The byte before was a carriage return.
    returned: bool,
}

/// Where in a line of the message the next byte is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// At its start.
    #[default]
    Start,
    /// Behind a dot that starts it.
    Dot,
    /// Behind a dot and a carriage return that start it.
    DotReturn,
    /// Further on.
    Within,
}

impl Data {
    /// Somewhere in a line.
    pub(super) const WITHIN: Self = Self {
        place: Place::Within,
        bare: false,
        returned: false,
    };

    /// Takes bytes of the message, handing its content to `put`. Returns how many bytes were taken, and
    /// how the message has ended, if it has.
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        put: &mut dyn FnMut(&[u8]),
    ) -> (usize, Option<End>) {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let first = rest.first().copied().unwrap_or_default();
            match (self.place, first) {
                (Place::Start, b'.') => {
                    self.place = Place::Dot;
                    at += 1;
                }
                (Place::Dot, b'\r') => {
                    self.place = Place::DotReturn;
                    at += 1;
                }
                (Place::Dot | Place::DotReturn, b'\n') => {
                    let loose = self.bare || self.place == Place::Dot;
                    *self = Self::default();
                    return (at + 1, Some(if loose { End::Loose } else { End::Strict }));
                }
                (Place::DotReturn, _) => {
                    put(b"\r");
                    self.place = Place::Within;
                }
                (Place::Start | Place::Dot | Place::Within, _) => at += self.line(rest, put),
            }
        }
        (at, None)
    }

    /// Takes the rest of a line, as far as it has come.
    fn line(&mut self, rest: &[u8], put: &mut dyn FnMut(&[u8])) -> usize {
        let end = memchr::memchr(b'\n', rest);
        let text = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        let before = text.last().map_or(self.returned, |last| *last == b'\r');
        let taken = text.len() + usize::from(end.is_some());
        put(rest.get(..taken).unwrap_or_default());
        *self = match end {
            Some(_) => Self {
                place: Place::Start,
                bare: !before,
                returned: false,
            },
            None => Self {
                returned: before,
                ..Self::WITHIN
            },
        };
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_cut_ends_where_a_dot_stands_alone() {
        let text = b"a\r\n..b\r\n.\rc\n.d\n\r\n.\r\nQUIT\r\n";
        let read = |pieces: &[&[u8]]| {
            let (mut data, mut content, mut taken) = (Data::default(), Vec::new(), 0);
            for piece in pieces {
                let (now, over) = data.take(piece, &mut |bytes| content.extend_from_slice(bytes));
                taken += now;
                if let Some(end) = over {
                    assert_eq!(end, End::Strict);
                    break;
                }
            }
            (content, taken)
        };
        let whole = read(&[text]);
        assert_eq!(whole, (b"a\r\n.b\r\n\rc\nd\n\r\n".to_vec(), text.len() - 6));
        for cut in 0..text.len() {
            assert_eq!(read(&[&text[..cut], &text[cut..]]), whole, "{cut}");
        }
    }

    #[test]
    fn ends_that_servers_differ_on_are_told() {
        for (text, end) in [
            (&b".\r\n"[..], End::Strict),
            (b"a\r\n.\r\n", End::Strict),
            (b"a\n.\r\n", End::Loose),
            (b"a\r\n.\n", End::Loose),
            (b"a\n.\n", End::Loose),
            (b"a\n\r\n.\r\n", End::Strict),
        ] {
            let mut data = Data::default();
            let ends = text
                .chunks(1)
                .filter_map(|byte| data.take(byte, &mut |_| ()).1);
            assert_eq!(ends.collect::<Vec<_>>(), [end], "{}", text.escape_ascii());
            let whole = Data::default().take(text, &mut |_| ());
            assert_eq!(whole, (text.len(), Some(end)));
        }
    }
}
