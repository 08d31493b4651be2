//! weir's own options in the network configuration, and the words they may hold.
//!
//! Every option has a default; every value is checked here and nowhere else. An unknown word is an error
//! that lists the known ones, never a silent default: a typing mistake must not loosen a policy.

use std::path::{Component, Path, PathBuf};

use serde_json::value::RawValue;
use weir_datapath::layout::DEFAULT_RUN_DIR;
use weir_datapath::policy::{FailMode, Mode};

use super::ConfigError;
use super::loosen::NamespacePattern;
use super::object::RawObject;

/// Longest `runDir` in bytes: the control socket inside must fit a `sockaddr_un` (108 bytes).
pub const MAX_RUN_DIR: usize = 90;

/// Most rule sets that one policy may name.
pub const MAX_RULE_SETS: usize = 32;

/// Longest name of a rule set in bytes.
pub const MAX_RULE_SET_NAME: usize = 63;

/// Name of the rule sets that the node's own settings select.
pub const DEFAULT_RULE_SET: &str = "default";

/// Most namespace patterns in `annotations.loosen`.
pub const MAX_LOOSEN: usize = 1024;

/// A set of words that an option may hold.
pub trait Words: Copy + 'static {
    /// The words and what they mean, in the order that messages list them.
    const WORDS: &'static [(&'static str, Self)];

    /// Meaning of `text`.
    fn from_word(text: &str) -> Option<Self> {
        Self::WORDS
            .iter()
            .find(|(word, _)| *word == text)
            .map(|(_, meaning)| *meaning)
    }

    /// The words as messages list them.
    fn allowed() -> String {
        Self::WORDS
            .iter()
            .map(|(word, _)| *word)
            .collect::<Vec<_>>()
            .join(", ")
    }
}

impl Words for Mode {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("off", Self::Off),
        ("detect", Self::Detect),
        ("prevent", Self::Prevent),
    ];
}

impl Words for FailMode {
    const WORDS: &'static [(&'static str, Self)] =
        &[("open", Self::Open), ("closed", Self::Closed)];
}

impl Words for bool {
    const WORDS: &'static [(&'static str, Self)] = &[("true", true), ("false", false)];
}

/// What ADD does when the pod has no host interface that weir can hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnUnsupported {
    /// ADD fails: the pod does not start.
    #[default]
    Error,
    /// The pod starts without inspection, and a warning is logged.
    Skip,
}

impl Words for OnUnsupported {
    const WORDS: &'static [(&'static str, Self)] = &[("error", Self::Error), ("skip", Self::Skip)];
}

/// The options of one network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// `mode`: what weir does with the pod's traffic.
    pub mode: Mode,
    /// `failMode`: what the kernel does while no enforcer answers.
    pub fail_mode: FailMode,
    /// `ruleSets`: rule sets by name; empty: the node's default.
    pub rule_sets: Vec<String>,
    /// `runDir`: directory that plugin and enforcer share.
    pub run_dir: PathBuf,
    /// `onUnsupported`.
    pub on_unsupported: OnUnsupported,
    /// `antiSpoof`: drop frames whose source is not the pod's.
    pub anti_spoof: bool,
    /// `annotations.loosen`: namespaces whose pods may loosen their policy.
    pub loosen: Vec<NamespacePattern>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            fail_mode: FailMode::default(),
            rule_sets: Vec::new(),
            run_dir: PathBuf::from(DEFAULT_RUN_DIR),
            on_unsupported: OnUnsupported::default(),
            anti_spoof: true,
            loosen: Vec::new(),
        }
    }
}

/// Names of the options, for messages.
pub const OPTION_NAMES: [&str; 7] = [
    "mode",
    "failMode",
    "ruleSets",
    "runDir",
    "onUnsupported",
    "antiSpoof",
    "annotations",
];

impl Options {
    /// Sets the option `name`. `Ok(false)`: weir has no such option.
    ///
    /// # Errors
    /// The value is of the wrong type or not allowed.
    pub fn set(&mut self, name: &str, value: &RawValue) -> Result<bool, ConfigError> {
        match name {
            "mode" => self.mode = word(name, value)?,
            "failMode" => self.fail_mode = word(name, value)?,
            "onUnsupported" => self.on_unsupported = word(name, value)?,
            "antiSpoof" => self.anti_spoof = typed(name, value, "true or false")?,
            "ruleSets" => self.rule_sets = rule_sets(name, value)?,
            "runDir" => self.run_dir = run_dir(name, value)?,
            "annotations" => self.loosen = annotations(value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Reads a value of type `T`, which messages call `expected`.
pub(super) fn typed<'a, T: serde::Deserialize<'a>>(
    option: &str,
    value: &'a RawValue,
    expected: &'static str,
) -> Result<T, ConfigError> {
    serde_json::from_str(value.get()).map_err(|_| ConfigError::WrongType {
        option: option.to_owned(),
        expected,
        found: excerpt(value.get()),
    })
}

fn word<T: Words>(option: &str, value: &RawValue) -> Result<T, ConfigError> {
    let text: String = typed(option, value, "a string")?;
    T::from_word(&text).ok_or_else(|| ConfigError::UnknownValue {
        option: option.to_owned(),
        found: excerpt(&text),
        allowed: T::allowed(),
    })
}

fn rule_sets(option: &str, value: &RawValue) -> Result<Vec<String>, ConfigError> {
    let names: Vec<String> = typed(option, value, "a list of strings")?;
    check_rule_sets(&names).map_err(|reason| ConfigError::Invalid {
        option: option.to_owned(),
        found: excerpt(value.get()),
        reason,
    })?;
    Ok(if names == [DEFAULT_RULE_SET] {
        Vec::new()
    } else {
        names
    })
}

/// Checks names of rule sets, from the configuration or an annotation; says what is wrong.
pub(crate) fn check_rule_sets(names: &[String]) -> Result<(), String> {
    if names.len() > MAX_RULE_SETS {
        return Err(format!("more than {MAX_RULE_SETS} rule sets"));
    }
    for (index, name) in names.iter().enumerate() {
        if !is_rule_set_name(name) {
            return Err(format!(
                "rule set name {:?}: use 1 to {MAX_RULE_SET_NAME} of a-z, 0-9, '-', '_' and '.', starting with a letter or digit",
                excerpt(name)
            ));
        }
        if names.iter().take(index).any(|earlier| earlier == name) {
            return Err(format!("rule set {name:?} is given twice"));
        }
    }
    Ok(())
}

fn is_rule_set_name(name: &str) -> bool {
    let ok = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.len() <= MAX_RULE_SET_NAME
        && name.bytes().next().is_some_and(ok)
        && name.bytes().all(|byte| ok(byte) || b"-_.".contains(&byte))
}

fn run_dir(option: &str, value: &RawValue) -> Result<PathBuf, ConfigError> {
    let text: String = typed(option, value, "a string")?;
    let path = Path::new(&text);
    let plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
    let reason = if !path.is_absolute() {
        "must be an absolute path"
    } else if text.len() > MAX_RUN_DIR {
        "must be 90 bytes or shorter, as the control socket's path is limited by the kernel"
    } else if text.contains('\0') || !path.components().all(plain) || path == Path::new("/") {
        "must name a directory below / without '..'"
    } else {
        return Ok(path.to_path_buf());
    };
    Err(ConfigError::Invalid {
        option: option.to_owned(),
        found: excerpt(&text),
        reason: reason.to_owned(),
    })
}

fn annotations(value: &RawValue) -> Result<Vec<NamespacePattern>, ConfigError> {
    let object: RawObject<'_> =
        typed("annotations", value, "an object with the member \"loosen\"")?;
    let mut loosen = Vec::new();
    for (name, value) in object.iter() {
        if name != "loosen" {
            return Err(ConfigError::UnknownKey {
                key: format!("annotations.{name}"),
                known: "annotations.loosen".to_owned(),
            });
        }
        let texts: Vec<String> = typed("annotations.loosen", value, "a list of strings")?;
        loosen = patterns(&texts)?;
    }
    Ok(loosen)
}

fn patterns(texts: &[String]) -> Result<Vec<NamespacePattern>, ConfigError> {
    let invalid = |found: &str, reason: String| ConfigError::Invalid {
        option: "annotations.loosen".to_owned(),
        found: excerpt(found),
        reason,
    };
    if texts.len() > MAX_LOOSEN {
        return Err(invalid("...", format!("more than {MAX_LOOSEN} namespaces")));
    }
    texts
        .iter()
        .map(|text| {
            text.parse()
                .map_err(|error| invalid(text, format!("{error}")))
        })
        .collect()
}

/// The start of a value, short enough for a message.
pub(crate) fn excerpt(text: &str) -> String {
    const LONGEST: usize = 64;
    match text.char_indices().nth(LONGEST) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, json: &str) -> Result<Options, ConfigError> {
        let mut options = Options::default();
        let value = RawValue::from_string(json.to_owned()).unwrap();
        assert!(options.set(name, &value)?, "{name} is an option");
        Ok(options)
    }

    #[test]
    fn defaults_inspect_and_fail_open() {
        let options = Options::default();
        assert_eq!(
            (options.mode, options.fail_mode),
            (Mode::Prevent, FailMode::Open)
        );
        assert!(options.anti_spoof && options.loosen.is_empty());
        assert_eq!(options.on_unsupported, OnUnsupported::Error);
        assert_eq!(options.run_dir, Path::new("/run/weir"));
    }

    #[test]
    fn every_word_of_every_option_is_read() {
        assert_eq!(set("mode", "\"off\"").unwrap().mode, Mode::Off);
        assert_eq!(set("mode", "\"detect\"").unwrap().mode, Mode::Detect);
        assert_eq!(set("mode", "\"prevent\"").unwrap().mode, Mode::Prevent);
        assert_eq!(
            set("failMode", "\"open\"").unwrap().fail_mode,
            FailMode::Open
        );
        assert_eq!(
            set("failMode", "\"closed\"").unwrap().fail_mode,
            FailMode::Closed
        );
        let skip = set("onUnsupported", "\"skip\"").unwrap();
        assert_eq!(skip.on_unsupported, OnUnsupported::Skip);
        assert!(!set("antiSpoof", "false").unwrap().anti_spoof);
        assert_eq!(
            set("ruleSets", "[\"web\",\"db\"]").unwrap().rule_sets,
            ["web", "db"]
        );
        assert!(
            set("ruleSets", "[\"default\"]")
                .unwrap()
                .rule_sets
                .is_empty()
        );
        assert_eq!(
            set("runDir", "\"/run/a b\"").unwrap().run_dir,
            Path::new("/run/a b")
        );
        assert_eq!(
            set("annotations", "{\"loosen\":[\"a\",\"b-*\"]}")
                .unwrap()
                .loosen
                .len(),
            2
        );
    }

    #[test]
    fn a_wrong_value_names_the_option_and_what_it_may_be() {
        let many = format!("[{}]", vec!["\"a\""; MAX_RULE_SETS + 1].join(","));
        let long = format!("\"/{}\"", "r".repeat(MAX_RUN_DIR));
        for (name, json, parts) in [
            (
                "mode",
                "\"Prevent\"",
                &["mode", "\"Prevent\"", "off, detect, prevent"][..],
            ),
            ("mode", "1", &["mode", "a string", "1"]),
            ("mode", "null", &["mode", "a string", "null"]),
            ("failMode", "\"closed \"", &["failMode", "open, closed"]),
            (
                "onUnsupported",
                "\"ignore\"",
                &["onUnsupported", "error, skip"],
            ),
            ("antiSpoof", "\"off\"", &["antiSpoof", "true or false"]),
            ("ruleSets", "\"web\"", &["ruleSets", "a list of strings"]),
            ("ruleSets", "[\"Web\"]", &["ruleSets", "\"Web\"", "a-z"]),
            ("ruleSets", "[\"\"]", &["ruleSets", "\"\""]),
            ("ruleSets", "[\"a\",\"a\"]", &["ruleSets", "given twice"]),
            ("ruleSets", many.as_str(), &["ruleSets", "more than 32"]),
            ("runDir", "\"run\"", &["runDir", "\"run\"", "absolute"]),
            ("runDir", "\"/\"", &["runDir", "below /"]),
            ("runDir", "\"/run/../etc\"", &["runDir", ".."]),
            ("runDir", "\"/a\\u0000b\"", &["runDir"]),
            ("runDir", long.as_str(), &["runDir", "90 bytes"]),
            ("annotations", "[]", &["annotations", "loosen"]),
            (
                "annotations",
                "{\"losen\":[]}",
                &["annotations.losen", "annotations.loosen"],
            ),
            (
                "annotations",
                "{\"loosen\":\"a\"}",
                &["annotations.loosen", "a list of strings"],
            ),
            (
                "annotations",
                "{\"loosen\":[\"a*b\"]}",
                &["annotations.loosen", "a*b"],
            ),
        ] {
            let message = set(name, json).unwrap_err().to_string();
            for part in parts {
                assert!(
                    message.contains(part),
                    "{name} {json}: {part:?} is not in {message:?}"
                );
            }
        }
    }

    #[test]
    fn messages_quote_only_the_start_of_a_long_value() {
        let message = set("mode", &format!("\"{}\"", "ä".repeat(5000)))
            .unwrap_err()
            .to_string();
        assert!(message.len() < 300, "{message}");
    }
}
