//! The header of a gzip member (RFC 1952 section 2.3), as it comes. Check sums are not checked: browsers do
//! not mind them.

const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
const FIXED: usize = 10;
const FLAGS: usize = 3;
const HAS_CRC: u8 = 1 << 1;
const HAS_EXTRA: u8 = 1 << 2;
const HAS_NAME: u8 = 1 << 3;
const HAS_COMMENT: u8 = 1 << 4;
/// Check sum and length behind a member.
const TRAILER: usize = 8;

/// A header, or what has come of it.
#[derive(Debug, Default)]
pub(super) struct Header {
    place: Place,
    /// Bytes of the place at hand that have come.
    come: usize,
    flags: u8,
    extra: usize,
    /// A member went before.
    later: bool,
}

/// What comes is no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoHeader {
    /// Index of the byte that tells.
    pub(super) at: usize,
    /// What was taken for the start of one, in bytes that came before included.
    pub(super) taken: &'static [u8],
    /// A member went before.
    pub(super) later: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Behind the member in front.
    Trailer,
    #[default]
    Fixed,
    ExtraLength,
    Extra,
    Name,
    Comment,
    Crc,
    Over,
}

impl Header {
    /// The header of the next member, behind the trailer of the one in front.
    pub(super) fn behind_member() -> Self {
        Self {
            place: Place::Trailer,
            later: true,
            ..Self::default()
        }
    }

    /// The compressed bytes begin.
    pub(super) fn is_over(&self) -> bool {
        self.place == Place::Over
    }

    /// Takes what is the header's. Returns how many bytes that were.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<usize, NoHeader> {
        for (index, byte) in bytes.iter().copied().enumerate() {
            self.skip_absent();
            if self.is_over() {
                return Ok(index);
            }
            let come = self.come;
            self.byte(byte).ok_or(NoHeader {
                at: index,
                taken: MAGIC.get(..come).unwrap_or_default(),
                later: self.later,
            })?;
        }
        self.skip_absent();
        Ok(bytes.len())
    }

    fn go(&mut self, place: Place) {
        self.place = place;
        self.come = 0;
    }

    /// Steps over parts that the flags say are not there.
    fn skip_absent(&mut self) {
        let without = |flag: u8| self.flags & flag == 0;
        let next = match self.place {
            Place::ExtraLength if without(HAS_EXTRA) => Place::Name,
            Place::Extra if self.extra == 0 => Place::Name,
            Place::Name if without(HAS_NAME) => Place::Comment,
            Place::Comment if without(HAS_COMMENT) => Place::Crc,
            Place::Crc if without(HAS_CRC) => Place::Over,
            _ => return,
        };
        self.go(next);
        self.skip_absent();
    }

    fn byte(&mut self, byte: u8) -> Option<()> {
        let at = self.come;
        self.come += 1;
        match self.place {
            Place::Trailer if self.come == TRAILER => self.go(Place::Fixed),
            Place::Fixed => {
                if MAGIC.get(at).is_some_and(|magic| *magic != byte) {
                    return None;
                }
                if at == FLAGS {
                    self.flags = byte;
                }
                if self.come == FIXED {
                    self.go(Place::ExtraLength);
                }
            }
            Place::ExtraLength => {
                self.extra |= usize::from(byte) << (8 * at);
                if self.come == 2 {
                    self.go(Place::Extra);
                }
            }
            Place::Extra if self.come == self.extra => self.go(Place::Name),
            Place::Name if byte == 0 => self.go(Place::Comment),
            Place::Comment if byte == 0 => self.go(Place::Crc),
            Place::Crc if self.come == 2 => self.go(Place::Over),
            _ => {}
        }
        Some(())
    }
}
