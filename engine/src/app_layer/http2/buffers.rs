//! The buffers and numbers that rules may ask for, and what stands behind each buffer.

use crate::app_layer::{BufferShape, BufferSpec, FilePart, NumberSpec, Progress};
use crate::event::FlowDirection::{self, ToClient, ToServer};

use super::frame::{ERRORS, TYPES};
use super::{BODY, HEADERS};

/// What a buffer shows of its direction's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Line,
    Uri,
    RawUri,
    Protocol,
    Message,
    /// Every field but cookies, as lines.
    Fields,
    RawFields,
    Names,
    Start,
    EachField,
    EachName,
    /// The value of the fields of a name.
    Field(&'static [u8]),
    Host,
    RawHost,
    Body,
    File(FilePart),
}

/// Buffer and part.
type Row = (BufferSpec, Part);

const fn row(
    keyword: &'static str,
    direction: FlowDirection,
    (progress, shape): (Progress, BufferShape),
    part: Part,
) -> Row {
    let spec = BufferSpec {
        keyword,
        direction,
        progress,
        shape,
    };
    (spec, part)
}

const fn head(keyword: &'static str, direction: FlowDirection, part: Part) -> Row {
    row(keyword, direction, (HEADERS, BufferShape::Single), part)
}

const fn each(keyword: &'static str, direction: FlowDirection, part: Part) -> Row {
    row(keyword, direction, (HEADERS, BufferShape::Multiple), part)
}

const fn field(keyword: &'static str, direction: FlowDirection, name: &'static [u8]) -> Row {
    head(keyword, direction, Part::Field(name))
}

const fn body(keyword: &'static str, direction: FlowDirection, part: Part) -> Row {
    row(keyword, direction, (BODY, BufferShape::Streaming), part)
}

const ROWS: [Row; 48] = [
    head("http.uri", ToServer, Part::Uri),
    head("http.uri.raw", ToServer, Part::RawUri),
    field("http.method", ToServer, b":method"),
    head("http.request_line", ToServer, Part::Line),
    head("http.protocol", ToServer, Part::Protocol),
    head("http.protocol", ToClient, Part::Protocol),
    head("http.response_line", ToClient, Part::Line),
    field("http.stat_code", ToClient, b":status"),
    head("http.stat_msg", ToClient, Part::Message),
    head("http.header", ToServer, Part::Fields),
    head("http.header", ToClient, Part::Fields),
    head("http.header.raw", ToServer, Part::RawFields),
    head("http.header.raw", ToClient, Part::RawFields),
    each("http.request_header", ToServer, Part::EachField),
    each("http.response_header", ToClient, Part::EachField),
    head("http.header_names", ToServer, Part::Names),
    head("http.header_names", ToClient, Part::Names),
    head("http.start", ToServer, Part::Start),
    head("http.start", ToClient, Part::Start),
    field("http.cookie", ToServer, b"cookie"),
    field("http.cookie", ToClient, b"set-cookie"),
    field("http.user_agent", ToServer, b"user-agent"),
    head("http.host", ToServer, Part::Host),
    head("http.host.raw", ToServer, Part::RawHost),
    field("http.accept", ToServer, b"accept"),
    field("http.accept_enc", ToServer, b"accept-encoding"),
    field("http.accept_lang", ToServer, b"accept-language"),
    field("http.referer", ToServer, b"referer"),
    field("http.connection", ToServer, b"connection"),
    field("http.connection", ToClient, b"connection"),
    field("http.content_len", ToServer, b"content-length"),
    field("http.content_len", ToClient, b"content-length"),
    field("http.content_type", ToServer, b"content-type"),
    field("http.content_type", ToClient, b"content-type"),
    field("http.location", ToClient, b"location"),
    field("http.server", ToClient, b"server"),
    body("http.request_body", ToServer, Part::Body),
    body("http.response_body", ToClient, Part::Body),
    body("file.data", ToServer, Part::File(FilePart::Data)),
    body("file.data", ToClient, Part::File(FilePart::Data)),
    body("file.name", ToServer, Part::File(FilePart::Name)),
    body("file.name", ToClient, Part::File(FilePart::Name)),
    body("file.magic", ToServer, Part::File(FilePart::Magic)),
    body("file.magic", ToClient, Part::File(FilePart::Magic)),
    each("http2.header_name", ToServer, Part::EachName),
    each("http2.header_name", ToClient, Part::EachName),
    each("http2.header", ToServer, Part::EachField),
    each("http2.header", ToClient, Part::EachField),
];

const SPECS: [BufferSpec; ROWS.len()] = {
    let mut specs = [ROWS[0].0; ROWS.len()];
    let mut index = 0;
    while index < ROWS.len() {
        specs[index] = ROWS[index].0;
        index += 1;
    }
    specs
};

/// Every buffer.
pub(super) const BUFFERS: &[BufferSpec] = &SPECS;

/// `urilen` of the URI as the server sees it (`urilen:5,norm`).
pub(super) const NORMALISED_LENGTH: &str = "urilen.norm";

/// The numbers of settings (`http2.settings:SETTINGS_ENABLE_PUSH=0`), and the settings.
const SETTINGS: &[(&str, u16)] = &[
    ("http2.settings.header_table_size", 1),
    ("http2.settings.enable_push", 2),
    ("http2.settings.max_concurrent_streams", 3),
    ("http2.settings.initial_window_size", 4),
    ("http2.settings.max_frame_size", 5),
    ("http2.settings.max_header_list_size", 6),
    ("http2.settings.enable_connect_protocol", 8),
];

/// The setting that a number is of.
pub(super) fn setting(keyword: &str) -> Option<u16> {
    let known = SETTINGS.iter().find(|(name, _)| *name == keyword);
    known.map(|(_, id)| *id)
}

const fn number(keyword: &'static str, names: &'static [(&'static str, u64)]) -> NumberSpec {
    NumberSpec {
        keyword,
        direction: None,
        progress: 0,
        names,
    }
}

const fn length(keyword: &'static str) -> NumberSpec {
    NumberSpec {
        keyword,
        direction: Some(ToServer),
        progress: HEADERS,
        names: &[],
    }
}

/// Every number.
pub(super) const NUMBERS: &[NumberSpec] = &[
    number("http2.frametype", TYPES),
    number("http2.errorcode", ERRORS),
    number("http2.priority", &[]),
    number("http2.window", &[]),
    number("http2.size_update", &[]),
    number(SETTINGS[0].0, &[]),
    number(SETTINGS[1].0, &[]),
    number(SETTINGS[2].0, &[]),
    number(SETTINGS[3].0, &[]),
    number(SETTINGS[4].0, &[]),
    number(SETTINGS[5].0, &[]),
    number(SETTINGS[6].0, &[]),
    length("urilen"),
    length(NORMALISED_LENGTH),
];

/// What stands behind the buffer of an index.
pub(super) fn part(index: usize) -> Option<Part> {
    ROWS.get(index).map(|(_, part)| *part)
}
