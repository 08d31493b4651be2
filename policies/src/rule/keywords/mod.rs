//! The keywords of the language: every documented name, its canonical form and what it is.
//!
//! A name that is not here is unknown, and a rule that uses it is refused. What the engine can
//! evaluate is the engine's list, not this one.

mod application;
mod core;
mod http;

use std::collections::HashMap;
use std::sync::LazyLock;

/// One name of a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keyword {
    /// As a rule writes it, lower case.
    pub name: &'static str,
    /// The form the syntax tree uses.
    pub canonical: &'static str,
    /// What it does in a rule.
    pub kind: Kind,
}

/// Whether a keyword takes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueRule {
    /// It must have one.
    Required,
    /// It may have one.
    Optional,
    /// It has none.
    None,
}

/// What a keyword does in a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Identity and documentation.
    Meta(MetaField),
    /// `threshold`.
    Threshold,
    /// `detection_filter`.
    DetectionFilter,
    /// `content`.
    Content,
    /// `uricontent`: content in `http.uri`.
    UriContent,
    /// `pcre`.
    Pcre,
    /// Modifier of the content before it.
    Modifier(Modifier),
    /// Sticky buffer.
    Buffer {
        /// A transaction can have several, each use of the keyword is matched on its own.
        multiple: bool,
        /// Value of the keyword (`frame`).
        value: ValueRule,
    },
    /// `pkt_data`: back to the payload.
    PacketData,
    /// `base64_data`.
    Base64Data,
    /// Puts the content before it into the canonical buffer.
    LegacyBuffer,
    /// Transforms the sticky buffer before it.
    Transform(ValueRule),
    /// `flow`.
    Flow,
    /// `flowbits`.
    FlowBits,
    /// `dsize`, `itype`, `icode`.
    Number(NumberField),
    /// `flags`.
    TcpFlags,
    /// `noalert`.
    NoAlert,
    /// `alert`.
    Alert,
    /// `prefilter`.
    Prefilter,
    /// `requires`.
    Requires,
    /// Any other condition.
    Match(ValueRule),
    /// Any other test on the bytes of the buffer in force.
    Payload(ValueRule),
    /// Any other test on the bytes of the sticky buffer in force; there must be one.
    StickyPayload(ValueRule),
    /// Any other option that does not match traffic.
    Setting(ValueRule),
}

/// Fields of a rule's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetaField {
    /// `msg`
    Msg,
    /// `sid`
    Sid,
    /// `rev`
    Rev,
    /// `gid`
    Gid,
    /// `classtype`
    Classtype,
    /// `priority`
    Priority,
    /// `reference`
    Reference,
    /// `metadata`
    Metadata,
}

/// Modifiers of a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modifier {
    /// `nocase`
    Nocase,
    /// `offset`
    Offset,
    /// `depth`
    Depth,
    /// `distance`
    Distance,
    /// `within`
    Within,
    /// `startswith`
    StartsWith,
    /// `endswith`
    EndsWith,
    /// `rawbytes`
    RawBytes,
    /// `fast_pattern`
    FastPattern,
}

/// Conditions that compare a number, typed in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberField {
    /// `dsize`
    Dsize,
    /// `itype`
    IcmpType,
    /// `icode`
    IcmpCode,
}

/// A name that is its own canonical form.
const fn keyword(name: &'static str, kind: Kind) -> Keyword {
    Keyword {
        name,
        canonical: name,
        kind,
    }
}

/// Another name of `canonical`.
const fn alias(name: &'static str, canonical: &'static str, kind: Kind) -> Keyword {
    Keyword {
        name,
        canonical,
        kind,
    }
}

/// A sticky buffer without value, one a transaction.
const BUFFER: Kind = Kind::Buffer {
    multiple: false,
    value: ValueRule::None,
};
/// A sticky buffer that a transaction can have several of.
const BUFFERS: Kind = Kind::Buffer {
    multiple: true,
    value: ValueRule::None,
};
/// A sticky buffer that can be bound to a direction (`to_client`).
const BUFFER_DIRECTED: Kind = Kind::Buffer {
    multiple: false,
    value: ValueRule::Optional,
};
/// Several a transaction, and bound to a direction.
const BUFFERS_DIRECTED: Kind = Kind::Buffer {
    multiple: true,
    value: ValueRule::Optional,
};
/// A condition with a value.
const MATCH: Kind = Kind::Match(ValueRule::Required);
/// A condition without one.
const MATCH_BARE: Kind = Kind::Match(ValueRule::None);

static TABLE: LazyLock<HashMap<&'static str, &'static Keyword>> =
    LazyLock::new(|| all().map(|keyword| (keyword.name, keyword)).collect());

/// All names, grouped by subject.
pub fn all() -> impl Iterator<Item = &'static Keyword> {
    core::KEYWORDS
        .iter()
        .chain(http::KEYWORDS)
        .chain(application::KEYWORDS)
}

/// The keyword of that name in any case.
#[must_use]
pub fn find(name: &str) -> Option<&'static Keyword> {
    if let Some(keyword) = TABLE.get(name) {
        return Some(keyword);
    }
    TABLE.get(name.to_ascii_lowercase().as_str()).copied()
}

/// A known name that `name` was probably meant to be, for a diagnostic.
#[must_use]
pub fn similar(name: &str) -> Option<&'static str> {
    let plain = |text: &str| text.replace(['_', '-', '.'], "").to_ascii_lowercase();
    let wanted = plain(name);
    all()
        .map(|keyword| keyword.name)
        .find(|known| plain(known) == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_listed_once() {
        assert_eq!(TABLE.len(), all().count());
    }

    #[test]
    fn every_canonical_form_is_a_name() {
        for keyword in all() {
            assert!(
                find(keyword.canonical).is_some(),
                "{} -> {}",
                keyword.name,
                keyword.canonical
            );
        }
    }

    #[test]
    fn names_are_found_in_any_case_and_near_misses_are_suggested() {
        assert_eq!(find("HTTP.URI").map(|k| k.canonical), Some("http.uri"));
        assert_eq!(similar("fastpattern"), Some("fast_pattern"));
        assert_eq!(similar("no_such_thing"), None);
    }
}
