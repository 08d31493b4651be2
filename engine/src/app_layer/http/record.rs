//! What a transaction tells of itself.

use crate::app_layer::Fields;

use super::head::Head;
use super::transaction::HttpTransaction;

/// Fields of a head that a record may list.
const LISTED: usize = 64;

pub(super) fn describe(transaction: &HttpTransaction, fields: &mut dyn Fields) {
    let (request, response) = (&transaction.request, &transaction.response);
    if !request.host.is_empty() {
        fields.text("hostname", &request.host);
    }
    let port = request.uri_parts.port.of_buffer(request.raw_uri());
    if let Some(port) = super::host::port(port) {
        fields.number("http_port", u64::from(port));
    }
    let mut text = |name: &str, value: &[u8]| {
        if !value.is_empty() {
            fields.text(name, value);
        }
    };
    text("url", request.raw_uri());
    let value = |head: &'_ Head, name: &[u8]| head.value(name).unwrap_or_default().to_vec();
    text("http_user_agent", &value(&request.head, b"user-agent"));
    text("xff", &value(&request.head, b"x-forwarded-for"));
    text(
        "http_content_type",
        content_type(&value(&response.head, b"content-type")),
    );
    text("http_refer", &value(&request.head, b"referer"));
    text("http_method", request.method());
    text("protocol", request.parts.protocol.of_buffer(&request.line));
    if response.parts.status > 0 {
        fields.number("status", u64::from(response.parts.status));
    }
    if let Some(location) = response.head.value(b"location") {
        fields.text("redirect", location);
    }
    fields.number("length", response.body.size());
    for (name, head) in [
        ("request_headers", &request.head),
        ("response_headers", &response.head),
    ] {
        let len = head.len().min(LISTED);
        if len > 0 {
            fields.list(name, len, &mut |index, element| {
                if let Some((name, value)) = head.get(index) {
                    element.text("name", name);
                    element.text("value", value);
                }
            });
        }
    }
}

/// A media type, less its parameters.
fn content_type(value: &[u8]) -> &[u8] {
    value
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default()
        .trim_ascii()
}
