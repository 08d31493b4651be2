//! Keywords that were made before sticky buffers: a `content` of a buffer, written in one.

use weir_policies::rule::ast::{Buffer, Content, PayloadTest, Pcre, Written};
use weir_policies::rule::parse_pattern;

/// Older keywords, the buffer that each looks into, and whether without regard to case.
const LEGACY: &[(&str, &str, bool)] = &[
    ("tls.subject", "tls.cert_subject", false),
    ("tls.issuerdn", "tls.cert_issuer", false),
    // Fingerprints are written with digits of either case.
    ("tls.fingerprint", "tls.cert_fingerprint", true),
    ("ssh.protoversion", "ssh.proto", false),
    ("ssh.softwareversion", "ssh.software", false),
    ("filename", "file.name", true),
    (EXTENSION, "file.name", true),
    (MAGIC, "file.magic", true),
];

/// Every version that speaks the second protocol (RFC 4253 section 5.1).
const COMPATIBLE: &str = "2_compat";

/// The end of a name, behind a dot.
const EXTENSION: &str = "fileext";

/// Older rules end its text with a NUL, which stands for the text's end.
const MAGIC: &str = "filemagic";

/// The buffer and the test that such a keyword stands for; `None` where it is none.
pub(in crate::detect) fn legacy_content(
    written: &Written,
) -> Option<Result<(Buffer, PayloadTest), String>> {
    let &(_, keyword, nocase) = LEGACY
        .iter()
        .find(|(legacy, ..)| *legacy == written.keyword)?;
    let value = written.value.as_deref().unwrap_or_default().trim();
    let (negated, text) = match value.strip_prefix('!') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, value),
    };
    let text = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text);
    if text.is_empty() {
        return Some(Err("it lacks the text to look for".to_owned()));
    }
    let buffer = Buffer::Sticky {
        keyword: keyword.to_owned(),
        argument: None,
        // Apart from what the rule asks of the buffer itself.
        instance: u16::MAX,
        transforms: Vec::new(),
    };
    if keyword == "ssh.proto" && text == COMPATIBLE {
        let test = Pcre {
            pattern: r"^(?:2\.|1\.99$)".to_owned(),
            flags: String::new(),
            negated,
            captures: Vec::new(),
        };
        return Some(Ok((buffer, PayloadTest::Pcre(test))));
    }
    let pattern = match parse_pattern(text) {
        Ok(pattern) => pattern,
        Err(reason) => return Some(Err(reason)),
    };
    let (pattern, endswith) = match written.keyword.as_str() {
        EXTENSION => ([b".", &pattern[..]].concat(), true),
        MAGIC => match pattern.strip_suffix(b"\0") {
            Some(text) => (text.to_vec(), true),
            None => (pattern, false),
        },
        _ => (pattern, false),
    };
    let content = Content {
        pattern,
        negated,
        nocase,
        endswith,
        ..Content::default()
    };
    Some(Ok((buffer, PayloadTest::Content(content))))
}

/// Their names.
pub(in crate::detect) fn legacy_keywords() -> impl Iterator<Item = &'static str> {
    LEGACY.iter().map(|(legacy, ..)| *legacy)
}
