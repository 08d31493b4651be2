//! The tag of an attachment: one short text that stands for its key.
//!
//! It names the attachment's record file and is the comment of its chains and set elements, so that
//! `nft list table netdev weir` and `ls <run directory>/attachments` speak of the same thing.
//!
//! Form: network, container id and interface name, each with every byte outside `[A-Za-z0-9._-]`
//! (and a leading dot) written `%XX`, joined by `+`. A text of more than [`MAX_TAG`] bytes is replaced
//! by `sha256-` and the digest of that text. Two keys never share a tag, whatever the runtime puts into
//! its ids.

use std::fmt::{self, Write as _};

use sha2::{Digest, Sha256};

use crate::attachment::AttachmentKey;

/// Longest tag in bytes. Bounded by the 256 bytes of user data of an nft object and the 255 bytes of
/// a file name.
pub const MAX_TAG: usize = 200;

const DIGEST_PREFIX: &str = "sha256-";

/// Text that stands for an [`AttachmentKey`]; see the module documentation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyTag(String);

impl KeyTag {
    /// The tag of a key.
    #[must_use]
    pub fn of(key: &AttachmentKey) -> Self {
        let mut text = String::new();
        for (index, field) in [&key.network, &key.container_id, &key.ifname]
            .iter()
            .enumerate()
        {
            if index > 0 {
                text.push('+');
            }
            escape_into(&mut text, field);
        }
        if text.len() > MAX_TAG {
            let digest = Sha256::digest(text.as_bytes());
            text = DIGEST_PREFIX.to_owned();
            for byte in digest {
                // Writing to a String cannot fail.
                let _ = write!(text, "{byte:02x}");
            }
        }
        Self(text)
    }

    /// Reads a tag back from a file name or a comment. Accepts any text: what weir did not write
    /// simply equals no tag.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The key, unless the tag is a digest or not weir's.
    #[must_use]
    pub fn key(&self) -> Option<AttachmentKey> {
        let mut fields = self.0.split('+').map(unescape);
        let key = AttachmentKey {
            network: fields.next()??,
            container_id: fields.next()??,
            ifname: fields.next()??,
        };
        fields.next().is_none().then_some(key)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyTag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

fn escape_into(text: &mut String, field: &str) {
    for (index, byte) in field.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric()
            || matches!(byte, b'_' | b'-')
            || (byte == b'.' && index > 0);
        if plain {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
}

fn unescape(field: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%' {
            let (hex, tail) = tail.split_at_checked(2)?;
            if !hex.iter().all(u8::is_ascii_hexdigit) {
                return None;
            }
            bytes.push(u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?);
            rest = tail;
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(network: &str, container_id: &str, ifname: &str) -> AttachmentKey {
        AttachmentKey {
            network: network.to_owned(),
            container_id: container_id.to_owned(),
            ifname: ifname.to_owned(),
        }
    }

    #[test]
    fn usual_keys_stay_readable() {
        let tag = KeyTag::of(&key("k8s-pod-network", "0123abcd", "eth0"));
        assert_eq!(tag.as_str(), "k8s-pod-network+0123abcd+eth0");
    }

    #[test]
    fn separators_and_paths_in_ids_are_escaped() {
        let tag = KeyTag::of(&key("..", "../a+b", ".x"));
        assert_eq!(tag.as_str(), "%2E.+%2E.%2Fa%2Bb+%2Ex");
    }

    #[test]
    fn long_keys_become_a_digest_that_differs_per_key() {
        let one = KeyTag::of(&key("net", &"a".repeat(300), "eth0"));
        let two = KeyTag::of(&key("net", &"a".repeat(301), "eth0"));
        assert!(one.as_str().len() <= MAX_TAG);
        assert_ne!(one, two);
        assert_eq!(one.key(), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn tag_reads_back_as_its_key(network in ".{0,12}", id in ".{0,12}", ifname in ".{0,12}") {
            let key = key(&network, &id, &ifname);
            let tag = KeyTag::of(&key);
            prop_assert!(!tag.as_str().contains('/') && !tag.as_str().starts_with('.'));
            if tag.as_str().starts_with(DIGEST_PREFIX) && tag.key().is_none() {
                prop_assert!(tag.as_str().len() == DIGEST_PREFIX.len() + 64);
            } else {
                prop_assert_eq!(tag.key(), Some(key));
            }
        }
    }
}
