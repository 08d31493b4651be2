//! Content codings of a part (RFC 2045 section 6), undone as they come.

use crate::base64;
use crate::hex::digit as hex_digit;

use super::Event;

/// How content is coded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Encoding {
    /// 7bit, 8bit, binary, and what is not known.
    #[default]
    None,
    Base64,
    QuotedPrintable,
}

/// Bytes of an escape of quoted-printable, of which there are up to three.
#[derive(Clone, Copy, Debug, Default)]
struct Escape {
    bytes: [u8; 3],
    len: usize,
}

impl Escape {
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
    }

    /// What has come of it, which it forgets.
    fn take(&mut self, into: &mut Vec<u8>) {
        into.extend_from_slice(self.bytes.get(..self.len).unwrap_or_default());
        self.len = 0;
    }
}

/// Undoes a coding.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    encoding: Encoding,
    /// Bits of a group of base64 that is not whole, and how many.
    bits: u32,
    count: u8,
    /// What follows a padding is not the content's.
    padded: bool,
    /// An equals sign, and the digit behind it, of which more must come.
    escape: Escape,
}

impl Decoder {
    /// Begins a part.
    pub(super) fn start(&mut self, encoding: Encoding) {
        self.encoding = encoding;
        self.bits = 0;
        self.count = 0;
        self.padded = false;
        self.escape.len = 0;
    }

    pub(super) fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// There is something to be undone.
    pub(super) fn is_coding(&self) -> bool {
        self.encoding != Encoding::None
    }

    /// Takes content of a line. Returns what is wrong with it.
    pub(super) fn take(&mut self, text: &[u8], into: &mut Vec<u8>) -> Option<Event> {
        match self.encoding {
            Encoding::None => {
                into.extend_from_slice(text);
                None
            }
            Encoding::Base64 => self.base64(text, into),
            Encoding::QuotedPrintable => self.quoted(text, into),
        }
    }

    /// Takes a line end.
    pub(super) fn end_line(&mut self, text: &[u8], into: &mut Vec<u8>) {
        match self.encoding {
            Encoding::None => into.extend_from_slice(text),
            Encoding::Base64 => {}
            Encoding::QuotedPrintable => {
                // A line that ends with an equals sign goes on with the next.
                if self.escape.len == 1 {
                    self.escape.len = 0;
                } else {
                    self.escape.take(into);
                    into.extend_from_slice(text);
                }
            }
        }
    }

    /// Nothing will follow.
    pub(super) fn finish(&mut self, into: &mut Vec<u8>) {
        if self.encoding == Encoding::QuotedPrintable && self.escape.len != 1 {
            self.escape.take(into);
        }
        self.group(into);
        self.start(Encoding::None);
    }

    fn base64(&mut self, text: &[u8], into: &mut Vec<u8>) -> Option<Event> {
        let mut wrong = None;
        for byte in text {
            if *byte == b'=' {
                self.group(into);
                self.padded = true;
                continue;
            }
            let Some(digit) = base64::digit(*byte) else {
                if !byte.is_ascii_whitespace() {
                    wrong = Some(Event::InvalidBase64);
                }
                continue;
            };
            // Content behind a padding starts anew, as lenient readers take it.
            if std::mem::take(&mut self.padded) {
                wrong = Some(Event::InvalidBase64);
            }
            self.bits = self.bits << 6 | u32::from(digit);
            self.count += 1;
            if self.count == 4 {
                self.group(into);
            }
        }
        wrong
    }

    /// Gives the bytes of the group at hand, as far as they are whole.
    fn group(&mut self, into: &mut Vec<u8>) {
        let digits = std::mem::take(&mut self.count);
        let bits = std::mem::take(&mut self.bits) << (6 * (4 - u32::from(digits.min(4))));
        let whole = usize::from(digits.saturating_sub(1));
        let bytes = bits.to_be_bytes();
        into.extend_from_slice(bytes.get(1..=whole).unwrap_or_default());
    }

    fn quoted(&mut self, text: &[u8], into: &mut Vec<u8>) -> Option<Event> {
        let mut wrong = None;
        for byte in text {
            if self.escape.len == 0 && *byte != b'=' {
                into.push(*byte);
                continue;
            }
            self.escape.push(*byte);
            let [_, high, low] = self.escape.bytes;
            match (self.escape.len, hex_digit(high), hex_digit(low)) {
                (1, ..) | (2, Some(_), _) => {}
                (3, Some(high), Some(low)) => {
                    into.push(high << 4 | low);
                    self.escape.len = 0;
                }
                _ => {
                    wrong = Some(Event::InvalidQuoted);
                    self.escape.take(into);
                }
            }
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(encoding: Encoding, lines: &[&str]) -> (String, bool) {
        let mut decoder = Decoder::default();
        decoder.start(encoding);
        let (mut into, mut wrong) = (Vec::new(), false);
        for line in lines {
            for byte in line.as_bytes().chunks(1) {
                wrong |= decoder.take(byte, &mut into).is_some();
            }
            decoder.end_line(b"\r\n", &mut into);
        }
        decoder.finish(&mut into);
        (String::from_utf8_lossy(&into).into_owned(), wrong)
    }

    #[test]
    fn codings_are_undone() {
        let base64 = |lines: &[&str]| decode(Encoding::Base64, lines);
        assert_eq!(
            base64(&["aGVsbG8g", "d29ybGQ="]),
            ("hello world".into(), false)
        );
        assert_eq!(base64(&["aGVsbG8"]), ("hello".into(), false));
        assert_eq!(base64(&["aGV*sbG8="]), ("hello".into(), true));
        assert_eq!(base64(&["aA==", "aQ=="]), ("hi".into(), true));
        let quoted = |lines: &[&str]| decode(Encoding::QuotedPrintable, lines);
        assert_eq!(quoted(&["a=3Db=", "c"]), ("a=bc\r\n".into(), false));
        assert_eq!(quoted(&["a=zzb=4"]), ("a=zzb=4\r\n".into(), true));
        assert_eq!(
            decode(Encoding::None, &["a=3D"]),
            ("a=3D\r\n".into(), false)
        );
    }
}
