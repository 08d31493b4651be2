//! Writing and reading netlink messages and their attributes (`struct nlattr`, 4-byte aligned TLVs).

use netlink_packet_core::NetlinkSerializable;

use super::HEADER;

/// Marks an attribute that holds attributes.
const NESTED: u16 = 0x8000;
/// What remains of an attribute's type without flags.
const TYPE_MASK: u16 = 0x3fff;

/// Builds messages one after another in one buffer.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// Drops all content and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Everything written.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Appends one message: header, fixed part, and what `content` writes.
    pub(crate) fn message(
        &mut self,
        kind: u16,
        flags: u16,
        sequence: u32,
        content: impl FnOnce(&mut Self),
    ) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&0u32.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(&flags.to_ne_bytes());
        self.bytes.extend_from_slice(&sequence.to_ne_bytes());
        self.bytes.extend_from_slice(&0u32.to_ne_bytes());
        content(self);
        let length = u32::try_from(self.bytes.len() - start).unwrap_or(u32::MAX);
        if let Some(field) = self.bytes.get_mut(start..start + 4) {
            field.copy_from_slice(&length.to_ne_bytes());
        }
    }

    /// Sets flags in the header of the message that starts at byte `start`.
    pub(crate) fn add_flags(&mut self, start: usize, flags: u16) {
        if let Some(field) = self.bytes.get_mut(start + 6..start + 8)
            && let Ok(old) = <[u8; 2]>::try_from(&*field)
        {
            field.copy_from_slice(&(u16::from_ne_bytes(old) | flags).to_ne_bytes());
        }
    }

    /// Appends bytes as they are (fixed message parts), padded to 4.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.pad();
    }

    /// Appends the body of a typed message.
    pub(crate) fn emit(&mut self, message: &impl NetlinkSerializable) {
        let start = self.bytes.len();
        self.bytes.resize(start + message.buffer_len(), 0);
        if let Some(space) = self.bytes.get_mut(start..) {
            message.serialize(space);
        }
    }

    /// Appends an attribute.
    pub(crate) fn attribute(&mut self, kind: u16, value: &[u8]) {
        // Longest value written here: 256 bytes of user data.
        let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.raw(value);
    }

    /// Appends a NUL-terminated string attribute.
    pub(crate) fn string(&mut self, kind: u16, text: &str) {
        let mut value = Vec::with_capacity(text.len() + 1);
        value.extend_from_slice(text.as_bytes());
        value.push(0);
        self.attribute(kind, &value);
    }

    /// Appends a big-endian 32-bit attribute.
    pub(crate) fn be32(&mut self, kind: u16, value: u32) {
        self.attribute(kind, &value.to_be_bytes());
    }

    /// Appends a big-endian 64-bit attribute.
    pub(crate) fn be64(&mut self, kind: u16, value: u64) {
        self.attribute(kind, &value.to_be_bytes());
    }

    /// Appends a host-endian 32-bit attribute.
    pub(crate) fn ne32(&mut self, kind: u16, value: u32) {
        self.attribute(kind, &value.to_ne_bytes());
    }

    /// Appends an attribute that holds what `content` writes.
    pub(crate) fn nested(&mut self, kind: u16, content: impl FnOnce(&mut Self)) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&0u16.to_ne_bytes());
        self.bytes.extend_from_slice(&(kind | NESTED).to_ne_bytes());
        content(self);
        let length = u16::try_from(self.bytes.len() - start).unwrap_or(u16::MAX);
        if let Some(field) = self.bytes.get_mut(start..start + 2) {
            field.copy_from_slice(&length.to_ne_bytes());
        }
    }

    fn pad(&mut self) {
        while !self.bytes.len().is_multiple_of(4) {
            self.bytes.push(0);
        }
    }
}

/// Reads attributes; ends at the first that does not fit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Attributes<'a> {
    /// Over the attributes that start `skip` bytes into a message's payload.
    pub(crate) fn after(payload: &'a [u8], skip: usize) -> Self {
        Self {
            rest: payload.get(skip..).unwrap_or_default(),
        }
    }

    /// Over a nested attribute's value.
    pub(crate) fn of(value: &'a [u8]) -> Self {
        Self { rest: value }
    }

    /// First attribute of this type.
    pub(crate) fn get(self, kind: u16) -> Option<&'a [u8]> {
        let mut attributes = self;
        attributes.find_map(|(found, value)| (found == kind).then_some(value))
    }

    /// First attribute of this type, as attributes; empty if absent.
    pub(crate) fn nested(self, kind: u16) -> Self {
        Self::of(self.get(kind).unwrap_or_default())
    }

    /// String attribute without its NUL.
    pub(crate) fn text(self, kind: u16) -> Option<&'a str> {
        self.get(kind).and_then(read_str)
    }

    /// Big-endian 32-bit attribute.
    pub(crate) fn be32(self, kind: u16) -> Option<u32> {
        Some(u32::from_be_bytes(self.get(kind)?.try_into().ok()?))
    }

    /// Big-endian 64-bit attribute.
    pub(crate) fn be64(self, kind: u16) -> Option<u64> {
        Some(u64::from_be_bytes(self.get(kind)?.try_into().ok()?))
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let header = self.rest.first_chunk::<4>()?;
        let [l0, l1, k0, k1] = *header;
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        let value = self.rest.get(4..length)?;
        self.rest = self
            .rest
            .get(length.next_multiple_of(4)..)
            .unwrap_or_default();
        Some((u16::from_ne_bytes([k0, k1]) & TYPE_MASK, value))
    }
}

/// Text of a string attribute without its NUL; `None` if it is not UTF-8.
pub(crate) fn read_str(value: &[u8]) -> Option<&str> {
    let text = value.strip_suffix(b"\0").unwrap_or(value);
    std::str::from_utf8(text).ok()
}

/// Value of a user data TLV of nft (type, length, value in single bytes).
pub(crate) fn find(userdata: &[u8], kind: u8) -> Option<&[u8]> {
    let mut rest = userdata;
    while let [found, length, tail @ ..] = rest {
        let (value, next) = tail.split_at_checked(usize::from(*length))?;
        if *found == kind {
            return Some(value);
        }
        rest = next;
    }
    None
}

/// Splits a receive buffer into messages: (type, flags, sequence, payload).
pub(super) struct Messages<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> Iterator for Messages<'a> {
    type Item = (u16, u16, u32, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let header = self.rest.first_chunk::<HEADER>()?;
        let [l0, l1, l2, l3, k0, k1, f0, f1, s0, s1, s2, s3, ..] = *header;
        let length = usize::try_from(u32::from_ne_bytes([l0, l1, l2, l3])).ok()?;
        let payload = self.rest.get(HEADER..length)?;
        self.rest = self
            .rest
            .get(length.next_multiple_of(4)..)
            .unwrap_or_default();
        Some((
            u16::from_ne_bytes([k0, k1]),
            u16::from_ne_bytes([f0, f1]),
            u32::from_ne_bytes([s0, s1, s2, s3]),
            payload,
        ))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nested_attributes_read_back() {
        let mut writer = Writer::default();
        writer.nested(3, |writer| {
            writer.string(1, "weir");
            writer.be64(2, 7);
        });
        writer.be32(4, 9);
        let attributes = Attributes::of(writer.bytes());
        assert_eq!(attributes.nested(3).text(1), Some("weir"));
        assert_eq!(attributes.nested(3).be64(2), Some(7));
        assert_eq!(attributes.be32(4), Some(9));
        assert_eq!(attributes.be32(5), None);
    }

    #[test]
    fn messages_are_split_at_their_lengths() {
        let mut writer = Writer::default();
        writer.message(16, 1, 7, |writer| writer.raw(&[1, 2, 3]));
        writer.message(17, 2, 8, |_| {});
        let messages: Vec<_> = Messages {
            rest: writer.bytes(),
        }
        .collect();
        assert_eq!(messages.len(), 2);
        assert_eq!(messages.first().map(|m| (m.0, m.1, m.2)), Some((16, 1, 7)));
        assert_eq!(messages.get(1).map(|m| m.3), Some(&[][..]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_bytes_are_read_without_panic_and_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Attributes::of(&bytes).count() <= bytes.len() / 4);
            let messages = Messages { rest: &bytes }.count();
            prop_assert!(messages <= bytes.len() / HEADER);
            let _ = find(&bytes, 0);
        }
    }
}
