//! A JSON object that keeps its members' order and text.
//!
//! The network configuration is split once, at its top level, into raw members: what belongs to others
//! (`prevResult` above all) is never parsed into a model that could lose a key, an order or a number's
//! spelling. A member given twice is an error: two readers could disagree on which one counts.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

/// Members of a JSON object in their order, values as written.
#[derive(Clone, Debug, Default)]
pub struct RawObject<'a> {
    members: Vec<(String, &'a RawValue)>,
}

impl<'a> RawObject<'a> {
    /// Splits `text`, which must be one JSON object.
    ///
    /// # Errors
    /// The text is not JSON, not an object, or has a member twice.
    pub fn parse(text: &'a [u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }

    /// Value of a member.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.members
            .iter()
            .find(|(member, _)| member == name)
            .map(|(_, value)| *value)
    }

    /// Value of a member, with `null` as absent.
    #[must_use]
    pub fn get_some(&self, name: &str) -> Option<&'a RawValue> {
        self.get(name).filter(|value| value.get() != "null")
    }

    /// Members in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.members
            .iter()
            .map(|(name, value)| (name.as_str(), *value))
    }

    /// Replaces a member in place, or puts it first when there is none.
    pub fn set(&mut self, name: &str, value: &'a RawValue) {
        match self.members.iter_mut().find(|(member, _)| member == name) {
            Some((_, old)) => *old = value,
            None => self.members.insert(0, (name.to_owned(), value)),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RawObject<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = RawObject<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        let mut seen = HashSet::new();
        while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
            if !seen.insert(name.clone()) {
                return Err(A::Error::custom(format_args!(
                    "member {name:?} is given twice"
                )));
            }
            members.push((name, value));
        }
        Ok(RawObject { members })
    }
}

impl Serialize for RawObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.members.len()))?;
        for (name, value) in &self.members {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_order_survive_a_round_trip() {
        let text =
            br#"{"z":1.50,"a":{"y":1e3,"x":[null, 18446744073709551616]},"\u00e4":"\u0041"}"#;
        let object = RawObject::parse(text).unwrap();
        let printed = serde_json::to_string(&object).unwrap();
        let expected =
            "{\"z\":1.50,\"a\":{\"y\":1e3,\"x\":[null, 18446744073709551616]},\"ä\":\"\\u0041\"}";
        assert_eq!(printed, expected);
    }

    #[test]
    fn what_is_no_object_or_ambiguous_is_refused() {
        for text in [
            "",
            " ",
            "[]",
            "1",
            "null",
            "\"a\"",
            "{",
            "{}x",
            "{\"a\":1,\"a\":2}",
            "{\"a\":}",
        ] {
            assert!(RawObject::parse(text.as_bytes()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn set_replaces_in_place_and_adds_in_front() {
        let one = serde_json::value::to_raw_value(&1).unwrap();
        let mut object = RawObject::parse(br#"{"a":0,"b":0}"#).unwrap();
        object.set("b", &one);
        object.set("c", &one);
        assert_eq!(
            serde_json::to_string(&object).unwrap(),
            r#"{"c":1,"a":0,"b":1}"#
        );
    }

    #[test]
    fn null_reads_as_absent_where_asked() {
        let object = RawObject::parse(br#"{"a":null,"b":false}"#).unwrap();
        assert!(object.get("a").is_some() && object.get_some("a").is_none());
        assert!(object.get_some("b").is_some());
    }
}
