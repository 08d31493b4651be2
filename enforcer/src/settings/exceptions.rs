//! What befalls traffic that the engine cannot follow, as `weir.yaml` says it.

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use weir_engine::pipeline::{ExceptionPolicies, ExceptionPolicy};

/// The policies, each by the exception that it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Exceptions {
    /// A TCP flow whose beginning was not seen.
    pub midstream: Policy,
    /// Stream bytes that cannot be kept.
    pub reassembly_memcap: Policy,
    /// A new flow and a full table.
    pub flow_memcap: Policy,
    /// A fragment that cannot be held.
    pub defrag_memcap: Policy,
    /// A parser that gave a flow up.
    pub app_layer_error: Policy,
}

/// A policy, read by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy(pub ExceptionPolicy);

impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = String::deserialize(from)?;
        ExceptionPolicy::from_name(&name).map(Self).ok_or_else(|| {
            let known = ExceptionPolicy::ALL.map(|(name, _)| name).join(", ");
            D::Error::custom(format!("unknown policy {name:?}: allowed are {known}"))
        })
    }
}

impl Default for Exceptions {
    fn default() -> Self {
        let inline = ExceptionPolicies::inline();
        Self {
            midstream: Policy(inline.midstream),
            reassembly_memcap: Policy(inline.reassembly_memcap),
            flow_memcap: Policy(inline.flow_memcap),
            defrag_memcap: Policy(inline.defrag_memcap),
            app_layer_error: Policy(inline.app_layer_error),
        }
    }
}

impl Exceptions {
    /// As the engine takes them.
    #[must_use]
    pub fn policies(&self) -> ExceptionPolicies {
        ExceptionPolicies {
            midstream: self.midstream.0,
            reassembly_memcap: self.reassembly_memcap.0,
            flow_memcap: self.flow_memcap.0,
            defrag_memcap: self.defrag_memcap.0,
            app_layer_error: self.app_layer_error.0,
        }
    }

    /// What is wrong with the values, if anything.
    pub(super) fn problem(&self, midstream: bool) -> Option<String> {
        let problem = self.policies().check(midstream).err()?;
        Some(format!("exceptionPolicies: {problem}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_read_by_their_names() {
        let read: Exceptions =
            serde_saphyr::from_str("{midstream: drop-flow, appLayerError: reject}").unwrap();
        assert_eq!(read.midstream.0, ExceptionPolicy::DropFlow);
        assert_eq!(read.app_layer_error.0, ExceptionPolicy::Reject);
        assert_eq!(read.problem(false), None);
        let problem = read.problem(true).unwrap();
        assert!(
            problem.contains("drop-flow is not possible for midstream"),
            "{problem}"
        );
    }

    #[test]
    fn an_unknown_policy_is_refused_with_the_known_ones() {
        let error = serde_saphyr::from_str::<Exceptions>("midstream: drop").unwrap_err();
        assert!(error.to_string().contains("drop-packet"), "{error}");
    }
}
