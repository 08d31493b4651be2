//! The plugin's error, and the one place that turns it into a CNI code and an error object.
//!
//! Codes below 100 are the specification's ("Error", section 6); 100 and more are weir's, see
//! `docs/cni.md`. Code 3 (the runtime need not DEL) is never used: a DEL after a failed ADD is harmless and
//! sweeps what a killed ADD left.

use std::error::Error as _;
use std::io;

use serde::Serialize;
use weir_datapath::kernel::KernelError;
use weir_datapath::netns::PeerError;
use weir_datapath::record::RecordError;
use weir_datapath::support::Missing;

use crate::config::ConfigError;
use crate::environment::EnvironmentError;
use crate::input::InputError;
use crate::link::LinkError;
use crate::lock::LockError;
use crate::policy::PolicyError;
use crate::verbs::check::CheckError;
use crate::verbs::status::StatusError;
use crate::version::CniVersion;

/// Anything that ends a call.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The `CNI_*` variables.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// stdin.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The network configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The pod's annotations.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The pod's interface.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The run directory.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The network's lock.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The kernel refused.
    #[error(transparent)]
    Kernel(KernelError),
    /// The kernel refused, and the node lacks something that weir needs.
    #[error("this node cannot run weir: {}", join(.missing))]
    NodeLacks {
        /// What is missing.
        missing: Vec<Missing>,
        /// What failed for it.
        source: KernelError,
    },
    /// More addresses than one attachment may have.
    #[error(
        "prevResult gives the pod {found} addresses, weir-cni takes {limit} at most: remove some in the main plugin's IPAM"
    )]
    TooManyIps {
        /// Addresses given.
        found: usize,
        /// Limit.
        limit: usize,
    },
    /// CHECK found something amiss.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// STATUS says no.
    #[error(transparent)]
    Status(#[from] StatusError),
    /// GC could not remove everything; the rest was removed.
    #[error("GC of network {network:?} could not remove: {}", .failures.join("; "))]
    Gc {
        /// Name of the network.
        network: String,
        /// One message per attachment.
        failures: Vec<String>,
    },
    /// The result could not be printed.
    #[error("cannot print the result: {0}")]
    Output(#[source] io::Error),
    /// A bug.
    #[error("internal error, please report it: {0}")]
    Panic(String),
}

impl Error {
    /// Names what the node lacks, if that is why the kernel refused.
    #[must_use]
    pub fn from_kernel(source: KernelError, missing: Vec<Missing>) -> Self {
        if missing.is_empty() {
            Self::Kernel(source)
        } else {
            Self::NodeLacks { missing, source }
        }
    }

    /// The CNI error code.
    #[must_use]
    pub fn code(&self) -> u32 {
        match self {
            Self::Environment(_) => code::INVALID_ENVIRONMENT,
            Self::Input(InputError::Read(_)) | Self::Output(_) => code::IO,
            Self::Input(InputError::TooLarge) => code::DECODE,
            Self::Config(error) => config_code(error),
            Self::Policy(PolicyError::Loosens { .. }) => code::MAY_NOT_LOOSEN,
            Self::Policy(_) => code::UNSUPPORTED_FIELD,
            Self::Link(error) => link_code(error),
            Self::Record(_) | Self::Lock(LockError::Record(_)) => code::RUN_DIRECTORY,
            Self::Lock(_) => code::TRY_AGAIN,
            Self::Kernel(KernelError::Format { .. }) | Self::NodeLacks { .. } => code::NODE_LACKS,
            Self::Kernel(_) => code::TRY_AGAIN,
            Self::TooManyIps { .. } => code::INVALID_CONFIG,
            Self::Check(_) => code::NOT_AS_ADDED,
            Self::Status(error) => status_code(error),
            Self::Gc { .. } => code::TRY_AGAIN,
            Self::Panic(_) => code::INTERNAL,
        }
    }

    /// The error object that goes to stdout.
    #[must_use]
    pub fn object(&self, version: CniVersion, context: &str) -> Vec<u8> {
        let object = ErrorObject {
            cni_version: version.as_str(),
            code: self.code(),
            msg: self.to_string(),
            details: self.details(context),
        };
        // Strings and a number always serialise.
        let mut text = serde_json::to_vec(&object).unwrap_or_default();
        text.push(b'\n');
        text
    }

    /// Who was called for, and the causes that nothing before has told.
    fn details(&self, context: &str) -> String {
        let mut told = self.to_string();
        let mut parts = vec![context.to_owned()];
        let mut cause = self.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !told.contains(&text) {
                told.push_str(&text);
                parts.push(text);
            }
            cause = error.source();
        }
        parts.retain(|part| !part.is_empty());
        parts.join(": ")
    }
}

/// Codes that weir-cni answers with.
pub mod code {
    /// The version is not supported.
    pub const INCOMPATIBLE_VERSION: u32 = 1;
    /// An unsupported field in the configuration or the annotations.
    pub const UNSUPPORTED_FIELD: u32 = 2;
    /// The environment is not valid.
    pub const INVALID_ENVIRONMENT: u32 = 4;
    /// stdin or stdout failed.
    pub const IO: u32 = 5;
    /// stdin cannot be decoded.
    pub const DECODE: u32 = 6;
    /// The network configuration is not valid.
    pub const INVALID_CONFIG: u32 = 7;
    /// The network namespace is not usable.
    pub const INVALID_NETNS: u32 = 8;
    /// The kernel refused; it may not the next time.
    pub const TRY_AGAIN: u32 = 11;
    /// STATUS: ADD cannot be served.
    pub const NOT_AVAILABLE: u32 = 50;
    /// STATUS: ADD cannot be served, and existing pods are limited.
    pub const LIMITED_CONNECTIVITY: u32 = 51;
    /// CHECK: the attachment is not as ADD left it.
    pub const NOT_AS_ADDED: u32 = 100;
    /// The pod has no host interface that weir can hook.
    pub const NO_HOST_INTERFACE: u32 = 101;
    /// The node lacks something that weir needs.
    pub const NODE_LACKS: u32 = 102;
    /// An annotation loosens where that is not allowed.
    pub const MAY_NOT_LOOSEN: u32 = 103;
    /// The run directory cannot be used.
    pub const RUN_DIRECTORY: u32 = 104;
    /// A bug.
    pub const INTERNAL: u32 = 999;
}

fn config_code(error: &ConfigError) -> u32 {
    match error {
        ConfigError::Empty | ConfigError::Decode(_) | ConfigError::DecodePart { .. } => {
            code::DECODE
        }
        ConfigError::Version(_) | ConfigError::VersionLacksVerb { .. } => {
            code::INCOMPATIBLE_VERSION
        }
        ConfigError::UnknownKey { .. } => code::UNSUPPORTED_FIELD,
        ConfigError::Name(_)
        | ConfigError::WrongType { .. }
        | ConfigError::UnknownValue { .. }
        | ConfigError::Invalid { .. }
        | ConfigError::NoPrevResult => code::INVALID_CONFIG,
    }
}

fn link_code(error: &LinkError) -> u32 {
    match error {
        LinkError::Unsupported(PeerError::HostNetwork { .. })
        | LinkError::Broken(PeerError::NoNetns { .. }) => code::INVALID_NETNS,
        LinkError::Unsupported(_)
        | LinkError::Bypassed { .. }
        | LinkError::Cilium { .. }
        | LinkError::Broken(PeerError::NoInterface { .. }) => code::NO_HOST_INTERFACE,
        LinkError::Broken(_) => code::TRY_AGAIN,
    }
}

fn status_code(error: &StatusError) -> u32 {
    if error.limits_existing_pods() {
        code::LIMITED_CONNECTIVITY
    } else {
        code::NOT_AVAILABLE
    }
}

/// Joins what is missing into one text.
pub(crate) fn join(missing: &[Missing]) -> String {
    missing
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

#[derive(Serialize)]
struct ErrorObject {
    #[serde(rename = "cniVersion")]
    cni_version: &'static str,
    code: u32,
    msg: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    details: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_object_has_the_specifications_members() {
        let error = Error::from(EnvironmentError::Missing(vec!["CNI_NETNS"]));
        let object = error.object(CniVersion::V1_0_0, "");
        let expected = "{\"cniVersion\":\"1.0.0\",\"code\":4,\"msg\":\"required env variables [CNI_NETNS] missing\"}\n";
        assert_eq!(String::from_utf8(object).unwrap(), expected);
    }

    #[test]
    fn details_tell_who_was_called_for_and_the_cause_once() {
        let kernel = KernelError::Refused {
            action: "wire".to_owned(),
            source: io::Error::other("EPERM of the kernel"),
            hint: "",
        };
        let error = Error::from_kernel(kernel, vec![Missing::NetAdmin]);
        assert_eq!(error.code(), code::NODE_LACKS);
        let text = String::from_utf8(error.object(CniVersion::LATEST, "container c")).unwrap();
        assert_eq!(text.matches("EPERM of the kernel").count(), 1, "{text}");
        assert!(
            text.contains("container c: the kernel refused to wire"),
            "{text}"
        );
        assert!(text.contains("CAP_NET_ADMIN"), "{text}");
    }
}
