//! The network configuration on stdin.
//!
//! Own types on `serde`: one pass splits the object into raw members ([`object`]); each verb then reads
//! only what it needs, so that a broken part fails the verbs that use it and no other (DEL must work with
//! a configuration that changed since ADD). weir's options are [`options`]; what pods may ask for by
//! annotation is [`annotations`]; the result of the plugins before is [`prev_result`].
//!
//! Limits: [`MAX_STDIN`] bytes, [`MAX_NETWORK_NAME`] bytes of name. A key that neither CNI nor weir
//! defines is an error, as it may be a misspelt option.

pub mod annotations;
pub mod loosen;
pub mod object;
pub mod options;
pub mod prev_result;

use std::path::PathBuf;

use serde::Deserialize;
use weir_datapath::layout::DEFAULT_RUN_DIR;

use crate::environment::is_identifier;
use crate::version::{CniVersion, UnsupportedVersion};
use annotations::PodAnnotations;
use object::RawObject;
use options::{OPTION_NAMES, Options, excerpt, typed};
use prev_result::PrevResult;

/// Most bytes accepted on stdin.
pub const MAX_STDIN: usize = 1 << 20;

/// Longest network name in bytes: what still fits in a file name beside a container id.
pub const MAX_NETWORK_NAME: usize = 100;

/// Capability under which runtimes pass the pod's annotations.
const POD_ANNOTATIONS: &str = "io.kubernetes.cri.pod-annotations";

/// Keys that CNI defines or runtimes leave in the configuration; all not weir's business.
const CNI_KEYS: [&str; 13] = [
    "args",
    "capabilities",
    "cniVersion",
    "cniVersions",
    "disableCheck",
    "disableGC",
    "dns",
    "ipMasq",
    "ipam",
    "name",
    "prevResult",
    "runtimeConfig",
    "type",
];

/// Domain of keys that CNI adds from 1.1.0 on.
const CNI_DOMAIN: &str = "cni.dev/";

/// What is wrong with the network configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Nothing on stdin.
    #[error(
        "cannot decode the network configuration: stdin is empty; the runtime passes the plugin's entry of the .conflist there"
    )]
    Empty,
    /// Not one JSON object.
    #[error("cannot decode the network configuration on stdin: {0}")]
    Decode(serde_json::Error),
    /// A part that CNI defines is of the wrong type.
    #[error("cannot decode {part} of the network configuration: {source}")]
    DecodePart {
        /// Which part.
        part: String,
        /// Why.
        source: serde_json::Error,
    },
    /// `cniVersion` is none of ours.
    #[error(transparent)]
    Version(#[from] UnsupportedVersion),
    /// The version does not have the verb.
    #[error(
        "config version {version} does not allow {verb}: set \"cniVersion\" to {needed} or newer"
    )]
    VersionLacksVerb {
        /// Version of the configuration.
        version: CniVersion,
        /// Verb asked for.
        verb: &'static str,
        /// First version that has it.
        needed: CniVersion,
    },
    /// `name` is missing or could not safely name anything.
    #[error(
        "invalid network name {0:?}: \"name\" must start with a letter or digit and hold only letters, digits, '_', '.' and '-', {MAX_NETWORK_NAME} at most"
    )]
    Name(String),
    /// Neither CNI nor weir knows the key.
    #[error("unknown key {key} in weir-cni's configuration (known: {known}): correct or remove it")]
    UnknownKey {
        /// The key, and its value.
        key: String,
        /// Keys that are known.
        known: String,
    },
    /// A weir option of the wrong JSON type.
    #[error("{option} must be {expected}, found {found}")]
    WrongType {
        /// The option.
        option: String,
        /// What it must be.
        expected: &'static str,
        /// Start of what it is.
        found: String,
    },
    /// A weir option holds a word that it does not know.
    #[error("{option}: unknown value {found:?} (allowed: {allowed})")]
    UnknownValue {
        /// The option.
        option: String,
        /// Start of what it is.
        found: String,
        /// What it may be.
        allowed: String,
    },
    /// A weir option holds something else that is not allowed.
    #[error("{option}: {found:?} is not allowed: {reason}")]
    Invalid {
        /// The option.
        option: String,
        /// Start of what it is.
        found: String,
        /// What it must be.
        reason: String,
    },
    /// ADD or CHECK without the result of a main plugin.
    #[error(
        "prevResult is missing: weir-cni must be called as a chained plugin; list it after the main plugin in a .conflist"
    )]
    NoPrevResult,
}

/// One attachment that GC must keep.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ValidAttachment {
    /// Container id.
    #[serde(rename = "containerID")]
    pub container_id: String,
    /// Interface name inside the container.
    pub ifname: String,
}

/// A decoded network configuration with a supported version and a valid name.
#[derive(Clone, Debug)]
pub struct NetworkConfig<'a> {
    object: RawObject<'a>,
    version: CniVersion,
    name: String,
}

impl<'a> NetworkConfig<'a> {
    /// Decodes `stdin` and checks version and name, in that order.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn parse(stdin: &'a [u8]) -> Result<Self, ConfigError> {
        if stdin.trim_ascii().is_empty() {
            return Err(ConfigError::Empty);
        }
        let object = RawObject::parse(stdin).map_err(ConfigError::Decode)?;
        let version = CniVersion::parse(&cni_string(&object, "cniVersion")?)?;
        let name = cni_string(&object, "name")?;
        if !is_identifier(&name) || name.len() > MAX_NETWORK_NAME {
            return Err(ConfigError::Name(excerpt(&name)));
        }
        Ok(Self {
            object,
            version,
            name,
        })
    }

    /// Version of the configuration and of the result.
    #[must_use]
    pub fn version(&self) -> CniVersion {
        self.version
    }

    /// Name of the network.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// weir's options, all checked.
    ///
    /// # Errors
    /// An option is not allowed, or a key is unknown.
    pub fn options(&self) -> Result<Options, ConfigError> {
        let mut options = Options::default();
        for (key, value) in self.object.iter() {
            let known =
                options.set(key, value)? || CNI_KEYS.contains(&key) || key.starts_with(CNI_DOMAIN);
            if !known {
                return Err(ConfigError::UnknownKey {
                    key: format!("{:?}: {}", excerpt(key), excerpt(value.get())),
                    known: OPTION_NAMES.join(", "),
                });
            }
        }
        Ok(options)
    }

    /// `runDir` alone, whatever else the configuration holds; the default when it is not usable.
    #[must_use]
    pub fn run_dir_or_default(&self) -> PathBuf {
        let mut options = Options::default();
        if let Some(value) = self.object.get("runDir")
            && let Err(error) = options.set("runDir", value)
        {
            log::warn!("{error}; using {DEFAULT_RUN_DIR}");
        }
        options.run_dir
    }

    /// What the plugins before in the chain made.
    ///
    /// # Errors
    /// There is none, or it cannot be decoded.
    pub fn prev_result(&self) -> Result<PrevResult<'a>, ConfigError> {
        let raw = self
            .object
            .get_some("prevResult")
            .ok_or(ConfigError::NoPrevResult)?;
        PrevResult::parse(raw).map_err(|source| ConfigError::DecodePart {
            part: "prevResult".to_owned(),
            source,
        })
    }

    /// The pod's annotations that are meant for weir; none when the runtime passes none.
    ///
    /// # Errors
    /// `runtimeConfig` or the annotations are of the wrong type.
    pub fn pod_annotations(&self) -> Result<PodAnnotations, ConfigError> {
        let part = |part: &str, source| ConfigError::DecodePart {
            part: part.to_owned(),
            source,
        };
        let Some(raw) = self.object.get_some("runtimeConfig") else {
            return Ok(PodAnnotations::default());
        };
        let runtime_config =
            RawObject::parse(raw.get().as_bytes()).map_err(|e| part("runtimeConfig", e))?;
        let Some(raw) = runtime_config.get_some(POD_ANNOTATIONS) else {
            return Ok(PodAnnotations::default());
        };
        PodAnnotations::parse(raw).map_err(|e| part(POD_ANNOTATIONS, e))
    }

    /// Attachments that GC must keep; `None` when the runtime does not say.
    ///
    /// # Errors
    /// The list is of the wrong type.
    pub fn valid_attachments(&self) -> Result<Option<Vec<ValidAttachment>>, ConfigError> {
        const KEY: &str = "cni.dev/valid-attachments";
        match self.object.get_some(KEY) {
            None => Ok(None),
            Some(raw) => typed(KEY, raw, "a list of {\"containerID\", \"ifname\"}").map(Some),
        }
    }
}

/// A string that CNI defines; `""` when absent or `null`.
fn cni_string(object: &RawObject<'_>, key: &str) -> Result<String, ConfigError> {
    match object.get_some(key) {
        None => Ok(String::new()),
        Some(raw) => serde_json::from_str(raw.get()).map_err(|source| ConfigError::DecodePart {
            part: key.to_owned(),
            source,
        }),
    }
}

/// The `cniVersion` of `stdin` as given, when it can be found: for VERSION and for error objects.
#[must_use]
pub fn stated_version(stdin: &[u8]) -> Option<String> {
    let object = RawObject::parse(stdin).ok()?;
    cni_string(&object, "cniVersion")
        .ok()
        .filter(|version| !version.is_empty())
}

#[cfg(test)]
mod tests;
