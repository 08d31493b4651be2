//! Bytes as HTTP reads them: white space, tokens, numbers, and comparisons that ignore case.
//!
//! Tolerance follows what servers and browsers accept, not only RFC 9110 and 9112.

pub(super) use crate::app_layer::parameters::split_while;

/// A part of a buffer: its start and end. Keeps no borrow, so that it may live beside the buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::app_layer) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// From `start` to `end`; empty where these do not fit.
    pub(in crate::app_layer) fn new(start: usize, end: usize) -> Self {
        match (u32::try_from(start), u32::try_from(end)) {
            (Ok(start), Ok(end)) if start <= end => Self { start, end },
            _ => Self::default(),
        }
    }

    /// Where `part`, a slice of `whole`, lies in it.
    pub(in crate::app_layer) fn of(part: &[u8], whole: &[u8]) -> Self {
        let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
        if start > whole.len() {
            return Self::default();
        }
        Self::new(start, start + part.len())
    }

    /// Its bytes in `buffer`.
    pub(in crate::app_layer) fn of_buffer(self, buffer: &[u8]) -> &[u8] {
        buffer
            .get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }

    /// Where it starts.
    pub(in crate::app_layer) fn start(self) -> usize {
        self.start as usize
    }

    pub(in crate::app_layer) fn is_empty(self) -> bool {
        self.start == self.end
    }

    pub(in crate::app_layer) fn len(self) -> usize {
        (self.end - self.start) as usize
    }
}

/// White space as C's `isspace` has it.
pub(in crate::app_layer) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c)
}

/// A character of a token (RFC 9110 section 5.6.2).
pub(in crate::app_layer) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Without white space at both ends.
pub(in crate::app_layer) fn trim(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| !is_space(*byte));
    let end = bytes.iter().rposition(|byte| !is_space(*byte));
    match (start, end) {
        (Some(start), Some(end)) => bytes.get(start..=end).unwrap_or_default(),
        _ => &[],
    }
}

/// Without the line end.
pub(in crate::app_layer) fn chomp(bytes: &[u8]) -> &[u8] {
    let end = bytes
        .iter()
        .rposition(|byte| !matches!(byte, b'\r' | b'\n'));
    bytes
        .get(..end.map_or(0, |end| end + 1))
        .unwrap_or_default()
}

/// Whether `bytes` contains `needle`, which is lower case, whatever the case. NULs in `bytes` do not count,
/// as for browsers.
pub(in crate::app_layer) fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    (0..bytes.len()).any(|start| {
        let mut rest = bytes[start..].iter().filter(|byte| **byte != 0);
        needle.iter().all(|wanted| {
            rest.next()
                .is_some_and(|byte| byte.to_ascii_lowercase() == *wanted)
        })
    })
}

/// Whether `bytes`, less NULs, is `word`, which is lower case, whatever the case.
pub(in crate::app_layer) fn is_word(bytes: &[u8], word: &[u8]) -> bool {
    bytes
        .iter()
        .filter(|byte| **byte != 0)
        .map(u8::to_ascii_lowercase)
        .eq(word.iter().copied())
}

/// The first decimal number in `bytes`, whatever stands around it; `None` where there is none or it does
/// not fit.
pub(in crate::app_layer) fn first_number(bytes: &[u8]) -> Option<u64> {
    let (_, rest) = split_while(bytes, |byte| !byte.is_ascii_digit());
    let (digits, _) = split_while(rest, |byte| byte.is_ascii_digit());
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    })
}

/// Value of a hexadecimal digit.
pub(in crate::app_layer) fn hex(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_whatever_case_and_nuls() {
        assert!(contains(b"gzip, Chu\0nKed", b"chunked"));
        assert!(!contains(b"chunke", b"chunked"));
        assert!(is_word(b"Gz\0ip", b"gzip") && !is_word(b"gzip ", b"gzip"));
        assert_eq!(first_number(b" x12; 7"), Some(12));
        assert_eq!(first_number(b"none"), None);
        assert_eq!(first_number(b"99999999999999999999"), None);
        assert_eq!(
            (trim(b" a b\r\n"), chomp(b"a \r\n")),
            (&b"a b"[..], &b"a "[..])
        );
        let whole = b"abcdef";
        assert_eq!(Span::of(&whole[2..4], whole).of_buffer(whole), b"cd");
    }
}
