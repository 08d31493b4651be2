//! The buffers that rules may look into, and what stands behind each.

use crate::app_layer::{BufferShape, BufferSpec, NumberSpec, Progress};
use crate::event::FlowDirection::{self, ToClient, ToServer};

use super::{BODY, HEADERS, LINE};
use crate::app_layer::FilePart;

/// What a buffer shows of its direction's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Line,
    Method,
    Uri,
    RawUri,
    Protocol,
    Code,
    Message,
    Head,
    RawHead,
    Names,
    Start,
    EachField,
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

const fn line(keyword: &'static str, direction: FlowDirection, part: Part) -> Row {
    row(keyword, direction, (LINE, BufferShape::Single), part)
}

const fn head(keyword: &'static str, direction: FlowDirection, part: Part) -> Row {
    row(keyword, direction, (HEADERS, BufferShape::Single), part)
}

const fn field(keyword: &'static str, direction: FlowDirection, name: &'static [u8]) -> Row {
    head(keyword, direction, Part::Field(name))
}

const fn body(keyword: &'static str, direction: FlowDirection, part: Part) -> Row {
    row(keyword, direction, (BODY, BufferShape::Streaming), part)
}

const ROWS: [Row; 44] = [
    line("http.uri", ToServer, Part::Uri),
    line("http.uri.raw", ToServer, Part::RawUri),
    line("http.method", ToServer, Part::Method),
    line("http.request_line", ToServer, Part::Line),
    line("http.protocol", ToServer, Part::Protocol),
    line("http.protocol", ToClient, Part::Protocol),
    line("http.response_line", ToClient, Part::Line),
    line("http.stat_code", ToClient, Part::Code),
    line("http.stat_msg", ToClient, Part::Message),
    head("http.header", ToServer, Part::Head),
    head("http.header", ToClient, Part::Head),
    head("http.header.raw", ToServer, Part::RawHead),
    head("http.header.raw", ToClient, Part::RawHead),
    row(
        "http.request_header",
        ToServer,
        (HEADERS, BufferShape::Multiple),
        Part::EachField,
    ),
    row(
        "http.response_header",
        ToClient,
        (HEADERS, BufferShape::Multiple),
        Part::EachField,
    ),
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
    // Streaming: further files come while the body does, and what kind one is shows with its bytes.
    body("file.name", ToServer, Part::File(FilePart::Name)),
    body("file.name", ToClient, Part::File(FilePart::Name)),
    body("file.magic", ToServer, Part::File(FilePart::Magic)),
    body("file.magic", ToClient, Part::File(FilePart::Magic)),
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

/// Every number.
pub(super) const NUMBERS: &[NumberSpec] = &[
    NumberSpec {
        keyword: "urilen",
        direction: Some(ToServer),
        progress: LINE,
        names: &[],
    },
    NumberSpec {
        keyword: NORMALISED_LENGTH,
        direction: Some(ToServer),
        progress: LINE,
        names: &[],
    },
];

/// What stands behind the buffer of an index.
pub(super) fn part(index: usize) -> Option<Part> {
    ROWS.get(index).map(|(_, part)| *part)
}
