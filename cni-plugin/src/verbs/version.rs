//! VERSION: the versions that this plugin speaks.
//!
//! Looks at nothing but stdin, and does not mind what is there: podman asks with dummy values and nothing
//! else set. The answer is in the version of the question, or in the newest when there was none.

use serde::Serialize;

use crate::config::stated_version;
use crate::version::CniVersion;

#[derive(Serialize)]
struct Versions {
    #[serde(rename = "cniVersion")]
    cni_version: String,
    #[serde(rename = "supportedVersions")]
    supported: [&'static str; 5],
}

/// Runs VERSION; returns what goes to stdout.
#[must_use]
pub fn version(stdin: &[u8]) -> Vec<u8> {
    let versions = Versions {
        cni_version: stated_version(stdin).unwrap_or_else(|| CniVersion::LATEST.to_string()),
        supported: CniVersion::ALL.map(CniVersion::as_str),
    };
    // Strings always serialise.
    let mut text = serde_json::to_vec(&versions).unwrap_or_default();
    text.push(b'\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_is_in_the_version_of_the_question() {
        let answer = |stdin: &str| String::from_utf8(version(stdin.as_bytes())).unwrap();
        let supported =
            "\"supportedVersions\":[\"0.3.0\",\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]}\n";
        for (stdin, stated) in [
            (r#"{"cniVersion":"0.3.1"}"#, "0.3.1"),
            (r#"{"cniVersion":"2.0.0"}"#, "2.0.0"),
            ("{}", "1.1.0"),
            ("", "1.1.0"),
            ("not json", "1.1.0"),
        ] {
            assert_eq!(
                answer(stdin),
                format!("{{\"cniVersion\":\"{stated}\",{supported}")
            );
        }
    }
}
