//! Data connections of FTP: a file, or a listing, and nothing else.
//!
//! What they are is known from the control connection ([`Expectations`](crate::app_layer::Expectations)),
//! never from content: files may start with anything. The whole flow is one transaction. Its file
//! comes in one direction; both are read, so that a byte in the other one does not hide it. Listings are no files,
//! but what the client sends always is one.

mod parser;

use crate::app_layer::{
    BufferShape, BufferSpec, FilePart, Limits, NumberSpec, Parser, Probe, Progress, Protocol,
    Start, Transports,
};
use crate::event::FlowDirection::{self, ToClient, ToServer};

use parser::FtpDataParser;

/// FTP's data connections.
pub(super) static FTP_DATA: FtpData = FtpData;

/// Their name.
pub(super) const NAME: &str = "ftp-data";

#[derive(Debug)]
pub(super) struct FtpData;

/// Something has come.
const BEGUN: Progress = 1;
/// Nothing will follow.
const COMPLETE: Progress = 2;

/// What a data connection is for: the command that asked for it, and the number it goes by.
const COMMANDS: &[(&str, u64)] = &[
    ("retr", 1),
    ("stor", 2),
    ("appe", 3),
    ("stou", 4),
    ("list", 5),
    ("nlst", 6),
    ("mlsd", 7),
];

/// The last of the commands that transfer files.
const LAST_OF_FILES: u8 = 4;

/// The number of a command that asks for a data connection; `None`: it asks for none.
pub(super) fn kind(command: &[u8]) -> Option<u8> {
    let known = COMMANDS
        .iter()
        .find(|(name, _)| command.eq_ignore_ascii_case(name.as_bytes()));
    known.and_then(|(_, kind)| u8::try_from(*kind).ok())
}

/// Whether a command of that number transfers a file.
pub(super) fn is_of_file(kind: u8) -> bool {
    kind <= LAST_OF_FILES
}

/// Name of the command of a number.
fn command(kind: u8) -> Option<&'static str> {
    let known = COMMANDS.iter().find(|(_, of)| *of == u64::from(kind));
    known.map(|(name, _)| *name)
}

const fn file(keyword: &'static str, direction: FlowDirection) -> BufferSpec {
    BufferSpec {
        keyword,
        direction,
        progress: BEGUN,
        shape: BufferShape::Streaming,
    }
}

const BUFFERS: &[BufferSpec] = &[
    file("file.data", ToServer),
    file("file.data", ToClient),
    file("file.name", ToServer),
    file("file.name", ToClient),
    file("file.magic", ToServer),
    file("file.magic", ToClient),
];

/// What stands behind each of [`BUFFERS`].
const PARTS: [FilePart; 6] = [
    FilePart::Data,
    FilePart::Data,
    FilePart::Name,
    FilePart::Name,
    FilePart::Magic,
    FilePart::Magic,
];

const NUMBERS: &[NumberSpec] = &[NumberSpec {
    keyword: "ftpdata_command",
    direction: None,
    progress: BEGUN,
    names: COMMANDS,
}];

impl Protocol for FtpData {
    fn name(&self) -> &'static str {
        NAME
    }

    fn transports(&self) -> Transports {
        Transports::Tcp
    }

    fn buffers(&self) -> &'static [BufferSpec] {
        BUFFERS
    }

    fn numbers(&self) -> &'static [NumberSpec] {
        NUMBERS
    }

    fn events(&self) -> &'static [&'static str] {
        &[]
    }

    fn probe(&self, _: &Start<'_>) -> Probe {
        Probe::No
    }

    fn complete(&self, _: FlowDirection) -> Progress {
        COMPLETE
    }

    fn open(&self, limits: &Limits) -> Box<dyn Parser> {
        Box::new(FtpDataParser::new(limits))
    }
}
