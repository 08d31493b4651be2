//! The wire format: header, names, records (RFC 1035 section 4).

use std::ops::Range;

use super::Event;

/// Bytes of a decoded name, dots included, beyond which it is cut (`dns.name_too_long`).
const NAME: usize = 1025;

/// Labels of a name beyond which it is cut.
const LABELS: usize = 255;

/// Compression pointers followed in one name; more is a loop.
const POINTERS: usize = 63;

/// Records of all sections that are kept of a message.
const RECORDS: usize = 512;

/// Bytes of decoded names that are kept of a message: compression lets a few bytes stand for many.
const NAMES: usize = 65_536;

/// Records, and bytes of names and data, whose memory is kept when a parser is used again.
const RECORDS_KEPT: usize = 16;
/// See [`RECORDS_KEPT`].
const NAMES_KEPT: usize = 1024;

/// Type of the OPT pseudo record (RFC 6891), whose name and class are no name and class.
const OPT: u16 = 41;

/// The header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Header {
    pub(super) id: u16,
    pub(super) flags: u16,
    /// Questions, answers, authorities, additionals.
    pub(super) counts: [u16; 4],
}

impl Header {
    pub(super) const LENGTH: usize = 12;

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.first_chunk::<{ Self::LENGTH }>()?;
        let word = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        Some(Self {
            id: word(0),
            flags: word(2),
            counts: [word(4), word(6), word(8), word(10)],
        })
    }

    pub(super) fn is_response(self) -> bool {
        self.flags & 0x8000 != 0
    }

    pub(super) fn opcode(self) -> u8 {
        (self.flags >> 11 & 0x0f) as u8
    }

    pub(super) fn rcode(self) -> u8 {
        (self.flags & 0x0f) as u8
    }

    pub(super) fn z(self) -> bool {
        self.flags & 0x40 != 0
    }

    /// Whether `message` reads as a DNS message: used to recognise the protocol, so rather strict.
    pub(super) fn plausible(message: &[u8]) -> bool {
        let Some(header) = Self::read(message).filter(|_| Self::plausible_start(message)) else {
            return false;
        };
        let mut at = Self::LENGTH;
        for _ in 0..header.counts[0] {
            match read_name(message, at, &mut Measured(0)) {
                Ok(name) if name.next + 4 <= message.len() => at = name.next + 4,
                _ => return false,
            }
        }
        // Each further record takes eleven bytes at least.
        let records: usize = header.counts[1..]
            .iter()
            .map(|&count| usize::from(count))
            .sum();
        header.is_response() || records * 11 <= message.len() - at
    }

    /// The same for what has come of a message.
    pub(super) fn plausible_start(message: &[u8]) -> bool {
        let Some(header) = Self::read(message) else {
            return message.len() < Self::LENGTH;
        };
        let known_opcode = matches!(header.opcode(), 0..=6);
        let [questions, answers, authorities, additionals] = header.counts;
        let asks = questions > 0 && questions <= 32;
        let empty = answers == 0 && authorities == 0 && additionals == 0;
        known_opcode && (asks || (header.is_response() && questions == 0 && !empty))
    }
}

/// A record, its name and data in the arena of its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) section: Section,
    pub(super) name: Range<usize>,
    pub(super) kind: u16,
    pub(super) class: u16,
    pub(super) ttl: u32,
    /// A name in the data (CNAME, NS, PTR, MX, SRV, SOA).
    pub(super) target: Option<Range<usize>>,
    /// The data, in the arena: the address, text or whatever it is; empty where `target` tells it.
    pub(super) data: Range<usize>,
}

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Question,
    Answer,
    Authority,
    Additional,
}

impl Section {
    pub(super) const ALL: [Self; 4] = [
        Self::Question,
        Self::Answer,
        Self::Authority,
        Self::Additional,
    ];
}

/// A message that was read. Its memory is used again.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub(super) header: Header,
    pub(super) records: Vec<Record>,
    arena: Vec<u8>,
}

impl Message {
    pub(super) fn clear(&mut self) {
        self.header = Header::default();
        self.records.clear();
        self.arena.clear();
    }

    /// Empties it, keeping the memory of a common message.
    pub(super) fn shrink(&mut self) {
        self.clear();
        self.records.shrink_to(RECORDS_KEPT);
        self.arena.shrink_to(NAMES_KEPT);
    }

    /// Bytes of a name or of data.
    pub(super) fn bytes(&self, range: &Range<usize>) -> &[u8] {
        self.arena.get(range.clone()).unwrap_or_default()
    }

    /// The records of a section, in order.
    pub(super) fn section(&self, section: Section) -> impl Iterator<Item = &Record> {
        self.records
            .iter()
            .filter(move |record| record.section == section)
    }

    /// Reads `bytes`; what is wrong with them goes to `raise`. False when there is not even a header.
    pub(super) fn read(&mut self, bytes: &[u8], raise: &mut impl FnMut(Event)) -> bool {
        self.clear();
        let Some(header) = Header::read(bytes) else {
            return false;
        };
        self.header = header;
        let mut at = Header::LENGTH;
        for (section, count) in Section::ALL.into_iter().zip(header.counts) {
            for _ in 0..count {
                if self.records.len() >= RECORDS || self.arena.len() >= NAMES {
                    raise(Event::TooManyRecords);
                    return true;
                }
                match self.read_record(bytes, at, section, raise) {
                    Some(next) => at = next,
                    None => {
                        raise(match section {
                            Section::Question | Section::Answer => Event::MalformedData,
                            Section::Authority => Event::InvalidAuthorities,
                            Section::Additional => Event::InvalidAdditionals,
                        });
                        return true;
                    }
                }
            }
        }
        true
    }

    /// Reads the record at `at` and returns where the next one starts.
    fn read_record(
        &mut self,
        bytes: &[u8],
        at: usize,
        section: Section,
        raise: &mut impl FnMut(Event),
    ) -> Option<usize> {
        let (name, at) = self.read_name(bytes, at, raise)?;
        let fixed = bytes.get(at..)?.first_chunk::<4>()?;
        let mut record = Record {
            section,
            name,
            kind: u16::from_be_bytes([fixed[0], fixed[1]]),
            class: u16::from_be_bytes([fixed[2], fixed[3]]),
            ttl: 0,
            target: None,
            data: 0..0,
        };
        let mut next = at + 4;
        if section != Section::Question {
            let more = bytes.get(next..)?.first_chunk::<6>()?;
            record.ttl = u32::from_be_bytes([more[0], more[1], more[2], more[3]]);
            let length = usize::from(u16::from_be_bytes([more[4], more[5]]));
            let data = next + 6..next + 6 + length;
            bytes.get(data.clone())?;
            next = data.end;
            self.read_data(bytes, data, &mut record, raise);
        }
        self.records.push(record);
        Some(next)
    }

    /// Reads a record's data: the name in it, or the bytes as they are.
    fn read_data(
        &mut self,
        bytes: &[u8],
        data: Range<usize>,
        record: &mut Record,
        raise: &mut impl FnMut(Event),
    ) {
        let name_at = match record.kind {
            // NS, CNAME, SOA (its first name), PTR
            2 | 5 | 6 | 12 => Some(data.start),
            // MX, behind its preference
            15 => Some(data.start + 2),
            // SRV, behind priority, weight and port
            33 => Some(data.start + 6),
            _ => None,
        };
        if let Some(at) = name_at.filter(|at| *at < data.end) {
            record.target = self.read_name(bytes, at, raise).map(|(name, _)| name);
            return;
        }
        if record.kind != OPT {
            let start = self.arena.len();
            self.arena
                .extend_from_slice(bytes.get(data).unwrap_or_default());
            record.data = start..self.arena.len();
        }
    }

    fn read_name(
        &mut self,
        bytes: &[u8],
        at: usize,
        raise: &mut impl FnMut(Event),
    ) -> Option<(Range<usize>, usize)> {
        let start = self.arena.len();
        match read_name(bytes, at, &mut self.arena) {
            Ok(name) => {
                if let Some(event) = name.cut {
                    raise(event);
                }
                Some((start..self.arena.len(), name.next))
            }
            Err(event) => {
                self.arena.truncate(start);
                if let Some(event) = event {
                    raise(event);
                }
                None
            }
        }
    }
}

/// A name that was read.
struct Name {
    /// Where what follows it starts.
    next: usize,
    /// It was cut, and why.
    cut: Option<Event>,
}

/// What names are written to.
trait Text {
    fn length(&self) -> usize;
    fn append(&mut self, bytes: &[u8]);
    fn cut(&mut self, length: usize);
}

impl Text for Vec<u8> {
    fn length(&self) -> usize {
        self.len()
    }
    fn append(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
    fn cut(&mut self, length: usize) {
        self.truncate(length);
    }
}

/// Keeps how long a text is, and not what it says.
struct Measured(usize);

impl Text for Measured {
    fn length(&self) -> usize {
        self.0
    }
    fn append(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
    fn cut(&mut self, length: usize) {
        self.0 = self.0.min(length);
    }
}

/// Appends the name at `at` to `out`, labels joined by dots. `Err`: it leaves the message or loops.
fn read_name(bytes: &[u8], mut at: usize, out: &mut impl Text) -> Result<Name, Option<Event>> {
    let start = out.length();
    let (mut next, mut pointers, mut labels, mut cut) = (None, 0, 0, None);
    loop {
        let length = *bytes.get(at).ok_or(None)?;
        match length {
            0 => {
                at += 1;
                break;
            }
            1..=63 => {
                let label = at + 1..at + 1 + usize::from(length);
                let label = bytes.get(label).ok_or(None)?;
                at += 1 + label.len();
                labels += 1;
                if labels > LABELS {
                    cut = cut.or(Some(Event::TooManyLabels));
                } else if cut.is_none() {
                    if out.length() > start {
                        out.append(b".");
                    }
                    out.append(label);
                    if out.length() - start > NAME {
                        out.cut(start + NAME);
                        cut = Some(Event::NameTooLong);
                    }
                }
            }
            0xc0.. => {
                let low = *bytes.get(at + 1).ok_or(None)?;
                next = next.or(Some(at + 2));
                pointers += 1;
                if pointers > POINTERS {
                    return Err(Some(Event::InfiniteLoop));
                }
                at = usize::from(length & 0x3f) << 8 | usize::from(low);
            }
            // 0x40 and 0x80 are no label types any more (RFC 6891 section 5).
            64..=0xbf => return Err(None),
        }
    }
    Ok(Name {
        next: next.unwrap_or(at),
        cut,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_of(bytes: &[u8], at: usize) -> Result<(String, usize), Option<Event>> {
        let mut out = Vec::new();
        let name = read_name(bytes, at, &mut out)?;
        assert_eq!(name.cut, None);
        Ok((String::from_utf8(out).unwrap(), name.next))
    }

    #[test]
    fn names_follow_pointers_and_end_behind_the_first() {
        let bytes = b"\x03com\0\x07example\xc0\0\x03www\xc0\x05!";
        assert_eq!(name_of(bytes, 0).unwrap(), ("com".into(), 5));
        assert_eq!(name_of(bytes, 5).unwrap(), ("example.com".into(), 15));
        assert_eq!(name_of(bytes, 15).unwrap(), ("www.example.com".into(), 21));
    }

    #[test]
    fn loops_and_ends_of_data_are_errors() {
        assert_eq!(name_of(b"\xc0\0", 0), Err(Some(Event::InfiniteLoop)));
        assert_eq!(name_of(b"\x01a\xc0\0", 0), Err(Some(Event::InfiniteLoop)));
        assert_eq!(name_of(b"\x05abc", 0), Err(None));
        assert_eq!(name_of(b"\x03abc", 0), Err(None));
        assert_eq!(name_of(b"\x41a\0", 0), Err(None));
        assert_eq!(name_of(b"", 0), Err(None));
        assert_eq!(name_of(b"\xc0", 0), Err(None));
    }

    #[test]
    fn long_names_are_cut_and_say_so() {
        let mut bytes = Vec::new();
        for _ in 0..40 {
            bytes.push(63);
            bytes.extend([b'x'; 63]);
        }
        bytes.push(0);
        let mut out = Vec::new();
        let name = read_name(&bytes, 0, &mut out).unwrap();
        assert_eq!(
            (name.cut, name.next, out.len()),
            (Some(Event::NameTooLong), bytes.len(), NAME)
        );
        let many = [b"\x01a".repeat(300), vec![0]].concat();
        let name = read_name(&many, 0, &mut Vec::new()).unwrap();
        assert_eq!(
            (name.cut, name.next),
            (Some(Event::TooManyLabels), many.len())
        );
    }
}
