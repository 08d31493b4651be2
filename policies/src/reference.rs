//! `reference.config`: what the schemes of `reference:` lead to.
//!
//! One line a scheme: `config reference: scheme prefix`. `#` starts a comment.

use std::collections::HashMap;

use crate::config_line::{self, LineError};

/// URL prefixes by scheme; schemes are matched in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    prefixes: HashMap<String, String>,
}

impl References {
    /// Reads a file. Lines that cannot be read are returned beside the schemes; of two of one name the
    /// first stays.
    #[must_use]
    pub fn parse(text: &str) -> (Self, Vec<LineError>) {
        let mut prefixes = HashMap::new();
        let mut errors = Vec::new();
        for (line, body) in config_line::entries(text) {
            match scheme(body) {
                Ok((name, prefix)) => {
                    prefixes.entry(name).or_insert(prefix);
                }
                Err(message) => errors.push(LineError { line, message }),
            }
        }
        (Self { prefixes }, errors)
    }

    /// The address that `reference:scheme,id` means, or `None` for an unknown scheme.
    #[must_use]
    pub fn url(&self, scheme: &str, id: &str) -> Option<String> {
        self.prefixes
            .get(&scheme.to_ascii_lowercase())
            .map(|prefix| format!("{prefix}{id}"))
    }
}

fn scheme(body: &str) -> Result<(String, String), String> {
    let body = config_line::value(body, "config reference:")?;
    let (name, prefix) = body
        .split_once(char::is_whitespace)
        .map(|(name, prefix)| (name, prefix.trim()))
        .unwrap_or((body, ""));
    if config_line::is_name(name) && !prefix.is_empty() {
        Ok((name.to_ascii_lowercase(), prefix.to_owned()))
    } else {
        Err(format!(
            "expected `scheme prefix`, found `{}`",
            body.escape_debug()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_becomes_an_address() {
        let (references, errors) =
            References::parse("config reference: cve       https://example.org/cve/\n#x\n");
        assert_eq!(errors, []);
        assert_eq!(
            references.url("CVE", "2021-44228").as_deref(),
            Some("https://example.org/cve/2021-44228")
        );
        assert_eq!(references.url("url", "x"), None);
    }

    #[test]
    fn bad_lines_are_named() {
        let (_, errors) = References::parse("config reference: cve\nconfig reference:\n");
        assert_eq!(errors.len(), 2);
    }
}
