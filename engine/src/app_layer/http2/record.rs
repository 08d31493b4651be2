//! What a stream tells of itself.

use crate::app_layer::{Fields, Transaction as _};
use crate::event::FlowDirection::{self, ToClient, ToServer};

use super::frame::{ERRORS, SETTING_NAMES, name_of};
use super::head::Head;
use super::transaction::Http2Transaction;

/// Fields of a head, and settings, that a record may list.
const LISTED: usize = 64;

pub(super) fn describe(transaction: &Http2Transaction, fields: &mut dyn Fields) {
    let (request, response) = (transaction.message(ToServer), transaction.message(ToClient));
    fields.text("version", b"2");
    let mut text = |name: &str, value: &[u8]| {
        if !value.is_empty() {
            fields.text(name, value);
        }
    };
    text("hostname", &request.host);
    text("url", request.raw_uri());
    for (name, value) in [
        ("http_user_agent", request.head.value(b"user-agent")),
        ("xff", request.head.value(b"x-forwarded-for")),
        (
            "http_content_type",
            response.head.value(b"content-type").map(media_type),
        ),
        ("http_refer", request.head.value(b"referer")),
        ("http_method", request.head.value(b":method")),
        ("redirect", response.head.value(b"location")),
    ] {
        text(name, value.unwrap_or_default());
    }
    if let Some(port) = request.port() {
        fields.number("http_port", u64::from(port));
    }
    if let Some(status) = status(&response.head) {
        fields.number("status", status);
    }
    if transaction.stream > 0 {
        fields.number("length", response.body.size());
    }
    describe_fields("request_headers", &request.head, fields);
    describe_fields("response_headers", &response.head, fields);
    fields.object("http2", &mut |fields| describe_stream(transaction, fields));
    describe_dns(transaction, fields);
}

fn describe_fields(name: &str, head: &Head, fields: &mut dyn Fields) {
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

/// What its frames said.
fn describe_stream(transaction: &Http2Transaction, fields: &mut dyn Fields) {
    fields.number("stream_id", u64::from(transaction.stream));
    for (name, direction) in [("request", ToServer), ("response", ToClient)] {
        fields.object(name, &mut |fields| {
            describe_facts(transaction, direction, fields)
        });
    }
}

fn describe_facts(
    transaction: &Http2Transaction,
    direction: FlowDirection,
    fields: &mut dyn Fields,
) {
    let facts = transaction.facts(direction);
    let settings = facts.settings.len().min(LISTED);
    if settings > 0 {
        fields.list("settings", settings, &mut |index, element| {
            let Some((id, value)) = facts.settings.get(index) else {
                return;
            };
            let known = SETTING_NAMES.iter().find(|(known, _)| *known == id);
            let name = known.map_or_else(|| id.to_string(), |(_, name)| (*name).to_owned());
            element.text("settings_id", name.as_bytes());
            element.number("settings_value", u64::from(value));
        });
    }
    if let Some(code) = facts.errors.get(0) {
        let name = name_of(ERRORS, u64::from(code));
        let name = name.map_or_else(|| code.to_string(), ToOwned::to_owned);
        fields.text("error_code", name.as_bytes());
    }
    if let Some(priority) = facts.first_priority() {
        fields.number("priority", u64::from(priority));
    }
}

/// The DNS messages that it carries.
fn describe_dns(transaction: &Http2Transaction, fields: &mut dyn Fields) {
    let message = |direction| transaction.message(direction).dns.message();
    if message(ToServer).or(message(ToClient)).is_none() {
        return;
    }
    fields.object("dns", &mut |fields| {
        for (name, direction) in [("request", ToServer), ("response", ToClient)] {
            if let Some(message) = message(direction) {
                fields.object(name, &mut |fields| message.describe(fields));
            }
        }
    });
}

fn status(head: &Head) -> Option<u64> {
    let text = std::str::from_utf8(head.first(b":status")?).ok()?;
    text.parse::<u16>().ok().map(u64::from)
}

/// A media type, less its parameters.
fn media_type(value: &[u8]) -> &[u8] {
    let kind = value.split(|byte| *byte == b';').next();
    kind.unwrap_or_default().trim_ascii()
}
