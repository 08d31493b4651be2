//! The pod's annotations that are meant for weir: those of the domain `weir.dev`.
//!
//! They come from whoever may create pods, so they are read here but trusted nowhere:
//! [`crate::policy`] decides what they may change.

use serde_json::value::RawValue;

use super::object::RawObject;

/// Domain of weir's annotations.
pub const DOMAIN: &str = "weir.dev/";

/// weir's annotations of one pod, in the runtime's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodAnnotations {
    entries: Vec<(String, String)>,
}

impl PodAnnotations {
    /// Takes weir's annotations out of a pod's; the values of others may be anything.
    ///
    /// # Errors
    /// It is no object, or one of weir's is no string.
    pub fn parse(raw: &RawValue) -> Result<Self, serde_json::Error> {
        let object = RawObject::parse(raw.get().as_bytes())?;
        let mut entries = Vec::new();
        for (name, value) in object.iter() {
            if let Some(name) = name.strip_prefix(DOMAIN) {
                entries.push((name.to_owned(), serde_json::from_str(value.get())?));
            }
        }
        Ok(Self { entries })
    }

    /// Whether the pod has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// (name without the domain, value) pairs.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for PodAnnotations {
    fn from_iter<T: IntoIterator<Item = (&'a str, &'a str)>>(entries: T) -> Self {
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self {
            entries: entries.into_iter().map(own).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<PodAnnotations, serde_json::Error> {
        PodAnnotations::parse(&RawValue::from_string(json.to_owned()).unwrap())
    }

    #[test]
    fn only_the_own_domain_is_read() {
        let json =
            r#"{"a/b":"c","weir.dev/mode":"off","x":null,"weir.devious/mode":"on","weir.dev/":""}"#;
        let expected: PodAnnotations = [("mode", "off"), ("", "")].into_iter().collect();
        assert_eq!(parse(json).unwrap(), expected);
        assert_eq!(parse("{}").unwrap(), PodAnnotations::default());
    }

    #[test]
    fn an_own_annotation_that_is_no_string_is_refused() {
        for json in [r#"{"weir.dev/mode":1}"#, r#"{"weir.dev/mode":null}"#, "[]"] {
            assert!(parse(json).is_err(), "{json}");
        }
    }
}
