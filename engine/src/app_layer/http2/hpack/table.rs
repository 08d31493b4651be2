//! The fields that HPACK names by numbers (RFC 7541 section 2.3): the static table, and the dynamic one that
//! the peer fills.
//!
//! Invariant: the dynamic table never holds more than its size, which is [`MOST`] at most; as many entries as
//! its size divided by [`OVERHEAD`].

use std::collections::VecDeque;

/// Bytes that each entry counts beside its texts (section 4.1).
const OVERHEAD: usize = 32;

/// Bytes that a peer may let a table have. Of a larger one entries are missing sooner than the peer thinks:
/// naming them is an error.
pub(super) const MOST: usize = 64 << 10;

/// Bytes of a table whose size nobody has changed.
const INITIAL: usize = 4096;

/// Bytes of texts that were evicted and still take room.
const DEAD: usize = 4096;

/// Capacity that is kept for the next flow.
const KEPT: usize = 4096;

/// Name and value of a field.
pub(super) type Entry<'t> = (&'t [u8], &'t [u8]);

/// Appendix A; its first entry has the number 1.
const STATIC: [Entry<'static>; 61] = [
    (b":authority", b""),
    (b":method", b"GET"),
    (b":method", b"POST"),
    (b":path", b"/"),
    (b":path", b"/index.html"),
    (b":scheme", b"http"),
    (b":scheme", b"https"),
    (b":status", b"200"),
    (b":status", b"204"),
    (b":status", b"206"),
    (b":status", b"304"),
    (b":status", b"400"),
    (b":status", b"404"),
    (b":status", b"500"),
    (b"accept-charset", b""),
    (b"accept-encoding", b"gzip, deflate"),
    (b"accept-language", b""),
    (b"accept-ranges", b""),
    (b"accept", b""),
    (b"access-control-allow-origin", b""),
    (b"age", b""),
    (b"allow", b""),
    (b"authorization", b""),
    (b"cache-control", b""),
    (b"content-disposition", b""),
    (b"content-encoding", b""),
    (b"content-language", b""),
    (b"content-length", b""),
    (b"content-location", b""),
    (b"content-range", b""),
    (b"content-type", b""),
    (b"cookie", b""),
    (b"date", b""),
    (b"etag", b""),
    (b"expect", b""),
    (b"expires", b""),
    (b"from", b""),
    (b"host", b""),
    (b"if-match", b""),
    (b"if-modified-since", b""),
    (b"if-none-match", b""),
    (b"if-range", b""),
    (b"if-unmodified-since", b""),
    (b"last-modified", b""),
    (b"link", b""),
    (b"location", b""),
    (b"max-forwards", b""),
    (b"proxy-authenticate", b""),
    (b"proxy-authorization", b""),
    (b"range", b""),
    (b"referer", b""),
    (b"refresh", b""),
    (b"retry-after", b""),
    (b"server", b""),
    (b"set-cookie", b""),
    (b"strict-transport-security", b""),
    (b"transfer-encoding", b""),
    (b"user-agent", b""),
    (b"vary", b""),
    (b"via", b""),
    (b"www-authenticate", b""),
];

/// Both tables of one direction.
#[derive(Debug)]
pub(super) struct Table {
    /// Texts of the entries, oldest first, behind those of evicted ones.
    text: Vec<u8>,
    /// Bytes of evicted texts in front.
    dead: usize,
    /// Bytes that were in front of `text` and are gone.
    gone: usize,
    /// Oldest first.
    entries: VecDeque<Place>,
    size: usize,
    limit: usize,
}

/// Where an entry's texts are: counted from the first byte that the table ever had.
#[derive(Clone, Copy, Debug)]
struct Place {
    start: usize,
    name: usize,
    value: usize,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            text: Vec::new(),
            dead: 0,
            gone: 0,
            entries: VecDeque::new(),
            size: 0,
            limit: INITIAL,
        }
    }
}

impl Table {
    /// The entry of a number.
    pub(super) fn get(&self, number: u64) -> Option<Entry<'_>> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        let Some(index) = index.checked_sub(STATIC.len()) else {
            return STATIC.get(index).copied();
        };
        let back = index.checked_add(1)?;
        let place = self.entries.len().checked_sub(back)?;
        let Place { start, name, value } = *self.entries.get(place)?;
        let start = start.checked_sub(self.gone)?;
        let text = self.text.get(start..start + name + value)?;
        text.split_at_checked(name)
    }

    /// Adds an entry; one that is larger than the table empties it (section 4.4).
    pub(super) fn add(&mut self, name: &[u8], value: &[u8]) {
        let size = name.len() + value.len() + OVERHEAD;
        self.evict(self.limit.saturating_sub(size));
        if size > self.limit {
            return;
        }
        self.entries.push_back(Place {
            start: self.gone + self.text.len(),
            name: name.len(),
            value: value.len(),
        });
        self.text.extend_from_slice(name);
        self.text.extend_from_slice(value);
        self.size += size;
    }

    /// An entry that is larger than any table was added.
    pub(super) fn empty(&mut self) {
        self.evict(0);
    }

    /// Changes the table's size (section 4.3).
    pub(super) fn resize(&mut self, size: u64) {
        self.limit = usize::try_from(size).unwrap_or(MOST).min(MOST);
        self.evict(self.limit);
    }

    fn evict(&mut self, size: usize) {
        while self.size > size {
            let Some(Place { name, value, .. }) = self.entries.pop_front() else {
                break;
            };
            self.size -= name + value + OVERHEAD;
            self.dead += name + value;
        }
        if self.dead >= DEAD.max(self.text.len() / 2) {
            self.text.drain(..self.dead.min(self.text.len()));
            self.gone += self.dead;
            self.dead = 0;
        }
    }

    /// Forgets the flow.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.text.shrink_to(KEPT);
        self.entries.clear();
        self.entries.shrink_to(KEPT / OVERHEAD);
        (self.dead, self.gone, self.size, self.limit) = (0, 0, 0, INITIAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_run_from_the_static_table_to_the_oldest_entry() {
        let mut table = Table::default();
        assert_eq!(table.get(0), None);
        assert_eq!(table.get(1), Some((&b":authority"[..], &b""[..])));
        assert_eq!(table.get(61), Some((&b"www-authenticate"[..], &b""[..])));
        assert_eq!(table.get(62), None);
        table.add(b"a", b"1");
        table.add(b"b", b"22");
        assert_eq!(table.get(62), Some((&b"b"[..], &b"22"[..])));
        assert_eq!(table.get(63), Some((&b"a"[..], &b"1"[..])));
        assert_eq!((table.get(64), table.get(u64::MAX)), (None, None));
        table.resize(34);
        assert_eq!((table.get(62), table.get(63)), (None, None));
    }

    /// Names and values, newest first.
    type Plain = VecDeque<(Vec<u8>, Vec<u8>)>;

    proptest! {
        #[test]
        fn the_table_is_that_of_a_plain_list(
            steps in prop::collection::vec((0_usize..400, 0_usize..900, prop::option::of(0_u64..9000)), 0..200),
        ) {
            let mut table = Table::default();
            let (mut plain, mut limit) = (Plain::new(), INITIAL);
            for (at, (name, value, size)) in (0_u8..=u8::MAX).cycle().zip(&steps) {
                if let Some(size) = size {
                    table.resize(*size);
                    limit = usize::try_from(*size).unwrap();
                } else {
                    let (name, value) = (vec![at; *name], vec![!at; *value]);
                    table.add(&name, &value);
                    plain.push_front((name, value));
                }
                let size = |all: &Plain| -> usize {
                    all.iter().map(|(name, value)| name.len() + value.len() + OVERHEAD).sum()
                };
                while size(&plain) > limit {
                    plain.pop_back();
                }
                prop_assert!(table.text.len() <= 2 * (MOST + DEAD));
                for (number, (name, value)) in (62..).zip(&plain) {
                    prop_assert_eq!(table.get(number), Some((&name[..], &value[..])));
                }
                prop_assert_eq!(table.get(62 + plain.len() as u64), None);
            }
        }
    }
}
