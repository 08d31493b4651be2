//! The policy of one pod: the network's options, changed by the pod's annotations as far as they may.
//!
//! An annotation is written by whoever may create pods. It may always tighten; it may loosen only in the
//! namespaces that `annotations.loosen` of the network configuration names. All else is an error, so that
//! nobody believes in a policy that is not in force:
//! - `mode` and `fail-mode`: tighter is what is later in `off, detect, prevent` and `open, closed`;
//! - `anti-spoof`: `true` is tighter;
//! - `rule-sets`: tighter is what holds all configured sets and more. No configured set means the set
//!   [`DEFAULT_RULE_SET`], which is the node's default.

use weir_datapath::attachment::{Pod, WiredPolicy};

use crate::config::annotations::{DOMAIN, PodAnnotations};
use crate::config::options::{DEFAULT_RULE_SET, Options, Words, check_rule_sets, excerpt};

/// weir's annotations, for messages.
const KNOWN: &str = "weir.dev/mode, weir.dev/fail-mode, weir.dev/rule-sets, weir.dev/anti-spoof";

/// Why a pod's annotations are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// No such annotation.
    #[error(
        "{pod}: unknown annotation {DOMAIN}{name}={value:?} (known: {KNOWN}): correct or remove it"
    )]
    UnknownAnnotation {
        /// Whose annotation.
        pod: String,
        /// Name without the domain.
        name: String,
        /// Its value.
        value: String,
    },
    /// A value that the annotation does not know.
    #[error("{pod}: annotation {DOMAIN}{name}: unknown value {value:?} (allowed: {allowed})")]
    UnknownValue {
        /// Whose annotation.
        pod: String,
        /// Name without the domain.
        name: String,
        /// Its value.
        value: String,
        /// What it may be.
        allowed: String,
    },
    /// The annotation loosens, and its namespace may not.
    #[error(
        "{pod}: annotation {DOMAIN}{name}={value:?} is looser than the configured {configured:?}, and namespace {namespace:?} may not loosen: remove the annotation, or add the namespace to \"annotations\": {{\"loosen\": [...]}} of weir-cni in the network configuration"
    )]
    Loosens {
        /// Whose annotation.
        pod: String,
        /// Namespace of the pod, `""` when the runtime does not say.
        namespace: String,
        /// Name without the domain.
        name: String,
        /// Its value.
        value: String,
        /// What the network configuration says.
        configured: String,
    },
}

/// What one pod is under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodPolicy {
    /// What the attachment record says.
    pub wired: WiredPolicy,
    /// Whether the sources of the pod's frames are checked.
    pub anti_spoof: bool,
}

/// Applies a pod's annotations to the network's options.
///
/// # Errors
/// An annotation is unknown, has an unknown value, or loosens where that is not allowed.
pub fn resolve(
    options: &Options,
    annotations: &PodAnnotations,
    pod: &Pod,
) -> Result<PodPolicy, PolicyError> {
    let may_loosen = options
        .loosen
        .iter()
        .any(|pattern| pattern.matches(pod.namespace.as_deref()));
    let mut policy = PodPolicy {
        wired: WiredPolicy {
            mode: options.mode,
            fail_mode: options.fail_mode,
            rule_sets: options.rule_sets.clone(),
        },
        anti_spoof: options.anti_spoof,
    };
    for (name, value) in annotations.iter() {
        let request = Request {
            pod,
            name,
            value,
            may_loosen,
        };
        match name {
            "mode" => policy.wired.mode = request.word(options.mode)?,
            "fail-mode" => policy.wired.fail_mode = request.word(options.fail_mode)?,
            "anti-spoof" => policy.anti_spoof = request.word(options.anti_spoof)?,
            "rule-sets" => policy.wired.rule_sets = request.rule_sets(&options.rule_sets)?,
            _ => return Err(request.unknown()),
        }
    }
    Ok(policy)
}

/// How messages name a pod.
#[must_use]
pub fn describe(pod: &Pod) -> String {
    match (&pod.namespace, &pod.name) {
        (Some(namespace), Some(name)) => format!("pod {namespace}/{name}"),
        (None, Some(name)) => format!("container {name}"),
        _ => "pod".to_owned(),
    }
}

/// One annotation that wants to change one part of the policy.
struct Request<'a> {
    pod: &'a Pod,
    name: &'a str,
    value: &'a str,
    may_loosen: bool,
}

impl Request<'_> {
    fn word<T: Words + Ord>(&self, configured: T) -> Result<T, PolicyError> {
        let wanted = T::from_word(self.value).ok_or_else(|| self.unknown_value(T::allowed()))?;
        if wanted < configured && !self.may_loosen {
            return Err(self.loosens(name_of(configured)));
        }
        Ok(wanted)
    }

    fn rule_sets(&self, configured: &[String]) -> Result<Vec<String>, PolicyError> {
        let wanted: Vec<_> = self
            .value
            .split(',')
            .map(|name| name.trim().to_owned())
            .collect();
        check_rule_sets(&wanted).map_err(|reason| {
            self.unknown_value(format!("names of rule sets separated by commas; {reason}"))
        })?;
        let default = [DEFAULT_RULE_SET.to_owned()];
        let configured = if configured.is_empty() {
            &default
        } else {
            configured
        };
        let keeps_all = configured.iter().all(|name| wanted.contains(name));
        if !keeps_all && !self.may_loosen {
            return Err(self.loosens(&configured.join(",")));
        }
        Ok(if wanted == default {
            Vec::new()
        } else {
            wanted
        })
    }

    fn unknown(&self) -> PolicyError {
        PolicyError::UnknownAnnotation {
            pod: describe(self.pod),
            name: excerpt(self.name),
            value: excerpt(self.value),
        }
    }

    fn unknown_value(&self, allowed: String) -> PolicyError {
        PolicyError::UnknownValue {
            pod: describe(self.pod),
            name: self.name.to_owned(),
            value: excerpt(self.value),
            allowed,
        }
    }

    fn loosens(&self, configured: &str) -> PolicyError {
        PolicyError::Loosens {
            pod: describe(self.pod),
            namespace: self.pod.namespace.clone().unwrap_or_default(),
            name: self.name.to_owned(),
            value: excerpt(self.value),
            configured: configured.to_owned(),
        }
    }
}

/// The word that means `value`.
fn name_of<T: Words + PartialEq>(value: T) -> &'static str {
    T::WORDS
        .iter()
        .find(|(_, meaning)| *meaning == value)
        .map_or("", |(word, _)| *word)
}

#[cfg(test)]
mod tests {
    use weir_datapath::policy::{FailMode, Mode};

    use super::*;

    fn pod() -> Pod {
        Pod {
            name: Some("web-0".to_owned()),
            namespace: Some("shop".to_owned()),
            uid: None,
        }
    }

    fn options(loosen: bool) -> Options {
        Options {
            mode: Mode::Detect,
            fail_mode: FailMode::Closed,
            rule_sets: vec!["web".to_owned()],
            loosen: if loosen {
                vec!["shop".parse().unwrap()]
            } else {
                Vec::new()
            },
            ..Options::default()
        }
    }

    fn ask(options: &Options, name: &str, value: &str) -> Result<PodPolicy, PolicyError> {
        resolve(options, &[(name, value)].into_iter().collect(), &pod())
    }

    #[test]
    fn without_annotations_the_options_hold() {
        let policy = resolve(&options(false), &PodAnnotations::default(), &pod()).unwrap();
        let expected = WiredPolicy {
            mode: Mode::Detect,
            fail_mode: FailMode::Closed,
            rule_sets: vec!["web".to_owned()],
        };
        assert_eq!(
            policy,
            PodPolicy {
                wired: expected,
                anti_spoof: true
            }
        );
    }

    #[test]
    fn every_annotation_may_tighten_and_may_loosen_only_where_allowed() {
        let everything: [(&str, &str, bool); 13] = [
            ("mode", "prevent", false),
            ("mode", "detect", false),
            ("mode", "off", true),
            ("fail-mode", "closed", false),
            ("fail-mode", "open", true),
            ("anti-spoof", "true", false),
            ("anti-spoof", "false", true),
            ("rule-sets", "web", false),
            ("rule-sets", "db,web", false),
            ("rule-sets", " web , db ", false),
            ("rule-sets", "db", true),
            ("rule-sets", "default", true),
            ("rule-sets", "default,web", false),
        ];
        for (name, value, loosens) in everything {
            let strict = ask(&options(false), name, value);
            assert_eq!(strict.is_err(), loosens, "{name}={value}");
            if let Err(error) = strict {
                assert!(matches!(error, PolicyError::Loosens { .. }), "{error}");
            }
            assert!(ask(&options(true), name, value).is_ok(), "{name}={value}");
        }
    }

    #[test]
    fn a_loosening_annotation_is_refused_with_all_that_is_needed_to_mend_it() {
        let message = ask(&options(false), "mode", "off").unwrap_err().to_string();
        for part in [
            "pod shop/web-0",
            "weir.dev/mode=\"off\"",
            "\"detect\"",
            "\"shop\"",
            "loosen",
        ] {
            assert!(message.contains(part), "{part:?} is not in {message:?}");
        }
    }

    #[test]
    fn two_annotations_do_not_loosen_what_one_may_not() {
        let both = [("mode", "prevent"), ("fail-mode", "open")]
            .into_iter()
            .collect();
        assert!(resolve(&options(false), &both, &pod()).is_err());
    }

    #[test]
    fn unconfigured_rule_sets_are_the_nodes_default() {
        let options = Options::default();
        let sets = |value| ask(&options, "rule-sets", value).map(|policy| policy.wired.rule_sets);
        assert_eq!(sets("default").unwrap(), Vec::<String>::new());
        assert_eq!(sets("default,web").unwrap(), ["default", "web"]);
        assert!(matches!(sets("web"), Err(PolicyError::Loosens { .. })));
    }

    #[test]
    fn a_pod_without_namespace_may_not_loosen() {
        let nameless = Pod::default();
        let off = [("mode", "off")].into_iter().collect();
        assert!(resolve(&options(true), &off, &nameless).is_err());
    }

    #[test]
    fn unknown_annotations_and_values_list_what_is_known() {
        let options = options(true);
        for (name, value, part) in [
            ("failmode", "closed", "weir.dev/fail-mode"),
            ("", "x", "weir.dev/mode"),
            ("mode", "Off", "off, detect, prevent"),
            ("fail-mode", "", "open, closed"),
            ("anti-spoof", "off", "true, false"),
            ("rule-sets", "", "separated by commas"),
            ("rule-sets", "web,,db", "separated by commas"),
            ("rule-sets", "web,web", "given twice"),
        ] {
            let message = ask(&options, name, value).unwrap_err().to_string();
            assert!(message.contains(part), "{name}={value}: {message}");
        }
    }
}
