//! Reading numbers and length-prefixed vectors (RFC 8446 section 3).

/// The rest of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (now, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(now)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.bytes(1)?.first().copied()
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.bytes(2)?
            .first_chunk()
            .map(|bytes| u16::from_be_bytes(*bytes))
    }

    pub(super) fn u24(&mut self) -> Option<usize> {
        match self.bytes(3)? {
            &[high, middle, low] => {
                Some(usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low))
            }
            _ => None,
        }
    }

    /// A vector whose length is a byte.
    pub(super) fn vector8(&mut self) -> Option<Self> {
        let length = usize::from(self.u8()?);
        self.bytes(length).map(Self)
    }

    /// A vector whose length is two bytes.
    pub(super) fn vector16(&mut self) -> Option<Self> {
        let length = usize::from(self.u16()?);
        self.bytes(length).map(Self)
    }

    /// A vector whose length is three bytes.
    pub(super) fn vector24(&mut self) -> Option<Self> {
        let length = self.u24()?;
        self.bytes(length).map(Self)
    }

    /// All that is left.
    pub(super) fn rest(self) -> &'a [u8] {
        self.0
    }

    /// All that is left as 16-bit numbers; an odd byte at the end is left out.
    pub(super) fn numbers(self) -> impl Iterator<Item = u16> {
        self.0
            .chunks_exact(2)
            .filter_map(|pair| pair.first_chunk().map(|pair| u16::from_be_bytes(*pair)))
    }
}
