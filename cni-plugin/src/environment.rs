//! The `CNI_*` environment: which command, for which container.
//!
//! Limits and rules are those of the reference library (`pkg/skel`, `pkg/utils`): names are validated
//! before they reach a file name or a netlink message. The environment carries no weir option: a runtime
//! may call DEL with another environment than ADD's, so options come from the network configuration only.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

/// Longest `CNI_CONTAINERID` in bytes: what still fits in a file name beside the network's.
pub const MAX_CONTAINER_ID: usize = 200;

/// Longest interface name in bytes (`IFNAMSIZ` less the final NUL).
pub const MAX_IFNAME: usize = 15;

/// A CNI verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// Attach a container.
    Add,
    /// Detach a container.
    Del,
    /// Verify an attachment.
    Check,
    /// Remove attachments that are no longer valid.
    Gc,
    /// Report readiness to serve ADD.
    Status,
    /// Report the supported versions.
    Version,
}

impl Command {
    /// All verbs.
    pub const ALL: [Self; 6] = [
        Self::Add,
        Self::Del,
        Self::Check,
        Self::Gc,
        Self::Status,
        Self::Version,
    ];

    /// The verb as `CNI_COMMAND` spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "ADD",
            Self::Del => "DEL",
            Self::Check => "CHECK",
            Self::Gc => "GC",
            Self::Status => "STATUS",
            Self::Version => "VERSION",
        }
    }

    /// Variables that must be set and not empty, in the reference library's order.
    fn required(self) -> &'static [&'static str] {
        match self {
            Self::Add | Self::Check => &["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"],
            Self::Del => &["CNI_CONTAINERID", "CNI_IFNAME", "CNI_PATH"],
            Self::Gc | Self::Status => &["CNI_PATH"],
            Self::Version => &[],
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is wrong with the environment. All are CNI code 4.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// `CNI_COMMAND` is not a verb.
    #[error("unknown CNI_COMMAND: {0:?} (known: ADD, DEL, CHECK, GC, STATUS, VERSION)")]
    UnknownCommand(String),
    /// Required variables are absent or empty.
    #[error("required env variables [{}] missing", .0.join(","))]
    Missing(Vec<&'static str>),
    /// A variable is not UTF-8.
    #[error("env variable {0} is not valid UTF-8")]
    NotUtf8(&'static str),
    /// `CNI_CONTAINERID` could not safely name anything.
    #[error(
        "invalid CNI_CONTAINERID {0:?}: must start with a letter or digit and hold only letters, digits, '_', '.' and '-', {MAX_CONTAINER_ID} at most"
    )]
    InvalidContainerId(String),
    /// `CNI_IFNAME` is no interface name.
    #[error(
        "invalid CNI_IFNAME {0:?}: must be 1 to {MAX_IFNAME} bytes, not '.' or '..', without '/', ':' or white space"
    )]
    InvalidIfname(String),
}

/// Variables as the process got them. Values are not validated yet.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: HashMap<String, OsString>,
}

impl Environment {
    /// Takes the `CNI_*` variables of the process.
    #[must_use]
    pub fn from_process() -> Self {
        std::env::vars_os().collect()
    }

    /// Text of a variable; `""` when it is not set.
    fn text(&self, name: &'static str) -> Result<&str, EnvironmentError> {
        match self.variables.get(name) {
            None => Ok(""),
            Some(value) => value.to_str().ok_or(EnvironmentError::NotUtf8(name)),
        }
    }

    /// The verb; `None` when `CNI_COMMAND` is absent or empty: nobody called a CNI plugin.
    ///
    /// # Errors
    /// `CNI_COMMAND` names no verb.
    pub fn command(&self) -> Result<Option<Command>, EnvironmentError> {
        let text = self.text("CNI_COMMAND")?;
        if text.is_empty() {
            return Ok(None);
        }
        Command::ALL
            .into_iter()
            .find(|command| command.as_str() == text)
            .map(Some)
            .ok_or_else(|| EnvironmentError::UnknownCommand(text.to_owned()))
    }

    /// Checks that all that `command` requires is there.
    ///
    /// # Errors
    /// Lists every absent variable.
    pub fn require(&self, command: Command) -> Result<(), EnvironmentError> {
        let is_empty = |name: &&str| self.variables.get(*name).is_none_or(|v| v.is_empty());
        let missing: Vec<_> = command
            .required()
            .iter()
            .copied()
            .filter(is_empty)
            .collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(EnvironmentError::Missing(missing))
        }
    }

    /// `CNI_CONTAINERID` and `CNI_IFNAME`, safe to use in names.
    ///
    /// # Errors
    /// Either is not well formed.
    pub fn container(&self) -> Result<Container<'_>, EnvironmentError> {
        let id = self.text("CNI_CONTAINERID")?;
        if !is_identifier(id) || id.len() > MAX_CONTAINER_ID {
            return Err(EnvironmentError::InvalidContainerId(id.to_owned()));
        }
        let ifname = self.text("CNI_IFNAME")?;
        if !is_ifname(ifname) {
            return Err(EnvironmentError::InvalidIfname(ifname.to_owned()));
        }
        Ok(Container { id, ifname })
    }

    /// `CNI_NETNS`, which need not be UTF-8; `None` when absent or empty.
    #[must_use]
    pub fn netns(&self) -> Option<PathBuf> {
        let value = self.variables.get("CNI_NETNS")?;
        (!value.is_empty()).then(|| Path::new(value).to_path_buf())
    }

    /// `CNI_ARGS`; `""` when absent.
    ///
    /// # Errors
    /// It is not UTF-8.
    pub fn args(&self) -> Result<&str, EnvironmentError> {
        self.text("CNI_ARGS")
    }
}

impl<K: Into<OsString>, V: Into<OsString>> FromIterator<(K, V)> for Environment {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(variables: T) -> Self {
        let named = variables.into_iter().filter_map(|(name, value)| {
            let name = name.into().into_string().ok()?;
            name.starts_with("CNI_").then(|| (name, value.into()))
        });
        Self {
            variables: named.collect(),
        }
    }
}

/// The container of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Container<'a> {
    /// `CNI_CONTAINERID`.
    pub id: &'a str,
    /// `CNI_IFNAME`.
    pub ifname: &'a str,
}

/// Whether `text` is a container id or network name by the specification:
/// `^[a-zA-Z0-9][a-zA-Z0-9_.\-]*$`.
#[must_use]
pub fn is_identifier(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphanumeric())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

fn is_ifname(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_IFNAME
        && text != "."
        && text != ".."
        && !text
            .chars()
            .any(|c| c == '/' || c == ':' || c == '\0' || c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        variables.iter().copied().collect()
    }

    #[test]
    fn missing_variables_are_all_named_in_order() {
        let env = environment(&[("CNI_CONTAINERID", "c"), ("CNI_IFNAME", "")]);
        let missing = |command| env.require(command).unwrap_err().to_string();
        let add = "required env variables [CNI_NETNS,CNI_IFNAME,CNI_PATH] missing";
        assert_eq!(missing(Command::Add), add);
        assert_eq!(missing(Command::Check), add);
        assert_eq!(
            missing(Command::Del),
            "required env variables [CNI_IFNAME,CNI_PATH] missing"
        );
        assert_eq!(
            missing(Command::Gc),
            "required env variables [CNI_PATH] missing"
        );
        assert_eq!(
            missing(Command::Status),
            "required env variables [CNI_PATH] missing"
        );
        assert_eq!(env.require(Command::Version), Ok(()));
    }

    #[test]
    fn command_is_exact() {
        assert_eq!(environment(&[]).command(), Ok(None));
        assert_eq!(environment(&[("CNI_COMMAND", "")]).command(), Ok(None));
        for command in Command::ALL {
            let env = environment(&[("CNI_COMMAND", command.as_str())]);
            assert_eq!(env.command(), Ok(Some(command)));
        }
        for text in ["add", "ADD ", "GET", "ADD\n"] {
            let error = environment(&[("CNI_COMMAND", text)]).command().unwrap_err();
            assert_eq!(error, EnvironmentError::UnknownCommand(text.to_owned()));
        }
    }

    #[test]
    fn container_ids_and_interface_names_follow_the_reference_library() {
        let long_id = "a".repeat(MAX_CONTAINER_ID);
        let too_long_id = "a".repeat(MAX_CONTAINER_ID + 1);
        for (id, good) in [
            ("default-k9", true),
            ("0.a_B-c", true),
            (long_id.as_str(), true),
            (too_long_id.as_str(), false),
            ("-a", false),
            (".a", false),
            ("a/b", false),
            ("a b", false),
            ("a\n", false),
            ("ä", false),
            ("", false),
        ] {
            let env = environment(&[("CNI_CONTAINERID", id), ("CNI_IFNAME", "eth0")]);
            assert_eq!(env.container().is_ok(), good, "container id {id:?}");
        }
        for (ifname, good) in [
            ("eth0", true),
            ("123456789012345", true),
            ("1234567890123456", false),
            ("", false),
            (".", false),
            ("..", false),
            ("...", true),
            ("a/b", false),
            ("a:b", false),
            ("a b", false),
            ("a\u{2003}b", false),
        ] {
            let env = environment(&[("CNI_CONTAINERID", "c"), ("CNI_IFNAME", ifname)]);
            assert_eq!(env.container().is_ok(), good, "interface name {ifname:?}");
        }
    }

    #[test]
    fn variables_that_are_not_utf8_are_named() {
        use std::os::unix::ffi::OsStringExt;
        let env: Environment = [("CNI_CONTAINERID", OsString::from_vec(vec![b'a', 0xff]))]
            .into_iter()
            .collect();
        assert_eq!(
            env.container(),
            Err(EnvironmentError::NotUtf8("CNI_CONTAINERID"))
        );
    }
}
