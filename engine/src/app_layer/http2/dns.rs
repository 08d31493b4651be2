//! DNS in HTTP/2 (RFC 8484): the message that a request or response carries.
//!
//! Carriers are bodies of the media type `application/dns-message`, and the parameter `dns` of a target in
//! base64url, where the request asks for that media type or the parameter reads as a question. A message is
//! read once its message of HTTP is over; one of more than [`LONGEST`] bytes is not.

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use crate::app_layer::dns::{DnsTransaction, is_plausible};
use crate::event::FlowDirection;

/// Its media type.
pub(super) const MEDIA_TYPE: &[u8] = b"application/dns-message";

/// Bytes that a message may have (section 6).
const LONGEST: usize = 65_535;

const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The DNS message of one message of HTTP.
#[derive(Debug, Default)]
pub(super) struct Dns {
    expected: bool,
    bytes: Vec<u8>,
    too_long: bool,
    message: Option<Box<DnsTransaction>>,
}

impl Dns {
    /// The body is one, if its media type says so.
    pub(super) fn expect_in(&mut self, content_type: Option<&[u8]>) {
        self.expected |= content_type.is_some_and(is_dns);
    }

    pub(super) fn is_expected(&self) -> bool {
        self.expected
    }

    /// Takes what comes of the body.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if !self.expected || self.too_long || self.message.is_some() {
            return;
        }
        if self.bytes.len() + bytes.len() > LONGEST {
            self.too_long = true;
            self.bytes = Vec::new();
            return;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Looks for one in the target of a request.
    pub(super) fn find_in(
        &mut self,
        target: &[u8],
        asked: bool,
        (number, direction): (u64, FlowDirection),
    ) {
        let Some(parameter) = parameter(target) else {
            return;
        };
        if parameter.len() / 4 * 3 > LONGEST {
            self.expected |= asked;
            self.too_long |= asked;
            return;
        }
        let Ok(bytes) = BASE64URL.decode(parameter) else {
            return;
        };
        if asked || is_plausible(&bytes) {
            self.expected = true;
            self.message = Some(read((number, direction), &bytes));
        }
    }

    /// All of the body has come.
    pub(super) fn read(&mut self, (number, direction): (u64, FlowDirection)) {
        if self.expected && self.message.is_none() && !self.bytes.is_empty() {
            self.message = Some(read((number, direction), &self.bytes));
            self.bytes = Vec::new();
        }
    }

    /// Bytes of it are missing.
    pub(super) fn give_up(&mut self) {
        self.expected = false;
        self.bytes = Vec::new();
    }

    /// It was longer than any message.
    pub(super) fn is_too_long(&self) -> bool {
        self.too_long
    }

    pub(super) fn message(&self) -> Option<&DnsTransaction> {
        self.message.as_deref()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

fn read((number, direction): (u64, FlowDirection), bytes: &[u8]) -> Box<DnsTransaction> {
    let mut message = Box::<DnsTransaction>::default();
    message.read_carried((number, direction), bytes);
    message
}

/// A media type of DNS, whatever its parameters.
pub(super) fn is_dns(media_type: &[u8]) -> bool {
    let kinds = media_type.split(|byte| *byte == b',');
    let plain = |kind: &[u8]| {
        let kind = kind.split(|byte| *byte == b';').next();
        kind.unwrap_or_default().trim_ascii().to_vec()
    };
    kinds
        .map(plain)
        .any(|kind| kind.eq_ignore_ascii_case(MEDIA_TYPE))
}

/// The parameter `dns` of a target.
fn parameter(target: &[u8]) -> Option<&[u8]> {
    let at = target.iter().position(|byte| *byte == b'?')?;
    let query = target.get(at + 1..)?;
    let query = query.split(|byte| *byte == b'#').next()?;
    query
        .split(|byte| *byte == b'&')
        .find_map(|pair| pair.strip_prefix(b"dns="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_and_media_types_are_told() {
        assert_eq!(parameter(b"/q?a=1&dns=AAA&b#c"), Some(&b"AAA"[..]));
        assert_eq!(parameter(b"/q?adns=AAA#dns=b"), None);
        assert!(is_dns(b"text/plain, Application/DNS-message; q=1"));
        assert!(!is_dns(b"application/dns-json"));
    }

    #[test]
    fn what_is_no_question_is_none_unless_it_was_asked_for() {
        let number = (0, FlowDirection::ToServer);
        let case = |target: &[u8], asked| {
            let mut dns = Dns::default();
            dns.find_in(target, asked, number);
            dns.message().is_some()
        };
        let question = b"/?dns=AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB";
        assert!(case(question, false) && case(question, true));
        assert!(!case(b"/?dns=example.com", true));
        assert!(!case(b"/?dns=AAAA", false) && case(b"/?dns=AAAA", true));
    }
}
