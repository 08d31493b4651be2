//! CNI protocol versions.
//!
//! Limits: 0.3.0 to 1.1.0, by exact name as the specification and its reference library do; CHECK exists
//! from 0.4.0, GC and STATUS from 1.1.0 (CNI specification, "Version considerations" and section 2).

use std::fmt;

/// A protocol version that this plugin speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CniVersion {
    /// 0.3.0: first with chaining and result lists.
    V0_3_0,
    /// 0.3.1.
    V0_3_1,
    /// 0.4.0: first with CHECK and with `prevResult` on DEL.
    V0_4_0,
    /// 1.0.0: `ips[].version` gone.
    V1_0_0,
    /// 1.1.0: first with GC and STATUS.
    V1_1_0,
}

/// A version string that names none of [`CniVersion::ALL`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("incompatible CNI versions: config is {found:?}, plugin supports {supported}", supported = CniVersion::list())]
pub struct UnsupportedVersion {
    /// What the network configuration says.
    pub found: String,
}

impl CniVersion {
    /// All versions, oldest first.
    pub const ALL: [Self; 5] = [
        Self::V0_3_0,
        Self::V0_3_1,
        Self::V0_4_0,
        Self::V1_0_0,
        Self::V1_1_0,
    ];

    /// The newest version.
    pub const LATEST: Self = Self::V1_1_0;

    /// What the reference library takes an absent or empty `cniVersion` for.
    pub const WHEN_ABSENT: &'static str = "0.1.0";

    /// The version as configurations and results spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V0_3_0 => "0.3.0",
            Self::V0_3_1 => "0.3.1",
            Self::V0_4_0 => "0.4.0",
            Self::V1_0_0 => "1.0.0",
            Self::V1_1_0 => "1.1.0",
        }
    }

    /// Reads a `cniVersion`; empty means [`Self::WHEN_ABSENT`].
    ///
    /// # Errors
    /// The version is none that this plugin speaks.
    pub fn parse(text: &str) -> Result<Self, UnsupportedVersion> {
        let text = if text.is_empty() {
            Self::WHEN_ABSENT
        } else {
            text
        };
        Self::ALL
            .into_iter()
            .find(|version| version.as_str() == text)
            .ok_or_else(|| UnsupportedVersion {
                found: text.to_owned(),
            })
    }

    /// The first with the CHECK verb.
    pub const FIRST_WITH_CHECK: Self = Self::V0_4_0;

    /// The first with the GC and STATUS verbs.
    pub const FIRST_WITH_GC_AND_STATUS: Self = Self::V1_1_0;

    /// All versions as one comma-separated text.
    #[must_use]
    pub fn list() -> String {
        Self::ALL.map(Self::as_str).join(", ")
    }
}

impl fmt::Display for CniVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_supported_version_reads_back_as_itself() {
        for version in CniVersion::ALL {
            assert_eq!(CniVersion::parse(version.as_str()), Ok(version));
        }
    }

    #[test]
    fn near_misses_are_refused_and_named() {
        for text in [
            "", "0.1.0", "0.2.0", "1.0", "1.1", "1.1.1", "2.0.0", " 1.0.0", "v1.0.0",
        ] {
            let error = CniVersion::parse(text).unwrap_err();
            let named = if text.is_empty() { "0.1.0" } else { text };
            assert_eq!(error.found, named);
            assert!(
                error
                    .to_string()
                    .contains("0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0")
            );
        }
    }

    #[test]
    fn versions_are_ordered_as_they_came() {
        assert!(CniVersion::ALL.is_sorted());
        let since = |first| CniVersion::ALL.map(|version| version >= first);
        assert_eq!(
            since(CniVersion::FIRST_WITH_CHECK),
            [false, false, true, true, true]
        );
        assert_eq!(
            since(CniVersion::FIRST_WITH_GC_AND_STATUS),
            [false, false, false, false, true]
        );
    }
}
