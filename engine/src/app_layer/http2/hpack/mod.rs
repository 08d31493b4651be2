//! Header compression (RFC 7541), decoded as the bytes come: a block need not be there as a whole, nor any
//! text of it.
//!
//! Bounds: the dynamic table ([`table::MOST`] bytes), and the name and value at hand ([`LONGEST`] bytes each;
//! of longer ones the start is shown, and since no table has room for them nothing is lost of it). A number
//! beyond 32 bits is an error.

mod huffman;
mod table;

use huffman::Huffman;
use table::Table;

/// Bytes of a name or value that are kept and shown.
const LONGEST: usize = table::MOST;

/// Bytes behind the first of a number; more only pad it.
const DIGITS: u32 = 9;

/// Capacity that is kept for the next flow.
const KEPT: usize = 1024;

/// What stands in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item<'a> {
    /// A field.
    Field { name: &'a [u8], value: &'a [u8] },
    /// The table's size changes.
    SizeUpdate(u64),
}

/// Why a block cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// A number is too large.
    Number,
    /// No entry has the number.
    Entry,
    /// The bits of a text are no words of the code.
    Code,
    /// The block ends within a field.
    Rest,
}

/// Decodes the blocks of one direction.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    table: Table,
    state: State,
    name: Text,
    value: Text,
    /// The field at hand goes into the table.
    adds: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// In front of a field.
    #[default]
    Start,
    /// Within a number.
    Number(Meaning, Number),
    /// In front of a text.
    Length(Place),
    /// Within a text, of which so many bytes are left.
    Text(Place, u64),
    /// Nothing can be made of the rest of the block.
    Failed,
}

/// What a number stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Field,
    Name,
    Size,
    Length(Place),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Name,
    Value,
}

/// A number being read (section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Number {
    value: u64,
    digits: u32,
}

/// A text being read.
#[derive(Debug, Default)]
struct Text {
    bytes: Vec<u8>,
    /// There was more than is kept.
    long: bool,
    coded: Option<Huffman>,
}

impl Text {
    fn clear(&mut self) {
        self.bytes.clear();
        self.long = false;
        self.coded = None;
    }

    fn set(&mut self, bytes: &[u8]) {
        self.clear();
        self.bytes.extend_from_slice(bytes);
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let Self {
            bytes: kept,
            long,
            coded,
        } = self;
        if let Some(huffman) = coded {
            let put = |byte| {
                if kept.len() < LONGEST {
                    kept.push(byte);
                } else {
                    *long = true;
                }
            };
            return huffman.decode(bytes, put).map_err(|_| Failure::Code);
        }
        let room = (LONGEST - kept.len()).min(bytes.len());
        *long |= room < bytes.len();
        kept.extend_from_slice(&bytes[..room]);
        Ok(())
    }

    fn end(&mut self) -> Result<(), Failure> {
        let ended = self.coded.as_mut().map_or(Ok(()), Huffman::end);
        ended.map_err(|_| Failure::Code)
    }
}

impl Number {
    /// A number whose first byte has a prefix of so many bits; and whether it ends there.
    fn start(byte: u8, bits: u32) -> (Self, bool) {
        let mask = (1_u8 << bits).wrapping_sub(1);
        let value = byte & mask;
        let number = Self {
            value: u64::from(value),
            digits: 0,
        };
        (number, value < mask)
    }

    /// Takes a further byte; whether the number ends there.
    fn digit(&mut self, byte: u8) -> Result<bool, Failure> {
        if self.digits >= DIGITS {
            return Err(Failure::Number);
        }
        // No more than 7 * 9 bits: it cannot overflow.
        self.value += u64::from(byte & 0x7f) << (7 * self.digits);
        self.digits += 1;
        if self.value > u64::from(u32::MAX) {
            return Err(Failure::Number);
        }
        Ok(byte & 0x80 == 0)
    }
}

impl Decoder {
    /// Decodes what comes next of a block. What follows a failure is skipped until the block's end.
    pub(super) fn decode(
        &mut self,
        bytes: &[u8],
        put: &mut dyn FnMut(Item<'_>),
    ) -> Result<(), Failure> {
        let mut rest = bytes;
        while let Some((&byte, behind)) = rest.split_first() {
            let step = match self.state {
                State::Failed => return Ok(()),
                State::Text(place, left) => self.text(place, left, &mut rest, put),
                State::Start => {
                    rest = behind;
                    self.start(byte, put)
                }
                State::Length(place) => {
                    rest = behind;
                    self.length(place, byte, put)
                }
                State::Number(meaning, mut number) => {
                    rest = behind;
                    number.digit(byte).and_then(|ends| {
                        self.state = State::Number(meaning, number);
                        if ends {
                            self.number(meaning, number.value, put)
                        } else {
                            Ok(())
                        }
                    })
                }
            };
            if step.is_err() {
                self.state = State::Failed;
                return step;
            }
        }
        Ok(())
    }

    /// The block ends here.
    pub(super) fn end(&mut self) -> Result<(), Failure> {
        match std::mem::take(&mut self.state) {
            State::Start | State::Failed => Ok(()),
            _ => Err(Failure::Rest),
        }
    }

    /// Forgets the flow.
    pub(super) fn clear(&mut self) {
        self.table.clear();
        self.state = State::Start;
        for text in [&mut self.name, &mut self.value] {
            text.clear();
            text.bytes.shrink_to(KEPT);
        }
    }

    /// The first byte of a field, or of a change of the table's size (section 6).
    fn start(&mut self, byte: u8, put: &mut dyn FnMut(Item<'_>)) -> Result<(), Failure> {
        let (meaning, bits) = match byte {
            0x80.. => (Meaning::Field, 7),
            0x40..0x80 => (Meaning::Name, 6),
            0x20..0x40 => (Meaning::Size, 5),
            _ => (Meaning::Name, 4),
        };
        self.adds = byte & 0xc0 == 0x40;
        self.begin(meaning, Number::start(byte, bits), put)
    }

    /// The first byte of a text.
    fn length(
        &mut self,
        place: Place,
        byte: u8,
        put: &mut dyn FnMut(Item<'_>),
    ) -> Result<(), Failure> {
        let text = self.place(place);
        text.clear();
        text.coded = (byte & 0x80 != 0).then(Huffman::default);
        self.begin(Meaning::Length(place), Number::start(byte, 7), put)
    }

    fn begin(
        &mut self,
        meaning: Meaning,
        (number, ends): (Number, bool),
        put: &mut dyn FnMut(Item<'_>),
    ) -> Result<(), Failure> {
        if ends {
            return self.number(meaning, number.value, put);
        }
        self.state = State::Number(meaning, number);
        Ok(())
    }

    /// A number is there as a whole.
    fn number(
        &mut self,
        meaning: Meaning,
        number: u64,
        put: &mut dyn FnMut(Item<'_>),
    ) -> Result<(), Failure> {
        match meaning {
            Meaning::Field => {
                let (name, value) = self.table.get(number).ok_or(Failure::Entry)?;
                put(Item::Field { name, value });
                self.state = State::Start;
            }
            Meaning::Size => {
                self.table.resize(number);
                put(Item::SizeUpdate(number));
                self.state = State::Start;
            }
            Meaning::Name if number == 0 => self.state = State::Length(Place::Name),
            Meaning::Name => {
                let (name, _) = self.table.get(number).ok_or(Failure::Entry)?;
                self.name.set(name);
                self.state = State::Length(Place::Value);
            }
            Meaning::Length(place) if number == 0 => return self.end_text(place, put),
            Meaning::Length(place) => self.state = State::Text(place, number),
        }
        Ok(())
    }

    fn text(
        &mut self,
        place: Place,
        left: u64,
        rest: &mut &[u8],
        put: &mut dyn FnMut(Item<'_>),
    ) -> Result<(), Failure> {
        let now = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
        let (bytes, behind) = rest.split_at(now);
        *rest = behind;
        self.place(place).push(bytes)?;
        let left = left - now as u64;
        self.state = State::Text(place, left);
        if left > 0 {
            return Ok(());
        }
        self.end_text(place, put)
    }

    /// A text is there as a whole.
    fn end_text(&mut self, place: Place, put: &mut dyn FnMut(Item<'_>)) -> Result<(), Failure> {
        self.place(place).end()?;
        if place == Place::Name {
            self.state = State::Length(Place::Value);
            return Ok(());
        }
        let (name, value) = (&self.name, &self.value);
        put(Item::Field {
            name: &name.bytes,
            value: &value.bytes,
        });
        if self.adds {
            if name.long || value.long {
                self.table.empty();
            } else {
                self.table.add(&name.bytes, &value.bytes);
            }
        }
        self.state = State::Start;
        Ok(())
    }

    fn place(&mut self, place: Place) -> &mut Text {
        match place {
            Place::Name => &mut self.name,
            Place::Value => &mut self.value,
        }
    }
}

#[cfg(test)]
mod tests;
