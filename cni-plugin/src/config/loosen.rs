//! Which namespaces may loosen their pods' policy by annotation.

use std::str::FromStr;

/// A namespace by exact name, or by prefix when it ends in `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespacePattern {
    text: String,
    is_prefix: bool,
}

/// The text is no namespace pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a namespace (a-z, 0-9, '-', 63 at most), or the start of one followed by '*', or '*' for all"
)]
pub struct InvalidPattern;

impl NamespacePattern {
    /// Whether pods of `namespace` are meant. A pod without a namespace is meant by `*` only.
    #[must_use]
    pub fn matches(&self, namespace: Option<&str>) -> bool {
        match namespace {
            None => self.is_prefix && self.text.is_empty(),
            Some(name) if self.is_prefix => name.starts_with(&self.text),
            Some(name) => name == self.text,
        }
    }
}

impl FromStr for NamespacePattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, is_prefix) = match text.strip_suffix('*') {
            Some(prefix) => (prefix, true),
            None => (text, false),
        };
        let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.len() > 63 || !name.bytes().all(good) || (name.is_empty() && !is_prefix) {
            return Err(InvalidPattern);
        }
        Ok(Self {
            text: name.to_owned(),
            is_prefix,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_by_name_or_prefix() {
        for (pattern, namespace, matches) in [
            ("shop", Some("shop"), true),
            ("shop", Some("shop-2"), false),
            ("shop", None, false),
            ("shop-*", Some("shop-2"), true),
            ("shop-*", Some("shop-"), true),
            ("shop-*", Some("shop"), false),
            ("shop-*", None, false),
            ("*", Some("shop"), true),
            ("*", None, true),
        ] {
            let parsed: NamespacePattern = pattern.parse().unwrap();
            assert_eq!(
                parsed.matches(namespace),
                matches,
                "{pattern} {namespace:?}"
            );
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        let long = "a".repeat(64);
        for text in ["", "**", "*a", "a*b", "Shop", "a b", "a/b", long.as_str()] {
            assert_eq!(
                text.parse::<NamespacePattern>(),
                Err(InvalidPattern),
                "{text:?}"
            );
        }
    }
}
