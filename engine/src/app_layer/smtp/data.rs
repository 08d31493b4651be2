//! A message behind DATA: where it ends, and dots that were stuffed (RFC 5321 section 4.5.2).

/// Where in a line of the message the next byte is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Data {
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
    /// Takes bytes of the message, handing its content to `put`. Returns how many bytes were taken, and
    /// whether the message has ended.
    pub(super) fn take(&mut self, bytes: &[u8], put: &mut dyn FnMut(&[u8])) -> (usize, bool) {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let first = rest.first().copied().unwrap_or_default();
            match (*self, first) {
                (Self::Start, b'.') => {
                    *self = Self::Dot;
                    at += 1;
                }
                (Self::Dot, b'\r') => {
                    *self = Self::DotReturn;
                    at += 1;
                }
                (Self::Dot | Self::DotReturn, b'\n') => {
                    *self = Self::Start;
                    return (at + 1, true);
                }
                (Self::DotReturn, _) => {
                    put(b"\r");
                    *self = Self::Within;
                }
                (Self::Start | Self::Dot | Self::Within, _) => {
                    let end = memchr::memchr(b'\n', rest).map(|end| end + 1);
                    let piece = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
                    put(piece);
                    *self = if end.is_some() {
                        Self::Start
                    } else {
                        Self::Within
                    };
                    at += piece.len();
                }
            }
        }
        (at, false)
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
                if over {
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
}
