//! Capture files: pcap (micro- and nanoseconds, both byte orders, Kuznetzov's variant) and pcapng
//! (several sections and interfaces).
//!
//! Read as a stream; memory is bounded by [`MAX_RECORD`]. A file that ends in the middle of a record or
//! holds nonsense yields an error that says where; what came before it has been handed out.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use pcap_parser::pcapng::Block;
use pcap_parser::traits::{PcapNGPacketBlock as _, PcapReaderIterator};
use pcap_parser::{LegacyPcapBlock, PcapBlockOwned, PcapError, create_reader};
use weir_engine::frame::{LinkType, Timestamp};

use super::link_type::LinkNumber;

/// Greatest record that is read, its header included. Frames have at most 256 KiB in practice.
pub(crate) const MAX_RECORD: usize = 4 << 20;
/// What the reader's buffer starts with.
const BUFFER: usize = 256 << 10;
/// Interfaces of one pcapng section.
const MAX_INTERFACES: usize = 4096;

/// Why a capture file could not be read, or not further.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CaptureError {
    /// It cannot be opened or read.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is not a capture.
    #[error(
        "{path}: neither pcap nor pcapng; convert it, for instance with `editcap -F pcap`",
        path = path.display()
    )]
    NotACapture {
        /// The file.
        path: PathBuf,
    },
    /// It ends in the middle of a record.
    #[error(
        "{path}: ends in the middle of a record at byte {offset}; the {frames} frames before it were read",
        path = path.display()
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Where the record starts.
        offset: usize,
        /// Frames before it.
        frames: u64,
    },
    /// A record makes no sense.
    #[error(
        "{path}: {what} at byte {offset}; the {frames} frames before it were read",
        path = path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where the record starts.
        offset: usize,
        /// What is wrong with it.
        what: &'static str,
        /// Frames before it.
        frames: u64,
    },
}

/// What comes with a captured frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// When it was captured.
    pub(crate) at: Timestamp,
    /// How to read it; the file's number where weir cannot.
    pub(crate) link: Result<LinkType, LinkNumber>,
}

/// An interface of the capture.
#[derive(Clone, Copy, Debug)]
struct Interface {
    link: Result<LinkType, LinkNumber>,
    clock: Clock,
    /// Bytes kept of each frame; 0: all.
    snaplen: usize,
}

/// What a timestamp counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Clock {
    /// `if_tsresol`: a negative power of 10, or of 2 with the highest bit set.
    resolution: u8,
    /// Seconds to add.
    offset: i64,
}

impl Clock {
    const MICROSECONDS: Self = Self {
        resolution: 6,
        offset: 0,
    };

    /// Nanoseconds since the epoch; what does not fit is cut to what does.
    fn read(self, ticks: u64) -> Timestamp {
        let power = u32::from(self.resolution & 0x7f);
        let per_second = if self.resolution & 0x80 != 0 {
            1u128.checked_shl(power)
        } else {
            10u128.checked_pow(power)
        };
        let nanoseconds = per_second
            .filter(|per_second| *per_second > 0)
            .map_or(0, |per_second| {
                u128::from(ticks) * 1_000_000_000 / per_second
            });
        let offset = i128::from(self.offset) * 1_000_000_000;
        let at = i128::try_from(nanoseconds)
            .unwrap_or(i128::MAX)
            .saturating_add(offset);
        Timestamp(u64::try_from(at.max(0)).unwrap_or(u64::MAX))
    }
}

/// A capture file, read record by record.
pub(crate) struct CaptureFile {
    path: PathBuf,
    reader: Box<dyn PcapReaderIterator + Send>,
    format: Format,
    frames: u64,
    last: Timestamp,
    buffer: usize,
}

/// What the file said of itself so far.
enum Format {
    /// pcap: one interface.
    Pcap {
        interface: Interface,
        nanoseconds: bool,
    },
    /// pcapng: those of the current section.
    PcapNg {
        interfaces: Vec<Interface>,
        big_endian: bool,
    },
}

/// What one block of the file was.
enum Step {
    Frame(Record),
    Other,
    Bad(&'static str),
}

impl CaptureFile {
    /// Opens a capture.
    pub(crate) fn open(path: &Path) -> Result<Self, CaptureError> {
        let file = File::open(path).map_err(|source| CaptureError::Io {
            path: path.to_owned(),
            source,
        })?;
        Self::read(path, file)
    }

    /// Reads a capture from anywhere; `path` names it in errors.
    pub(crate) fn read(
        path: &Path,
        from: impl Read + Send + 'static,
    ) -> Result<Self, CaptureError> {
        let reader = create_reader(BUFFER, from).map_err(|error| match error {
            PcapError::ReadError => CaptureError::Io {
                path: path.to_owned(),
                source: std::io::Error::other("cannot be read (is it a directory?)"),
            },
            _ => CaptureError::NotACapture {
                path: path.to_owned(),
            },
        })?;
        Ok(Self {
            path: path.to_owned(),
            reader,
            format: Format::PcapNg {
                interfaces: Vec::new(),
                big_endian: false,
            },
            frames: 0,
            last: Timestamp::default(),
            buffer: BUFFER,
        })
    }

    /// The next frame: its bytes replace what is in `frame`. `None` at the end of the file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read further.
    pub(crate) fn next(&mut self, frame: &mut Vec<u8>) -> Result<Option<Record>, CaptureError> {
        loop {
            let (size, step) = match self.reader.next() {
                Ok((size, block)) => (size, self.format.step(&block, self.last, frame)),
                Err(error) => {
                    let error = Trouble::from(&error);
                    if self.recover(error)? {
                        continue;
                    }
                    return Ok(None);
                }
            };
            if let Step::Bad(what) = step {
                return Err(self.corrupt(what));
            }
            self.reader.consume(size);
            if let Step::Frame(record) = step {
                self.frames += 1;
                self.last = record.at;
                return Ok(Some(record));
            }
        }
    }

    /// Gets more bytes where that helps; `false` at the end of the file.
    fn recover(&mut self, trouble: Trouble) -> Result<bool, CaptureError> {
        match trouble {
            Trouble::NeedsData => {}
            Trouble::NeedsRoom if self.buffer < MAX_RECORD => {
                self.buffer *= 2;
                self.reader.grow(self.buffer);
            }
            Trouble::NeedsRoom => return Err(self.corrupt("a record of impossible length")),
            Trouble::End if self.reader.data().is_empty() => return Ok(false),
            Trouble::End => {
                return Err(CaptureError::Truncated {
                    path: self.path.clone(),
                    offset: self.reader.consumed(),
                    frames: self.frames,
                });
            }
            Trouble::Nonsense => return Err(self.corrupt("a malformed block")),
            Trouble::Read => return Err(self.unreadable()),
        }
        let failed = self.reader.refill().is_err();
        if failed {
            return Err(self.unreadable());
        }
        Ok(true)
    }

    fn unreadable(&self) -> CaptureError {
        CaptureError::Io {
            path: self.path.clone(),
            source: std::io::Error::other(format!(
                "cannot be read beyond byte {}",
                self.reader.consumed()
            )),
        }
    }

    fn corrupt(&self, what: &'static str) -> CaptureError {
        CaptureError::Corrupt {
            path: self.path.clone(),
            offset: self.reader.consumed(),
            what,
            frames: self.frames,
        }
    }
}

/// Why the parser stopped, free of what it borrows.
#[derive(Clone, Copy)]
enum Trouble {
    NeedsData,
    NeedsRoom,
    End,
    Nonsense,
    Read,
}

impl From<&PcapError<&[u8]>> for Trouble {
    fn from(error: &PcapError<&[u8]>) -> Self {
        match error {
            PcapError::Incomplete(_) => Self::NeedsData,
            PcapError::BufferTooSmall => Self::NeedsRoom,
            PcapError::Eof | PcapError::UnexpectedEof => Self::End,
            PcapError::ReadError => Self::Read,
            _ => Self::Nonsense,
        }
    }
}

impl Format {
    fn step(&mut self, block: &PcapBlockOwned<'_>, last: Timestamp, frame: &mut Vec<u8>) -> Step {
        match block {
            PcapBlockOwned::LegacyHeader(header) => {
                *self = Self::Pcap {
                    interface: Interface {
                        link: LinkNumber::from_pcap(header.network.0).known(),
                        clock: Clock::MICROSECONDS,
                        snaplen: 0,
                    },
                    nanoseconds: header.is_nanosecond_precision(),
                };
                Step::Other
            }
            PcapBlockOwned::Legacy(record) => self.legacy(record, frame),
            PcapBlockOwned::NG(block) => self.next_generation(block, last, frame),
        }
    }

    fn legacy(&self, record: &LegacyPcapBlock<'_>, frame: &mut Vec<u8>) -> Step {
        let Self::Pcap {
            interface,
            nanoseconds,
        } = self
        else {
            return Step::Bad("a record without a file header");
        };
        let unit = if *nanoseconds { 1 } else { 1000 };
        replace(frame, record.data);
        Step::Frame(Record {
            at: Timestamp(
                u64::from(record.ts_sec) * 1_000_000_000 + u64::from(record.ts_usec) * unit,
            ),
            link: interface.link,
        })
    }

    fn next_generation(&mut self, block: &Block<'_>, last: Timestamp, frame: &mut Vec<u8>) -> Step {
        let Self::PcapNg {
            interfaces,
            big_endian,
        } = self
        else {
            return Step::Bad("a pcapng block in a pcap file");
        };
        match block {
            Block::SectionHeader(header) => {
                interfaces.clear();
                *big_endian = header.big_endian();
                Step::Other
            }
            Block::InterfaceDescription(_) if interfaces.len() >= MAX_INTERFACES => {
                Step::Bad("too many interfaces")
            }
            Block::InterfaceDescription(description) => {
                let offset = description.if_tsoffset;
                interfaces.push(Interface {
                    link: LinkNumber::from_pcap(description.linktype.0).known(),
                    clock: Clock {
                        resolution: description.if_tsresol,
                        // The parser takes it for little-endian.
                        offset: if *big_endian {
                            offset.swap_bytes()
                        } else {
                            offset
                        },
                    },
                    snaplen: usize::try_from(description.snaplen).unwrap_or(usize::MAX),
                });
                Step::Other
            }
            Block::EnhancedPacket(packet) => {
                let interface = usize::try_from(packet.if_id)
                    .ok()
                    .and_then(|id| interfaces.get(id));
                let Some(interface) = interface else {
                    return Step::Bad("a packet of an interface that was not described");
                };
                replace(frame, packet.packet_data());
                let ticks = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                Step::Frame(Record {
                    at: interface.clock.read(ticks),
                    link: interface.link,
                })
            }
            Block::SimplePacket(packet) => {
                let Some(interface) = interfaces.first() else {
                    return Step::Bad("a packet of an interface that was not described");
                };
                replace(frame, packet.packet_data());
                if interface.snaplen > 0 {
                    frame.truncate(interface.snaplen);
                }
                // It has no time of its own.
                Step::Frame(Record {
                    at: last,
                    link: interface.link,
                })
            }
            _ => Step::Other,
        }
    }
}

fn replace(frame: &mut Vec<u8>, bytes: &[u8]) {
    frame.clear();
    frame.extend_from_slice(bytes);
}
