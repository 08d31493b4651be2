//! What a response's head says: framing, name and place of the file that it is.

use super::super::body::Framing;
use super::super::event::{Event, Events};
use super::super::head::Head;
use super::super::line::Version;
use super::super::text::{contains, first_number, is_word, trim};
use super::super::transaction::{Request, Response};
use crate::app_layer::FileService;
use crate::app_layer::parameters::parameter;

/// A part of a file (RFC 9110 section 15.3.7).
const PARTIAL: u16 = 206;

/// Whether a 100 is followed by another response: it has no body.
pub(super) fn is_interim(response: &Response) -> bool {
    let head = &response.head;
    let length = head.value(b"content-length").and_then(first_number);
    head.value(b"transfer-encoding").is_none() && length.unwrap_or(0) == 0
}

pub(super) fn is_framed(response: &Response) -> bool {
    let head = &response.head;
    head.value(b"transfer-encoding").is_some() || head.value(b"content-length").is_some()
}

/// How the response's body is framed, if it has one.
pub(super) fn framing(response: &Response, events: &mut Events) -> Framing {
    let head = &response.head;
    let coding = head.value(b"transfer-encoding");
    if let Some(coding) = coding.filter(|coding| contains(coding, b"chunked")) {
        if !is_word(trim(coding), b"chunked") {
            events.raise(Event::ResponseAbnormalTransferEncoding);
        }
        if response.parts.version < Version::V1_1 {
            events.raise(Event::ResponseChunkedOldProtocol);
        }
        return Framing::Chunked;
    }
    if coding.is_some() {
        events.raise(Event::InvalidTransferEncodingResponse);
    }
    let Some(length) = head.value(b"content-length") else {
        return Framing::UntilClose;
    };
    match first_number(length) {
        Some(length) => Framing::Length(length),
        None => {
            events.raise(Event::InvalidContentLengthResponse);
            Framing::UntilClose
        }
    }
}

/// Opens the file that the body is: by the name that the server gives it, or else by its path.
pub(super) fn open_file(
    request: &Request,
    response: &mut Response,
    files: &FileService,
    events: &mut Events,
) {
    let disposition = response.head.value(b"content-disposition");
    let name = disposition.and_then(|value| parameter(value, b"filename="));
    let path = request.path.of_buffer(&request.uri);
    response.body.open(name.unwrap_or(path), files);
    if response.parts.status == PARTIAL
        && let Some(offset) = part(&response.head, events)
    {
        response.body.set_part_of(offset);
    }
}

/// Where the part of a file starts that a response is; `None`: it is all of it, or the range says
/// nothing.
fn part(head: &Head, events: &mut Events) -> Option<u64> {
    let value = head.value(b"content-range")?;
    part_of(value).unwrap_or_else(|InvalidRange| {
        events.raise(Event::RangeInvalid);
        Some(0)
    })
}

/// A `Content-Range` that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::app_layer) struct InvalidRange;

/// Where the part of a file starts that a `Content-Range` tells of; `None`: it is all of it.
pub(in crate::app_layer) fn part_of(value: &[u8]) -> Result<Option<u64>, InvalidRange> {
    match range(value) {
        Some((0, end, Some(size))) if end + 1 == size => Ok(None),
        Some((start, ..)) => Ok(Some(start)),
        None => Err(InvalidRange),
    }
}

/// `bytes start-end/size` (RFC 9110 section 14.4), the size may be unknown (`*`).
fn range(value: &[u8]) -> Option<(u64, u64, Option<u64>)> {
    let text = std::str::from_utf8(value).ok()?.trim();
    let (unit, rest) = text.split_once([' ', '\t'])?;
    let (bounds, size) = rest.trim().split_once('/')?;
    let (start, end) = bounds.split_once('-')?;
    let (start, end) = (start.trim().parse().ok()?, end.trim().parse().ok()?);
    let size = match size.trim() {
        "*" => None,
        size => Some(size.parse().ok()?),
    };
    let fits = start <= end && size.is_none_or(|size| end < size);
    (unit.eq_ignore_ascii_case("bytes") && fits).then_some((start, end, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_or_refused() {
        assert_eq!(range(b"bytes 0-9/10"), Some((0, 9, Some(10))));
        assert_eq!(range(b" Bytes  5-9/* "), Some((5, 9, None)));
        for bad in [
            &b""[..],
            b"bytes",
            b"bytes */10",
            b"bytes 9-5/10",
            b"bytes 0-10/10",
            b"bytes 0-x/10",
            b"lines 0-1/2",
            b"bytes 0-99999999999999999999/*",
        ] {
            assert_eq!(range(bad), None, "{}", String::from_utf8_lossy(bad));
        }
    }
}
