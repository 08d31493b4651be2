//! What befalls urgent data of TCP.

use serde::Deserialize;
use weir_engine::stream::UrgentPolicy;

/// Suricata's policies for urgent data (`stream.reassembly.urgent.policy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Urgent {
    /// It is inspected in line; in prevent mode its flag is cleared, so that every receiver reads it in line.
    #[default]
    Inline,
    /// Segments with it are dropped.
    Drop,
    /// It is left out of the stream. Not possible: see [`Urgent::problem`].
    Oob,
    /// It is a gap in the stream. Not possible either.
    Gap,
}

impl Urgent {
    /// The engine's policy.
    #[must_use]
    pub fn policy(self) -> UrgentPolicy {
        match self {
            Self::Drop => UrgentPolicy::Drop,
            Self::Inline | Self::Oob | Self::Gap => UrgentPolicy::Inline,
        }
    }

    /// What is wrong with the value, if anything.
    pub(super) fn problem(self) -> Option<String> {
        let name = match self {
            Self::Inline | Self::Drop => return None,
            Self::Oob => "oob",
            Self::Gap => "gap",
        };
        Some(format!(
            "urgent is {name}: what the receiver's application reads then is up to the receiver; \
             allowed are inline and drop"
        ))
    }
}
