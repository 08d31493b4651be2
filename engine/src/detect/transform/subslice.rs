//! `subslice`: a part of the buffer, counted from its beginning or its end.

/// `subslice:offset[, nbytes][, truncate]`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::detect) struct Subslice {
    /// Where it begins; negative: that far from the end.
    offset: i64,
    /// How long it is; negative: it ends that far from the end. `None`: at the end.
    length: Option<i64>,
    /// What lies beyond the buffer is cut; otherwise nothing is left then.
    truncate: bool,
}

/// Reads the value.
pub(super) fn read(value: &str) -> Result<Subslice, String> {
    let mut parts: Vec<&str> = value.split(',').map(str::trim).collect();
    let truncate = parts.last() == Some(&"truncate");
    if truncate {
        parts.pop();
    }
    let number = |text: &str| {
        let number = text.parse::<i32>();
        number.map_err(|_| format!("`{text}` is not a number of bytes"))
    };
    let (offset, length) = match *parts {
        [offset] => (number(offset)?, None),
        [offset, length] => (number(offset)?, Some(number(length)?)),
        _ => return Err("it is not `offset[, nbytes][, truncate]`".to_owned()),
    };
    Ok(Subslice {
        offset: offset.into(),
        length: length.map(i64::from),
        truncate,
    })
}

impl Subslice {
    /// The part; empty where it lies beyond the buffer and nothing is cut.
    pub(super) fn of(self, input: &[u8]) -> &[u8] {
        let length = i64::try_from(input.len()).unwrap_or(i64::MAX);
        let from_end = |at: i64| {
            if at < 0 {
                length.saturating_add(at)
            } else {
                at
            }
        };
        let start = from_end(self.offset);
        let end = match self.length {
            None => length,
            Some(bytes) if bytes < 0 => from_end(bytes),
            Some(bytes) => start.saturating_add(bytes),
        };
        let inside = 0..=length;
        let fits = inside.contains(&start) && inside.contains(&end);
        if !self.truncate && !fits {
            return &[];
        }
        let index = |at: i64| usize::try_from(at.clamp(0, length)).unwrap_or(0);
        input.get(index(start)..index(end)).unwrap_or_default()
    }

    /// Whether it counts from the end.
    pub(super) fn needs_end(self) -> bool {
        self.offset < 0 || self.length.is_none_or(|bytes| bytes < 0) || !self.truncate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_counted_from_either_end() {
        for (value, part) in [
            ("0", "abcdef"),
            ("2", "cdef"),
            ("6", ""),
            ("7", ""),
            ("-4", "cdef"),
            ("-7", ""),
            ("-7,truncate", "abcdef"),
            ("1,3", "bcd"),
            ("4,3", ""),
            ("4, 3, truncate", "ef"),
            ("9, 3, truncate", ""),
            ("-3, 2", "de"),
            ("1,-1", "bcde"),
            ("4,-4", ""),
            ("0,-9", ""),
            ("0,-9,truncate", ""),
        ] {
            let found = read(value).unwrap().of(b"abcdef");
            assert_eq!(found, part.as_bytes(), "{value}");
        }
        for value in ["", "x", "1,2,3", "truncate", "1,truncate,2", "99999999999"] {
            assert!(read(value).is_err(), "{value}");
        }
    }
}
