//! `prevResult`: passed through as written, and read for the pod's addresses.
//!
//! The text goes back to the runtime unchanged except for `cniVersion`; the typed view beside it is lenient
//! about what is absent (`interfaces`, `ips`, `dns` all may be), as main plugins differ.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::object::RawObject;
use crate::version::CniVersion;

/// Result of the plugins before in the chain.
#[derive(Clone, Debug)]
pub struct PrevResult<'a> {
    object: RawObject<'a>,
    view: View,
}

/// The parts that weir reads.
#[derive(Clone, Debug, Default, Deserialize)]
struct View {
    #[serde(default, deserialize_with = "null_as_default")]
    interfaces: Vec<Interface>,
    #[serde(default, deserialize_with = "null_as_default")]
    ips: Vec<Ip>,
}

#[derive(Clone, Debug, Deserialize)]
struct Interface {
    #[serde(default, deserialize_with = "null_as_default")]
    name: String,
    #[serde(default, deserialize_with = "null_as_default")]
    sandbox: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Ip {
    address: IpNetwork,
    #[serde(default)]
    interface: Option<i64>,
}

impl<'a> PrevResult<'a> {
    /// Reads a result.
    ///
    /// # Errors
    /// It is no object, or a part that weir reads is of the wrong type.
    pub fn parse(raw: &'a RawValue) -> Result<Self, serde_json::Error> {
        let object = RawObject::parse(raw.get().as_bytes())?;
        let view = serde_json::from_str(raw.get())?;
        Ok(Self { object, view })
    }

    /// The addresses of interface `ifname` of the container, in order, each once.
    ///
    /// An address that names no interface, or one that does not exist, is taken to be the container's.
    #[must_use]
    pub fn pod_ips(&self, ifname: &str) -> Vec<IpAddr> {
        let mut ips = Vec::new();
        for ip in &self.view.ips {
            let address = ip.address.ip();
            if self.is_of(ip, ifname) && !ips.contains(&address) {
                ips.push(address);
            }
        }
        ips
    }

    fn is_of(&self, ip: &Ip, ifname: &str) -> bool {
        let Some(index) = ip.interface.and_then(|index| usize::try_from(index).ok()) else {
            return true;
        };
        self.view
            .interfaces
            .get(index)
            .is_none_or(|interface| interface.name == ifname && !interface.sandbox.is_empty())
    }

    /// The result as weir-cni prints it: as it came, in `version`.
    ///
    /// # Errors
    /// Never for a result that was read; the signature is `serde_json`'s.
    pub fn print(&self, version: CniVersion) -> Result<Vec<u8>, serde_json::Error> {
        let version = serde_json::value::to_raw_value(version.as_str())?;
        let mut object = self.object.clone();
        object.set("cniVersion", &version);
        let mut text = serde_json::to_vec(&object)?;
        text.push(b'\n');
        Ok(text)
    }
}

/// Go writes `null` for a nil list.
fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    fn printed(json: &str, version: CniVersion) -> String {
        let raw = raw(json);
        let printed = PrevResult::parse(&raw).unwrap().print(version).unwrap();
        String::from_utf8(printed).unwrap()
    }

    #[test]
    fn unknown_keys_order_and_spelling_come_out_as_they_went_in() {
        let json = r#"{"zeta":[1.0,1e2],"ips":[{"version":"4","address":"10.0.0.2/24","x":{"b":1,"a":2}}],"cniVersion":"0.4.0","dns":{},"routes":null}"#;
        let out = printed(json, CniVersion::V0_4_0);
        assert_eq!(out, format!("{json}\n"));
        let out = printed(json, CniVersion::V1_1_0);
        assert_eq!(out, format!("{}\n", json.replace("\"0.4.0\"", "\"1.1.0\"")));
    }

    #[test]
    fn a_result_without_version_gets_the_configs() {
        assert_eq!(
            printed("{}", CniVersion::V0_3_1),
            "{\"cniVersion\":\"0.3.1\"}\n"
        );
        let out = printed("{\"cniVersion\":null,\"a\":1}", CniVersion::V1_0_0);
        assert_eq!(out, "{\"cniVersion\":\"1.0.0\",\"a\":1}\n");
    }

    #[test]
    fn only_the_pods_own_addresses_are_taken() {
        let interfaces = r#"[{"name":"br0"},{"name":"veth1"},{"name":"eth0","sandbox":"/run/netns/p"},{"name":"eth1","sandbox":"/run/netns/p"},{"name":"eth0","sandbox":null}]"#;
        for (ips, expected) in [
            (
                r#"[{"address":"10.0.0.2/24","interface":2}]"#,
                &["10.0.0.2"][..],
            ),
            (
                r#"[{"address":"10.0.0.2/24"},{"address":"fd00::2/64"}]"#,
                &["10.0.0.2", "fd00::2"],
            ),
            (
                r#"[{"address":"10.0.0.2/24","interface":null}]"#,
                &["10.0.0.2"],
            ),
            (r#"[{"address":"10.0.0.2/24","interface":3}]"#, &[]),
            (r#"[{"address":"10.0.0.2/24","interface":0}]"#, &[]),
            (r#"[{"address":"10.0.0.2/24","interface":4}]"#, &[]),
            (
                r#"[{"address":"10.0.0.2/24","interface":9}]"#,
                &["10.0.0.2"],
            ),
            (
                r#"[{"address":"10.0.0.2/24","interface":-1}]"#,
                &["10.0.0.2"],
            ),
            (
                r#"[{"address":"10.0.0.2/32"},{"address":"10.0.0.2/24"}]"#,
                &["10.0.0.2"],
            ),
            ("[]", &[]),
            ("null", &[]),
        ] {
            let raw = raw(&format!("{{\"interfaces\":{interfaces},\"ips\":{ips}}}"));
            let result = PrevResult::parse(&raw).unwrap();
            let found: Vec<_> = result
                .pod_ips("eth0")
                .iter()
                .map(ToString::to_string)
                .collect();
            assert_eq!(found, expected, "{ips}");
        }
    }

    #[test]
    fn wrong_types_are_refused() {
        for json in [
            "[]",
            "1",
            "\"a\"",
            r#"{"ips":{}}"#,
            r#"{"ips":[{}]}"#,
            r#"{"ips":[{"address":"10.0.0.256/24"}]}"#,
            r#"{"ips":[{"address":"10.0.0.2/24","interface":"2"}]}"#,
            r#"{"interfaces":[1]}"#,
            r#"{"ips":[],"ips":[]}"#,
        ] {
            assert!(PrevResult::parse(&raw(json)).is_err(), "{json}");
        }
    }
}
